"""Stored judgments and votes on battles meet on the same pair of conversations."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from arena.models import Battle, Vote, Voter
from judging.models import Judge, Judgment
from leaderboard import verdict_rows
from leaderboard.agreement_numbers import compute, refresh
from runners.models import Conversation, ModelRevision
from tests import factories
from tests.arena.votes import make_source

pytestmark = pytest.mark.django_db
_numbers = itertools.count(1)


def conversation(revision: ModelRevision, item: str = "ko-mt/1") -> Conversation:
    return Conversation.objects.create(revision=revision, item=item, is_recorded=True)


def vote_on(left: Conversation, right: Conversation, winner: str, **fields: Any) -> Vote:
    voter = Voter.objects.create(key=f"voter-{next(_numbers)}")
    battle = Battle.objects.create(
        kind="recorded", left=left, right=right, left_revision=left.revision, right_revision=right.revision,
        voter=voter, item=left.item, status="voted",
    )  # fmt: skip
    return Vote.objects.create(
        source=make_source("arena"), battle=battle, external_id=battle.key, left=left.revision, right=right.revision,
        winner=winner, voter=voter, item=left.item, turn=2, **fields,
    )  # fmt: skip


def judged(judge: Judge, subject: Conversation, **fields: Any) -> Judgment:
    return Judgment.objects.create(
        judge=judge, subject=subject, status="done", call_key=f"{next(_numbers):064x}", **fields
    )


@pytest.fixture
def pair() -> tuple[Conversation, Conversation]:
    return conversation(factories.make_revision("maker/b")), conversation(factories.make_revision("maker/a"))


def only(source: Any) -> tuple[verdict_rows.JudgeVerdicts, list[verdict_rows.PeopleVote]]:
    votes = verdict_rows.people(source)
    (found,) = verdict_rows.judges(source, votes)
    return found, votes


def test_orders_that_agree_are_a_verdict_and_the_sides_are_those_on_the_screen(pair: Any) -> None:
    b, a = pair
    vote_on(b, a, "a")
    judge = Judge.objects.create(slug="pairs", name="Pairs", kind="llm", mode="pair")
    for turn in (1, 2):
        judged(judge, a, rival=b, turn=turn, swapped=False, verdict="B>A")
        judged(judge, a, rival=b, turn=turn, swapped=True, verdict="B>>A")
    found, votes = only(make_source("arena"))
    assert [one.label for one in found.verdicts] == [votes[0].verdict.label] == ["second"]
    assert sorted(found.sides) == ["left", "left", "right", "right"]
    numbers = compute(found, votes)
    assert numbers["slices"][0]["s1"]["agree"] == 1
    assert numbers["swap"]["consistent"] == 2


def test_orders_that_disagree_are_a_tie_and_count_as_flipped(pair: Any) -> None:
    b, a = pair
    vote_on(a, b, "tie")
    judge = Judge.objects.create(slug="pairs", name="Pairs", kind="llm", mode="pair")
    judged(judge, a, rival=b, swapped=False, verdict="A>B")
    judged(judge, a, rival=b, swapped=True, verdict="B>A")
    found, votes = only(make_source("arena"))
    assert [one.label for one in found.verdicts] == ["tie"]
    assert compute(found, votes)["swap"]["left"] == 1


def test_single_grades_become_a_verdict_on_the_pair(pair: Any) -> None:
    b, a = pair
    vote_on(b, a, "b", style={"left": {"length": 10}, "right": {"length": 30}})
    judge = Judge.objects.create(slug="grades", name="Grades", kind="llm", mode="single")
    for subject, scores in ((a, (9, 8)), (b, (7, 9))):
        for turn, score in enumerate(scores, 1):
            judged(judge, subject, turn=turn, score=score)
    found, votes = only(make_source("arena"))
    assert [one.label for one in found.verdicts] == ["first"]
    assert votes[0].verdict.label == "first"
    assert votes[0].lengths == (30, 10)
    assert compute(found, votes)["length"]["value"] == 1.0


def test_what_was_not_read_and_what_was_a_canary_is_no_verdict(pair: Any) -> None:
    b, a = pair
    vote_on(b, a, "b")
    judge = Judge.objects.create(slug="pairs", name="Pairs", kind="llm", mode="pair")
    judged(judge, a, rival=b, verdict="A>B", canary="copy")
    Judgment.objects.create(judge=judge, subject=a, rival=b, status="unparsable", call_key="0" * 64)
    source = make_source("arena")
    assert verdict_rows.judges(source, verdict_rows.people(source)) == []


def test_a_battle_is_named_only_once_its_voter_shared_it(pair: Any) -> None:
    vote = vote_on(*pair, "a")
    assert verdict_rows.people(make_source("arena"))[0].battle == ""
    Battle.objects.update(shared_at=vote.cast_at)
    assert verdict_rows.people(make_source("arena"))[0].battle == vote.battle.key  # type: ignore[union-attr]


def test_numbers_are_computed_once_for_the_same_verdicts(pair: Any) -> None:
    b, a = pair
    vote_on(b, a, "a")
    judge = Judge.objects.create(slug="pairs", name="Pairs", kind="llm", mode="pair")
    judged(judge, a, rival=b, verdict="B>A")
    source = make_source("arena")
    assert refresh(source) == 1
    assert refresh(source) == 0
    judged(judge, a, rival=b, swapped=True, verdict="A>B")
    assert refresh(source) == 1
