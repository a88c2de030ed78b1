"""A loaded model as a tiny OpenAI-compatible server on the loopback, so that the chat door can talk to it.

`Line` gathers requests that wait into batches for the one thread that has the model; `Server` is the HTTP around it:
`POST /v1/chat/completions` (no streams), `GET /v1/models` and `GET /health`. Every reply tells its token counts and
how it ended. One bad request is refused by itself (400); an error of the model is the server's (500).
"""

from __future__ import annotations

import json
import queue
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from runners.child.errors import ChildError, TryAgain

BODY_MOST = 8 << 20
# How long a batch that is not full waits for requests right behind its first one.
TOGETHER = 0.02


@dataclass(frozen=True)
class Ask:
    """One turn to answer. temperature 0 is greedy; `seed` decides the draws of this request alone."""

    messages: tuple[dict[str, str], ...]
    temperature: float
    max_tokens: int
    seed: int | None = None


@dataclass(frozen=True)
class Said:
    """An answer. finish_reason: "stop" where the model ended it, "length" where the limit did."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


class Refused(Exception):
    """This one request cannot be answered; the message says why. Others can."""


# A batch in, as many answers or refusals out, in order. Raises TryAgain when it has changed something that may help.
Talk = Callable[[Sequence[Ask]], Sequence[Said | Refused]]


class _Place:
    """A request in line, and what became of it."""

    def __init__(self, ask: Ask) -> None:
        self.ask, self.done = ask, threading.Event()
        self.outcome: Said | Exception = Refused("the server is closing")


class Line:
    """Requests of many threads, answered in batches of at most `size()` by one thread that has the model."""

    def __init__(self, talk: Talk, size: Callable[[], int]) -> None:
        self._talk, self._size = talk, size
        self._waiting: queue.SimpleQueue[_Place] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def answer(self, ask: Ask) -> Said:
        """Waits for the answer. Raises Refused, or what the model raised."""
        place = _Place(ask)
        self._waiting.put(place)
        place.done.wait()
        if isinstance(place.outcome, Exception):
            raise place.outcome
        return place.outcome

    def _work(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < self._size():
                try:
                    batch.append(self._waiting.get(timeout=TOGETHER))
                except queue.Empty:
                    break
            while batch:
                batch = self._serve(batch)

    def _serve(self, batch: list[_Place]) -> list[_Place]:
        """Answers the head of `batch` that fits; what is left of it."""
        head = batch[: self._size()]
        outcomes: Sequence[Said | Exception]
        try:
            outcomes = self._talk([place.ask for place in head])
        except TryAgain:
            return batch
        except ChildError as error:
            outcomes = [Refused(error.message)] * len(head)
        except Exception as error:  # noqa: BLE001 - told to those who wait for it
            traceback.print_exc()
            outcomes = [error] * len(head)
        for place, outcome in zip(head, outcomes, strict=True):
            place.outcome = outcome
            place.done.set()
        return batch[len(head) :]


class Server:
    """The model `name` on a free port of the loopback, until closed."""

    def __init__(self, name: str, line: Line) -> None:
        handler = type("Handler", (_Handler,), {"name": name, "line": line})
        self._http = _Http(("127.0.0.1", 0), handler)
        self.base_url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    name: str
    line: Line
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200, {})
        elif self.path == "/v1/models":
            self._send(200, {"object": "list", "data": [{"id": self.name, "object": "model"}]})
        else:
            self._error(404, f"no such path: {self.path}")

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > BODY_MOST:
            self.close_connection = True
            return self._error(400, f"the request has {length} bytes; at most {BODY_MOST} are read")
        raw = self.rfile.read(length)
        if self.path != "/v1/chat/completions":
            return self._error(404, f"no such path: {self.path}")
        try:
            said = self.line.answer(read_request(raw))
        except Refused as refused:
            return self._error(400, str(refused))
        except Exception as error:  # noqa: BLE001 - the caller is told
            return self._error(500, f"{type(error).__name__}: {error}")
        self._send(200, _payload(self.name, said))

    def _error(self, status: int, message: str) -> None:
        self._send(status, {"error": {"message": message[:2000], "type": "invalid_request_error"}})

    def _send(self, status: int, payload: dict[str, Any]) -> None:
        raw = json.dumps(payload, ensure_ascii=False).encode(errors="replace")
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
        except ConnectionError:
            self.close_connection = True  # nobody waits for it any more

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: what a model is asked is no matter of the worker's log."""


def read_request(raw: bytes) -> Ask:
    """The body of a chat completion. Raises Refused, naming what is wrong with it."""
    try:
        body = json.loads(raw)
        messages = tuple({"role": str(m["role"]), "content": str(m["content"])} for m in body["messages"])
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        ask = Ask(messages, float(body.get("temperature") or 0.0), int(limit), body.get("seed"))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused(f"the request needs messages and max_tokens ({type(error).__name__}: {error})") from error
    if body.get("stream") or body.get("response_format"):
        raise Refused("this server gives whole answers in free form; leave stream and response_format out")
    if not messages or ask.max_tokens < 1 or ask.temperature < 0:
        raise Refused("messages must not be empty, max_tokens at least 1 and temperature at least 0")
    return ask


def _payload(name: str, said: Said) -> dict[str, Any]:
    return {
        "object": "chat.completion",
        "model": name,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": said.text},
                "finish_reason": said.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": said.prompt_tokens,
            "completion_tokens": said.completion_tokens,
            "total_tokens": said.prompt_tokens + said.completion_tokens,
        },
    }
