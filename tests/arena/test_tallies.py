"""Pair counts kept as votes arrive: equal to a recount, whatever happens in whichever order."""

from __future__ import annotations

import random
import threading

import pytest
from django.db import connection, connections

from arena import tallies
from arena.models import Exclusion, PairTally, Vote
from leaderboard import rating_inputs
from tests.arena.votes import make_source, make_vote

WINNERS = ("a", "b", "tie", "bothbad")


def digests(counts: dict) -> dict[str, str]:
    return {category: one.digest() for category, one in counts.items() if one.n_votes}


@pytest.mark.django_db
def test_a_vote_is_turned_so_that_the_lower_id_comes_first() -> None:
    source = make_source()
    make_vote(source, "x", "y", "a")
    make_vote(source, "y", "x", "a")
    tally = PairTally.objects.get()
    assert (tally.left.slug, tally.left_wins, tally.right_wins) == ("import/x", 1, 1)


@pytest.mark.django_db
def test_categories_are_separated_by_a_bar() -> None:
    assert tallies.categories("math | hard", "ko", 2) == ("overall", "math", "hard", "language:ko", "multi-turn")
    assert tallies.categories("", "", 1) == ("overall",)


@pytest.mark.django_db
def test_exclusions_and_their_lifting_leave_what_a_recount_gives() -> None:
    source, chance = make_source(), random.Random(7)
    votes = [
        make_vote(source, *chance.sample("vwxyz", 2), chance.choice(WINNERS), category=chance.choice(("", "math")))
        for _ in range(120)
    ]
    for step in range(30):
        chosen = [vote.pk for vote in chance.sample(votes, 9)]
        tallies.exclude(chosen, rule=chance.choice(("too_fast", "leak")), actor="test")
        if step % 3 == 0:
            active = list(Exclusion.objects.filter(lifted_at=None).values_list("pk", flat=True))
            tallies.lift(chance.sample(active, len(active) // 2), actor="test")
        assert tallies.difference(source) == {}
    assert digests(rating_inputs.read(source).counts) == digests(rating_inputs.recounted(source))
    assert 0 < tallies.counted(source).count() < 120


@pytest.mark.django_db
def test_a_vote_under_two_rules_leaves_the_count_once() -> None:
    source = make_source()
    vote = make_vote(source, "x", "y")
    assert tallies.exclude([vote.pk], rule="leak", actor="t") == 1
    assert tallies.exclude([vote.pk], rule="leak", actor="t") == 0
    assert tallies.exclude([vote.pk], rule="too_fast", actor="t") == 1
    assert tallies.kept(source) == {}
    first, second = Exclusion.objects.order_by("pk")
    assert tallies.lift([first.pk], actor="t") == 1
    assert tallies.kept(source) == {}
    assert tallies.lift([second.pk, first.pk], actor="t") == 1
    assert sum(PairTally.objects.values_list("left_wins", flat=True)) == 1
    assert Vote.objects.count() == 1


@pytest.mark.django_db
def test_a_count_that_was_written_past_this_module_is_found() -> None:
    source = make_source()
    make_vote(source, "x", "y")
    PairTally.objects.update(left_wins=2)
    (pair,) = tallies.difference(source).values()
    assert (pair[0].low_wins, pair[1].low_wins) == (2, 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once_lose_no_vote_and_no_exclusion() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL")
    source = make_source()
    old = [make_vote(source, "x", "y", "a").pk for _ in range(20)]
    make_vote(source, "y", "z", "a")
    failures: list[Exception] = []

    def work(number: int) -> None:
        chance = random.Random(number)
        try:
            for _ in range(15):
                pair = chance.sample("xyz", 2)
                make_vote(source, *pair, chance.choice(WINNERS), category="math")
                tallies.exclude(chance.sample(old, 5), rule=f"rule-{number % 3}", actor="t")
                tallies.lift(Exclusion.objects.order_by("?").values_list("pk", flat=True)[:3], actor="t")
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert tallies.difference(source) == {}
