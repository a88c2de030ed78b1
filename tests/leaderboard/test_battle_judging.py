"""Voted battles reach their judges: in both orders, once, within the budget, and without Redis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from arena import reveals, roster, tallies
from arena.models import Battle, Vote, Voter
from arena.reveals import JudgeView
from arena.votes import cast_vote
from judging import budgets, hints, judges, seats
from judging.models import Budget, Judge, Judgment, Seat
from leaderboard.battle_judging import forget_deleted, queue_voted
from runners.adapters import queue
from runners.models import Conversation, Message, Price
from tests.arena.people import make_contenders, open_battle
from tests.fake_openai import FakeOpenAI
from tests.judging.judged import make_judge

pytestmark = pytest.mark.django_db
FIRST_IS_BETTER = "왼쪽이 낫습니다.\n\n[[A]]"


@pytest.fixture(autouse=True)
def fresh() -> None:
    roster.forget()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOpenAI]:
    monkeypatch.setattr("runners.child.calling.BACKOFF_SECONDS", 0.001)
    with FakeOpenAI(reply=lambda model, messages: FIRST_IS_BETTER) as fake:
        yield fake


def voted(winner: str = "a", voter: Voter | None = None, network: str = "network") -> Battle:
    battle = open_battle(voter, network)
    cast_vote(battle.key, battle.voter, winner)
    Vote.objects.filter(battle=battle).update(cast_at=timezone.now() - timedelta(seconds=10))
    battle.refresh_from_db()
    return battle


def work() -> None:
    for seat in Seat.objects.all():
        assert seats.sit(seat.pk)


def rows(**asked: Any) -> list[Judgment]:
    return list(seats.open_rows().filter(**asked).order_by("turn", "swapped"))


def test_a_voted_battle_is_judged_in_both_orders_of_each_turn() -> None:
    judges.register_rule()
    make_contenders()
    battle = voted()
    assert queue_voted() == 4
    assert [(one.turn, one.swapped, one.status) for one in rows()] == [
        (1, False, "pending"), (1, True, "pending"), (2, False, "pending"), (2, True, "pending"),
    ]  # fmt: skip
    work()
    assert {(one.status, one.judge.slug) for one in rows()} == {("done", "gyeoru-rule-pair")}
    # The same answers on both sides: a judge that reads nothing can only call it a tie.
    (view,) = reveals.reveal(battle).judges
    assert (view.winner, view.is_waiting) == ("tie", False)


def test_a_pair_is_asked_about_once_however_many_vote_on_it() -> None:
    judges.register_rule()
    make_contenders()
    voted()
    voted("b", network="another")
    assert queue_voted() == 4
    assert (queue_voted(), queue_voted(sweep=True)) == (0, 0)
    assert Judgment.objects.count() == 4


def test_an_unread_vote_is_left_for_the_next_look_until_it_has_settled() -> None:
    judges.register_rule()
    make_contenders()
    battle = open_battle()
    cast_vote(battle.key, battle.voter, "a")
    assert queue_voted() == 0
    assert Seat.objects.get().up_to_vote == 0


def test_votes_not_in_earnest_cost_nothing_and_are_found_when_let_in_again() -> None:
    judges.register_rule()
    make_contenders()
    voted()
    vote = Vote.objects.get()
    tallies.exclude([vote.pk], rule="too_fast", actor="test")
    assert (queue_voted(), queue_voted(sweep=True)) == (0, 0)
    tallies.lift(vote.exclusions.values_list("pk", flat=True), actor="test")
    assert (queue_voted(), queue_voted(sweep=True)) == (0, 4)


def test_votes_in_quarantine_are_judged_at_once(settings: Any) -> None:
    settings.ARENA_QUARANTINE_SECONDS = 3600
    judges.register_rule()
    make_contenders()
    voted()
    assert queue_voted() == 4


def test_a_judge_that_always_prefers_the_first_is_found_undecided(server: FakeOpenAI) -> None:
    make_contenders()
    make_judge(server)
    battle = voted()
    queue_voted()
    work()
    assert {one.verdict for one in rows(swapped=False)} == {"A>B"}
    assert {one.verdict for one in rows(swapped=True)} == {"B>A"}
    assert [view.winner for view in reveals.reveal(battle).judges] == ["tie"]
    shown = [call.body["messages"][1]["content"] for call in server.calls]
    assert len(shown) == 4 and all("질문 1: 편지를 써 주세요." in text for text in shown)


def test_a_reason_given_for_swapped_sides_says_so(server: FakeOpenAI) -> None:
    make_contenders()
    make_judge(server)
    battle = voted()
    queue_voted()
    work()
    said = seats.open_rows()
    said.filter(swapped=battle.left_id < (battle.right_id or 0)).update(reason="B가 낫다")
    said.filter(swapped=battle.left_id > (battle.right_id or 0)).update(reason="")
    (view,) = reveals.reveal(battle).judges
    assert view.reason.endswith("B가 낫다") and view.reason != "B가 낫다"


def test_the_kill_switch_and_the_cap_of_the_arena_stop_calls_and_nothing_is_lost(server: FakeOpenAI) -> None:
    Price.objects.create(
        served_name="judge", valid_from=timezone.localdate(), input_usd=10, output_usd=10, krw_per_usd=1400
    )
    make_contenders()
    make_judge(server)
    battle = voted()
    queue_voted()
    budgets.arena_budgets()
    budgets.stop(budgets.ARENA)
    work()
    seat = Seat.objects.get()
    assert (seat.error_kind, seat.token, len(server.calls)) == ("judging_stopped", "", 0)
    (view,) = reveals.reveal(battle).judges
    assert view.is_waiting and view.obstacle
    assert seats.due() == []
    Budget.objects.filter(name=budgets.ARENA).update(is_stopped=False, cap_usd=Decimal("0.001"))
    work()
    assert (Seat.objects.get().error_kind, len(server.calls)) == ("budget_reached", 0)
    Budget.objects.filter(name=budgets.ARENA).update(cap_usd=10)
    work()
    arena = Budget.objects.get(name=budgets.ARENA)
    spent = sum((one.cost_usd or Decimal(0) for one in rows(status="done")), Decimal(0))
    assert (len(rows(status="done")), arena.reserved_usd, arena.spent_usd) == (4, 0, spent) and spent > 0
    assert Budget.objects.get(name=budgets.GLOBAL).spent_usd == spent


def test_what_a_dead_worker_left_is_asked_again_by_the_next_with_the_same_key(server: FakeOpenAI) -> None:
    make_contenders()
    make_judge(server)
    voted()
    queue_voted()
    seat = Seat.objects.get()
    Seat.objects.update(token="dead", lease_until=timezone.now() + timedelta(seconds=60))
    seats.open_rows().update(claim="dead", reserved_usd=Decimal("0.5"))
    budgets.arena_budgets()
    Budget.objects.update(reserved_usd=Decimal("2.0"))
    assert not seats.sit(seat.pk) and seats.due() == []
    Seat.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert seats.due() == [seat.pk] and seats.sit(seat.pk)
    assert {one.status for one in rows()} == {"done"}
    for budget in Budget.objects.all():
        assert (budget.reserved_usd, budget.spent_usd) == (0, Decimal("2.0"))


def test_a_server_that_is_away_is_asked_again_later(server: FakeOpenAI) -> None:
    make_contenders()
    judge = make_judge(server)
    voted()
    queue_voted()
    url = server.base_url
    assert judge.endpoint is not None
    type(judge.endpoint).objects.update(base_url="http://127.0.0.1:9/v1")
    work()
    seat = Seat.objects.get()
    assert seat.error_kind and seat.not_before is not None and seats.due() == []
    type(judge.endpoint).objects.update(base_url=url)
    Seat.objects.update(not_before=None)
    work()
    assert {one.status for one in rows()} == {"done"}


def test_hints_are_given_for_what_waits_and_planning_needs_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    judges.register_rule()
    make_contenders()
    voted()
    told: list[tuple[str, int, str]] = []

    def away(lane: str, row: int, *, job: str) -> None:
        raise queue.QueueUnreachable("away")

    monkeypatch.setattr(queue, "hint", away)
    queue_voted()
    with pytest.raises(queue.QueueUnreachable):
        hints.hint_waiting()
    monkeypatch.setattr(queue, "hint", lambda lane, row, *, job: told.append((lane, row, job)))
    hints.hint_waiting()
    hints.hint_waiting()
    assert told == [("judge", Seat.objects.get().pk, "judging.jobs.judge_battles")]
    assert "judging.jobs.judge_battles" in queue.ALLOWED


def test_only_active_judges_of_every_set_or_of_the_arena_judge_battles(server: FakeOpenAI) -> None:
    make_judge(server, "everything")
    make_judge(server, "one-set", question_sets=("small",))
    make_judge(server, "asleep", active=False)
    judges.register_rule()
    assert {judge.slug for judge in seats.judges()} == {"everything-pair", "gyeoru-rule-pair"}
    Judge.objects.filter(slug="everything").update(is_active=False)
    assert {judge.slug for judge in seats.judges()} == {"gyeoru-rule-pair"}
    Judge.objects.filter(slug="gyeoru-rule-pair").update(is_active=False)
    assert seats.judges() == []


def test_deleting_a_live_battle_takes_the_judges_words_along() -> None:
    judges.register_rule()
    make_contenders()
    battle = voted()
    queue_voted()
    work()
    Battle.objects.filter(pk=battle.pk).update(kind="live", deleted_at=timezone.now())
    forget_deleted(timedelta(minutes=10))
    assert {(one.raw, one.reason, one.status) for one in rows()} == {("", "", "done")}


def test_texts_deleted_before_the_judge_came_are_never_sent(server: FakeOpenAI) -> None:
    make_contenders()
    make_judge(server)
    battle = voted()
    queue_voted()
    Message.objects.filter(conversation__in=Conversation.objects.all()).update(text="")
    work()
    assert (len(server.calls), {one.status for one in rows()}) == (0, {"error"})
    assert battle.status == "voted"


def test_the_reveal_asks_again_until_the_judge_has_answered(client: Client) -> None:
    judges.register_rule()
    make_contenders()
    battle = voted()
    Battle.objects.filter(pk=battle.pk).update(shared_at=timezone.now())
    queue_voted()
    waiting = client.get(f"/en/arena/battles/{battle.key}/").content.decode()
    assert 'hx-trigger="every 3s"' in waiting and "is judging in both orders" in waiting
    work()
    done = client.get(f"/en/arena/battles/{battle.key}/").content.decode()
    assert 'hx-trigger="every 3s"' not in done and "About the same" in done


def test_what_a_judge_says_of_a_live_battle_stands_on_no_other_page(client: Client) -> None:
    judges.register_rule()
    make_contenders()
    voted()
    queue_voted()
    work()
    seats.open_rows().update(reason="개인적인 질문을 인용합니다")
    address = "/en/judges/gyeoru-rule-pair/"
    assert "개인적인 질문을" in client.get(address).content.decode()
    Conversation.objects.update(is_recorded=False)
    assert "개인적인 질문을" not in client.get(address).content.decode()


def test_a_fresh_reveal_with_grades_alone_waits_for_the_comparison() -> None:
    graded, compared = JudgeView("j", "a", 8.0, 3.0), JudgeView("k", "b")
    others = reveals.Others(0, 0, 0, 0)
    assert reveals.Reveal([], others, [graded], is_fresh=True).may_change
    assert not reveals.Reveal([], others, [graded, compared], is_fresh=True).may_change
    assert not reveals.Reveal([], others, [graded]).may_change
