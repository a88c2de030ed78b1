"""What the fake OpenAI-compatible server answers: behaviours, a toy tokenizer and the JSON of each endpoint."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

KINDS = (
    "ok",
    "429",
    "500",
    "401",
    "404",
    "html",
    "null",
    "empty",
    "nochoices",
    "length",
    "slow",
    "cut",
    "garbage",
)
TOKEN = re.compile(r"\s?\w{1,3}|\s|[^\w\s]")


@dataclass
class Behaviour:
    """How a served model answers. `times`: the first n requests only, then it is well (None: always).

    `only` limits a fault to requests whose prompt contains this text. `latency` and `slow` are seconds before
    the first byte; `retry_after` is the header's seconds; `between` is seconds between streamed tokens.
    """

    kind: str = "ok"
    latency: float = 0.0
    times: int | None = None
    only: str = ""
    retry_after: float | None = None
    slow: float = 30.0
    between: float = 0.0
    reply: str | None = None


def tokens_of(text: str) -> list[str]:
    """The fake tokenizer: up to three letters with the space before them; joins back to `text`."""
    return TOKEN.findall(text)


def logprob_of(token: str, before: str) -> float:
    """A log-probability in (-8, 0) that the token and the 40 characters before it decide."""
    digest = hashlib.sha256(f"{before[-40:]}\0{token}".encode()).digest()
    return -8.0 * (int.from_bytes(digest[:4], "big") + 1) / 2**32


def default_reply(model: str, messages: list[dict[str, Any]]) -> str:
    """A deterministic Korean sentence with a label from A to D, chosen by the prompt's hash."""
    text = "".join(str(m.get("content", "")) for m in messages)
    return f"정답은 {'ABCD'[hashlib.sha256(text.encode()).digest()[0] % 4]}입니다."


def error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code}}


def usage(prompt: str, text: str | None) -> dict[str, int]:
    asked, answered = len(tokens_of(prompt)), len(tokens_of(text or ""))
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def prompt(body: dict[str, Any]) -> str:
    return "\n".join(str(m.get("content", "")) for m in body.get("messages", []))


def chat_payload(model: str, body: dict[str, Any], text: str | None, does: Behaviour) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "length" if does.kind == "length" else "stop",
    }
    choices = [] if does.kind == "nochoices" else [choice]
    head = {"id": "chatcmpl-fake", "object": "chat.completion", "created": 0, "model": model}
    return {**head, "choices": choices, "usage": usage(prompt(body), text)}


def chunks(model: str, body: dict[str, Any], text: str | None, does: Behaviour) -> Iterator[dict[str, Any]]:
    head = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 0, "model": model}
    for token in tokens_of(text or ""):
        yield {**head, "choices": [{"index": 0, "delta": {"content": token}, "finish_reason": None}]}
    end = "length" if does.kind == "length" else "stop"
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": end}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": usage(prompt(body), text)}


def _logprobs(text: str) -> dict[str, Any]:
    tokens, offsets, values, at = tokens_of(text), [], [], 0
    for token in tokens:
        offsets.append(at)
        values.append(None if at == 0 else logprob_of(token, text[:at]))
        at += len(token)
    top = [None if v is None else {t: v} for t, v in zip(tokens, values, strict=True)]
    return {"tokens": tokens, "token_logprobs": values, "top_logprobs": top, "text_offset": offsets}


def completions_payload(model: str, body: dict[str, Any], does: Behaviour) -> dict[str, Any]:
    asked = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    choices = []
    for index, prompt in enumerate(asked):
        made = "" if body.get("max_tokens") == 0 else (does.reply or " 끝")
        text = prompt + made if body.get("echo") else made
        logprobs = _logprobs(text) if body.get("logprobs") is not None else None
        choices.append({"index": index, "text": text, "logprobs": logprobs, "finish_reason": "length"})
    if does.kind == "nochoices":
        choices = []
    head = {"id": "cmpl-fake", "object": "text_completion", "created": 0, "model": model}
    return {**head, "choices": choices, "usage": usage("".join(asked), "")}
