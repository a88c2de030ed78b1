"""Who meets whom, and with which probability."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.pairing import (
    Contender,
    Pair,
    Record,
    draw,
    exposure,
    limited,
    may_meet,
    pair_of,
    probabilities,
    uncertain,
    weighted,
)

contenders = st.lists(
    st.builds(
        Contender,
        name=st.sampled_from([f"m{k}" for k in range(8)]),
        weight=st.floats(0, 10),
        is_new=st.booleans(),
        is_out=st.booleans(),
        is_private=st.booleans(),
        strict_targets=st.sampled_from([(), (), ("m1*",), ("m[23]",)]),
        targets=st.sampled_from([(), ("m0",), ("m0", "m5")]),
    ),
    unique_by=lambda one: one.name,
    max_size=8,
)


@given(contenders)
def test_probabilities_add_up_to_one_and_name_only_pairs_that_may_meet(chosen: list[Contender]) -> None:
    table = probabilities(chosen, {})
    by_name = {one.name: one for one in chosen}
    for pair, probability in table.items():
        first, second = by_name[pair.first], by_name[pair.second]
        assert may_meet(first, second)
        assert not first.is_out and not second.is_out
        assert 0 < probability <= 1 + 1e-12
    if table:
        assert math.isclose(math.fsum(table.values()), 1)
        assert math.isclose(math.fsum(exposure(table).values()), 2)


def test_equal_weights_make_equal_pairs() -> None:
    table = weighted([Contender(name) for name in "abcd"])
    assert len(table) == 6
    assert all(value == pytest.approx(1 / 6) for value in table.values())


def test_a_new_model_is_drawn_first_five_times_as_often() -> None:
    table = weighted([Contender("a", is_new=True), Contender("b"), Contender("c")])
    # First: a 5/7, b 1/7, c 1/7; the rival evenly among the other two.
    assert table[Pair("b", "c")] == pytest.approx(1 / 7)
    assert table[Pair("a", "b")] == pytest.approx(5 / 14 + 1 / 14)


def test_a_model_that_is_out_meets_nobody() -> None:
    table = weighted([Contender("a"), Contender("b"), Contender("c", is_out=True)])
    assert table == {Pair("a", "b"): pytest.approx(1)}


def test_two_unreleased_models_never_meet() -> None:
    assert not may_meet(Contender("a", is_private=True), Contender("b", is_private=True))
    assert may_meet(Contender("a", is_private=True), Contender("b"))


def test_strict_targets_bind_in_either_direction() -> None:
    strict = Contender("tiny", strict_targets=("small-*",))
    assert may_meet(strict, Contender("small-1"))
    assert may_meet(Contender("small-1"), strict)
    assert not may_meet(strict, Contender("large-1"))
    # As in FastChat, it is enough that one side's patterns name the other.
    assert may_meet(strict, Contender("large-2", strict_targets=("tiny",)))


def test_targets_get_half_of_the_rivals_weight() -> None:
    table = weighted([Contender("a", targets=("b",)), Contender("b", 0.001), Contender("c"), Contender("d")])
    first = weighted([Contender("a", weight=1e9, targets=("b",)), Contender("b"), Contender("c"), Contender("d")])
    # b: half of 3 = 1.5 beside 1 + 1.
    assert first[Pair("a", "b")] == pytest.approx(1.5 / 3.5, rel=1e-6)
    assert table[Pair("a", "b")] > 0


def test_a_model_without_weight_is_never_drawn() -> None:
    assert exposure(weighted([Contender("a"), Contender("b"), Contender("c", 0)])).keys() == {"a", "b"}


def test_one_model_alone_has_no_battle() -> None:
    assert weighted([Contender("a")]) == {}
    assert draw({}, random.Random(1)) is None


def test_the_pair_with_fewest_votes_is_wanted_most() -> None:
    records = {Pair("a", "b"): Record(100, 50), Pair("a", "c"): Record(4, 2), Pair("b", "c"): Record(100, 99)}
    table = uncertain([Contender(name) for name in "abc"], records)
    assert table[Pair("a", "c")] > 0.9
    assert table[Pair("a", "b")] > table[Pair("b", "c")], "a decided pair needs its next vote least"


def test_every_pair_keeps_a_chance_however_many_votes_it_has() -> None:
    table = probabilities([Contender(name) for name in "abc"], {Pair("a", "b"): Record(10**9, 10**9)})
    assert table[Pair("a", "b")] > 0.1


def test_at_most_three_unreleased_models_of_one_organisation_are_drawn() -> None:
    clones = [Contender(f"clone-{k}", is_private=True, organisation="Acme") for k in range(27)]
    kept = limited([*clones, Contender("other")])
    assert [one.name for one in kept] == ["clone-0", "clone-1", "clone-2", "other"]


def test_draws_follow_the_probabilities_and_sides_are_a_coin() -> None:
    table = probabilities([Contender("a", is_new=True), Contender("b"), Contender("c", 0.5)], {})
    source = random.Random(7)
    drawn = [draw(table, source) for _ in range(20_000)]
    pairs = Counter(pair_of(one.left, one.right) for one in drawn if one)
    for pair, probability in table.items():
        assert pairs[pair] / 20_000 == pytest.approx(probability, abs=0.015)
    assert sum(one.left < one.right for one in drawn if one) / 20_000 == pytest.approx(0.5, abs=0.015)
    assert all(one.probability == table[pair_of(one.left, one.right)] for one in drawn if one)
