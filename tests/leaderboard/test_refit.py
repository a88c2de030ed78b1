"""Refits: published ratings through the commands, snapshots only where something changed, Elo continued exactly."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from arena import tallies
from leaderboard import online_elo, rating_inputs
from leaderboard.agreement_numbers import newest as agreement_of
from leaderboard.elo import EloState
from leaderboard.management.commands.refit import Command
from leaderboard.models import Rating, RatingSnapshot
from leaderboard.ratings import METHODS, newest, refit
from leaderboard.refitting import Watch
from tests.arena.votes import make_source, make_vote
from tests.shared import shared_data

pytestmark = pytest.mark.django_db
OUTCOME: dict[str, Any] = {"a": "left", "b": "right", "tie": "tie", "bothbad": "both_bad"}


def load(file: str, source: str, judge: str = "") -> None:
    call_command("import_votes", str(shared_data(file)), source=source, judge=judge, verbosity=0)


def expected(name: str) -> dict[str, Any]:
    return dict(json.loads(Path(shared_data(f"expected/{name}.json")).read_text()))


def numbers(source: str, method: str) -> dict[str, float | None]:
    snapshot = newest(source, "overall", method)
    assert snapshot is not None
    rows = Rating.objects.filter(snapshot=snapshot).values_list("revision__language_model__name", "rating")
    return dict(rows)


def test_llmfao_gives_the_published_ratings_of_people_and_judges() -> None:
    load("llmfao/votes.csv.gz", "llmfao")
    load("llmfao/judge_gpt4.csv", "llmfao", "gpt-4")
    call_command("refit", method=["bt", "elo"])
    known = expected("llmfao")
    for source, rows in (("llmfao", known["ratings_human"]), ("judge:gpt-4", known["judge_gpt4"]["ratings"])):
        bt, elo = numbers(source, "bt"), numbers(source, "elo")
        assert len(bt) == len(rows)
        for row in rows:
            assert bt[row["model"]] == pytest.approx(row["bt_elo_scale"], abs=0.1)
            assert elo[row["model"]] == pytest.approx(row["elo_online_k4"], abs=0.01)
    found = agreement_of("llmfao", "gpt-4")
    assert found is not None
    whole = found.numbers["slices"][0]
    assert [whole["s1"]["agree"], whole["s1"]["n"]] == [2444, 5965]
    assert [whole["s2"]["agree"], whole["s2"]["n"]] == [2339, 3581]
    assert [whole["ceiling"]["s1"]["agree"], whole["ceiling"]["s1"]["n"]] == [5380, 10101]
    assert found.numbers["position"]["value"] == pytest.approx(
        known["position"]["gpt4_left_share_of_decided"], abs=1e-6
    )


@pytest.mark.parametrize("name", ["simple", "food"])
def test_evalica_toy_gives_its_golden_scores(name: str) -> None:
    load(f"evalica_toy/{name}.csv", name)
    call_command("refit", method=["bt", "elo"])
    known = expected("evalica_toy")[name]
    assert numbers(name, "bt") == pytest.approx(known["bt_elo_scale"], abs=0.1)
    assert numbers(name, "elo") == pytest.approx(known["elo_k4"], abs=0.01)


def test_mt_bench_people_and_gpt4_agree_as_in_the_paper_whatever_the_order_of_the_pairs() -> None:
    load("mt_bench_human/human.jsonl", "mt")
    load("mt_bench_human/gpt4_pair.jsonl", "mt", "gpt4")
    call_command("refit", method=["bt"])
    found = agreement_of("mt", "gpt4")
    assert found is not None
    cut = {(one["kind"], one["key"], one["turn"]): one for one in found.numbers["slices"]}
    expert = cut["voters", "expert", 1]
    assert [expert["s1"]["agree"], expert["s1"]["n"]] == [886, 1343]
    assert [expert["s2"]["agree"], expert["s2"]["n"]] == [727, 859]
    assert [round(100 * expert["ceiling"][one]["rate"]) for one in ("s1", "s2")] == [63, 81]
    assert expert["kappa"]["value"] == pytest.approx(0.496801, abs=1e-6)
    assert cut["all", "", None]["n_items"] == 1814
    assert (found.numbers["swap"]["flipped"], found.numbers["swap"]["n"]) == (380, 2400)
    assert found.numbers["ratings"]["spearman"] == pytest.approx(1.0)
    assert numbers("mt", "bt")["gpt-4"] == pytest.approx(1177.390931, abs=0.1)
    assert found.numbers["combined"]["width_ratio"] < 1


def votes(source: Any, number: int, seed: int = 1) -> list[Any]:
    chance = random.Random(seed)
    return [
        make_vote(source, *chance.sample(("p", "q", "r", "s"), 2), chance.choice(list(OUTCOME)), category="math")
        for _ in range(number)
    ]


def test_a_refit_without_a_change_writes_nothing() -> None:
    source = make_source()
    votes(source, 60)
    assert refit(source) == 2 * (len(METHODS) - 1)
    assert refit(source) == 0
    votes(source, 1, seed=2)
    assert refit(source) == 2 * (len(METHODS) - 1)


def test_elo_goes_on_from_the_last_snapshot_reading_new_votes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source()
    cast = votes(source, 50)
    refit(source)
    cast += votes(source, 30, seed=2)
    started: list[int] = []
    real = rating_inputs.ordered

    def watched(source: Any, after: int) -> Any:
        started.append(after)
        return real(source, after)

    monkeypatch.setattr(online_elo, "ordered", watched)
    refit(source, ("elo",))
    assert started == [cast[49].pk]
    want = EloState().after((v.pk, v.left.slug, v.right.slug, OUTCOME[v.winner]) for v in cast)
    rows = Rating.objects.filter(snapshot=newest("people", "overall", "elo"))
    assert dict(rows.values_list("revision__slug", "rating")) == pytest.approx(want.ratings, abs=1e-9)


def test_an_exclusion_before_the_last_snapshot_is_replayed() -> None:
    source = make_source()
    cast = votes(source, 40)
    refit(source)
    tallies.exclude([cast[3].pk, cast[17].pk], rule="leak", actor="t")
    refit(source)
    kept = [vote for number, vote in enumerate(cast) if number not in (3, 17)]
    want = EloState().after((v.pk, v.left.slug, v.right.slug, OUTCOME[v.winner]) for v in kept)
    snapshot = newest("people", "overall", "elo")
    assert snapshot is not None
    assert snapshot.excluded == {"leak": 2}
    rows = Rating.objects.filter(snapshot=snapshot).values_list("revision__slug", "rating")
    assert dict(rows) == pytest.approx(want.ratings, abs=1e-9)


def test_a_model_without_a_finite_rating_has_a_status_and_no_number() -> None:
    source = make_source()
    for winner in ("a", "b", "a", "tie"):
        make_vote(source, "p", "q", winner)
    for _ in range(4):
        make_vote(source, "champion", "p", "a")
        make_vote(source, "m", "n", "tie")
    make_vote(source, "rare", "p", "tie")
    refit(source, ("bt",))
    rows = Rating.objects.filter(snapshot=newest("people", "overall", "bt"))
    found = dict(rows.values_list("revision__api_name", "status"))
    assert found == {
        "p": "rated", "q": "rated", "champion": "only_wins", "rare": "too_few", "m": "not_connected",
        "n": "not_connected",
    }  # fmt: skip
    assert set(rows.exclude(status="rated").values_list("rating", "low", "rank_low")) == {(None, None, None)}


def test_a_voter_beyond_the_cap_weighs_no_more_than_it() -> None:
    source = make_source()
    for _ in range(100):
        make_vote(source, "p", "q", "a", voter="busy")
    make_vote(source, "p", "q", "b", voter="other")
    capped = rating_inputs.capped(rating_inputs.read(source))["overall"]
    assert capped.n_votes == pytest.approx(rating_inputs.VOTER_CAP + 1)


def test_style_is_held_equal_where_it_was_counted() -> None:
    source = make_source()
    chance = random.Random(5)
    for number in range(200):
        long, short = {"length": 400 + number}, {"length": 100}
        style = {"left": long, "right": short} if number % 2 else {"left": short, "right": long}
        won = ("a" if number % 2 else "b") if chance.random() < 0.8 else ("b" if number % 2 else "a")
        make_vote(source, *chance.sample(("p", "q", "r"), 2), won, style=style)
    refit(source, ("bt-style",))
    snapshot = newest("people", "overall", "bt-style")
    assert snapshot is not None
    length = snapshot.details["coefficients"][0]
    assert length["feature"] == "length"
    assert length["low"] > 0


def test_watching_refits_what_changed_alone() -> None:
    source = make_source()
    votes(source, 30)
    make_source("quiet")
    watch = Watch()
    assert len(list(watch.look())) == 2
    assert list(watch.look()) == []
    votes(source, 1, seed=3)
    (line,) = watch.look()
    assert line.startswith("people:")


def test_what_reads_votes_is_work_of_its_own_done_once_and_then_rested_from() -> None:
    source = make_source()
    votes(source, 60)
    watch = Watch()
    list(watch.look())
    assert newest("people", "overall", "bt") is not None
    assert newest("people", "overall", "bt-capped") is None
    watch.work()
    first = newest("people", "overall", "bt-capped")
    assert first is not None
    votes(source, 1, seed=3)
    watch.work()
    assert newest("people", "overall", "bt-capped") == first


def test_superseded_snapshots_of_an_hour_give_way_to_the_last() -> None:
    source = make_source()
    for seed in range(4):
        votes(source, 5, seed=seed)
        refit(source, ("bt",))
    assert RatingSnapshot.objects.filter(category="overall").count() <= 3


def test_a_feature_of_style_that_hardly_differs_does_not_leave_the_method_without_a_solution() -> None:
    source, chance = make_source(), random.Random(4)
    for number in range(200):
        left, right = chance.sample(("p", "q", "r"), 2)
        sides = [{"tokens": chance.randint(50, 400), "headers": 0, "lists": 0, "bold": 0} for _ in range(2)]
        winner = chance.choice(("a", "b", "tie"))
        if number < 3:
            sides[0]["headers"], winner = 5, "a"
        make_vote(source, left, right, winner, style={"left": sides[0], "right": sides[1]})
    refit(source, ("bt", "bt-style"))
    snapshot = newest("people", "overall", "bt-style")
    assert snapshot is not None and "no_maximum" not in snapshot.warnings
    found = {one["feature"]: one["value"] for one in snapshot.details["coefficients"]}
    assert found["headers"] is None and found["length"] is not None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_watching_ends_where_what_reads_votes_has_failed() -> None:
    class Broken(Watch):
        def work(self) -> None:
            raise RuntimeError("the disk is full")

    with pytest.raises(CommandError, match="reads votes has failed"):
        Command()._watch(Broken(), 0.01)
