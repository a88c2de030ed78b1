"""The bundled suite `ko-basic`: every item well formed, and nothing but the question leads to its answer."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

Item = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[2] / "runners" / "data" / "ko-basic"
CATEGORIES = ("language", "grammar", "culture", "arithmetic", "reasoning", "instructions")
FILES = [FOLDER / f"{name}.jsonl" for name in CATEGORIES if (FOLDER / f"{name}.jsonl").exists()]
COMMON = {"id", "category", "question", "choices", "reason", "difficulty"}
HANGUL = re.compile("[가-힣]")


def read(path: Path) -> list[Item]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


ITEMS = [item for path in FILES for item in read(path)]
CHOICE = [item for item in ITEMS if item["choices"] is not None]
SHORT = [item for item in ITEMS if item["choices"] is None]


def texts(item: Item) -> list[str]:
    """Every text of one item that a reader or a model may see."""
    several = [*(item["choices"] or []), *item.get("accepted", []), *item.get("distractors", [])]
    return [item["question"], item["reason"], *several]


def squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


def ids(items: list[Item]) -> list[str]:
    return [item["id"] for item in items]


def right_is_longest(item: Item) -> bool:
    lengths = [len(choice) for choice in item["choices"]]
    return lengths[item["answer"]] == max(lengths) and lengths.count(max(lengths)) == 1


def gives_itself_away(item: Item) -> bool:
    """Whether the question holds the right answer while it holds no wrong one."""
    if item["choices"] is not None:
        right = [item["choices"][item["answer"]]]
        wrong = [choice for n, choice in enumerate(item["choices"]) if n != item["answer"]]
    else:
        right, wrong = item["accepted"], item["distractors"]
    question = squeezed(item["question"])

    def held(answers: list[str]) -> bool:
        # A number may be both a given and a result, and one letter is part of too many words.
        words = [squeezed(a) for a in answers if len(a) > 1 and not a[0].isdigit()]
        return any(word in question for word in words)

    return held(right) and not held(wrong)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_plain_utf8_lines_that_end_with_a_newline(path: Path) -> None:
    raw = path.read_bytes()
    assert raw.endswith(b"\n") and not raw.endswith(b"\n\n")
    assert not raw.startswith(b"\xef\xbb\xbf") and b"\r" not in raw
    assert all(line.strip() for line in raw.decode("utf-8").split("\n")[:-1])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_holds_enough_items_of_its_own_category_numbered_from_one(path: Path) -> None:
    items = read(path)
    assert len(items) >= 30
    assert {item["category"] for item in items} == {path.stem}
    assert ids(items) == [f"{path.stem}-{n:03d}" for n in range(1, len(items) + 1)]


def test_six_files_hold_two_hundred_items_or_more() -> None:
    assert FILES, f"no item file in {FOLDER}"
    if len(FILES) == len(CATEGORIES):
        assert len(ITEMS) >= 200


def test_a_choice_item_has_four_or_five_choices_and_the_place_of_the_right_one() -> None:
    bad = [
        item
        for item in CHOICE
        if item.keys() != COMMON | {"answer"}
        or len(item["choices"]) not in (4, 5)
        or type(item["answer"]) is not int
        or not 0 <= item["answer"] < len(item["choices"])
    ]
    assert ids(bad) == []


def test_a_short_answer_item_has_accepted_answers_and_three_or_four_wrong_ones() -> None:
    bad = [
        item
        for item in SHORT
        if item.keys() != COMMON | {"accepted", "distractors"}
        or not item["accepted"]
        or len(item["distractors"]) not in (3, 4)
        or any(len(answer) > 40 or "\n" in answer for answer in item["accepted"] + item["distractors"])
    ]
    assert ids(bad) == []


def test_a_question_stands_once() -> None:
    counts = Counter(squeezed(item["question"]) for item in ITEMS)
    assert [question for question, n in counts.items() if n > 1] == []


def test_the_answers_of_an_item_are_distinct() -> None:
    # Choices may differ by spacing alone (a spelling item asks for that); short answers may not.
    choice = [item for item in CHOICE if len(set(item["choices"])) < len(item["choices"])]
    short = [
        item
        for item in SHORT
        if {squeezed(a) for a in item["accepted"]} & {squeezed(d) for d in item["distractors"]}
        or len(set(item["accepted"])) < len(item["accepted"])
        or len({squeezed(d) for d in item["distractors"]}) < len(item["distractors"])
    ]
    assert ids(choice + short) == []


def test_the_difficulty_is_named_and_a_quarter_is_hard() -> None:
    counts = Counter(item["difficulty"] for item in ITEMS)
    assert set(counts) <= {"easy", "medium", "hard"}
    assert counts["hard"] >= 0.25 * len(ITEMS)


def test_the_right_answer_has_no_favourite_place() -> None:
    places = Counter(item["answer"] for item in CHOICE)
    shares = [places[n] / len(CHOICE) for n in range(4)]
    assert min(shares) >= 0.20 and max(shares) <= 0.30, shares
    five = [item for item in CHOICE if len(item["choices"]) == 5]
    if len(five) >= 10:
        assert 0.10 <= places[4] / len(five) <= 0.35


def test_the_longest_choice_is_seldom_the_right_one() -> None:
    for path in FILES:
        items = [item for item in read(path) if item["choices"] is not None]
        assert sum(map(right_is_longest, items)) <= 0.40 * len(items), path.stem


def test_no_question_gives_its_answer_away() -> None:
    assert ids([item for item in ITEMS if gives_itself_away(item)]) == []


def test_a_reason_is_one_line_of_korean() -> None:
    assert ids([i for i in ITEMS if not HANGUL.search(i["reason"]) or "\n" in i["reason"]]) == []


def test_every_text_is_nfc_without_stray_or_hidden_characters() -> None:
    bad = []
    for item in ITEMS:
        for text in texts(item):
            hidden = [c for c in text if c != "\n" and c != " " and unicodedata.category(c)[0] in "CZ"]
            if not text or text != text.strip() or hidden or not unicodedata.is_normalized("NFC", text):
                bad.append(item["id"])
    assert bad == []
