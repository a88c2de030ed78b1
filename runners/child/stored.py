"""Answers of an earlier run in the place of a model: nothing is loaded and nobody is asked.

Generation gets the stored reply, likelihood the stored log-probabilities of the options, a request that failed then
fails now. An item whose question is not found in the stored prompt is refused: its answer answers something else.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from lm_eval.api.model import LM

from runners.child.backends import Loaded
from runners.child.errors import ChildError
from runners.child.markers import FAILED
from runners.reports import RunSpec, SampleReport

Samples = dict[int, SampleReport]


class StoredAnswers(LM):  # type: ignore[misc]
    """Reads `<folder>/<task>.jsonl`, the samples of each task, when the task is asked. Raises ChildError."""

    tokenizer_name = "stored"

    def __init__(self, folder: Path, run_id: int) -> None:
        super().__init__()
        self.folder, self.run_id = folder, run_id
        self._task, self._samples = "", Samples()

    def generate_until(self, requests: list[Any]) -> list[str]:
        return [self._give("generate_until", request, lambda sample, _: sample.reply) for request in requests]

    def loglikelihood(self, requests: list[Any]) -> list[Any]:
        return [self._give("loglikelihood", request, self._likelihood) for request in requests]

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        raise ChildError("no_answers", "Likelihoods of whole texts are not stored. Repeat the run.", permanent=True)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return json.dumps(chat_history, ensure_ascii=False)

    def sample(self, task: str, doc_id: int) -> SampleReport:
        """The item as it was asked and answered then."""
        if task != self._task:
            self._task, self._samples = task, self._read(task)
        if doc_id not in self._samples:
            raise self._unlike(doc_id, "was not asked")
        return self._samples[doc_id]

    def recorded(self, task: str, sample: SampleReport) -> SampleReport:
        """The item with the prompt as it was really sent, chat template and all."""
        asked = self.sample(task, sample.doc_id)
        return dataclasses.replace(sample, prompt=asked.prompt, prompt_hash=asked.prompt_hash)

    def _give(self, kind: str, request: Any, answer_of: Any) -> Any:
        sample = self.sample(request.task_name, request.doc_id)
        if not same_question(sample.prompt, request.args[0]):
            raise self._unlike(request.doc_id, "was asked in other words")
        failed = sample.status == "error"
        value = FAILED if failed else answer_of(sample, request)
        meta = {"finish_reason": sample.finish_reason, "error": sample.error if failed else None}
        known = {name: text for name, text in meta.items() if text is not None}
        self.cache_hook.add_partial(kind, request.args, value, known)
        return value

    def _likelihood(self, sample: SampleReport, request: Any) -> tuple[float, bool]:
        if sample.logprobs is None or request.idx >= len(sample.logprobs):
            raise self._unlike(request.doc_id, "had other options")
        return sample.logprobs[request.idx], False

    def _read(self, task: str) -> Samples:
        path = self.folder / f"{task}.jsonl"
        try:
            with path.open(encoding="utf-8", errors="surrogatepass") as lines:
                samples = [SampleReport.from_json(line) for line in lines]
        except (OSError, ValueError, TypeError) as error:
            message = f"The stored answers of run {self.run_id} to {task} cannot be read: {error}. Repeat the run."
            raise ChildError("no_answers", message, permanent=True) from error
        return {sample.doc_id: sample for sample in samples}

    def _unlike(self, doc_id: int, what: str) -> ChildError:
        message = (
            f"Item {doc_id} of {self._task} {what} in run {self.run_id}, so the answers of that run cannot be scored "
            "as answers to this version. Repeat the run instead."
        )
        return ChildError("other_question", message, permanent=True)


def same_question(stored: str, asked: str) -> bool:
    """Whether the prompt that was sent then puts the question that is `asked` now (the JSON of a chat).

    A chat must be the same message for message; a plain or rendered prompt must hold every message in order.
    """
    now = [message["content"].strip() for message in json.loads(asked)]
    if stored.startswith("[{"):
        return [message["content"].strip() for message in json.loads(stored)] == now
    at = 0
    for text in now:
        found = stored.find(text, at)
        if found < 0:
            return False
        at = found + len(text)
    return True


def load(spec: RunSpec) -> Loaded:
    """The answers in the folder `spec.model.path`."""
    assert spec.model.path is not None
    run_id = int(spec.model.args["run"])
    model = StoredAnswers(Path(spec.model.path), run_id)
    return Loaded(
        models={"generate": model, "likelihood": model},
        templated={"generate": True, "likelihood": True},
        identity={"answers_of": run_id},
        environment={**spec.model.args["recorded"], "engine": f"stored answers of run {run_id}"},
        recorded=model.recorded,
    )
