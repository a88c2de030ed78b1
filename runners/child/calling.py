"""One OpenAI-compatible endpoint, called through the openai SDK's client: bounded retries here and nowhere else.

`Endpoint.post` gives the decoded JSON or raises CallFailed; `Breaker` says when the endpoint itself, not a
request, has failed. Nothing that leaves this module contains the key.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from typing import Any

import httpx2

from runners.child.errors import ChildError, ErrorKind

RETRIES = 4
BACKOFF_SECONDS, BACKOFF_MOST = 0.5, 20.0
RETRY_AFTER_MOST = 60.0
ALL_OF_FIRST = 8
SHARE_AFTER, FAILED_SHARE = 50, 0.2
RETRIED: frozenset[str] = frozenset(
    ["rate_limited", "endpoint_error", "endpoint_slow", "endpoint_down", "endpoint_html"]
)
REMEDIES: dict[str, str] = {
    "endpoint_down": "cannot be reached; check that the server runs and that its base URL is right",
    "endpoint_slow": "does not answer in time; raise the request timeout or lower the concurrency",
    "endpoint_html": "answers with a web page instead of JSON; the base URL should end in /v1 and lead past no proxy",
    "endpoint_error": "answers with errors",
    "bad_request": "refuses the requests",
    "auth": "refuses the key; check the environment variable that holds it",
    "model_not_found": "does not serve this model; check the served model name",
    "rate_limited": "says that there are too many requests; lower the concurrency or raise the quota",
}


class CallFailed(Exception):
    """One request got no answer. `kind`: an ErrorKind of the endpoint, or "bad_request" where only this one is bad.

    `retry_after`: seconds that the server asks to wait. `final`: another try cannot help, whatever the kind.
    """

    def __init__(self, kind: str, text: str, *, retry_after: float | None = None, final: bool = False) -> None:
        super().__init__(text)
        self.kind, self.text, self.retry_after = kind, text, retry_after
        self.final = final or kind not in RETRIED


class Endpoint:
    """A shared client for many threads; waits of one thread for Retry-After hold the others back too."""

    def __init__(self, base_url: str, key: str | None, *, connections: int, timeout: float) -> None:
        self.base_url, self._key = base_url, key
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        import openai  # 40 MB that a web process, which knows this module for its errors alone, need not hold

        self._client = openai.DefaultHttpxClient(limits=limits, timeout=timeout)
        sdk = openai.OpenAI(base_url=base_url, api_key=key or "none", max_retries=0, http_client=self._client)
        self._root = str(sdk.base_url).rstrip("/")
        headers = {**sdk.default_headers, **sdk.auth_headers}
        self._headers = {name: value for name, value in headers.items() if isinstance(value, str)}
        self._resume_at = 0.0
        self.stopped = threading.Event()

    def post(self, path: str, body: dict[str, Any], retries: int = RETRIES, *, key: str = "") -> dict[str, Any]:
        """The endpoint's JSON object. Raises CallFailed after at most `retries` further tries.

        `key` goes along as Idempotency-Key, for servers and proxies that tell repeated requests apart.
        """
        for attempt in range(retries + 1):
            self._wait(self._resume_at - time.monotonic())
            try:
                return self._once(path, body, key)
            except CallFailed as error:
                if error.final or attempt == retries or self.stopped.is_set():
                    raise
                self._hold_back(attempt, error)
        raise AssertionError("unreachable")

    def close(self) -> None:
        self.stopped.set()
        self._client.close()

    def _hold_back(self, attempt: int, error: CallFailed) -> None:
        if error.retry_after is not None:
            self._resume_at = max(self._resume_at, time.monotonic() + min(error.retry_after, RETRY_AFTER_MOST))
        else:
            most = min(BACKOFF_SECONDS * 2**attempt, BACKOFF_MOST)
            self._wait(random.uniform(most / 2, most))  # noqa: S311 - jitter

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self.stopped.wait(seconds)
        if self.stopped.is_set():
            raise CallFailed("endpoint_down", "the run was stopped")

    def _once(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        try:
            # The SDK's address, headers and connections; its options and types of a call cost more than the call.
            response = self._client.post(self._root + path, content=_dumps(body), headers=headers)
        except httpx2.TimeoutException as error:
            raise CallFailed("endpoint_slow", "no answer in time") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, RuntimeError) as error:  # the last: closed meanwhile
            raise CallFailed("endpoint_down", self._clean(str(error) or type(error).__name__)) from error
        if not response.is_success:
            raise self._refused(response)
        raw = response.content
        try:
            answer = json.loads(raw)
        except ValueError as error:
            raise CallFailed("endpoint_html", f"not JSON: {raw[:80].decode(errors='replace')!r}") from error
        if not isinstance(answer, dict):
            raise CallFailed("endpoint_error", "the answer is not a JSON object")
        if "error" in answer and "choices" not in answer:
            raise CallFailed("endpoint_error", self._clean(str(answer["error"])))
        return answer

    def _refused(self, response: httpx2.Response) -> CallFailed:
        status, text = response.status_code, self._clean(f"Error code: {response.status_code}{_said(response)}")
        kinds: dict[int, str] = {401: "auth", 403: "auth", 404: "model_not_found", 408: "endpoint_slow"}
        kind = "endpoint_error" if status >= 500 else kinds.get(status, "bad_request")
        if status == 429:
            after = _seconds(response.headers.get("retry-after", ""))
            return CallFailed("rate_limited", text, retry_after=after, final="insufficient_quota" in response.text)
        return CallFailed(kind, text)

    def _clean(self, text: str) -> str:
        return (text.replace(self._key, "***") if self._key else text)[:500]


def _dumps(body: dict[str, Any]) -> bytes:
    # Half a character cannot be sent; one question mark more is better than a run that breaks.
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _said(response: httpx2.Response) -> str:
    """What the server says of its refusal: the message of an OpenAI error where there is one."""
    try:
        body = json.loads(response.text)
        error = body.get("error", body)
        return f" - {error['message']}" if error.get("message") else f" - {body}"
    except (ValueError, AttributeError, KeyError, TypeError):
        return f" - {response.text[:200]}" if response.text.strip() else ""


def _seconds(header: str) -> float | None:
    try:
        return max(float(header), 0.0)
    except ValueError:
        return None


class Breaker:
    """Counts answers and failures over a whole run and raises when the endpoint is not usable.

    That is when none of the first eight requests (or of all, where there are fewer) got an answer, or when of
    fifty and more over a fifth did not. A request that is bad by itself never stops a run that also gets
    answers.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.answered = 0
        self.failed: Counter[str] = Counter()
        self._last: dict[str, str] = {}

    def answer(self) -> None:
        self.answered += 1

    def failure(self, error: CallFailed, asked: int) -> None:
        """Count one failure among `asked` requests. Raises ChildError when it was one too many."""
        self.failed[error.kind] += 1
        self._last[error.kind] = error.text
        failed = sum(self.failed.values())
        first = min(ALL_OF_FIRST, asked) if set(self.failed) - {"bad_request"} else ALL_OF_FIRST
        none_answered = self.answered == 0 and failed >= first
        total = self.answered + failed
        if none_answered or (total >= SHARE_AFTER and failed > FAILED_SHARE * total):
            raise self._error(total)

    def _error(self, total: int) -> ChildError:
        worst, _ = self.failed.most_common(1)[0]
        kind: ErrorKind = "endpoint_error" if worst == "bad_request" else worst  # type: ignore[assignment]
        return ChildError(
            kind,
            f"The endpoint of {self.name} {REMEDIES[worst]}. {sum(self.failed.values())} of {total} requests failed; "
            f"the last one: {self._last[worst]}",
            permanent=worst in ("auth", "model_not_found", "bad_request"),
        )
