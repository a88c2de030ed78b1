"""One vote per battle, and which of them count."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from arena import day, recorded, review, roster, tallies, votes
from arena.battles import delete_texts
from arena.models import Battle, Exclusion, PairTally, Vote, Voter
from arena.refusal import Refused
from arena.votes import cast_vote
from runners.models import Message
from tests.arena.people import make_contenders, make_conversation, make_voter, open_battle

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(settings: object) -> None:
    roster.forget()
    day._prompt_limit.clear()


def test_a_vote_is_stored_and_counted_with_its_battle() -> None:
    make_contenders()
    battle = open_battle()
    outcome = cast_vote(battle.key, battle.voter, "a", reasons=["correct", "made-up"], comment=" 좋아요\x00 ")
    assert (outcome.is_new, outcome.rules) == (True, ())
    vote = Vote.objects.get()
    assert (vote.battle_id, vote.winner, vote.left_id, vote.right_id) == (
        battle.pk,
        "a",
        battle.left_revision_id,
        battle.right_revision_id,
    )
    assert (vote.reasons, vote.comment, vote.turn, vote.category) == (["correct"], "좋아요", 2, "writing")
    assert vote.style == {"left": {"tokens": 14, "headers": 0, "lists": 0, "bold": 0}, "right": vote.style["right"]}
    assert vote.dwell_seconds >= 30
    battle.refresh_from_db()
    assert battle.status == "voted"
    assert tallies.difference(vote.source) == {}
    assert set(PairTally.objects.values_list("category", flat=True)) == {
        "overall",
        "writing",
        "language:ko",
        "multi-turn",
    }


def test_the_same_vote_again_returns_the_stored_one() -> None:
    make_contenders()
    battle = open_battle()
    first = cast_vote(battle.key, battle.voter, "tie")
    again = cast_vote(battle.key, battle.voter, "b")
    assert (again.is_new, again.vote.pk, again.vote.winner) == (False, first.vote.pk, "tie")
    assert Vote.objects.count() == 1


@pytest.mark.parametrize("status", ["created", "streaming", "error"])
def test_only_a_complete_battle_is_voted_on(status: str) -> None:
    make_contenders()
    battle = open_battle()
    Battle.objects.filter(pk=battle.pk).update(status=status)
    with pytest.raises(Refused) as refused:
        cast_vote(battle.key, battle.voter, "a")
    assert refused.value.status == 409
    assert Vote.objects.count() == 0


def test_another_session_a_forged_key_and_an_unknown_winner_are_refused() -> None:
    make_contenders()
    battle = open_battle()
    for key, voter, winner, status in (
        (battle.key, make_voter(), "a", 404),
        (battle.key, None, "a", 404),
        ("forged", battle.voter, "a", 404),
        (battle.key, battle.voter, "left", 422),
    ):
        with pytest.raises(Refused) as refused:
            cast_vote(key, voter, winner)
        assert refused.value.status == status
    assert Vote.objects.count() == 0


def test_a_chat_with_chosen_models_is_never_ranked() -> None:
    make_contenders()
    battle = open_battle()
    Battle.objects.filter(pk=battle.pk).update(mode="side_by_side")
    with pytest.raises(Refused, match=r"not voted on|투표"):
        cast_vote(battle.key, battle.voter, "a")


def test_a_hasty_vote_is_kept_and_left_out_with_its_rule() -> None:
    make_contenders()
    battle = open_battle(read=False)
    outcome = cast_vote(battle.key, battle.voter, "a")
    assert outcome.rules == ("too_fast",)
    exclusion = Exclusion.objects.get()
    assert (exclusion.vote_id, exclusion.actor, exclusion.lifted_at) == (outcome.vote.pk, "screening", None)
    assert not PairTally.objects.exists()
    assert tallies.difference(outcome.vote.source) == {}


def test_an_answer_that_names_its_model_leaves_the_vote_out() -> None:
    one, other = make_contenders(items=())
    make_conversation(one, answers=["저는 네이버가 만든 하이퍼클로바X입니다."])
    make_conversation(other, answers=["안녕하세요."])
    battle = open_battle()
    assert [rule for rule, _ in battle.findings] == ["leak"]
    assert cast_vote(battle.key, battle.voter, "a").rules == ("leak",)


def test_a_vote_an_hour_later_does_not_count() -> None:
    make_contenders()
    battle = open_battle()
    outcome = cast_vote(battle.key, battle.voter, "a", now=timezone.now() + timedelta(hours=2))
    assert outcome.rules == ("too_late",)


def test_the_51st_vote_of_a_day_does_not_count() -> None:
    make_contenders(30)
    voter, now = make_voter(), timezone.now().replace(hour=12)
    for number in range(51):
        battle = open_battle(voter, network=f"network {number}")
        outcome = cast_vote(battle.key, voter, "tie", now=now + timedelta(seconds=20))
    assert "voter_cap" in outcome.rules
    assert Vote.objects.count() == 51


def test_one_network_has_its_own_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_contenders()
    monkeypatch.setattr(votes, "limits", lambda models: votes.Limits(network_day=2))
    outcomes = [cast_vote(battle.key, battle.voter, "a") for battle in (open_battle(network="n") for _ in range(3))]
    assert [outcome.rules for outcome in outcomes] == [(), (), ("network_cap",)]


def test_new_votes_wait_and_then_count(settings: object) -> None:
    make_contenders()
    settings.ARENA_QUARANTINE_SECONDS = 3600.0  # type: ignore[attr-defined]
    battle = open_battle()
    outcome = cast_vote(battle.key, battle.voter, "a")
    assert outcome.rules == ("quarantine",)
    assert votes.release_quarantine() == 0
    assert votes.release_quarantine(timezone.now() + timedelta(hours=2)) == 1
    assert (
        PairTally.objects.get(category="overall").left_wins + PairTally.objects.get(category="overall").right_wins == 1
    )
    assert tallies.difference(outcome.vote.source) == {}


def test_a_swapped_repeat_measures_and_does_not_count() -> None:
    make_contenders(2, [f"ko-mt/q{k}" for k in range(6)])
    voter = make_voter()
    for _ in range(5):
        battle = open_battle(voter)
        cast_vote(battle.key, voter, "a")

    class Always:
        def random(self) -> float:
            return 0.0

    repeat = recorded.open_recorded(voter, "n", Always())  # type: ignore[arg-type]
    first = repeat.repeat_of
    assert first is not None
    assert (repeat.left_id, repeat.right_id) == (first.right_id, first.left_id)
    Battle.objects.filter(pk=repeat.pk).update(completed_at=timezone.now() - timedelta(seconds=30))
    assert cast_vote(repeat.key, voter, "b").rules == ("swapped_repeat",)


def test_deleting_takes_the_comment_and_leaves_the_verdict() -> None:
    make_contenders()
    battle = open_battle()
    cast_vote(battle.key, battle.voter, "a", comment="비밀")
    battle = Battle.objects.get()
    delete_texts(battle)
    vote = Vote.objects.get()
    assert (vote.comment, vote.winner) == ("", "a")
    battle.refresh_from_db()
    assert (battle.deleted_at is not None, battle.network_hash) == (True, "")
    assert Message.objects.exclude(text="").exists(), "recorded answers belong to their run"


def test_agreement_with_the_judge_is_said_once() -> None:
    make_contenders()
    battle = open_battle()
    vote = cast_vote(battle.key, battle.voter, "a").vote
    assert votes.agree(vote, True)
    assert not votes.agree(vote, False)
    vote.refresh_from_db()
    assert vote.agrees_with_judge is True


def test_a_voter_who_pushes_one_model_is_left_out_with_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "REPEAT_SHARE", 0.0)
    contenders = make_contenders(12, [f"ko-mt/q{k}" for k in range(8)])
    target, honest, attacker = contenders[0], make_voter(), make_voter()
    for number in range(30):
        battle = open_battle(honest if number < 15 else None)
        cast_vote(battle.key, battle.voter, ["a", "b", "tie"][number % 3])
    cast = 0
    while cast < 6:
        battle = open_battle(attacker)
        if target.pk in (battle.left_revision_id, battle.right_revision_id):
            cast_vote(battle.key, attacker, "a" if battle.left_revision_id == target.pk else "b")
            cast += 1
        else:
            Battle.objects.filter(pk=battle.pk).delete()
    done = review.review()
    assert (done.flagged, done.targeted_votes) == (1, 6)
    assert set(Exclusion.objects.values_list("vote__voter", "rule")) == {(attacker.pk, "targeted_voter")}
    assert target.slug in Exclusion.objects.first().detail  # type: ignore[union-attr]
    assert tallies.difference(roster.source()) == {}
    assert review.review().targeted_votes == 0, "a second look changes nothing"


def test_hashes_of_networks_are_forgotten_after_30_days() -> None:
    make_contenders()
    battle = open_battle()
    Battle.objects.filter(pk=battle.pk).update(created_at=timezone.now() - timedelta(days=31))
    review.review()
    battle.refresh_from_db()
    assert battle.network_hash == ""


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_fifty_threads_on_one_battle_store_one_vote() -> None:
    make_contenders()
    battle = open_battle()
    voter = Voter.objects.get(pk=battle.voter_id)
    start, outcomes, lock = threading.Barrier(50), [], threading.Lock()

    def vote(number: int) -> None:
        start.wait()
        try:
            outcome = cast_vote(battle.key, voter, ["a", "b", "tie", "bothbad"][number % 4])
            with lock:
                outcomes.append((outcome.is_new, outcome.vote.pk, outcome.vote.winner))
        finally:
            connection.close()

    threads = [threading.Thread(target=vote, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 50
    assert sum(is_new for is_new, _, _ in outcomes) == 1
    assert len({(pk, winner) for _, pk, winner in outcomes}) == 1
    assert Vote.objects.count() == 1
    assert tallies.difference(roster.source()) == {}


@pytest.mark.parametrize(("seconds", "counts"), [(0.0, False), (1.5, False), (2.9, False), (3.0, True), (40.0, True)])
def test_time_to_read_is_counted_from_when_both_answers_stood_there(seconds: float, counts: bool) -> None:
    make_contenders()
    battle = open_battle()
    now = timezone.now()
    # Answers that took long to come give nobody time to read them.
    Battle.objects.filter(pk=battle.pk).update(
        created_at=now - timedelta(seconds=100), completed_at=now - timedelta(seconds=seconds)
    )
    outcome = cast_vote(battle.key, battle.voter, "a", now=now)
    assert (outcome.rules == (), outcome.vote.dwell_seconds) == (counts, seconds)


def test_a_script_that_votes_at_once_moves_no_count() -> None:
    make_contenders(3)
    voter = make_voter()
    for _ in range(6):
        battle = open_battle(voter, read=False)
        assert "too_fast" in cast_vote(battle.key, voter, "a").rules
    assert Vote.objects.count() == 6
    assert not PairTally.objects.exists()
