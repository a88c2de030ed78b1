"""lm-eval's real output, made on the spot: its evaluator, its tracker, our tasks, and a model without a brain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runners.definitions import SuiteDefinition, load_suites

REPLIES = ["정답: A", "모르겠습니다", "B"]


def ko_basic() -> SuiteDefinition:
    return next(suite for suite in load_suites() if suite.slug == "ko-basic")


def write_output(
    folder: Path,
    names: list[str],
    *,
    limit: int | None = None,
    model: str = "maker/model",
    samples: bool = True,
    bootstrap: int = 1,
) -> Path:
    """What `lm-eval run --log_samples --output_path folder` leaves for these tasks; gives the results file."""
    pytest.importorskip("lm_eval")
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    from runners.child import fastpath
    from runners.child.tasks import folder_of

    fastpath.install()
    folders = {str(folder_of(name)) for name in names}
    manager = TaskManager(include_path=sorted(folders), include_defaults=False, metadata={"source": "bundled"})
    output = simple_evaluate(
        model=_player(),
        tasks=list(names),
        task_manager=manager,
        limit=limit,
        bootstrap_iters=bootstrap,
        log_samples=True,
    )
    items = output.pop("samples")
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.log_experiment_args(
        model_source="dummy",
        model_args=f"pretrained={model}",
        system_instruction="",
        chat_template="",
        fewshot_as_multiturn=False,
    )
    tracker.save_results_aggregated(results=output, samples=items)
    if samples:
        for name in names:
            tracker.save_results_samples(task_name=name, samples=items[name])
    found = sorted(folder.rglob("results_*.json"), key=lambda path: path.stat().st_mtime_ns)
    return found[-1]


def _player() -> Any:
    from lm_eval.api.model import LM

    class Player(LM):  # type: ignore[misc]
        """Likelihoods and replies that differ from item to item and are the same in every run."""

        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            return [(-float(len(request.args[0]) * (request.idx + 3) % 11) - 1, False) for request in requests]

        def generate_until(self, requests: list[Any]) -> list[str]:
            return [REPLIES[number % len(REPLIES)] for number, _ in enumerate(requests)]

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            raise NotImplementedError

    return Player()
