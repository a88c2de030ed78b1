"""The door to models that answer a conversation: OpenAI-compatible servers, and the reference players.

The SDK's own retries are off; retries are bounded in `runners.child.calling` and nowhere else. An answer says how it
ended, what it took and who gave it; a request without an answer is a ChatError, never a text.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.conf import settings

from runners.adapters.players import PLAYERS, Messages
from runners.child.calling import RETRIES, CallFailed
from runners.child.calling import Endpoint as Server
from runners.models import Endpoint, ModelRevision

Key = TypeVar("Key", bound=Hashable)
PERMANENT = frozenset({"auth", "model_not_found", "bad_request", "not_recorded", "no_player"})
TIMEOUT = float(os.environ.get("GYEORU_CHAT_TIMEOUT", "180"))


@dataclass(frozen=True)
class Reply:
    """An answer. `seconds` is the wall time of the request, its retries included; tokens are None where not told."""

    text: str
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    served_model: str = ""
    system_fingerprint: str = ""

    @property
    def is_truncated(self) -> bool:
        return self.finish_reason == "length"


class ChatError(Exception):
    """No answer. `kind` is one of `runners.child.errors` or bad_request, not_recorded, no_player.

    `permanent`: the same request would fail again.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message

    @property
    def permanent(self) -> bool:
        return self.kind in PERMANENT


class Door:
    """Answers of one model, asked from many threads at once. Close it when done; that also stops what is waiting."""

    def __init__(
        self, *, player: str = "", endpoint: Endpoint | None = None, concurrency: int = 32, timeout: float | None = None
    ) -> None:
        self.player, self.endpoint, self.concurrency = player, endpoint, concurrency
        self._server: Server | None = None
        # Newer models of some makers refuse the older name of the limit; the first refusal teaches us.
        self._limit_name = "max_tokens"
        if endpoint is not None:
            key = os.environ.get(endpoint.key_env) if endpoint.key_env else None
            if endpoint.key_env and not key:
                raise ChatError(
                    "auth", f"The environment variable {endpoint.key_env} with the key of {endpoint} is not set here."
                )
            self._server = Server(endpoint.base_url, key, connections=concurrency, timeout=timeout or TIMEOUT)
        elif player not in PLAYERS:
            raise ChatError("no_player", f"The reference player {player} answers no conversations; choose another.")

    def complete(
        self,
        messages: Messages,
        *,
        temperature: float,
        max_tokens: int,
        seed: int | None = None,
        schema: dict[str, Any] | None = None,
        retries: int = RETRIES,
        key: str = "",
    ) -> Reply:
        """One answer. `schema` asks the server to enforce a JSON schema; `key` names the call to servers that
        tell repetitions apart (Idempotency-Key). Raises ChatError.
        """
        started = time.monotonic()
        if self._server is None:
            text = PLAYERS[self.player](messages)
            if text is None:
                raise ChatError("not_recorded", f"{self.player} has no answer to this question.")
            return Reply(text, "stop", None, None, time.monotonic() - started, self.player)
        assert self.endpoint is not None
        body: dict[str, Any] = {
            "model": self.endpoint.served_name,
            "messages": list(messages),
            "temperature": temperature,
            self._limit_name: max_tokens,
        }
        if seed is not None:
            body["seed"] = seed
        if schema is not None:
            wanted = {"name": "verdict", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        answer = self._post(body, retries, key)
        return _reply(answer, time.monotonic() - started)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    def _post(self, body: dict[str, Any], retries: int, key: str) -> dict[str, Any]:
        assert self._server is not None
        try:
            return self._server.post("/chat/completions", body, retries, key=key)
        except CallFailed as error:
            newer = "max_completion_tokens"
            if error.kind == "bad_request" and newer in error.text and "max_tokens" in body:
                self._limit_name = newer
                return self._post({**body, newer: body.pop("max_tokens")}, retries, key)
            raise ChatError(error.kind, error.text) from error


def open_door(revision: ModelRevision, concurrency: int = 32, *, base_url: str = "") -> Door:
    """The door to a revision. Weights without a server of their own are at `base_url`, where their attempt serves
    them; whether they still answer is the attempt's matter, so that a request may take long. Raises ChatError.
    """
    if revision.endpoint is not None:
        return Door(endpoint=revision.endpoint, concurrency=concurrency)
    if revision.backend == ModelRevision.Backend.REFERENCE:
        return Door(player=revision.api_name, concurrency=concurrency)
    hosted = Endpoint(slug=revision.slug, base_url=base_url, served_name=revision.slug)
    return Door(endpoint=hosted, concurrency=concurrency, timeout=2 * settings.STALL_SECONDS)


def _reply(answer: dict[str, Any], seconds: float) -> Reply:
    try:
        choice = answer["choices"][0]
        message = choice["message"]
        text = message.get("content") or message.get("refusal") or ""
        finish = str(choice.get("finish_reason") or "")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ChatError("endpoint_error", "the answer has no choices") from error
    if not isinstance(text, str):
        raise ChatError("endpoint_error", "the answer's content is not text")
    usage = answer.get("usage") or {}
    return Reply(
        # Databases refuse NUL.
        text.replace("\x00", "\ufffd"),
        finish[:20],
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        seconds,
        str(answer.get("model") or "")[:200],
        str(answer.get("system_fingerprint") or "")[:100],
    )


Outcome = Reply | ChatError


class Pool(Generic[Key]):
    """Threads that make calls, `concurrency` at a time. All methods are for the one thread that owns the pool."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency, self.outstanding = concurrency, 0
        self._in_hand = concurrency
        self._asked: queue.SimpleQueue[tuple[Key, Callable[[], Reply]] | None] = queue.SimpleQueue()
        self._came: queue.SimpleQueue[tuple[Key, Outcome | BaseException]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, key: Key, call: Callable[[], Reply]) -> None:
        self.outstanding += 1
        self._asked.put((key, call))
        if len(self._threads) < min(self.concurrency, self.outstanding):
            # Daemons: a request under way may last minutes, and whoever stops wants to stop now.
            self._threads.append(threading.Thread(target=self._work, daemon=True))
            self._threads[-1].start()

    @property
    def free(self) -> int:
        """How many more calls keep every thread busy until the next look.

        In hand are twice as many as came at the last one: many where answers are quick, few where they take seconds
        and a call in hand would only hold money.
        """
        return max(0, self.concurrency + self._in_hand - self.outstanding)

    def collect(self, timeout: float, together: float = 0.0) -> list[tuple[Key, Outcome]]:
        """What has come, waiting up to `timeout` seconds for the first, and `together` more for those right behind it.

        Raises what is no ChatError.
        """
        found: list[tuple[Key, Outcome]] = []
        while self.outstanding:
            try:
                key, outcome = self._came.get(timeout=timeout) if not found else self._came.get_nowait()
                if not found and together:
                    time.sleep(together)
            except queue.Empty:
                break
            self.outstanding -= 1
            if not isinstance(outcome, Reply | ChatError):
                raise outcome
            found.append((key, outcome))
        if found:
            self._in_hand = min(self.concurrency, 2 * len(found) + 1)
        return found

    def drop_waiting(self) -> list[Key]:
        """Drops the calls that have not begun; their keys."""
        dropped: list[Key] = []
        while True:
            try:
                asked = self._asked.get_nowait()
            except queue.Empty:
                return dropped
            if asked is not None:
                self.outstanding -= 1
                dropped.append(asked[0])

    def close(self) -> None:
        """Sends the threads home; calls that have not begun are dropped."""
        self.drop_waiting()
        for _ in self._threads:
            self._asked.put(None)

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            key, call = asked
            outcome: Outcome | BaseException
            try:
                outcome = call()
            except Exception as error:  # noqa: BLE001 - given to the thread that owns the pool
                outcome = error
            self._came.put((key, outcome))


def rest(pool: Pool[Key], seconds: float) -> list[tuple[Key, Outcome]]:
    """What comes within `seconds` of the calls that are out already."""
    limit = time.monotonic() + seconds
    found: list[tuple[Key, Outcome]] = []
    while pool.outstanding and time.monotonic() < limit:
        found += pool.collect(0.2)
    return found
