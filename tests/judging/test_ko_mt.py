"""The bundled set `ko-mt`: its questions and its answers of known quality."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any

import pytest

from runners.korean.language import foreign_leak, hangul_share, is_not_korean
from tests.judging.ko_mt import FOLDER, question, rows

CATEGORIES = ["writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities"]
WITH_REFERENCE = {"reasoning", "math", "coding", "extraction"}
QUALITIES = ["complete", "terse", "wrong", "english"]
LENGTHS = {"complete": (400, 1200), "terse": (30, 150), "wrong": (400, 1200), "english": (400, 1200)}
KNOWN = rows("known_quality")


def category(row: dict[str, Any]) -> str:
    return str(question(row["question_id"])["category"])


def test_there_are_ten_questions_in_each_of_eight_categories_in_their_order() -> None:
    wanted = [f"{name}-{n:02}" for name in CATEGORIES for n in range(1, 11)]
    assert [row["id"] for row in rows("questions")] == wanted
    assert all(row["category"] == row["id"].rsplit("-", 1)[0] for row in rows("questions"))


def test_a_question_has_two_turns_and_references_where_its_category_needs_them() -> None:
    for row in rows("questions"):
        assert list(row) == ["id", "category", "turns", "references"]
        assert len(row["turns"]) == 2
        assert all(turn.strip() == turn != "" for turn in row["turns"])
        assert (row["references"] is not None) == (row["category"] in WITH_REFERENCE), row["id"]
        if row["references"] is not None:
            assert len(row["references"]) == 2
            assert all(text.strip() == text != "" for text in row["references"])


def test_no_turn_occurs_twice() -> None:
    turns = Counter(turn for row in rows("questions") for turn in row["turns"])
    assert max(turns.values()) == 1


def test_every_question_is_asked_in_korean() -> None:
    for row in rows("questions"):
        least = 0.3 if row["category"] == "coding" else 0.6
        assert all((hangul_share(turn) or 0) > least for turn in row["turns"]), row["id"]


def test_a_second_turn_repeats_no_long_line_of_the_first() -> None:
    """One that states its task anew would not need the first answer."""
    for row in rows("questions"):
        first, second = (set(turn.split("\n")) for turn in row["turns"])
        assert not {line for line in first & second if len(line) > 20}, row["id"]


@pytest.mark.parametrize("name", ["questions", "known_quality"])
def test_the_files_are_plain_nfc_without_byte_order_mark(name: str) -> None:
    text = (FOLDER / f"{name}.jsonl").read_bytes().decode("utf-8")
    assert unicodedata.is_normalized("NFC", text)
    assert not set("\ufeff\u2028\u2029\r\u200b\u00a0") & set(text)


def test_three_questions_of_every_category_have_answers_of_all_four_qualities() -> None:
    answered = {row["question_id"] for row in KNOWN}
    pairs = Counter((row["question_id"], row["quality"]) for row in KNOWN)
    assert pairs == {(question_id, quality): 1 for question_id in answered for quality in QUALITIES}
    each = Counter(question(question_id)["category"] for question_id in answered)
    assert each == dict.fromkeys(CATEGORIES, 3)


def test_an_answer_has_two_turns_of_the_length_of_its_quality() -> None:
    for row in KNOWN:
        assert list(row) == ["question_id", "quality", "outputs", "note"]
        low, high = LENGTHS[row["quality"]]
        assert len(row["outputs"]) == 2
        assert all(low <= len(text) <= high for text in row["outputs"]), (row["question_id"], row["quality"])


def test_a_wrong_answer_is_about_as_long_as_the_complete_one() -> None:
    """Otherwise a judge that only likes length would pass."""
    length = Counter[tuple[str, str]]()
    for row in KNOWN:
        length[row["question_id"], row["quality"]] = sum(map(len, row["outputs"]))
    for question_id in {row["question_id"] for row in KNOWN}:
        assert length[question_id, "wrong"] > 0.6 * length[question_id, "complete"], question_id


def test_only_the_english_answers_are_not_korean() -> None:
    for row in KNOWN:
        shares = [hangul_share(text) for text in row["outputs"]]
        if row["quality"] == "english":
            assert all(share is not None and share < 0.1 for share in shares), row["question_id"]
            assert all(map(is_not_korean, row["outputs"])), row["question_id"]
        elif category(row) != "coding":
            assert all(share is not None and share > 0.6 for share in shares), row


def test_no_korean_answer_mixes_in_a_foreign_script_beyond_a_gloss() -> None:
    for row in KNOWN:
        assert sum(map(foreign_leak, row["outputs"])) == 0, (row["question_id"], row["quality"])


def test_every_answer_is_explained_by_a_korean_note_of_one_line() -> None:
    for row in KNOWN:
        assert "\n" not in row["note"]
        assert len(row["note"]) >= 15
        assert (hangul_share(row["note"]) or 0) > 0.6, row["note"]


def test_no_two_answers_are_the_same() -> None:
    texts = Counter(text for row in KNOWN for text in row["outputs"])
    assert max(texts.values()) == 1
