from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from runners.child.datasets import DatasetError, load
from tests.shared import shared_data

BOOLQ = '\ufeffID\tText\tQuestion\tAnswer\r\n1\t그는 "왕"이다.\t왕인가?\tTRUE\r\n2\t글\t맞나?\tFalse\r\n'
CLICK = {
    "id": "KIIP_economy_1",
    "paragraph": "",
    "question": "수도는?",
    "choices": ["서울", "부산", "대구", "인천"],
    "answer": "서울",
}
KMMLU = 'question,answer,A,B,C,D,Category\n"첫째, 둘째\n가운데?",2,가,나,다,라,Law\n'


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def local(root: Path, release: str, subset: str, **more: Any) -> list[dict[str, Any]]:
    return list(load(release, subset, source="local", root=str(root), **more)["test"])


def error_of(root: Path, release: str, subset: str) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        local(root, release, subset)
    return caught.value


def test_a_byte_order_mark_line_ends_quotes_and_label_spellings_change_nothing(tmp_path: Path) -> None:
    write(tmp_path / "kobest/BoolQ/test.tsv", BOOLQ)
    first, second = local(tmp_path, "kobest", "boolq")
    assert first["paragraph"] == '그는 "왕"이다.'
    assert [first["label"], second["label"]] == [1, 0]
    assert [first["item_id"], second["item_id"]] == ["boolq/0", "boolq/1"]


def test_a_row_that_is_split_by_a_unicode_line_separator_stays_one_row(tmp_path: Path) -> None:
    write(tmp_path / "click/click.jsonl", json.dumps({**CLICK, "question": "가\u2028나"}, ensure_ascii=False) + "\n")
    assert local(tmp_path, "click", "economy")[0]["question"] == "가\u2028나"


def test_a_quoted_line_break_in_a_csv_release_stays_in_its_field(tmp_path: Path) -> None:
    for subject in [
        "Accounting",
        "Criminal-Law",
        "Economics",
        "Education",
        "Korean-History",
        "Law",
        "Management",
        "Psychology",
    ]:
        write(tmp_path / f"kmmlu/data/{subject}-test.csv", KMMLU)
    for subject in ("Political-Science-and-Sociology", "Social-Welfare", "Taxation"):
        write(tmp_path / f"kmmlu/data/{subject}-test.csv", KMMLU)
    docs = local(tmp_path, "kmmlu", "humss")
    assert len(docs) == 11
    assert docs[0]["question"] == "첫째, 둘째\n가운데?"
    assert docs[0]["gold"] == 1
    assert docs[5]["item_id"] == "Law/0"
    assert docs[5]["subject"] == "Law"


def test_a_missing_file_is_named_with_the_place_where_it_belongs(tmp_path: Path) -> None:
    error = error_of(tmp_path, "kobest", "copa")
    assert error.kind == "missing_file"
    assert str(tmp_path / "kobest/COPA/test.tsv") in error.message
    assert error.permanent


def test_a_file_that_is_cut_in_a_gzip_stream_is_a_changed_file(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(CLICK).encode() * 50)
    path = write(tmp_path / "click/click.jsonl.gz", packed[: len(packed) // 2])
    error = error_of(tmp_path, "click", "economy")
    assert (error.kind, error.path) == ("changed_file", str(path))


def test_a_file_that_is_cut_within_a_row_is_told_by_its_line(tmp_path: Path) -> None:
    write(tmp_path / "kobest/BoolQ/test.tsv", BOOLQ.encode()[:-8])
    error = error_of(tmp_path, "kobest", "boolq")
    assert (error.kind, error.line) == ("bad_row", 3)


def test_a_file_that_is_cut_within_a_character_is_a_changed_file(tmp_path: Path) -> None:
    whole = BOOLQ.encode()
    write(tmp_path / "kobest/BoolQ/test.tsv", whole[: whole.index("맞".encode()) + 1])
    assert error_of(tmp_path, "kobest", "boolq").kind == "changed_file"


@pytest.mark.parametrize(
    ("line", "said"),
    [("3\t글\t질문\tMaybe\r\n", "not True or False"), ("3\t\t질문\tTrue\r\n", "the paragraph is empty")],
)
def test_a_row_with_an_impossible_value_is_told_with_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path / "kobest/BoolQ/test.tsv", BOOLQ + line)
    error = error_of(tmp_path, "kobest", "boolq")
    assert (error.kind, error.path, error.line) == ("bad_row", str(path), 4)
    assert said in error.message


def test_a_row_without_a_field_names_the_field(tmp_path: Path) -> None:
    write(tmp_path / "click/click.jsonl", json.dumps({k: v for k, v in CLICK.items() if k != "answer"}))
    assert "'answer'" in error_of(tmp_path, "click", "economy").message


def test_an_answer_that_is_no_option_is_a_bad_row(tmp_path: Path) -> None:
    write(tmp_path / "click/click.jsonl", json.dumps({**CLICK, "answer": "제주"}))
    assert error_of(tmp_path, "click", "economy").kind == "bad_row"


def test_the_repository_folders_of_click_are_read_where_there_is_no_packed_file(tmp_path: Path) -> None:
    rows = json.dumps([CLICK, {**CLICK, "question": "다시?"}], ensure_ascii=False)
    write(tmp_path / "click/Dataset/Culture/Korean Economy/Economy_KIIP.json", rows)
    docs = local(tmp_path, "click", "economy")
    assert [doc["item_id"].split("#")[0] for doc in docs] == ["KIIP_economy_1"] * 2
    assert len({doc["item_id"] for doc in docs}) == 2


def test_the_fingerprint_follows_the_bytes_and_not_the_place(tmp_path: Path) -> None:
    write(tmp_path / "a/kobest/BoolQ/test.tsv", BOOLQ)
    write(tmp_path / "b/kobest/BoolQ/test.tsv", BOOLQ)
    write(tmp_path / "c/kobest/BoolQ/test.tsv", BOOLQ.replace("FALSE", "TRUE").replace("False", "True"))
    prints = []
    for name in "abc":
        splits = load("kobest", "boolq", source="local", root=str(tmp_path / name))
        assert len(splits["test"]) == 2
        prints.append(splits.fingerprint)
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("revision", [None, "main", "abc1234"])
def test_the_hub_is_refused_without_a_full_commit(revision: str | None) -> None:
    with pytest.raises(DatasetError, match="40 hexadecimal") as caught:
        load("kobest", "boolq", source="hub", revision=revision)
    assert caught.value.kind == "unpinned"


def test_an_unreachable_hub_is_told_apart_from_a_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def offline(*_: Any, **__: Any) -> Any:
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(DatasetError) as caught:
        load("kobest", "boolq", source="hub", revision="0" * 40)["test"]
    assert caught.value.kind == "hub_unreachable"
    assert not caught.value.permanent


def test_the_hub_and_a_local_release_give_the_same_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    write(tmp_path / "kobest/BoolQ/test.tsv", BOOLQ)
    asked = []

    def hub(name: str, config: str, *, split: str, revision: str) -> Any:
        asked.append((name, config, split, revision))
        rows = [
            {"paragraph": '그는 "왕"이다.', "question": "왕인가?", "label": 1},
            {"paragraph": "글", "question": "맞나?", "label": 0},
        ]
        return datasets.Dataset.from_list(rows)

    monkeypatch.setattr(datasets, "load_dataset", hub)
    splits = load("kobest", "boolq", source="hub", revision="a" * 40)
    assert list(splits["test"]) == local(tmp_path, "kobest", "boolq")
    assert asked == [("skt/kobest_v1", "boolq", "test", "a" * 40)]
    assert splits.fingerprint == "skt/kobest_v1@" + "a" * 40


LETTERED = {"question": "?", "answer": 5, **dict.fromkeys("ABCDE", "x")}
FIXTURES = {
    ("haerae", "history"): ("data/HAERAE-Bench-v1-HI.csv", 'query,answer\n"다음은? (A) 가 (B) 나",(B)\n', 1),
    ("haerae", "loan_words"): ("loan_words/test.csv", "query,answer\n외래어는?,A\n", 0),
    ("kormedmcqa", "nurse"): ("nurse/test.jsonl", json.dumps(LETTERED), 4),
    ("ko-h5", "ko_arc"): ("ko_arc.jsonl", '{"query": "q", "choices": ["a", "b"], "gold": 1}\n', 1),
}


@pytest.mark.parametrize(("release", "subset"), list(FIXTURES))
def test_every_release_is_read_in_its_own_layout(tmp_path: Path, release: str, subset: str) -> None:
    place, content, gold = FIXTURES[release, subset]
    write(tmp_path / release / place, content)
    (doc,) = local(tmp_path, release, subset)
    assert doc["gold"] == gold
    assert doc["item_id"].startswith(subset)


def test_a_parquet_release_is_read_and_a_cut_one_refused(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    path = tmp_path / "hrm8k/KSM/test-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    pyarrow.parquet.write_table(arrow.Table.from_pylist([{"question": "1+1?", "answer": 2.0}]), path)
    assert local(tmp_path, "hrm8k", "KSM")[0]["answer"] == "2.0"
    path.write_bytes(path.read_bytes()[:-20])
    assert error_of(tmp_path, "hrm8k", "KSM").kind == "changed_file"


def test_short_answers_stand_among_their_distractors_at_a_place_of_their_own() -> None:
    docs = load("ko-basic", "instructions")["test"]
    short = [doc for doc in docs if doc["accepted"]]
    assert short
    assert all(doc["options"][doc["gold"]] == doc["accepted"][0] for doc in short)
    assert len({doc["gold"] for doc in short}) > 1


def test_click_categories_by_id_are_the_folders_of_the_release() -> None:
    from runners.child.sets.click import category_of

    path = shared_data("click/click.jsonl.gz")
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().split("\n") if line]
    assert len(rows) == 1320
    assert [row["uid"] for row in rows if category_of(row["id"], row["question"]) != row["category"]] == []
