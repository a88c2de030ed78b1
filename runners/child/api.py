"""A served model behind an OpenAI-compatible endpoint, as a language model of lm-eval.

Generation goes through /v1/chat/completions. Likelihoods go through /v1/completions with echo and logprobs
where the model's argument `loglikelihood` says that the server gives them (vLLM does). A request that fails
in the end is FAILED and the run goes on; when the endpoint itself fails, ChildError.

Model arguments: `loglikelihood` (bool), `chat` (false: plain prompts through /v1/completions, for base
models), `retries` (int), `max_tokens_field` (default "max_tokens"), `request` (fields added to every
generation request; a null takes one away).
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from lm_eval.api.model import LM

from runners.child.answers import Meta
from runners.child.backends import Loaded
from runners.child.calling import RETRIES, Breaker, CallFailed, Endpoint
from runners.child.errors import ChildError
from runners.child.likelihoods import Scorer
from runners.child.markers import FAILED
from runners.reports import RunSpec

DEFAULT_MAX_TOKENS = 256
STOPS_MOST = 4  # what the OpenAI API accepts
NOT_SENT = ("until", "max_gen_toks", "do_sample")

Answered = tuple[Any, Meta]


class ApiLM(LM):  # type: ignore[misc]
    """Answers with at most `concurrency` requests at a time, each told to the cache hook as it comes."""

    tokenizer_name = "served"

    def __init__(self, spec: RunSpec, endpoint: Endpoint) -> None:
        super().__init__()
        arguments = spec.model.args
        self.endpoint, self.concurrency, self.seed = endpoint, max(spec.max_concurrency, 1), spec.seed
        self.name = spec.model.served_name or spec.model.name
        self.chat = bool(arguments.get("chat", True))
        self.retries = int(arguments.get("retries", RETRIES))
        self.extra: dict[str, Any] = dict(arguments.get("request", {}))
        self.max_tokens_field = str(arguments.get("max_tokens_field", "max_tokens"))
        self.breaker = Breaker(spec.model.name)
        self.scorer = Scorer(self._post, self.name)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The messages as JSON: the server has the template."""
        return json.dumps(chat_history, ensure_ascii=False)

    def generate_until(self, requests: list[Any]) -> list[str]:
        return self._all("generate_until", requests, self._generate)

    def loglikelihood(self, requests: list[Any]) -> list[Any]:
        return self._all("loglikelihood", requests, self._score)

    def loglikelihood_rolling(self, requests: list[Any]) -> list[Any]:
        return self._all("loglikelihood_rolling", requests, self._roll)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.endpoint.post(path, body, self.retries)

    def _generate(self, prompt: str, settings: dict[str, Any]) -> Answered:
        path = "/chat/completions" if self.chat else "/completions"
        answer = self._post(path, self._body(prompt, settings))
        try:
            choice = answer["choices"][0]
            content = choice["message"]["content"] if self.chat else choice["text"]
            finish = choice.get("finish_reason")
        except (KeyError, IndexError, TypeError) as error:
            raise CallFailed("endpoint_error", "the answer has no choices") from error
        # A null content is an answer (a refusal, or thought without end): empty, and never a failure.
        return cut(content or "", settings.get("until", [])), meta_of(answer, finish)

    def _body(self, prompt: str, settings: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.name,
            **({"messages": _messages(prompt)} if self.chat else {"prompt": prompt}),
            "temperature": 0,
            "seed": self.seed,
            self.max_tokens_field: settings.get("max_gen_toks", DEFAULT_MAX_TOKENS),
            **{name: value for name, value in settings.items() if name not in NOT_SENT},
        }
        if stops := _stops(settings):
            body["stop"] = stops[:STOPS_MOST]
        return {name: value for name, value in {**body, **self.extra}.items() if value is not None}

    def _score(self, context: str, continuation: str) -> Answered:
        score, answer = self.scorer.score(context, continuation)
        return score, meta_of(answer, None)

    def _roll(self, text: str) -> Answered:
        (total, _), answer = self.scorer.score("", text)
        return total, meta_of(answer, None)

    def _all(self, kind: str, requests: list[Any], ask: Callable[..., Answered]) -> list[Any]:
        """Every request once. Raises ChildError when the endpoint is not usable."""
        answers: list[Any] = [FAILED] * len(requests)
        with Workers(self.concurrency, requests, ask) as came:
            for position, answer, seconds in came:
                if isinstance(answer, CallFailed):
                    value, meta = FAILED, {"error": f"{answer.kind}: {answer.text}"}
                else:
                    (value, meta) = answer
                answers[position] = value
                self.cache_hook_add(kind, requests[position].args, value, {**meta, "seconds": round(seconds, 4)})
                if isinstance(answer, CallFailed):
                    self.breaker.failure(answer, len(requests))
                else:
                    self.breaker.answer()
        return answers

    def cache_hook_add(self, kind: str, args: Any, value: Any, meta: Meta) -> None:
        if hasattr(self.cache_hook, "metas"):
            self.cache_hook.add_partial(kind, args, value, meta)
        elif value is not FAILED:
            self.cache_hook.add_partial(kind, args, value)


class Workers:
    """`count` daemon threads that ask; iterating gives `(position, answer or CallFailed, seconds)` as they
    come.
    """

    def __init__(self, count: int, requests: list[Any], ask: Callable[..., Answered]) -> None:
        self._asked: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._came: queue.SimpleQueue[tuple[int, Any, float]] = queue.SimpleQueue()
        self._requests, self._ask, self._stop = requests, ask, threading.Event()
        for position in range(len(requests)):
            self._asked.put(position)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(count, len(requests)))]

    def __enter__(self) -> Workers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Not joined: a request under way may last minutes, and whoever stops wants to stop now.
        self._stop.set()

    def __iter__(self) -> Any:
        for _ in self._requests:
            position, answer, seconds = self._came.get()
            if isinstance(answer, BaseException) and not isinstance(answer, CallFailed):
                raise answer
            yield position, answer, seconds

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                position = self._asked.get_nowait()
            except queue.Empty:
                return
            started = time.monotonic()
            answer: Answered | Exception
            try:
                answer = self._ask(*self._requests[position].args)
            except Exception as error:  # noqa: BLE001 - raised again in the thread that asked
                answer = error
            self._came.put((position, answer, time.monotonic() - started))


def meta_of(answer: dict[str, Any], finish_reason: str | None) -> Meta:
    """What an answer says about itself; unknown things are absent."""
    usage = answer.get("usage") or {}
    known = {
        "finish_reason": finish_reason,
        "prompt_tokens": usage.get("prompt_tokens"),
        "completion_tokens": usage.get("completion_tokens"),
    }
    return {name: value for name, value in known.items() if value is not None}


def _messages(prompt: str) -> list[dict[str, str]]:
    if prompt.startswith("[{"):
        messages: list[dict[str, str]] = json.loads(prompt)
        return messages
    return [{"role": "user", "content": prompt}]


def _stops(settings: dict[str, Any]) -> list[str]:
    until = settings.get("until") or []
    return [until] if isinstance(until, str) else [stop for stop in until if stop]


def cut(text: str, until: list[str] | str) -> str:
    """`text` up to the first stop string; servers take four at most and some take none."""
    for stop in _stops({"until": until}):
        text = text.split(stop)[0]
    return text


def load(spec: RunSpec) -> Loaded:
    """The endpoint of `spec.model`. Raises ChildError("bad_spec" or "auth") before any request."""
    model = spec.model
    if not model.base_url:
        raise ChildError("bad_spec", f"{model.name} has no base URL: set the endpoint's address.", permanent=True)
    key = os.environ.get(model.key_env) if model.key_env else None
    if model.key_env and not key:
        message = f"The environment variable {model.key_env} with the key of {model.name} is not set on this worker."
        raise ChildError("auth", message, permanent=True)
    endpoint = Endpoint(model.base_url, key, connections=spec.max_concurrency, timeout=spec.request_timeout)
    lm = ApiLM(spec, endpoint)
    return Loaded(
        models={"generate": lm, **({"likelihood": lm} if model.args.get("loglikelihood") else {})},
        templated={"generate": lm.chat, "likelihood": False},
        identity={"served_name": lm.name, "base_url": model.base_url},
        environment={"engine": "openai", "base_url": model.base_url, "served_name": lm.name},
        close=endpoint.close,
    )
