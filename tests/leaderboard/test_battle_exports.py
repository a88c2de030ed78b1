"""Votes, battles and preference pairs leave the site one source at a time, with licences, and nothing that may not."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from arena import roster, tallies
from arena.battles import delete_texts
from arena.models import Battle, Entry, Report, Vote
from arena.votes import cast_vote
from leaderboard.battle_exports import battle_rows, preference_rows
from runners.models import LanguageModel, Message
from tests.arena.people import make_contenders, open_battle
from tests.arena.votes import make_source, make_vote

pytestmark = pytest.mark.django_db


@pytest.fixture
def battle() -> Battle:
    roster.forget()
    make_contenders()
    LanguageModel.objects.update(licence="apache-2.0")
    made = open_battle()
    cast_vote(made.key, made.voter, "b", reasons=["correct"])
    return made


def exported(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    call_command("export", *words)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_preference_pair_has_the_winner_as_chosen_and_every_licence(
    battle: Battle, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = exported(capsys, "preferences")
    assert battle.right is not None and battle.right_revision is not None
    assert row["chosen_model"] == battle.right_revision.language_model.slug
    assert row["chosen"] == [
        {"role": one.role, "content": one.text} for one in battle.right.messages.order_by("position")
    ]
    assert row["prompt"] == "질문 1: 편지를 써 주세요." and row["turns"] == 2
    assert (row["licence"], row["chosen_licence"], row["rejected_licence"]) == ("CC BY 4.0", "apache-2.0", "apache-2.0")
    assert row["reasons"] == ["correct"]


def test_battles_come_with_their_vote_and_no_voter_and_no_key(
    battle: Battle, capsys: pytest.CaptureFixture[str]
) -> None:
    tallies.exclude([Vote.objects.get().pk], rule="too_fast", actor="t")
    call_command("export", "battles")
    text = capsys.readouterr().out
    row = json.loads(text)
    assert (row["winner"], row["excluded"], len(row["conversation_a"])) == ("b", ["too_fast"], 4)
    for secret in (battle.key, battle.voter.key, battle.network_hash, "secret-served-name"):
        assert secret not in text
    assert exported(capsys, "preferences") == []


def hidden(battle: Battle) -> None:
    LanguageModel.objects.filter(revisions=battle.left_revision).update(hidden_reason="taken down")


def unreleased(battle: Battle) -> None:
    Entry.objects.create(revision=battle.left_revision, is_private=True)


def reported(battle: Battle) -> None:
    Report.objects.create(battle=battle, reason="personal data")


def without_consent(battle: Battle) -> None:
    type(battle.voter).objects.update(consented_at=None)


def leaking(battle: Battle) -> None:
    Battle.objects.update(findings=[["leak", "an answer names GPT"]])


@pytest.mark.parametrize("why", [delete_texts, hidden, unreleased, reported, without_consent, leaking])
def test_what_may_not_leave_stays(battle: Battle, why: Callable[[Battle], None]) -> None:
    assert len(list(battle_rows(None))) == len(list(preference_rows(None))) == 1
    why(battle)
    assert list(battle_rows(None)) == list(preference_rows(None)) == []


def test_a_report_that_staff_has_handled_keeps_nothing_back(battle: Battle) -> None:
    reported(battle)
    Report.objects.update(handled_at=timezone.now())
    assert len(list(battle_rows(None))) == 1


def test_one_source_alone(battle: Battle, capsys: pytest.CaptureFixture[str]) -> None:
    make_vote(make_source("people"), "x", "y")
    assert len(exported(capsys, "votes")) == 2
    assert {row["source"] for row in exported(capsys, "votes", "--source", "people")} == {"people"}
    assert exported(capsys, "battles", "--source", "people") == []
    assert len(exported(capsys, "battles", "--source", "arena")) == 1
    with pytest.raises(CommandError, match=r"no source nobody. There are: arena, people"):
        call_command("export", "votes", "--source", "nobody")
    with pytest.raises(CommandError, match="use --source"):
        call_command("export", "votes", "--suite", "ko-basic")
    with pytest.raises(CommandError, match="use --suite"):
        call_command("export", "boards", "--source", "arena")


def test_a_csv_of_texts_calculates_nothing(battle: Battle, tmp_path: Path) -> None:
    Message.objects.filter(role="user").update(text="=HYPERLINK(1)")
    call_command("export", "preferences", "--format", "csv", "--output", str(tmp_path / "p.csv"))
    (row,) = csv.DictReader(io.StringIO((tmp_path / "p.csv").read_text("utf-8-sig")))
    assert row["prompt"] == "'=HYPERLINK(1)"


def test_queries_do_not_grow_with_battles(battle: Battle, django_assert_max_num_queries: Any) -> None:
    for number in range(4):
        one = open_battle(network=str(number))
        cast_vote(one.key, one.voter, "a")
    with django_assert_max_num_queries(4):
        assert len(list(battle_rows(None))) == 5
