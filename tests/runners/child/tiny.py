"""A small multiple-choice task and a small generation task of lm-eval, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lm_eval.api.task import ConfigurableTask

from runners.child.datasets import Docs
from runners.child.loading import LoadedTask
from runners.reports import DatasetSpec, Event, ModelSpec, RunSpec, TaskSpec

LABELS = "ABCD"
PROMPT = "{{stem}}\nA. {{options[0]}}\nB. {{options[1]}}\nC. {{options[2]}}\nD. {{options[3]}}\n정답:"


def documents(n: int) -> list[dict[str, Any]]:
    """n questions with four options, the right one at a place that wanders."""
    return [
        {
            "item_id": f"q{i}",
            "stem": f"질문 {i}: 다음 가운데 {i * 7} 번째 낱말은 무엇인가?",
            "options": [f"낱말{i}{c}" for c in "가나다라"],
            "gold": (i * i + i // 3) % 4,
        }
        for i in range(n)
    ]


def config(mode: str, n: int) -> dict[str, Any]:
    docs = documents(n)
    common: dict[str, Any] = {
        "task": f"tiny_{mode}",
        "custom_dataset": lambda **_: {"test": Docs(docs)},
        "test_split": "test",
        "num_fewshot": 0,
        "metadata": {"version": 1.0},
    }
    if mode == "likelihood":
        return common | {
            "output_type": "multiple_choice",
            "doc_to_text": PROMPT,
            "doc_to_target": "{{gold}}",
            "doc_to_choice": "{{options}}",
            "metric_list": [
                {"metric": "acc", "aggregation": "mean", "higher_is_better": True},
                {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True},
            ],
        }
    return common | {
        "output_type": "generate_until",
        "doc_to_text": PROMPT,
        "doc_to_target": "{{'ABCD'[gold]}}",
        "generation_kwargs": {"until": ["\n\n"], "do_sample": False, "max_gen_toks": 16},
        "filter_list": [
            {
                "name": "label",
                "filter": [{"function": "regex", "regex_pattern": "([A-D])"}, {"function": "take_first"}],
            }
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }


def spec(mode: Any, n: int = 20) -> TaskSpec:
    return TaskSpec(f"tiny_{mode}", mode, "", DatasetSpec("bundled", "tiny", revision=str(n)))


def load(task: TaskSpec) -> LoadedTask:
    """The loader of these tasks; the dataset's revision says how many documents."""
    n = int(task.dataset.revision or 20)
    made = ConfigurableTask(config=config(task.mode, n))
    metric = "acc" if task.mode == "likelihood" else "exact_match"
    return LoadedTask(task, made, metric, config_sha=f"sha-{task.mode}", dataset_fingerprint=f"tiny-{n}")


def run_spec(workdir: Path, *tasks: TaskSpec, name: str = "reference/random", **more: Any) -> RunSpec:
    model = more.pop("model", None) or ModelSpec("reference", name)
    chosen = list(tasks) or [spec("likelihood"), spec("generate")]
    return RunSpec(1, 1, str(workdir), model, chosen, **more)


class Events(list[Event]):
    """Collects events as the child emits them."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    def progress(self, task: str, done: int, total: int) -> None:
        self.append(Event("progress", task=task, done=done, total=total))
