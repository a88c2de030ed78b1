"""Streamed answers of OpenAI-compatible servers, token by token: the arena's way through the door to models.

Nothing is tried again here: a stream that has begun has been shown. What goes wrong is a ChatError with a kind; its
message is for logs and staff, never for a page.
"""

from __future__ import annotations

import asyncio
import json
import os
import weakref
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx2
import openai

from runners.adapters.chat import ChatError
from runners.models import Endpoint

FIRST_SECONDS = float(os.environ.get("GYEORU_FIRST_TOKEN_SECONDS", "20"))
STALL_SECONDS = float(os.environ.get("GYEORU_STALL_TOKEN_SECONDS", "15"))
MAX_CHARACTERS = 200_000
_KINDS = {401: "auth", 403: "auth", 404: "model_not_found", 408: "endpoint_slow", 429: "rate_limited"}
Clients = dict[tuple[str, str], openai.AsyncOpenAI]
_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Clients] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Ending:
    """How a stream ended; tokens are None where the server did not tell them."""

    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    served_model: str = ""
    system_fingerprint: str = ""


@dataclass
class _Facts:
    finish: str = ""
    usage: Mapping[str, Any] | None = None
    model: str = ""
    fingerprint: str = ""
    characters: int = 0


async def stream(
    endpoint: Endpoint, messages: Sequence[Mapping[str, str]], *, temperature: float, max_tokens: int
) -> AsyncGenerator[str | Ending, None]:
    """Pieces of text as they come, then an Ending. Raises ChatError: nothing in 20 s, a pause of 15 s, an error, an end
    without a reason, what is no event stream. Closing the iterator closes the connection.
    """
    body = {
        "model": endpoint.served_name,
        "messages": list(messages),
        "temperature": temperature,
        "max_tokens": max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    facts = _Facts()
    try:
        async with asyncio.timeout(FIRST_SECONDS) as clock:
            now, moved = asyncio.get_running_loop().time, 0.0
            response = await _open(endpoint, body)
            try:
                async with aclosing(_events(response)) as events:
                    async for event in events:
                        piece, alive = _read(event, facts)
                        # A timer moved for every token would cost more than the token.
                        if alive and now() - moved > STALL_SECONDS / 10:
                            moved = now()
                            clock.reschedule(moved + STALL_SECONDS)
                        if piece:
                            yield piece
            finally:
                await response.aclose()
    except TimeoutError as error:
        raise ChatError("endpoint_slow", "no token in time") from error
    except httpx2.HTTPError as error:
        raise ChatError("endpoint_down", f"the stream broke: {error}") from error
    if not facts.finish:
        raise ChatError("endpoint_error", "the stream ended without a finish_reason")
    usage = facts.usage or {}
    yield Ending(
        facts.finish[:20], usage.get("prompt_tokens"), usage.get("completion_tokens"), facts.model, facts.fingerprint
    )


async def _open(endpoint: Endpoint, body: dict[str, Any]) -> httpx2.Response:
    try:
        # With this cast_to the SDK hands over the raw response, unread.
        opened: Any = await _client(endpoint).post(
            "/chat/completions", cast_to=httpx2.Response, body=body, stream=True, stream_cls=openai.AsyncStream[Any]
        )
        response: httpx2.Response = opened
    except openai.APITimeoutError as error:
        raise ChatError("endpoint_slow", "no connection in time") from error
    except openai.APIStatusError as error:
        kind = "endpoint_error" if error.status_code >= 500 else _KINDS.get(error.status_code, "bad_request")
        raise ChatError(kind, str(error)[:500]) from error
    except openai.APIConnectionError as error:
        raise ChatError("endpoint_down", f"{error} ({error.__cause__})"[:500]) from error
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        await response.aclose()
        raise ChatError("endpoint_html", "the answer is no event stream")
    return response


async def _events(response: httpx2.Response) -> AsyncGenerator[dict[str, Any], None]:
    """The JSON objects of the stream's data lines, until [DONE]."""
    rest = b""
    async for chunk in response.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            try:
                event = json.loads(data)
            except ValueError as error:
                raise ChatError("endpoint_error", "a line of the stream is no JSON") from error
            if isinstance(event, dict):
                yield event
        if len(rest) > 1_000_000:
            raise ChatError("endpoint_error", "a line of the stream has no end")


def _read(event: dict[str, Any], facts: _Facts) -> tuple[str, bool]:
    """The text of an event, and whether it shows that the model is at work; keeps the facts it tells."""
    if event.get("error"):
        raise ChatError("endpoint_error", str(event["error"])[:500])
    facts.usage = event.get("usage") or facts.usage
    if not facts.model:
        facts.model = str(event.get("model") or "")[:200]
        facts.fingerprint = str(event.get("system_fingerprint") or "")[:100]
    choices = event.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return "", False
    facts.finish = str(choices[0].get("finish_reason") or facts.finish)
    delta = choices[0].get("delta") or {}
    text = delta.get("content") or delta.get("refusal") or ""
    if not isinstance(text, str):
        raise ChatError("endpoint_error", "a piece of the answer is no text")
    facts.characters += len(text)
    if facts.characters > MAX_CHARACTERS:
        raise ChatError("endpoint_error", "the answer has no end")
    thinks = bool(delta.get("reasoning_content") or delta.get("reasoning"))
    return text.replace("\x00", "\ufffd"), bool(text) or thinks


def _client(endpoint: Endpoint) -> openai.AsyncOpenAI:
    """One client per server and event loop; connections end with their streams."""
    key = os.environ.get(endpoint.key_env, "") if endpoint.key_env else ""
    if endpoint.key_env and not key:
        raise ChatError("auth", f"the environment variable {endpoint.key_env} is not set here")
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if (endpoint.base_url, key) not in clients:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=50)
        clients[endpoint.base_url, key] = openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=key or "none",
            max_retries=0,
            timeout=httpx2.Timeout(FIRST_SECONDS + STALL_SECONDS, connect=10),
            http_client=openai.DefaultAsyncHttpxClient(limits=limits),
        )
    return clients[endpoint.base_url, key]
