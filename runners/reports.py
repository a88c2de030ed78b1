"""The border between a supervisor (Django) and the evaluation child (no Django): what goes in, what comes out.

The supervisor writes a `RunSpec` as JSON to the child's standard input. The child answers with one JSON object a
line on standard output (`Event`), keeps every answer in `<workdir>/answers.sqlite3` as it comes, and leaves one
`<workdir>/<task>.report.json` (`TaskReport`) and one `<workdir>/<task>.samples.jsonl` (`SampleReport` a line) per
finished task. Nothing else crosses. Secrets cross only as names of environment variables.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Backend = Literal["reference", "api", "hf", "vllm", "stored"]
Mode = Literal["generate", "likelihood"]
SampleStatus = Literal["scored", "no_answer", "error"]


class _Wire:
    """JSON in and out for frozen dataclasses; unknown keys are refused, so that versions cannot drift apart."""

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self:
        return cls(**raw)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        return cls.from_dict(json.loads(text))


@dataclass(frozen=True)
class ModelSpec(_Wire):
    """What is measured. `path` is a downloaded folder at the pinned sha (hf, vllm) or the folder with the samples of an
    earlier run (stored); `base_url` is for api only.

    `key_env` is the NAME of the environment variable that holds the API key. `args` are extra backend arguments,
    always a dict: lm-eval's string form lets a revision smuggle in arguments.
    """

    backend: Backend
    name: str
    path: str | None = None
    commit_sha: str | None = None
    base_url: str | None = None
    served_name: str | None = None
    key_env: str | None = None
    dtype: str | None = None
    quantization: str | None = None
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetSpec(_Wire):
    """Where a task's items come from: bundled with the project, a local public release, or the Hub at a commit."""

    source: Literal["bundled", "local", "hub"]
    name: str
    root: str | None = None
    revision: str | None = None


@dataclass(frozen=True)
class TaskSpec(_Wire):
    """One harness task. `config_sha` is what the catalogue froze; a child that resolves another one must refuse."""

    name: str
    mode: Mode
    config_sha: str
    dataset: DatasetSpec
    num_fewshot: int = 0
    limit: int | None = None


@dataclass(frozen=True)
class RunSpec(_Wire):
    """One attempt at one run: a model, its tasks in order, and everything a rerun needs.

    `conversation`: no tasks; the model is served on the loopback until the child ends or gets its next run.
    """

    run_id: int
    attempt: int
    workdir: str
    model: ModelSpec
    tasks: list[TaskSpec]
    seed: int = 1234
    batch_size: int | None = None
    max_concurrency: int = 32
    max_length: int | None = None
    apply_chat_template: bool = True
    system_instruction: str | None = None
    request_timeout: float = 120.0
    conversation: bool = False

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self:
        tasks = [TaskSpec(**{**t, "dataset": DatasetSpec(**t["dataset"])}) for t in raw["tasks"]]
        return cls(**{**raw, "model": ModelSpec(**raw["model"]), "tasks": tasks})


@dataclass(frozen=True)
class Metric(_Wire):
    """A number with its standard error and the n behind it; `value` is None exactly when `n_scored` is 0."""

    value: float | None
    stderr: float | None


@dataclass(frozen=True)
class TaskReport(_Wire):
    """What one finished task came to. `metrics["main metric"]` and the rest are 0..1 unless the task says otherwise.

    n_docs items were asked; n_scored of them count in the value (a no_answer counts as scored and wrong and is in
    n_no_answer as well); n_failed requests never got an answer and are not in the value.
    """

    task: str
    metric: str
    metrics: dict[str, Metric]
    n_docs: int
    n_scored: int
    n_failed: int
    n_no_answer: int
    n_truncated: int
    seconds: float
    config_sha: str
    dataset_fingerprint: str
    task_hash: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self:
        return cls(**{**raw, "metrics": {k: Metric(**m) for k, m in raw["metrics"].items()}})


@dataclass(frozen=True)
class SampleReport(_Wire):
    """One item of one task as it was asked and answered.

    `item_id` is stable across modes of the same set, so that knowledge and format can be told apart. `prompt` is the
    text or the JSON of the chat messages. `reply` is the raw answer (generate) or the chosen option's text
    (likelihood, with `logprobs` per option, natural log). `correct` is None unless status is scored or no_answer.
    """

    doc_id: int
    item_id: str
    status: SampleStatus
    prompt: str
    reply: str
    extracted: str | None
    target: str
    correct: float | None
    metrics: dict[str, float] = field(default_factory=dict)
    choices: list[str] | None = None
    logprobs: list[float] | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str | None = None
    doc_hash: str = ""
    prompt_hash: str = ""
    target_hash: str = ""


@dataclass(frozen=True)
class Event(_Wire):
    """One line from the child.

    kind: "environment" (data: versions, GPU, model sha, chat_template_sha, dtype, batch), "loading" (message),
    "progress" (task, done, total over the whole run), "task" (task finished: its report file may be read),
    "serving" (data: base_url and concurrency of a server that answers conversations),
    "failed" (error_kind, permanent, message; the child exits 1 after it), "finished" (the child exits 0 after it).
    A run that was asked to stop (SIGTERM) exits 143 with everything answered so far kept.
    """

    kind: Literal["environment", "loading", "progress", "task", "serving", "failed", "finished"]
    task: str | None = None
    done: int | None = None
    total: int | None = None
    message: str | None = None
    error_kind: str | None = None
    permanent: bool | None = None
    data: dict[str, Any] = field(default_factory=dict)
