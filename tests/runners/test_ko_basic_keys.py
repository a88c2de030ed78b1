"""Every key of ko-basic that code can find is found again, without looking at the key."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.runners import ko_basic_arithmetic, ko_basic_instructions, ko_basic_logic, ko_basic_reasoning

FOLDER = Path(__file__).resolve().parents[2] / "runners" / "data" / "ko-basic"
CATEGORIES = ("arithmetic", "reasoning", "instructions")


def read(category: str) -> dict[int, dict[str, Any]]:
    """The items of a category by number: {1: {"id": "arithmetic-001", ...}, ...}."""
    lines = (FOLDER / f"{category}.jsonl").read_text(encoding="utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    assert [item["id"] for item in items] == [f"{category}-{n:03d}" for n in range(1, len(items) + 1)]
    return dict(enumerate(items, 1))


ITEMS = {category: read(category) for category in CATEGORIES}


def key(item: dict[str, Any]) -> str:
    answer: str = item["choices"][item["answer"]] if item["choices"] else item["accepted"][0]
    return answer


def options(item: dict[str, Any]) -> list[str]:
    return item["choices"] or [item["accepted"][0], *item["distractors"]]


@pytest.mark.parametrize("number", ko_basic_arithmetic.KEYS)
def test_an_arithmetic_key_is_the_computed_value(number: int) -> None:
    assert key(ITEMS["arithmetic"][number]) == ko_basic_arithmetic.KEYS[number]


def test_every_arithmetic_key_is_computed() -> None:
    assert set(ko_basic_arithmetic.KEYS) == set(ITEMS["arithmetic"])


@pytest.mark.parametrize("number", ko_basic_reasoning.KEYS)
def test_a_reasoning_key_is_the_only_solution(number: int) -> None:
    assert key(ITEMS["reasoning"][number]) == ko_basic_reasoning.KEYS[number]()


@pytest.mark.parametrize("number", ko_basic_logic.RULES)
def test_one_reasoning_option_alone_holds_in_every_case(number: int) -> None:
    item = ITEMS["reasoning"][number]
    assert [text for text in options(item) if ko_basic_logic.RULES[number](text)] == [key(item)]


@pytest.mark.parametrize("number", ko_basic_instructions.KEYS)
def test_following_an_instruction_to_the_letter_gives_its_key(number: int) -> None:
    item = ITEMS["instructions"][number]
    assert key(item) == ko_basic_instructions.KEYS[number](item["question"])


@pytest.mark.parametrize("number", ko_basic_instructions.RULES)
def test_one_option_alone_keeps_all_the_rules(number: int) -> None:
    item = ITEMS["instructions"][number]
    assert [text for text in options(item) if ko_basic_instructions.RULES[number](text)] == [key(item)]


def test_every_instruction_key_is_computed() -> None:
    assert {*ko_basic_instructions.KEYS, *ko_basic_instructions.RULES} == set(ITEMS["instructions"])


@pytest.mark.parametrize("category", CATEGORIES)
def test_no_wrong_option_repeats_another_or_an_accepted_answer(category: str) -> None:
    for item in ITEMS[category].values():
        assert len(set(options(item))) == len(options(item)) >= 4, item["id"]
        assert not set(item.get("accepted", ())) & set(item.get("distractors", ())), item["id"]


@pytest.mark.parametrize("category", CATEGORIES)
def test_right_options_are_spread_evenly_over_the_positions(category: str) -> None:
    places = Counter(item["answer"] for item in ITEMS[category].values() if item["choices"])
    assert all(0.2 <= places[place] / places.total() <= 0.3 for place in range(4))
