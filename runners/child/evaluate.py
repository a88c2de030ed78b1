"""One run: load the model once, evaluate task by task through lm-eval, publish each task when it is done."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from runners.child import backends, environment, fastpath, samples
from runners.child.answers import AnswerLog, Meta
from runners.child.errors import ChildError, disk_full, is_disk_full
from runners.child.loading import LoadedTask
from runners.child.markers import FAILED
from runners.child.storing import StoringLM
from runners.child.tables import DatasetError
from runners.reports import Event, Metric, RunSpec, SampleReport, TaskReport, TaskSpec


class Emit(Protocol):
    def __call__(self, event: Event) -> None: ...
    def progress(self, task: str, done: int, total: int) -> None: ...


Load = Callable[[TaskSpec], LoadedTask]


class Child:
    """Runs one spec after another with one loaded language model (the same for all of them)."""

    def __init__(self, emit: Emit, load_task: Load) -> None:
        self.emit, self.load_task = emit, load_task
        self._loaded: backends.Loaded | None = None
        self._for: str | None = None
        self._chat: backends.Chat | None = None

    def run(self, spec: RunSpec) -> None:
        """All tasks of a run, in order; a task whose report is in the workdir already is only announced again.

        Raises ChildError; what was answered and published before stays.
        """
        self._hang_up()
        if spec.conversation:
            return self._serve(spec)
        workdir = Path(spec.workdir)
        backends.check(spec)
        fastpath.install()
        tasks, unreadable = self._tasks(spec)
        if not tasks and unreadable is not None:
            raise unreadable
        loaded = self._model(spec)
        self._tell_environment(spec, loaded)
        log = AnswerLog(workdir / "answers.sqlite3")
        try:
            total, before = sum(task.n_docs for task in tasks), 0
            for task in tasks:
                if not _published(task, workdir):
                    self._evaluate(spec, loaded, task, log, before, total)
                before += task.n_docs
                self.emit(Event("task", task=task.spec.name, done=before, total=total))
            # Once more: what the run really used, such as the batch size that fitted.
            self._tell_environment(spec, loaded)
        finally:
            log.close()
        if unreadable is not None:
            raise unreadable

    def _serve(self, spec: RunSpec) -> None:
        """Lets the model be talked to; what its supervisor does with it is no business of this process."""
        loaded = self._model(spec)
        if loaded.serve is None:
            message = f"{spec.model.name} answers no conversations with this backend; run it with vLLM's server."
            raise ChildError("bad_spec", message, permanent=True)
        self._tell_environment(spec, loaded)
        self._chat = loaded.serve(functools.partial(self._tell_environment, spec, loaded), self._tell_death)
        self.emit(Event("serving", data={"base_url": self._chat.base_url, "concurrency": self._chat.concurrency}))

    def _tell_environment(self, spec: RunSpec, loaded: backends.Loaded) -> None:
        data = {**_settings(spec), **environment.describe(), **loaded.environment}
        self.emit(Event("environment", data=data))

    def close(self) -> None:
        self._hang_up()
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None

    def _tell_death(self, error: ChildError) -> None:
        self.emit(Event("failed", error_kind=error.kind, permanent=error.permanent, message=error.message))

    def _hang_up(self) -> None:
        if self._chat is not None:
            self._chat.close()
            self._chat = None

    def _tasks(self, spec: RunSpec) -> tuple[list[LoadedTask], Exception | None]:
        """The tasks whose items can be read, and what was wrong with the first that can't: it ends the run, but
        only after the others have been published.
        """
        tasks: list[LoadedTask] = []
        first: Exception | None = None
        for task in spec.tasks:
            self.emit(Event("loading", task=task.name, message=f"reading {task.name}"))
            try:
                tasks.append(self.load_task(task))
            except (ChildError, DatasetError) as error:
                first = first or error
        return tasks, first

    def _model(self, spec: RunSpec) -> backends.Loaded:
        # All that a model is loaded with: every setting but those of the run itself.
        wanted = dataclasses.replace(spec, run_id=0, attempt=0, workdir="", tasks=[], conversation=False).to_json()
        if self._loaded is None or self._for != wanted:
            self.close()
            self.emit(Event("loading", message=f"loading {spec.model.name}"))
            self._loaded, self._for = backends.load(spec), wanted
        return self._loaded

    def _evaluate(
        self,
        spec: RunSpec,
        loaded: backends.Loaded,
        task: LoadedTask,
        log: AnswerLog,
        before: int,
        total: int,
    ) -> None:
        started, name = time.monotonic(), task.spec.name

        def progress(done: int, asked: int) -> None:
            self.emit.progress(name, before + (task.n_docs * done // asked if asked else 0), total)

        model = StoringLM(loaded.models[task.spec.mode], log, chunk=loaded.chunk, progress=progress)
        model.begin(_namespace(spec, loaded, task))
        with fastpath.rare_collections():
            result = harness(spec, task, model, templated=loaded.templated[task.spec.mode])
        rows = samples.first_filter(result["samples"][name])
        reports = [loaded.recorded(name, sample) for sample in _samples(task, rows, model)]
        metrics = samples.metrics_of(result["results"][name], task.more(rows))
        report = _report(task, metrics, reports, time.monotonic() - started)
        _publish(Path(spec.workdir), report, reports)


def harness(spec: RunSpec, task: LoadedTask, model: Any, *, templated: bool) -> dict[str, Any]:
    """lm-eval's own evaluation of one task: results and samples, failed items left out of the values."""
    import numpy as np
    from lm_eval.evaluator import evaluate

    random.seed(spec.seed)
    np.random.seed(spec.seed)
    task.task.set_fewshot_seed(seed=spec.seed)
    fastpath.prepare(task.task)
    leave_failed_out(task.task)
    result: dict[str, Any] = evaluate(
        lm=model,
        task_dict={"tasks": {task.spec.name: task.task}},
        limit=task.spec.limit,
        log_samples=True,
        system_instruction=spec.system_instruction,
        apply_chat_template=templated,
        fewshot_as_multiturn=templated,
    )
    return result


def leave_failed_out(task: Any) -> None:
    """A request that never got an answer has no place in a value: no filter sees it, no metric counts its
    item.
    """
    process_results = task.process_results

    def apply_filters() -> None:
        answered = [i for i in task.instances if not any(samples.has_failed(reply) for reply in i.resps)]
        kept = {id(instance) for instance in answered}
        for ensemble in task._filters:
            if answered:
                ensemble.apply(answered)
            for instance in task.instances:
                if id(instance) not in kept:
                    instance.filtered_resps[ensemble.name] = FAILED

    @functools.wraps(process_results)
    def process(doc: Any, results: list[Any]) -> dict[str, Any]:
        if any(samples.has_failed(result) for result in results):
            return {}
        scores: dict[str, Any] = process_results(doc, results)
        return scores

    task.apply_filters, task.process_results = apply_filters, process


def _settings(spec: RunSpec) -> dict[str, Any]:
    return {
        "seed": spec.seed,
        "batch_size": spec.batch_size,
        "max_length": spec.max_length,
        "max_concurrency": spec.max_concurrency,
        "system_instruction": spec.system_instruction,
    }


def _namespace(spec: RunSpec, loaded: backends.Loaded, task: LoadedTask) -> str:
    """Everything that decides an answer besides the request itself; answers are shared within it and nowhere
    else.
    """
    parts = [
        task.spec.name,
        task.config_sha,
        task.dataset_fingerprint,
        task.spec.num_fewshot,
        spec.model.to_json(),
        spec.seed,
        spec.system_instruction,
        spec.max_length,
        loaded.identity,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _samples(task: LoadedTask, rows: list[dict[str, Any]], model: StoringLM) -> Iterable[SampleReport]:
    metas: dict[int, list[Meta]] = {}
    for (doc_id, _), known in model.metas.items():
        metas.setdefault(doc_id, []).extend(meta for meta in known if meta)
    for row in rows:
        yield samples.sample_report(row, task, metas.get(row["doc_id"], []))


def _report(task: LoadedTask, metrics: dict[str, Metric], reports: list[SampleReport], seconds: float) -> TaskReport:
    status = Counter(report.status for report in reports)
    n_scored = len(reports) - status["error"]
    if n_scored == 0:
        metrics = {task.metric: Metric(None, None)}
    elif task.metric not in metrics or metrics[task.metric].value is None:
        message = f"{task.spec.name} gave no value for its metric {task.metric!r}; check its YAML."
        raise ChildError("internal", message, permanent=True)
    hashes = "".join(r.doc_hash + r.prompt_hash + r.target_hash for r in reports)
    tokens: list[Meta] = [vars(report) for report in reports]
    return TaskReport(
        task=task.spec.name,
        metric=task.metric,
        metrics=metrics,
        n_docs=len(reports),
        n_scored=n_scored,
        n_failed=status["error"],
        n_no_answer=status["no_answer"],
        n_truncated=sum(report.finish_reason == "length" for report in reports),
        seconds=round(seconds, 3),
        config_sha=task.config_sha,
        dataset_fingerprint=task.dataset_fingerprint,
        task_hash=hashlib.sha256(hashes.encode()).hexdigest(),
        prompt_tokens=samples.total(tokens, "prompt_tokens"),
        completion_tokens=samples.total(tokens, "completion_tokens"),
    )


def _published(task: LoadedTask, workdir: Path) -> bool:
    try:
        report = json.loads((workdir / f"{task.spec.name}.report.json").read_bytes())
    except (OSError, ValueError):
        return False
    same = (report["config_sha"], report["dataset_fingerprint"]) == (
        task.config_sha,
        task.dataset_fingerprint,
    )
    return same and report["n_docs"] == task.n_docs


def _publish(workdir: Path, report: TaskReport, reports: list[SampleReport]) -> None:
    """Samples first, the report last: where a report is, its samples are whole."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    lines = "".join(encode(vars(sample)) + "\n" for sample in reports)
    write_whole(workdir / f"{report.task}.samples.jsonl", lines)
    write_whole(workdir / f"{report.task}.report.json", report.to_json())


def write_whole(path: Path, text: str) -> None:
    """The file is there with all of its text or not at all. Raises ChildError("disk_full")."""
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise (disk_full(path) if is_disk_full(error) else error) from error
