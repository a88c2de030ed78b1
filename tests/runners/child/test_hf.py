from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runners.child import hf
from runners.child.answers import AnswerLog
from runners.child.errors import ChildError
from runners.child.evaluate import Child
from runners.child.loading import LoadedTask
from runners.child.storing import StoringLM
from runners.reports import DatasetSpec, ModelSpec, TaskReport, TaskSpec
from tests.runners.child import tiny


def fake_folder(folder: Path) -> Path:
    """A model folder that passes the check; its weights are empty."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama", "text_config": {"hidden_size": 4}}', encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_a_clean_folder_passes(tmp_path: Path) -> None:
    hf.check_folder(fake_folder(tmp_path / "m"))


@pytest.mark.parametrize(
    "name", ["modeling_evil.py", "sub/x.py", "pytorch_model.bin", "a.pkl", "training_args.pt", "x.so"]
)
def test_code_and_pickles_are_refused_by_name(tmp_path: Path, name: str) -> None:
    folder = fake_folder(tmp_path / "m")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")
    with pytest.raises(ChildError, match=name) as caught:
        hf.check_folder(folder)
    assert (caught.value.kind, caught.value.permanent) == ("unsafe_model", True)


@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json", "sub/config.json"])
@pytest.mark.parametrize("nested", [False, True])
def test_an_auto_map_is_refused_wherever_it_hides(tmp_path: Path, where: str, nested: bool) -> None:
    folder = fake_folder(tmp_path / "m")
    evil: dict[str, Any] = {"auto_map": {"AutoConfig": "evil.Config"}}
    (folder / where).parent.mkdir(exist_ok=True)
    (folder / where).write_text(json.dumps({"text_config": [evil]} if nested else evil), encoding="utf-8")
    with pytest.raises(ChildError, match="auto_map"):
        hf.check_folder(folder)


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    folder = fake_folder(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ChildError, match="safetensors"):
        hf.check_folder(folder)


def test_a_folder_that_is_not_there_is_missing(tmp_path: Path) -> None:
    spec = tiny.run_spec(tmp_path, model=ModelSpec("hf", "m", path=str(tmp_path / "nowhere")))
    with pytest.raises(ChildError) as caught:
        hf.load(spec)
    assert (caught.value.kind, caught.value.permanent) == ("model_missing", False)


@pytest.mark.parametrize(
    "name", ["trust_remote_code", "tokenizer", "revision", "peft", "gguf_file", "chat_template_args"]
)
def test_only_known_arguments_are_let_through(tmp_path: Path, name: str) -> None:
    folder = fake_folder(tmp_path / "m")
    with pytest.raises(ChildError, match=name) as caught:
        hf.load(tiny.run_spec(tmp_path, model=ModelSpec("hf", "m", path=str(folder), args={name: True})))
    assert caught.value.kind == "bad_spec"


@dataclass
class Request:
    args: tuple[Any, ...]
    doc_id: int
    idx: int = 0


class Crowded:
    """Runs out of memory when a batch is larger than fits, after answering the batches before it."""

    def __init__(self, batch: int, fits: int) -> None:
        self.batch_size_per_gpu, self.fits = batch, fits
        self.tried: list[int] = []

    @property
    def batch_size(self) -> int:
        return self.batch_size_per_gpu

    def set_cache_hook(self, hook: Any) -> None:
        self.hook = hook

    def generate_until(self, requests: list[Request], disable_tqdm: bool = False) -> list[str]:
        self.tried.append(self.batch_size)
        if self.batch_size > self.fits:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return [request.args[0] for request in requests]


@pytest.fixture
def no_torch(monkeypatch: Any) -> None:
    monkeypatch.setattr(hf, "empty_cache", lambda: None)


@pytest.mark.usefixtures("no_torch")
def test_out_of_memory_goes_down_the_ladder_and_the_batch_used_is_told(tmp_path: Path) -> None:
    inner, environment = Crowded(16, fits=4), {"batch_size": 16}
    model = StoringLM(hf.Ladder(inner, environment), AnswerLog(tmp_path / "a.sqlite3"))
    assert model.generate_until([Request((str(i), {}), i) for i in range(20)]) == [str(i) for i in range(20)]
    assert (inner.tried, environment["batch_size"]) == ([16, 16, 8, 4], 4)


@pytest.mark.usefixtures("no_torch")
def test_a_model_that_does_not_fit_even_alone_is_told_so(tmp_path: Path) -> None:
    inner = Crowded(4, fits=0)
    model = StoringLM(hf.Ladder(inner, {}), AnswerLog(tmp_path / "a.sqlite3"))
    with pytest.raises(ChildError) as caught:
        model.generate_until([Request(("a", {}), 0)])
    assert (caught.value.kind, inner.tried) == ("does_not_fit", [4, 4, 2, 1])


@pytest.mark.usefixtures("no_torch")
def test_another_error_is_not_taken_for_a_full_memory() -> None:
    assert not hf.out_of_memory(RuntimeError("size mismatch"))


YAML = {
    "likelihood": """
task: trial_likelihood
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{stem}}}}\\n정답:"
doc_to_choice: "{{{{options}}}}"
doc_to_target: "{{{{gold}}}}"
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}},
  {{metric: acc_norm, aggregation: mean, higher_is_better: true}}]
""",
    "generate": """
task: trial_generate
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{stem}}}}\\n정답:"
doc_to_target: "{{{{'ABCD'[gold]}}}}"
generation_kwargs: {{until: ["\\n\\n"], do_sample: false, max_gen_toks: 12}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
""",
}


@pytest.mark.torch
@pytest.mark.parametrize("chat", [False, True])
def test_numbers_equal_the_plain_lm_eval_command_to_the_last_digit(tmp_path: Path, chat: bool) -> None:
    pytest.importorskip("torch")
    from tests import tiny_model

    weights, tasks = tiny_model.build(tmp_path / "weights"), tmp_path / "tasks"
    tasks.mkdir()
    data = tmp_path / "items.json"
    data.write_text(json.dumps(tiny.documents(30), ensure_ascii=False), encoding="utf-8")
    for mode, text in YAML.items():
        (tasks / f"trial_{mode}.yaml").write_text(text.format(data=data), encoding="utf-8")
    ours = _ours(tmp_path, tasks, weights, chat)
    theirs, rows = _theirs(tmp_path, tasks, weights, chat)
    for name, report in ours.items():
        for metric, value in report.metrics.items():
            assert value.value == theirs[name][f"{metric},none"]
            assert value.stderr == theirs[name][f"{metric}_stderr,none"]
    lines = (tmp_path / "trial_likelihood.samples.jsonl").read_text(encoding="utf-8").splitlines()
    scores = [json.loads(line)["logprobs"] for line in lines]
    assert scores == [[float(resp[0][0]) for resp in row["resps"]] for row in rows["trial_likelihood"]]
    lines = (tmp_path / "trial_generate.samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["reply"] for line in lines] == [row["resps"][0][0] for row in rows["trial_generate"]]


def _ours(folder: Path, tasks: Path, weights: Path, chat: bool) -> dict[str, TaskReport]:
    from lm_eval.tasks import TaskManager

    def load(spec: TaskSpec) -> LoadedTask:
        manager = TaskManager(include_path=[tasks], include_defaults=False)
        metric = "acc" if spec.mode == "likelihood" else "exact_match"
        return LoadedTask(spec, manager.load(spec.name)["tasks"][spec.name], metric, "sha", "data")

    specs = [TaskSpec(f"trial_{mode}", mode, "sha", DatasetSpec("local", "trial")) for mode in YAML]  # type: ignore[arg-type]
    child = Child(tiny.Events(), load)
    model = ModelSpec("hf", "tiny", path=str(weights))
    child.run(tiny.run_spec(folder, *specs, model=model, batch_size=4, apply_chat_template=chat))
    child.close()
    names = [spec.name for spec in specs]
    return {name: TaskReport.from_json((folder / f"{name}.report.json").read_bytes()) for name in names}


def _theirs(folder: Path, tasks: Path, weights: Path, chat: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    command = [
        sys.executable,
        "-m",
        "lm_eval",
        "run",
        "--model",
        "hf",
        "--model_args",
        f"pretrained={weights}",
    ]
    command += [
        "--tasks",
        "trial_likelihood,trial_generate",
        "--include_path",
        str(tasks),
        "--batch_size",
        "4",
    ]
    command += ["--device", "cpu", "--output_path", str(folder / "theirs"), "--log_samples"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        command + (["--apply_chat_template"] if chat else []),
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found = next((folder / "theirs").rglob("results_*.json"))
    rows = {}
    for path in (folder / "theirs").rglob("samples_*.jsonl"):
        name = path.name.removeprefix("samples_").rpartition("_")[0]
        rows[name] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return json.loads(found.read_bytes())["results"], rows
