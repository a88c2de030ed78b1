"""Which language model a run needs, loaded once per child."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runners.child.errors import ChildError
from runners.reports import Mode, RunSpec, SampleReport


def _nothing() -> None:
    return None


def _as_it_is(task: str, sample: SampleReport) -> SampleReport:
    return sample


@dataclass(frozen=True)
class Chat:
    """An OpenAI-compatible server with the model on the loopback, and how many requests at once serve it well."""

    base_url: str
    concurrency: int
    close: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Loaded:
    """A language model ready to answer.

    `models[mode]` is the lm-eval LM that answers tasks of that mode; a mode that is absent cannot be run.
    `templated[mode]`: whether its prompts go through a chat template. `chunk`: requests per inner call for
    engines that hand answers back only at the end. `identity` joins the answers' namespace, `environment` the
    run's record. `serve(told, died)` lets the model be talked to: `told` is called when `environment` has
    changed, `died` when the server ended by itself.
    `recorded(task, sample)` is a sample as it is written down.
    """

    models: dict[Mode, Any]
    templated: dict[Mode, bool]
    identity: dict[str, Any]
    environment: dict[str, Any]
    chunk: int | None = None
    recorded: Callable[[str, SampleReport], SampleReport] = _as_it_is
    close: Callable[[], None] = field(default=_nothing)
    serve: Callable[[Callable[[], None], Callable[[ChildError], None]], Chat] | None = None


def check(spec: RunSpec) -> None:
    """Refuse what this backend can never run, before anything is loaded. Raises
    ChildError("unsupported_task").
    """
    if spec.model.backend == "api" and not spec.model.args.get("loglikelihood"):
        names = [task.name for task in spec.tasks if task.mode == "likelihood"]
        if names:
            raise ChildError(
                "unsupported_task",
                f"{', '.join(names)}: needs log-likelihoods of answers, which a chat endpoint does not "
                "give. Choose the suite's generation variant, or an endpoint whose /v1/completions serves echo "
                "with logprobs (vLLM does) and set the model argument loglikelihood to true.",
                permanent=True,
            )


def load(spec: RunSpec) -> Loaded:
    """The language model of `spec`. Raises ChildError with a kind and a remedy."""
    check(spec)
    match spec.model.backend:
        case "reference":
            from runners.child.players import load as load_player

            return load_player(spec)
        case "api":
            from runners.child.api import load as load_api

            return load_api(spec)
        case "hf":
            from runners.child.hf import load as load_hf

            return load_hf(spec)
        case "vllm":
            from runners.child.vllm import load as load_vllm

            return load_vllm(spec)
        case "stored":
            from runners.child.stored import load as load_stored

            return load_stored(spec)
        case other:
            raise ChildError("bad_spec", f"There is no backend called {other!r}.", permanent=True)
