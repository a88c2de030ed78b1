"""CPU time of the harness alone: plain lm-eval beside our evaluation child, on a model that answers at once.

`python -m bench.harness_overhead [--rounds 3]` evaluates a multiple-choice task (2,500 items, 10,000 requests) and a
generation task (10,000 items) in fresh processes, with samples. Plain lm-eval writes its samples as its own command
does; ours also stores every answer durably and makes its reports. Loading is left out on both sides. The best round
counts; results and samples must be the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lm_eval.api.model import LM

ITEMS = {"likelihood": 2_500, "generate": 10_000}
COMMON = """
task: bench_{mode}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
num_fewshot: 0
doc_to_text: "다음 문제를 읽고 답을 고르세요.\\n\\n문제: {{{{stem}}}}\\nA. {{{{options[0]}}}}\\nB. \
{{{{options[1]}}}}\\nC. {{{{options[2]}}}}\\nD. {{{{options[3]}}}}\\n정답:"
"""
YAML = {
    "likelihood": COMMON
    + """
output_type: multiple_choice
doc_to_choice: "{{{{options}}}}"
doc_to_target: "{{{{gold}}}}"
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
""",
    "generate": COMMON
    + """
output_type: generate_until
doc_to_target: "{{{{'ABCD'[gold]}}}}"
generation_kwargs: {{until: ["\\n\\n"], do_sample: false, max_gen_toks: 64}}
filter_list:
  - name: label
    filter: [{{function: regex, regex_pattern: "정답: ?([A-D])"}}, {{function: take_first}}]
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
""",
}


class AtOnce(LM):  # type: ignore[misc]
    """Answers from the request alone and tells its cache hook each time, as lm-eval's local models do."""

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        answers = []
        for request in requests:
            answer = (-float(len(request.args[1]) + request.doc_id * 7 % 13 * request.idx), False)
            self.cache_hook.add_partial("loglikelihood", request.args, answer)
            answers.append(answer)
        return answers

    def generate_until(self, requests: list[Any]) -> list[str]:
        answers = []
        for request in requests:
            answer = f"생각해 보면 정답: {'ABCD'[request.doc_id * 7 % 13 % 4]}입니다."
            self.cache_hook.add_partial("generate_until", request.args, answer)
            answers.append(answer)
        return answers

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        raise NotImplementedError


def write_tasks(folder: Path) -> None:
    """The two tasks' YAML and their items, about 60 characters a question and 10 an option."""
    for mode, n in ITEMS.items():
        items = [
            {
                "item_id": f"{mode}-{i}",
                "stem": f"{i}번 문제입니다. 다음 가운데 {i * 31 % 977}과 가장 관계가 깊은 낱말은 무엇입니까?",
                "options": [f"{i * 17 % 101}번째 낱말 {c}" for c in "가나다라"],
                "gold": i * i % 4,
                "source": "지어낸 문제",
            }
            for i in range(n)
        ]
        data = folder / f"{mode}.json"
        data.write_text(json.dumps(items, ensure_ascii=False), encoding="utf-8")
        (folder / f"bench_{mode}.yaml").write_text(YAML[mode].format(mode=mode, data=data), encoding="utf-8")


def plain(folder: Path, mode: str) -> tuple[float, dict[str, Any], list[Any]]:
    """(CPU seconds, results, sample rows) of lm-eval as it is."""
    from lm_eval.evaluator import evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    name = f"bench_{mode}"
    tasks = TaskManager(include_path=[folder], include_defaults=False).load(name)
    tasks["tasks"][name].set_fewshot_seed(seed=1234)
    cpu = time.process_time()
    found = evaluate(lm=AtOnce(), task_dict=tasks, log_samples=True)
    results, rows = dict(found["results"][name]), found["samples"][name]
    EvaluationTracker(output_path=str(folder / "plain")).save_results_samples(name, rows)
    return time.process_time() - cpu, results, rows


def ours(folder: Path, mode: str) -> tuple[float, dict[str, Any], list[Any]]:
    """The same through the evaluation child, answers stored and reports written."""
    from lm_eval.tasks import TaskManager

    from runners.child import backends, evaluate
    from runners.child.loading import LoadedTask
    from runners.reports import DatasetSpec, Event, ModelSpec, RunSpec, TaskSpec

    name, seen = f"bench_{mode}", {}
    spec = TaskSpec(name, mode, "sha", DatasetSpec("local", "bench"))  # type: ignore[arg-type]
    task = TaskManager(include_path=[folder], include_defaults=False).load(name)["tasks"][name]
    metric = "acc" if mode == "likelihood" else "exact_match"
    lm = AtOnce()
    loaded = backends.Loaded({"likelihood": lm, "generate": lm}, {"likelihood": False, "generate": False}, {}, {})
    harness = evaluate.harness

    def keep(*args: Any, **more: Any) -> dict[str, Any]:
        seen.update(harness(*args, **more))
        return seen

    class Silent:
        def __call__(self, event: Event) -> None: ...
        def progress(self, task: str, done: int, total: int) -> None: ...

    evaluate.harness, backends.load = keep, lambda spec: loaded
    child = evaluate.Child(Silent(), lambda spec: LoadedTask(spec, task, metric, "sha", "data"))
    workdir = folder / f"ours-{mode}-{time.monotonic_ns()}"
    workdir.mkdir()
    cpu = time.process_time()
    child.run(RunSpec(1, 1, str(workdir), ModelSpec("reference", "at once"), [spec], apply_chat_template=False))
    return time.process_time() - cpu, dict(seen["results"][name]), seen["samples"][name]


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str, ensure_ascii=False).encode()).hexdigest()


def measure(side: str, folder: Path, mode: str) -> dict[str, Any]:
    """One round in a fresh process."""
    command = [sys.executable, "-m", "bench.harness_overhead", "--one", side, "--mode", mode, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def best_of(rounds: int, side: str, folder: Path, mode: str) -> dict[str, Any]:
    return min((measure(side, folder, mode) for _ in range(rounds)), key=lambda one: float(one["cpu"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=["plain", "ours"])
    parser.add_argument("--mode", choices=list(ITEMS))
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.one:
        cpu, results, rows = (plain if args.one == "plain" else ours)(args.folder, args.mode)
        print(json.dumps({"cpu": cpu, "results": digest(results), "samples": digest(rows)}))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tasks(folder)
        print("| task | plain lm-eval, CPU s | ours, CPU s | ratio | results | samples |\n|---|---|---|---|---|---|")
        for mode, n in ITEMS.items():
            first, second = (best_of(args.rounds, side, folder, mode) for side in ("plain", "ours"))
            same = {key: "same" if first[key] == second[key] else "DIFFERENT" for key in ("results", "samples")}
            ratio = f"1/{first['cpu'] / second['cpu']:.1f}"
            print(
                f"| {mode}, {n:,} items | {first['cpu']:.2f} | {second['cpu']:.2f} | {ratio} | {same['results']} | "
                f"{same['samples']} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
