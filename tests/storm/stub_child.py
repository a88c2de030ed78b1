"""An evaluation child that loads no model: the same events, reports and signals as the real one, in milliseconds.

The storm puts it in the place of an interpreter (GYEORU_HF_PYTHON), so that everything above it is the product.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from pathlib import Path

from runners.child.__main__ import STOPPED, die_with_parent, stop_on_sigterm
from runners.child.errors import Cancelled
from runners.child.events import EventWriter, claim_stdout
from runners.reports import Event, Metric, RunSpec, SampleReport, TaskReport, TaskSpec

ITEM_SECONDS = float(os.environ.get("OMP_NUM_THREADS", "25")) / 1000
ITEMS = 4


def main() -> int:
    emit = claim_stdout()
    try:
        die_with_parent()
        stop_on_sigterm()
        for line in sys.stdin.buffer:
            evaluate(RunSpec.from_json(line), emit)
    except Cancelled:
        return STOPPED
    return 0


def evaluate(spec: RunSpec, emit: EventWriter) -> None:
    """Every task of the run; its figures depend on the run and the task alone."""
    emit(Event("environment", data={"engine": "storm", "seed": spec.seed}))
    total = ITEMS * len(spec.tasks)
    for at, task in enumerate(spec.tasks):
        for item in range(ITEMS):
            time.sleep(ITEM_SECONDS)
            emit(Event("progress", task=task.name, done=at * ITEMS + item + 1, total=total))
        write(spec, task)
        emit(Event("task", task=task.name))
    emit(Event("finished"))


def write(spec: RunSpec, task: TaskSpec) -> None:
    """The report and the samples of one task, where the supervisor looks for them."""
    folder = Path(spec.workdir)
    correct = [float((spec.seed + item) % 2) for item in range(ITEMS)]
    samples = [_sample(item, value) for item, value in enumerate(correct)]
    (folder / f"{task.name}.samples.jsonl").write_text("".join(sample.to_json() + "\n" for sample in samples))
    metrics = {"acc": Metric(sum(correct) / ITEMS, 0.25)}
    report = TaskReport(task.name, "acc", metrics, ITEMS, ITEMS, 0, 0, 0, 0.1, task.config_sha, "storm", "storm")
    (folder / f"{task.name}.report.json").write_text(dataclasses.replace(report, completion_tokens=ITEMS).to_json())


def _sample(item: int, correct: float) -> SampleReport:
    return SampleReport(item, f"item-{item}", "scored", "질문", "답", "답", "답", correct, {"acc": correct})


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)
