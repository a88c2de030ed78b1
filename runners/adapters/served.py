"""Model servers as they present themselves: which models an OpenAI-compatible address serves, and if they answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import runners.catalog as catalog
from runners.models import ModelRevision

if TYPE_CHECKING:
    import openai

TIMEOUT = 5.0
TOKENS = 32


class ServerError(Exception):
    """The server did not do what it should; the message says what came instead.

    kind: down, slow, refused (401, 403), missing (404), busy (429), broken (other statuses), strange (an answer of
    another form, such as an HTML page), empty (no text).
    """

    def __init__(self, message: str, kind: str = "strange", status: int | None = None) -> None:
        super().__init__(message)
        self.kind, self.status = kind, status


def list_models(base_url: str, key_env: str = "") -> list[str]:
    """The names a server serves, from GET /models. Raises ServerError."""
    with _asking("GET /models"):
        return sorted(model.id for model in _client(base_url, key_env).models.list().data)


def ask(base_url: str, served_name: str, key_env: str = "") -> str:
    """The model's answer to a tiny question, to see that it answers at all. Raises ServerError."""
    import openai

    client = _client(base_url, key_env)
    messages: Any = [{"role": "user", "content": "1+1은? 숫자로만 답하세요."}]
    with _asking("POST /chat/completions"):
        try:
            reply = client.chat.completions.create(model=served_name, messages=messages, max_tokens=TOKENS)
        except openai.BadRequestError:
            # Reasoning models of some makers refuse the older name of the limit.
            reply = client.chat.completions.create(model=served_name, messages=messages, max_completion_tokens=TOKENS)
        choice = reply.choices[0]
        if choice.message.content is None and choice.finish_reason != "length":
            raise ServerError("it answered without any text (null)", "empty")
        return choice.message.content or ""


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Whatever the client raises, as a ServerError."""
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        code = error.status_code
        kind = {401: "refused", 403: "refused", 404: "missing", 429: "busy"}.get(code, "broken")
        raise ServerError(f"it answered {code} to {what}", kind, code) from error
    except openai.APITimeoutError as error:
        raise ServerError(f"it did not answer within {TIMEOUT:.0f} s", "slow") from error
    except openai.APIResponseValidationError as error:
        raise ServerError(f"it did not answer {what} in the form of the OpenAI API", "strange") from error
    except openai.OpenAIError as error:
        raise ServerError(f"it cannot be reached ({type(error).__name__})", "down") from error
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ServerError(
            f"it did not answer {what} in the form of the OpenAI API; is the address right (…/v1)?", "strange"
        ) from error


def _client(base_url: str, key_env: str) -> openai.OpenAI:
    import openai

    key = os.environ.get(key_env) or "none"
    return openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=TIMEOUT)


def attach(base_url: str, key_env: str = "") -> list[ModelRevision]:
    """Registers every model that a server lists, as endpoints that may be evaluated, judge and battle."""
    return [
        catalog.register_endpoint(
            slug_of(name),
            base_url=base_url,
            served_name=name,
            key_env=key_env,
            purposes=("harness", "arena", "judge"),
        )
        for name in list_models(base_url, key_env)
    ]


def slug_of(name: str) -> str:
    """A slug for a served name."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.")[:100] or "model"
