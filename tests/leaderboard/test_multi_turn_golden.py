"""LogicKor's public answers and judgments, imported: our pages against numbers worked out elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from leaderboard import multi_turn
from leaderboard.multi_turn_choice import Choice
from runners.models import Suite
from tests.shared import shared_data

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def suite() -> Suite:
    """The 43 models in LogicKor's default mode."""
    folder = shared_data("logickor")
    answers = str(folder / "answers_default.jsonl.gz")
    call_command("load_question_set", str(folder / "questions.jsonl"), slug="logickor", format="logickor")
    call_command("import_answers", answers, set="logickor", format="rows")
    call_command("import_judgments", answers, set="logickor", judge="gpt-4-1106-preview", format="rows")
    return Suite.objects.get(slug="logickor")


def test_the_board_is_the_published_one_and_the_language_rule_moves_it(suite: Suite, client: Client) -> None:
    _every_mean_is_the_expected_one(suite)
    _the_rule_lowers_what_it_is_known_to_lower(suite)
    page = client.get("/en/boards/logickor/?language=zero").content.decode()
    assert "With these switches 21 of 43 rows change their rank" in page


def _every_mean_is_the_expected_one(suite: Suite) -> None:
    published = json.loads(shared_data("expected/logickor_leaderboard.json").read_text(encoding="utf-8"))
    expected: dict[str, dict[str, Any]] = {row["model"]: row for row in published["modes"]["default"]}
    board = multi_turn.build(suite, Choice(failures="zero"))
    assert len(board.rows) == len(expected) == 43
    for row in board.rows:
        told = expected[row.language_model.name]
        assert row.overall.value == pytest.approx(told["overall"], abs=1e-6)
        assert [row.turns[turn].value for turn in (1, 2)] == pytest.approx([told["turn1"], told["turn2"]], abs=1e-6)
        for name, means in told["categories"].items():
            assert row.categories[name].value == pytest.approx(means["mean"], abs=1e-6)
            assert row.cells[name, 1].value == pytest.approx(means["turn1"], abs=1e-6)


def _the_rule_lowers_what_it_is_known_to_lower(suite: Suite) -> None:
    """Llama-3-70B from 2.76 to 1.61, lumimaid-8b by 1.71: the largest fall of all."""
    board = multi_turn.build(suite, Choice(language="zero"))
    falls = {row.language_model.name: (row.plain.value or 0) - (row.overall.value or 0) for row in board.rows}
    assert max(falls, key=lambda name: falls[name]) == "neversleep/llama-3-lumimaid-8b"
    assert max(falls.values()) == pytest.approx(1.714286, abs=1e-6)
    llama = next(row for row in board.rows if row.language_model.name.endswith("Meta-Llama-3-70B-Instruct"))
    assert (round(llama.plain.value or 0, 2), round(llama.overall.value or 0, 2)) == (2.76, 1.61)
    assert min(falls.values()) == 0.0
