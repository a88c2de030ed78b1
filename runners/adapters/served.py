"""Model servers as they present themselves: which models an OpenAI-compatible address serves."""

from __future__ import annotations

import os
import re

import runners.catalog as catalog
from runners.models import ModelRevision

TIMEOUT = 5.0


class ServerError(Exception):
    """The server did not list its models; the message says what came instead."""


def list_models(base_url: str, key_env: str = "") -> list[str]:
    """The names a server serves, from GET /models. Raises ServerError."""
    import openai

    try:
        client = openai.OpenAI(
            base_url=base_url, api_key=os.environ.get(key_env, "none"), max_retries=0, timeout=TIMEOUT
        )
        return sorted(model.id for model in client.models.list().data)
    except openai.APIStatusError as error:
        raise ServerError(f"it answered {error.status_code} to GET /models") from error
    except openai.OpenAIError as error:
        raise ServerError(f"it cannot be reached ({type(error).__name__})") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise ServerError("it did not answer with a list of models; is the address right (…/v1)?") from error


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
