"""The ledger tells what rank a model would have if the votes left out counted."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.test import Client

from arena import chain, demo, if_counted, tallies
from arena.models import Vote, VoteSource
from leaderboard.if_counted import refresh
from leaderboard.models import Rating
from leaderboard.ratings import newest, refit
from leaderboard.refitting import Watch
from tests.arena.votes import make_source, make_vote

pytestmark = pytest.mark.django_db


def arena(n: int = 160) -> VoteSource:
    """Four models, the first a little better than the last, in as many votes."""
    source, draw = make_source("people"), random.Random(1)
    for _ in range(n):
        left, right = draw.sample(("a", "b", "c", "d"), 2)
        make_vote(source, left, right, "a" if (left < right) == (draw.random() < 0.6) else "b")
    return source


def push(source: VoteSource, model: str, votes: int, voter: str, rule: str = "targeted_voter") -> list[int]:
    """Votes of one voter for one model, left out by a rule."""
    made = [make_vote(source, model, "a", "a", voter=voter).pk for _ in range(votes)]
    tallies.exclude(made, rule=rule, actor="review")
    return made


def group(source: VoteSource, **asked: str) -> Any:
    report = if_counted.of(source.slug)
    assert report is not None
    return next(one for one in report.groups if all(getattr(one, name) == value for name, value in asked.items()))


def test_the_rating_if_counted_is_what_a_refit_with_these_votes_gives() -> None:
    source = arena()
    pushed = push(source, "d", 40, "pusher")
    refit(source, ("bt",))
    assert refresh(source)
    (change,) = [one for one in group(source, rule="targeted_voter").changes if one.name == "d"]
    tallies.lift(Vote.objects.get(pk=pushed[0]).exclusions.values_list("pk", flat=True), actor="x")
    for pk in pushed[1:]:
        tallies.lift(Vote.objects.get(pk=pk).exclusions.values_list("pk", flat=True), actor="x")
    refit(source, ("bt",))
    real = Rating.objects.get(snapshot=newest("people", "overall", "bt"), revision__slug="import/d")
    assert change.counted.rating == pytest.approx(real.rating, abs=1e-6)
    assert (change.counted.low, change.counted.high) == pytest.approx((real.low, real.high), abs=1e-6)
    assert (change.counted.rank_low, change.counted.rank_high) == (real.rank_low, real.rank_high)
    assert change.now.rating is not None and change.difference is not None and change.difference > 50
    assert change.moves


def test_voters_with_votes_left_out_have_a_line_under_the_name_the_log_gives_them() -> None:
    source = arena()
    push(source, "d", 5, "pusher")
    push(source, "c", 2, "rare")
    push(source, "b", 9, "newcomer", rule="quarantine")
    refit(source, ("bt",))
    refresh(source)
    report = if_counted.of("people")
    assert report is not None
    assert [(one.rule, one.voter, one.votes) for one in report.groups] == [
        ("", "", 16), ("quarantine", "", 9), ("targeted_voter", "", 7), ("", chain.pseudonym("pusher")[:8], 5),
    ]  # fmt: skip


def test_a_vote_under_two_rules_is_counted_once_in_the_sum() -> None:
    source = arena()
    made = push(source, "d", 4, "pusher")
    tallies.exclude(made, rule="too_fast", actor="review")
    refit(source, ("bt",))
    refresh(source)
    assert group(source, rule="", voter="").votes == 4
    assert group(source, rule="too_fast").votes == group(source, rule="targeted_voter").votes == 4


def test_it_is_worked_out_anew_only_where_something_changed_and_goes_on_with_new_snapshots() -> None:
    source = arena()
    push(source, "d", 4, "pusher")
    refit(source, ("bt",))
    assert refresh(source) and not refresh(source)
    make_vote(source, "a", "b")
    refit(source, ("bt",))
    assert if_counted.of("people") is not None
    assert refresh(source)


def test_without_votes_left_out_there_is_nothing_to_tell() -> None:
    source = arena()
    refit(source, ("bt",))
    assert not refresh(source)
    assert if_counted.of("people") is None


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_ledger_shows_both_ranks(client: Client, language: str) -> None:
    source = arena()
    push(source, "d", 40, "pusher")
    refit(source, ("bt",))
    refresh(source)
    text = client.get(f"/{language}/arena/ledger/?source=people").content.decode()
    (change,) = [one for one in group(source, rule="targeted_voter").changes if one.name == "d"]
    assert f"<b>{change.counted.rank}</b>" in text and f"{change.counted.rating:.1f}" in text
    assert chain.pseudonym("pusher")[:8] in text
    assert chain.pseudonym("pusher")[:8] not in client.get("/en/arena/ledger/").content.decode()


def test_a_watch_works_it_out_with_what_reads_votes() -> None:
    source, watch = arena(), Watch()
    push(source, "d", 4, "pusher")
    list(watch.look())
    watch.work()
    assert group(source, rule="targeted_voter").votes == 4


def test_the_demo_says_that_it_is_simulated_and_links_no_page_that_is_not_there(client: Client) -> None:
    demo.fill()
    source = VoteSource.objects.get(slug=demo.SOURCE)
    refit(source, ("bt",))
    refresh(source)
    text = client.get(f"/en/arena/ratings/?source={demo.SOURCE}").content.decode()
    assert "They are simulated" in text and "model-06" in text and "/models/rigging-demo" not in text
    ledger = client.get(f"/en/arena/ledger/?source={demo.SOURCE}").content.decode()
    assert "model-06" in ledger and "If they counted" in ledger
    assert "if_counted" not in client.get(f"/api/v1/ratings?source={demo.SOURCE}").content.decode()
