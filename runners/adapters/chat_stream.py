"""Streamed answers of OpenAI-compatible servers, token by token: the arena's way through the door to models.

Nothing is tried again here: a stream that has begun has been shown. What goes wrong is a ChatError with a kind; its
message is for logs and staff, never for a page.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runners.adapters.chat import ChatError
from runners.adapters.wire import Head, Piece, Wire, WireError, post
from runners.models import Endpoint

FIRST_SECONDS = float(os.environ.get("GYEORU_FIRST_TOKEN_SECONDS", "20"))
STALL_SECONDS = float(os.environ.get("GYEORU_STALL_TOKEN_SECONDS", "15"))
MAX_CHARACTERS = 200_000
MAX_LINE = 1_000_000
_KINDS = {401: "auth", 403: "auth", 404: "model_not_found", 408: "endpoint_slow", 429: "rate_limited"}


@dataclass(frozen=True)
class Ending:
    """How a stream ended; tokens are None where the server did not tell them."""

    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    served_model: str = ""
    system_fingerprint: str = ""


class ChatStream:
    """One streamed answer, asked for as soon as it is made, in a running loop: `look()` again and again, `close()`.

    `first_seconds` and `seconds` count from the request to the first text and to the end; `ending` is set at the end.
    """

    def __init__(
        self, endpoint: Endpoint, messages: Sequence[Mapping[str, str]], *, temperature: float, max_tokens: int
    ) -> None:
        self.first_seconds: float | None = None
        self.seconds: float | None = None
        self.ending: Ending | None = None
        self._began = self._alive = time.monotonic()
        self._limit = FIRST_SECONDS
        self._wire: Wire | None = None
        self._refusal: tuple[int, bytes] | None = None
        self._rest = b""
        self._finish = self._model = self._fingerprint = ""
        self._usage: Mapping[str, Any] = {}
        self._characters = 0
        body = {
            "model": endpoint.served_name,
            "messages": list(messages),
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        self._opening = asyncio.ensure_future(_open(endpoint, json.dumps(body, ensure_ascii=False).encode()))

    def look(self) -> str:
        """The text that has come since the last look, empty at first and after the end.

        Raises ChatError: nothing in 20 s, a pause of 15 s, an error, an end without a reason or without [DONE], what is
        no event stream.
        """
        if self.ending is not None:
            return ""
        now = time.monotonic()
        if self._wire is None and self._opening.done():
            self._wire = self._opening.result()
        text = "".join(self._news(self._wire)) if self._wire is not None else ""
        if self.ending is None and now - self._alive > self._limit:
            raise ChatError("endpoint_slow", f"no token in {self._limit:g} s")
        return text

    def close(self) -> None:
        """Drops the connection at once, whatever is on it."""
        if self._opening.done():
            if not self._opening.cancelled() and self._opening.exception() is None:
                self._opening.result().close()
        else:
            self._opening.cancel()

    def _news(self, wire: Wire) -> list[str]:
        found: list[str] = []
        try:
            for event in wire.events():
                if isinstance(event, Head):
                    self._begin(event)
                elif isinstance(event, Piece):
                    self._add(event, found)
                else:
                    self._stop()
                if self.ending is not None:
                    break
        except WireError as error:
            if self._refusal is not None:
                self._stop()
            raise ChatError("endpoint_down", f"the stream broke: {error}"[:500]) from error
        return found

    def _begin(self, head: Head) -> None:
        if head.status != 200:
            self._refusal = head.status, b""
        elif not head.content_type.lower().startswith("text/event-stream"):
            raise ChatError("endpoint_html", "the answer is no event stream")

    def _stop(self) -> None:
        """The body is over, and no [DONE] was in it."""
        if self._refusal is None:
            raise ChatError("endpoint_error", "the stream ended without [DONE]")
        status, said = self._refusal
        kind = "bad_request" if 400 <= status < 500 else "endpoint_error"
        raise ChatError(_KINDS.get(status, kind), f"{status}: {said.decode(errors='replace')}"[:500])

    def _add(self, piece: Piece, found: list[str]) -> None:
        if self._refusal is not None:
            status, said = self._refusal
            self._refusal = status, said + piece.data
            if len(said) > 500:
                self._stop()
            return
        *lines, self._rest = (self._rest + piece.data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise ChatError("endpoint_error", "a line of the stream has no end")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                self._done(piece.at)
                return
            try:
                event = json.loads(data)
            except ValueError as error:
                raise ChatError("endpoint_error", "a line of the stream is no JSON") from error
            if isinstance(event, dict) and (text := self._read(event, piece.at)):
                found.append(text)

    def _read(self, event: dict[str, Any], at: float) -> str:
        """The text of an event; keeps the facts it tells."""
        if event.get("error"):
            raise ChatError("endpoint_error", str(event["error"])[:500])
        usage = event.get("usage")
        if isinstance(usage, dict):
            self._usage = usage
        if not self._model:
            self._model = str(event.get("model") or "")[:200]
            self._fingerprint = str(event.get("system_fingerprint") or "")[:100]
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return ""
        self._finish = str(choices[0].get("finish_reason") or self._finish)
        delta = choices[0].get("delta") or {}
        text = (delta.get("content") or delta.get("refusal") or "") if isinstance(delta, dict) else None
        if not isinstance(text, str):
            raise ChatError("endpoint_error", "a piece of the answer is no text")
        if text or delta.get("reasoning_content") or delta.get("reasoning"):
            self._alive, self._limit = at, STALL_SECONDS
        if text and self.first_seconds is None:
            self.first_seconds = at - self._began
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            raise ChatError("endpoint_error", "the answer has no end")
        return text.replace("\x00", "\ufffd")

    def _done(self, at: float) -> None:
        if not self._finish:
            raise ChatError("endpoint_error", "the stream ended without a finish_reason")
        prompt, completion = (_count(self._usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
        self.seconds = at - self._began
        self.ending = Ending(self._finish[:20], prompt, completion, self._model, self._fingerprint)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


async def _open(endpoint: Endpoint, body: bytes) -> Wire:
    key = os.environ.get(endpoint.key_env, "") if endpoint.key_env else ""
    if endpoint.key_env and not key:
        raise ChatError("auth", f"the environment variable {endpoint.key_env} is not set here")
    headers = [("content-type", "application/json"), ("accept", "text/event-stream"), ("user-agent", "gyeoru")]
    if key:
        headers.append(("authorization", f"Bearer {key}"))
    try:
        return await post(f"{endpoint.base_url.rstrip('/')}/chat/completions", headers, body)
    except TimeoutError as error:
        raise ChatError("endpoint_slow", "no connection in time") from error
    except WireError as error:
        raise ChatError("endpoint_down", str(error)[:500]) from error
