from __future__ import annotations

import dataclasses
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from lm_eval.evaluator import evaluate

from runners.child import backends, fastpath
from runners.child.errors import ChildError
from runners.child.evaluate import Child, write_whole
from runners.child.loading import LoadedTask
from runners.child.players import Random
from runners.reports import ModelSpec, SampleReport, TaskReport
from tests.runners.child import tiny


def run(folder: Path, *tasks: Any, **more: Any) -> tiny.Events:
    events = tiny.Events()
    child = Child(events, more.pop("load", tiny.load))
    try:
        child.run(tiny.run_spec(folder, *tasks, **more))
    finally:
        child.close()
    return events


def report(folder: Path, task: str) -> TaskReport:
    return TaskReport.from_json((folder / f"{task}.report.json").read_bytes())


def samples(folder: Path, task: str) -> list[SampleReport]:
    lines = (folder / f"{task}.samples.jsonl").read_text(encoding="utf-8").splitlines()
    return [SampleReport.from_json(line) for line in lines]


@pytest.mark.parametrize("mode", ["likelihood", "generate"])
def test_results_and_samples_are_those_of_lm_eval_itself(tmp_path: Path, mode: Any) -> None:
    run(tmp_path, tiny.spec(mode), apply_chat_template=False)
    name, loaded = f"tiny_{mode}", tiny.load(tiny.spec(mode))
    loaded.task.set_fewshot_seed(seed=1234)
    plain = evaluate(lm=Random(1234), task_dict={"tasks": {name: loaded.task}})
    ours = report(tmp_path, name)
    for metric, value in ours.metrics.items():
        filtered = "none" if mode == "likelihood" else "label"
        assert value.value == plain["results"][name][f"{metric},{filtered}"]
        assert value.stderr == plain["results"][name][f"{metric}_stderr,{filtered}"]
    for sample, row in zip(samples(tmp_path, name), plain["samples"][name], strict=True):
        assert sample.prompt == row["arguments"][0][0]
        assert (sample.doc_hash, sample.prompt_hash) == (row["doc_hash"], row["prompt_hash"])
        assert sample.target_hash == row["target_hash"]
        if mode == "likelihood":
            assert sample.logprobs == [resp[0][0] for resp in row["resps"]]
        else:
            assert sample.reply == row["resps"][0][0]


def test_each_task_is_published_before_the_next_begins(tmp_path: Path) -> None:
    events = run(tmp_path)
    order = [(e.kind, e.task) for e in events if e.kind in ("progress", "task")]
    assert order.index(("task", "tiny_likelihood")) < order.index(("progress", "tiny_generate"))
    assert [e.done for e in events if e.kind == "task"] == [20, 40]
    assert {e.total for e in events if e.kind in ("progress", "task")} == {40}


def test_a_sample_shows_the_options_the_choice_and_the_target_as_text(tmp_path: Path) -> None:
    run(tmp_path, tiny.spec("likelihood"), name="reference/constant")
    sample = samples(tmp_path, "tiny_likelihood")[1]
    assert sample.choices == ["낱말1가", "낱말1나", "낱말1다", "낱말1라"]
    assert (sample.item_id, sample.reply, sample.target, sample.correct) == ("q1", "낱말1가", "낱말1나", 0.0)
    assert sample.logprobs == [0, -1, -2, -3]


def test_a_reply_with_nothing_to_take_from_it_is_no_answer_and_wrong(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(Random, "reply", lambda self, text: "모르겠습니다" if "질문 3:" in text else "A")
    run(tmp_path, tiny.spec("generate"))
    odd = samples(tmp_path, "tiny_generate")[3]
    assert (odd.status, odd.extracted, odd.correct, odd.reply) == ("no_answer", None, 0.0, "모르겠습니다")
    found = report(tmp_path, "tiny_generate")
    assert (found.n_scored, found.n_no_answer, found.n_failed) == (20, 1, 0)


def test_no_answer_at_all_is_no_value_and_not_zero(tmp_path: Path, monkeypatch: Any) -> None:
    from runners.child.markers import FAILED

    monkeypatch.setattr(Random, "generate_until", lambda self, requests: [FAILED] * len(requests))
    run(tmp_path, tiny.spec("generate"))
    found = report(tmp_path, "tiny_generate")
    assert (found.n_docs, found.n_scored, found.n_failed) == (20, 0, 20)
    assert found.metrics["exact_match"].value is None
    assert {s.status for s in samples(tmp_path, "tiny_generate")} == {"error"}


def test_a_published_task_is_announced_again_and_not_evaluated(tmp_path: Path, monkeypatch: Any) -> None:
    run(tmp_path, tiny.spec("generate"))
    before = (tmp_path / "tiny_generate.report.json").stat().st_mtime_ns
    monkeypatch.setattr(Random, "generate_until", lambda self, requests: 1 / 0)
    events = run(tmp_path, tiny.spec("generate"))
    assert [e.kind for e in events if e.kind in ("task", "progress")] == ["task"]
    assert (tmp_path / "tiny_generate.report.json").stat().st_mtime_ns == before


def test_a_rerun_asks_nothing_and_reports_the_same(tmp_path: Path, monkeypatch: Any) -> None:
    run(tmp_path)
    first = report(tmp_path, "tiny_generate")
    for path in tmp_path.glob("*.report.json"):
        path.unlink()
    monkeypatch.setattr(Random, "generate_until", lambda self, requests: 1 / 0)
    monkeypatch.setattr(Random, "loglikelihood", lambda self, requests: 1 / 0)
    run(tmp_path)
    again = report(tmp_path, "tiny_generate")
    assert (again.metrics, again.task_hash) == (first.metrics, first.task_hash)


def test_another_seed_or_config_shares_no_answer(tmp_path: Path, monkeypatch: Any) -> None:
    asked = []
    ask = Random.generate_until
    monkeypatch.setattr(
        Random, "generate_until", lambda self, requests: asked.append(len(requests)) or ask(self, requests)
    )

    def changed(spec: Any) -> LoadedTask:
        loaded = tiny.load(spec)
        return LoadedTask(spec, loaded.task, loaded.metric, "another sha", loaded.dataset_fingerprint)

    run(tmp_path, tiny.spec("generate"))
    run(tmp_path, tiny.spec("generate"), load=changed)
    (tmp_path / "tiny_generate.report.json").unlink()
    run(tmp_path, tiny.spec("generate"), seed=99)
    assert asked == [20, 20, 20]


def test_one_model_serves_several_runs_and_another_one_replaces_it(tmp_path: Path, monkeypatch: Any) -> None:
    loaded, closed = [], []
    load = backends.load

    def counting(spec: Any) -> backends.Loaded:
        loaded.append(spec.model.name)
        made = load(spec)
        return backends.Loaded(**{**vars(made), "close": lambda: closed.append(spec.model.name)})

    monkeypatch.setattr(backends, "load", counting)
    child = Child(tiny.Events(), tiny.load)
    for index, name in enumerate(["random", "random", "echo"]):
        child.run(tiny.run_spec(tmp_path, tiny.spec("generate", 5 + index), name=f"reference/{name}"))
    child.close()
    assert (loaded, closed) == (["reference/random", "reference/echo"],) * 2


def test_another_chat_setting_is_another_model(tmp_path: Path) -> None:
    child = Child(tiny.Events(), tiny.load)
    for templated in (True, False):
        folder = tmp_path / str(templated)
        folder.mkdir()
        child.run(tiny.run_spec(folder, tiny.spec("generate"), apply_chat_template=templated))
        assert samples(folder, "tiny_generate")[0].prompt.startswith("[{") == templated
    child.close()


def test_a_task_that_cannot_be_read_ends_the_run_after_the_others_were_published(tmp_path: Path) -> None:
    def load(spec: Any) -> LoadedTask:
        if spec.mode == "likelihood":
            raise ChildError("dataset_missing", "the file is gone", permanent=True)
        return tiny.load(spec)

    with pytest.raises(ChildError, match="the file is gone"):
        run(tmp_path, load=load)
    assert report(tmp_path, "tiny_generate").n_scored == 20


def test_a_limit_asks_the_first_items_only(tmp_path: Path) -> None:
    run(tmp_path, dataclasses.replace(tiny.spec("likelihood"), limit=7))
    assert report(tmp_path, "tiny_likelihood").n_docs == 7


def test_an_unknown_backend_is_a_bad_spec(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="magic"):
        run(tmp_path, model=ModelSpec("magic", "m"))  # type: ignore[arg-type]


def test_the_environment_names_versions_and_settings(tmp_path: Path) -> None:
    events = run(tmp_path, seed=7)
    data = next(e.data for e in events if e.kind == "environment")
    assert data["versions"]["lm_eval"]
    assert (data["seed"], data["engine"]) == (7, "reference")


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", "하나")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    if os.geteuid() != 0:
        tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
        with pytest.raises(OSError, match="denied"):
            write_whole(tmp_path / "b.json", "둘")


def test_a_full_disk_is_named_when_a_report_is_written(tmp_path: Path, monkeypatch: Any) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ChildError) as caught:
        write_whole(tmp_path / "a.json", "하나")
    assert caught.value.kind == "disk_full"
    assert list(tmp_path.iterdir()) == []


def test_a_template_is_compiled_once() -> None:
    import lm_eval.utils

    fastpath.install()
    assert lm_eval.utils.env.from_string("{{a}}") is lm_eval.utils.env.from_string("{{a}}")
