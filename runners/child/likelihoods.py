"""Log-likelihoods of given continuations from /v1/completions with `echo` and `logprobs`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runners.child.calling import CallFailed

Post = Callable[[str, dict[str, Any]], dict[str, Any]]
Score = tuple[float, bool]


class Scorer:
    """Scores continuations as lm-eval does: the tokens that the continuation adds to its context, summed.

    Where a server's token texts join back to the prompt, their offsets say which tokens these are; a token
    that straddles the border belongs to the continuation. Where they do not (a Hangul syllable cut into
    bytes), the context's own token count says it, asked once per context.
    """

    def __init__(self, post: Post, model: str) -> None:
        self._post, self._model = post, model
        self._counts: dict[str, int] = {}

    def score(self, context: str, continuation: str) -> tuple[Score, dict[str, Any]]:
        """((sum of natural log-probabilities, greedy), the server's answer). Raises CallFailed."""
        bare = context.rstrip()
        continuation, context = context[len(bare) :] + continuation, bare
        text = context + continuation
        body = {
            "model": self._model,
            "prompt": text,
            "max_tokens": 1,
            "temperature": 0,
            "echo": True,
            "logprobs": 1,
        }
        answer = self._post("/completions", body)
        try:
            found = answer["choices"][0]["logprobs"]
            tokens, values = found["tokens"], found["token_logprobs"]
            tops = found.get("top_logprobs") or [None] * len(tokens)
        except (KeyError, IndexError, TypeError) as error:
            raise CallFailed("endpoint_error", "no logprobs of the prompt in the answer: echo is not served") from error
        first, end = self._span(context, text, tokens, answer)
        scored = [(v, top) for v, top in zip(values[first:end], tops[first:end], strict=True) if v is not None]
        if not scored:
            raise CallFailed("endpoint_error", "the answer scores no token of the continuation")
        greedy = all(top is None or value >= max(top.values()) for value, top in scored)
        return (float(sum(value for value, _ in scored)), greedy), answer

    def _span(self, context: str, text: str, tokens: list[str], answer: dict[str, Any]) -> tuple[int, int]:
        """Indices of the continuation's first token and of the first generated one."""
        special = 1 if tokens and not text.startswith(tokens[0]) else 0
        at, first = 0, None
        for index, token in enumerate(tokens[special:], start=special):
            if at >= len(text):
                return (index if first is None else first), index
            if not text.startswith(token, at) and not token.startswith(text[at:]):
                break
            at += len(token)
            if first is None and at > len(context):
                first = index
        else:
            return (len(tokens) if first is None else first), len(tokens)
        generated = (answer.get("usage") or {}).get("completion_tokens", 1)
        return self._count(context), len(tokens) - int(generated)

    def _count(self, context: str) -> int:
        """How many tokens the context has by itself, special ones included."""
        if context not in self._counts:
            body = {"model": self._model, "prompt": context, "max_tokens": 1, "temperature": 0}
            usage = self._post("/completions", body).get("usage") or {}
            if "prompt_tokens" not in usage:
                raise CallFailed("endpoint_error", "the server does not count tokens, so no border can be found")
            self._counts[context] = int(usage["prompt_tokens"])
        return self._counts[context]
