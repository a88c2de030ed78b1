from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from runners.child import scoring
from runners.child.datasets import DatasetError
from runners.child.errors import ChildError
from runners.child.markers import FAILED
from runners.reports import DatasetSpec, TaskSpec
from runners.resolving import config_sha
from tests.shared import shared_data

lm_eval = pytest.importorskip("lm_eval")
from lm_eval.api.model import LM  # noqa: E402

from runners.child import fastpath  # noqa: E402
from runners.child.tasks import fingerprint, load_task  # noqa: E402

KOBEST = {"boolq": "BoolQ", "copa": "COPA", "hellaswag": "HellaSwag", "sentineg": "SentiNeg", "wic": "WiC"}
FIRST_LABEL = {"boolq": "False", "copa": "1", "hellaswag": "0", "sentineg": "0", "wic": "False"}


@pytest.fixture(scope="module", autouse=True)
def _fast() -> None:
    fastpath.install()


class FirstOption(LM):  # type: ignore[misc]
    """By likelihood and by letter, always the first option."""

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        return [(0.0 if request.idx == 0 else -1e6, request.idx == 0) for request in requests]

    def generate_until(self, requests: list[Any]) -> list[str]:
        return ["정답: A"] * len(requests)

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        raise NotImplementedError


class Hashed(FirstOption):
    """Any likelihood, the same for the same request."""

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        digests = [hashlib.sha256(repr(request.args).encode()).digest() for request in requests]
        return [(-int.from_bytes(digest[:4], "big") / 1e8, digest[4] > 127) for digest in digests]


def spec(name: str, release: str, **more: Any) -> TaskSpec:
    root, revision = more.pop("root", None), more.pop("revision", None)
    source = more.pop("source", "local")
    dataset = DatasetSpec(source, release, root=None if root is None else str(root), revision=revision)
    mode = "generate" if name.endswith("_gen") else "likelihood"
    return TaskSpec(name, mode, more.pop("sha", None) or config_sha(name), dataset, **more)


def evaluate(task: Any, model: Any, limit: int | None = None) -> dict[str, Any]:
    name = task.config.task
    out: dict[str, Any] = lm_eval.evaluate(model, {"tasks": {name: task}}, limit=limit, bootstrap_iters=10)
    return out


def samples(task: Any, model: Any, limit: int | None = None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = evaluate(task, model, limit)["samples"][task.config.task]
    return rows


@pytest.mark.parametrize("mode", ["", "_gen"])
@pytest.mark.parametrize("split", ["test", "dev"])
@pytest.mark.parametrize("name", KOBEST)
def test_the_first_option_on_kobest_is_worth_what_the_label_counts_say(
    tmp_path: Path, name: str, split: str, mode: str
) -> None:
    expected = json.loads(shared_data("expected/kobest.json").read_text())["splits"]
    if f"{KOBEST[name]}/{split}" not in expected:
        pytest.skip("this split is not among the reference numbers")
    wanted = expected[f"{KOBEST[name]}/{split}"]
    (tmp_path / "kobest" / KOBEST[name]).mkdir(parents=True)
    shutil.copy(shared_data(f"kobest/{KOBEST[name]}/{split}.tsv"), tmp_path / "kobest" / KOBEST[name] / "test.tsv")
    task = load_task(spec(f"kobest_{name}{mode}", "kobest", root=tmp_path))
    rows = samples(task, FirstOption())
    found = scoring.summarise(rows)
    constant = wanted["constant_predictor"][FIRST_LABEL[name]]
    assert len(rows) == wanted["n"]
    assert found["acc"].value == pytest.approx(constant["accuracy"], abs=5e-7)
    assert found["f1"].value == pytest.approx(constant["macro_f1"], abs=5e-7)
    assert found["f1"].stderr is not None


@pytest.mark.parametrize("mode", ["", "_gen"])
def test_the_first_option_on_click_is_worth_what_the_answer_counts_say(mode: str) -> None:
    expected = json.loads(shared_data("expected/click.json").read_text())
    root, rows = shared_data("click").parent, []
    for name in [
        "economy",
        "geography",
        "history",
        "law",
        "politics",
        "popular",
        "society",
        "tradition",
        "functional",
        "grammar",
        "textual",
    ]:
        rows += samples(load_task(spec(f"click_{name}{mode}", "click", root=root)), FirstOption())
    options = [len(row["doc"]["options"]) for row in rows]
    assert {str(n): options.count(n) for n in (4, 5)} == expected["choices"]
    assert scoring.summarise(rows)["acc"].value == pytest.approx(expected["accuracy_always_first"], abs=5e-7)
    if not mode:
        assert [len(row["arguments"]) for row in rows] == options


def test_every_option_of_a_click_item_is_shown() -> None:
    root = shared_data("click").parent
    rows = samples(load_task(spec("click_geography", "click", root=root)), FirstOption())
    assert all(option in row["arguments"][0][0] for row in rows for option in row["doc"]["options"])


@pytest.mark.parametrize("name", ["boolq", "copa", "hellaswag", "wic"])
def test_likelihood_on_kobest_is_lm_evals_own_task_to_the_last_digit(name: str) -> None:
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    root = shared_data("kobest").parent
    ours = load_task(spec(f"kobest_{name}", "kobest", root=root))
    config = load_yaml(Path(lm_eval.__file__).parent / f"tasks/kobest/kobest_{name}.yaml")
    for metric in config["metric_list"]:
        metric.pop("hf_evaluate", None)
        metric.pop("average", None)

    class Table(list[Any]):
        features: dict[str, None] = {}

        def map(self, change: Any) -> Table:
            changed = Table([{**doc, **change(doc)} for doc in self])
            changed.features = dict.fromkeys(changed[0])
            return changed

    shared = ("item_id", "stem", "options", "gold")
    hub_fields = [{key: doc[key] for key in doc if key not in shared} for doc in ours.dataset["test"]]
    table = Table(hub_fields)
    table.features = dict.fromkeys(hub_fields[0])
    for key in ("training_split", "validation_split"):
        config.pop(key)
    config["custom_dataset"] = lambda **_: {"test": table}
    theirs = ConfigurableTask(config=config)
    theirs.set_config("num_fewshot", 0)
    mine, own = evaluate(ours, Hashed()), evaluate(theirs, Hashed())
    key = f"kobest_{name}"
    assert [row["arguments"] for row in mine["samples"][key]] == [row["arguments"] for row in own["samples"][key]]
    for metric in (m["metric"] for m in config["metric_list"]):
        assert mine["results"][key][f"{metric},none"] == own["results"][key][f"{metric},none"]


def write_kmmlu(root: Path) -> None:
    from runners.child.sets.kmmlu import GROUPS

    (root / "kmmlu/data").mkdir(parents=True)
    for subject in GROUPS["stem"].split():
        for split in ("test", "dev"):
            lines = [f"{subject} {split} {n},{n % 4 + 1},가,나,다,라" for n in range(6)]
            text = "\n".join(["question,answer,A,B,C,D", *lines]) + "\n"
            (root / f"kmmlu/data/{subject}-{split}.csv").write_text(text)


@pytest.mark.parametrize("name", ["kmmlu_stem", "kmmlu_stem_gen"])
def test_shots_come_from_the_items_own_subject(tmp_path: Path, name: str) -> None:
    write_kmmlu(tmp_path)
    task = load_task(spec(name, "kmmlu", root=tmp_path, num_fewshot=3))
    task.set_fewshot_seed(1234)
    rows = samples(task, FirstOption())
    assert len(rows) == 66
    for row in rows:
        subject = row["doc"]["subject"]
        assert row["arguments"][0][0].count(f"{subject} dev") == 3
        assert row["arguments"][0][0].count(" dev ") == 3


def test_without_shots_no_other_split_is_needed(tmp_path: Path) -> None:
    write_kmmlu(tmp_path)
    for path in tmp_path.glob("kmmlu/data/*-dev.csv"):
        path.unlink()
    assert len(load_task(spec("kmmlu_stem", "kmmlu", root=tmp_path)).eval_docs) == 66
    with pytest.raises(DatasetError, match=r"-dev\.csv"):
        load_task(spec("kmmlu_stem", "kmmlu", root=tmp_path, num_fewshot=1))


def test_both_modes_of_a_set_ask_the_same_items() -> None:
    for name in ("language", "grammar", "culture", "arithmetic", "reasoning", "instructions"):
        pair = [load_task(spec(f"ko_basic_{name}{mode}", "ko-basic", source="bundled")) for mode in ("", "_gen")]
        likelihood, generation = ([doc["item_id"] for doc in task.eval_docs] for task in pair)
        assert likelihood == generation
        assert fingerprint(pair[0]) == fingerprint(pair[1])


def test_a_task_that_is_not_the_frozen_one_is_refused() -> None:
    with pytest.raises(ChildError) as caught:
        load_task(spec("ko_basic_language", "ko-basic", source="bundled", sha="0" * 64))
    assert caught.value.kind == "config_changed"


def test_a_task_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ChildError) as caught:
        load_task(spec("ko_basic_dance", "ko-basic", source="bundled", sha="0" * 64))
    assert caught.value.kind == "bad_spec"


def test_shots_are_refused_where_a_set_has_no_examples(tmp_path: Path) -> None:
    (tmp_path / "hrm8k/KSM").mkdir(parents=True)
    (tmp_path / "hrm8k/KSM/test.jsonl").write_text('{"question": "1+1?", "answer": 2}\n')
    with pytest.raises(ChildError, match="no examples"):
        load_task(spec("hrm8k_ksm_gen", "hrm8k", root=tmp_path, num_fewshot=2))


def test_files_other_than_the_pinned_ones_are_refused(tmp_path: Path) -> None:
    write_kmmlu(tmp_path)
    pinned = fingerprint(load_task(spec("kmmlu_stem", "kmmlu", root=tmp_path)))
    assert load_task(spec("kmmlu_stem", "kmmlu", root=tmp_path, revision=pinned))
    path = tmp_path / "kmmlu/data/Math-test.csv"
    path.write_text(path.read_text().replace("Math test 0", "Math test 9"))
    with pytest.raises(DatasetError) as caught:
        load_task(spec("kmmlu_stem", "kmmlu", root=tmp_path, revision=pinned))
    assert caught.value.kind == "changed_file"


def test_a_chat_template_gets_the_whole_prompt_as_one_user_turn() -> None:
    class Chat(FirstOption):
        tokenizer_name = "chat"
        asked: list[str] = []

        def apply_chat_template(self, history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
            return json.dumps(history, ensure_ascii=False)

        def generate_until(self, requests: list[Any]) -> list[str]:
            self.asked = [request.args[0] for request in requests]
            return super().generate_until(requests)

    model, task = Chat(), load_task(spec("ko_basic_culture_gen", "ko-basic", source="bundled"))
    lm_eval.evaluate(model, {"tasks": {"ko_basic_culture_gen": task}}, limit=2, apply_chat_template=True)
    (turn,) = json.loads(model.asked[0])
    assert turn["role"] == "user"
    assert turn["content"].startswith("다음 문제를 읽고")


class Mixed(FirstOption):
    """Right, wrong, no answer and failed, in turn."""

    def generate_until(self, requests: list[Any]) -> list[str]:
        replies = []
        for number, request in enumerate(requests):
            gold = request.doc["gold"]
            other = (gold + 1) % len(request.doc["options"])
            replies.append([f"정답: {'ABCDE'[gold]}", "ABCDE"[other], "모르겠습니다.", FAILED][number % 4])
        return replies


def test_right_wrong_no_answer_and_failed_are_four_different_things() -> None:
    root = shared_data("kobest").parent
    rows = samples(load_task(spec("kobest_copa_gen", "kobest", root=root)), Mixed(), limit=40)
    found = scoring.summarise(rows)
    assert found["acc"].value == pytest.approx(1 / 3)
    assert found["no_answer"].value == pytest.approx(1 / 3)
    assert [row["metrics"] for row in rows[3::4]] == [[]] * 10
    assert {row["filtered_resps"][0] for row in rows[2::4]} == {scoring.INVALID}


def test_a_cut_release_of_click_is_a_changed_file(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"id": "KIIP_economy_1"}\n' * 100)
    (tmp_path / "click").mkdir()
    (tmp_path / "click/click.jsonl.gz").write_bytes(whole[:-9])
    with pytest.raises(DatasetError) as caught:
        load_task(spec("click_economy", "click", root=tmp_path))
    assert caught.value.kind == "changed_file"
