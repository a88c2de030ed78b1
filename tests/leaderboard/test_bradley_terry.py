from __future__ import annotations

import gzip
import json
import math
from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leaderboard.bradley_terry import POINTS_PER_UNIT, PairCounts, RatingTable, rate, win_probability
from tests.leaderboard.votes import connected_votes, counted, expected, names, read_rows, votes_of
from tests.shared import shared_data


def ratings(table: RatingTable) -> dict[str, float]:
    return {row.model: row.rating for row in table.rows if row.rating is not None}


def of(votes: list[tuple[int, int, int]]) -> PairCounts:
    return PairCounts.from_votes(names(4), *np.array(votes).T)


def test_two_models_have_the_closed_form() -> None:
    table = rate(votes_of("a>b 30", "b>a 10"))
    gap = table.difference("a", "b")
    assert gap is not None
    assert gap.value == pytest.approx(400 * math.log10(3))
    assert (gap.high - gap.value) / 1.959963985 == pytest.approx(POINTS_PER_UNIT * math.sqrt(1 / 30 + 1 / 10))


def test_the_published_scores_of_the_toy_tables_are_met() -> None:
    for name in ("simple", "food"):
        table = rate(PairCounts.from_groups([(*row, 1) for row in read_rows(f"evalica_toy/{name}.csv")]))  # type: ignore[misc]
        golden = expected("evalica_toy")[name]["bt_elo_scale"]
        assert ratings(table) == pytest.approx(golden, abs=1e-5)


def test_crowd_and_judge_votes_give_the_expected_ratings() -> None:
    golden = expected("llmfao")
    files = {
        "ratings_human": "votes.csv.gz",
        "judge_gpt4": "judge_gpt4.csv",
        "judge_gpt35": "judge_gpt35.csv",
    }
    for key, file in files.items():
        rows = golden[key] if key == "ratings_human" else golden[key]["ratings"]
        table = rate(PairCounts.from_groups([(*row, 1) for row in read_rows(f"llmfao/{file}")]))  # type: ignore[misc]
        assert ratings(table) == pytest.approx({row["model"]: row["bt_elo_scale"] for row in rows}, abs=0.001)


def test_the_bootstrap_intervals_of_the_crowd_are_close_to_the_sandwich() -> None:
    golden = {row["model"]: row["bt_ci95_bootstrap"] for row in expected("llmfao")["ratings_human"]}
    table = rate(PairCounts.from_groups([(*row, 1) for row in read_rows("llmfao/votes.csv.gz")]))  # type: ignore[misc]
    for row in table.rows:
        assert row.low == pytest.approx(golden[row.model][0], abs=20)
        assert row.high == pytest.approx(golden[row.model][1], abs=20)


def test_a_tournament_against_one_baseline_gives_the_published_scores() -> None:
    groups: Counter[tuple[str, str, str]] = Counter()
    with gzip.open(shared_data("ko_arena_hard/judgments_ensemble.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            for key, a, b in (("game1", row["baseline"], row["model"]), ("game2", row["model"], row["baseline"])):
                label = row[key] or "B>A"  # the published table counts the one missing game as lost
                outcome = "tie" if "=" in label else "left" if label.startswith("A") else "right"
                groups[a, b, outcome] += 3 if len(label) == 4 else 1
    counts = PairCounts.from_groups((*cell, n) for cell, n in groups.items())  # type: ignore[misc]
    found = ratings(rate(counts, anchor=("claude-3.7-sonnet", 1000.0)))
    for row in expected("ko_arena_hard")["models"]:
        assert found[row["model"]] == pytest.approx(row["elo_vs_baseline_1000"], abs=1e-5)
        assert found[row["model"]] == pytest.approx(row["published_elo"], abs=0.1)
        assert 100 * win_probability(found[row["model"]], 1000) == pytest.approx(row["score"], abs=1e-5)


def test_battles_made_of_scores_give_the_expected_ratings() -> None:
    scores: defaultdict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    with gzip.open(shared_data("logickor/answers_default.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            for turn in row["judge"]:
                scores[row["question_id"], turn["turn"]][row["model"]] = turn["score"]
    groups = Counter(
        (a, b, "tie" if of_a[a] == of_a[b] else "left" if of_a[a] > of_a[b] else "right")
        for of_a in scores.values()
        for a, b in combinations(sorted(of_a), 2)
    )
    counts = PairCounts.from_groups((*cell, n) for cell, n in groups.items())  # type: ignore[misc]
    golden = expected("logickor_battles_from_scores")
    assert counts.n_votes == golden["battles"]
    assert ratings(rate(counts)) == pytest.approx({r["model"]: r["bt_elo_scale"] for r in golden["models"]}, abs=1e-5)


def test_another_solver_agrees_on_synthetic_votes() -> None:
    evalica = pytest.importorskip("evalica")
    counts = counted(20_000, 25)
    solution = evalica.bradley_terry  # only rows are taken, so unfold the counts
    left, right, winner, weights = [], [], [], []
    for i, j in zip(*np.nonzero(counts.battles), strict=True):
        for outcome, n in (
            (evalica.Winner.X, counts.wins[i, j]),
            (evalica.Winner.Draw, counts.ties[i, j] / 2),
        ):
            left.append(counts.models[i])
            right.append(counts.models[j])
            winner.append(outcome)
            weights.append(float(n))
    scores = solution(left, right, winner, weights=weights, tolerance=1e-12, limit=10_000).scores
    log_scores = np.log(scores.loc[list(counts.models)].to_numpy())
    theirs = 1000 + POINTS_PER_UNIT * (log_scores - log_scores.mean())
    assert list(ratings(rate(counts)).values()) == pytest.approx(theirs, abs=0.001)


# The edges, one by one


def test_no_vote_at_all_rates_nobody_and_says_so() -> None:
    table = rate(PairCounts.empty(["a", "b"]))
    assert [row.status for row in table.rows] == ["no_votes", "no_votes"]
    assert table.warnings == ("nobody_rated",)
    assert rate(PairCounts.empty([])).rows == ()


def test_a_model_that_wins_all_has_no_finite_rating_and_leaves_the_others_alone() -> None:
    others = votes_of("a>b 3", "b>a 2", "b>c 2", "c>a 1")
    table = rate(others.plus(votes_of("star>a 5", "star>b 1")))
    assert {row.model: row.status for row in table.rows}["star"] == "only_wins"
    assert ratings(table) == pytest.approx(ratings(rate(others)))
    star = table.rows[-1]
    assert (star.rating, star.low, star.rank_low) == (None, None, None)
    assert star.provisional is not None
    assert star.provisional > max(ratings(table).values())


def test_a_model_that_loses_all_or_has_no_votes_is_told_why() -> None:
    counts = votes_of("a>b 3", "b>a 2", "a>bad 4").plus(PairCounts.empty(["new"]))
    by_name = {row.model: row for row in rate(counts).rows}
    assert by_name["bad"].status == "only_losses"
    assert by_name["bad"].provisional is not None
    assert by_name["bad"].provisional < 1000
    assert by_name["new"].status == "no_votes"
    assert by_name["new"].provisional is None


def test_two_components_are_not_compared() -> None:
    big = votes_of("a>b 3", "b>a 2", "b>c", "c>b")
    table = rate(big.plus(votes_of("x>y 3", "y>x 1")))
    assert ratings(table) == pytest.approx(ratings(rate(big)))
    assert {row.status for row in table.rows if row.model in "xy"} == {"not_connected"}
    assert {row.component for row in table.rows} == {0, 1}
    assert "several_components" in table.warnings
    assert table.difference("a", "x") is None


def test_models_that_only_lost_to_the_core_are_not_connected_although_they_won_among_themselves() -> None:
    table = rate(votes_of("a>b", "b>a", "b>c", "c>a", "a>x", "x>y", "y>x"))
    assert {row.model: row.status for row in table.rows if row.model in "xy"} == {
        "x": "not_connected",
        "y": "not_connected",
    }


def test_all_ties_are_equal_with_a_warning_about_the_interval() -> None:
    table = rate(votes_of("a=b 5", "b=c 5"))
    assert list(ratings(table).values()) == pytest.approx([1000] * 3)
    assert table.warnings == ("all_ties",)
    assert [row.rank_low for row in table.rows] == [1, 1, 1]


def test_a_sparse_arena_rates_its_core_and_lists_the_rest() -> None:
    counts = counted(1500, 400, tie_share=0.0)
    table = rate(counts)
    core = [row.model for row in table.rows if row.status == "rated"]
    assert 2 < len(core) < 400
    alone = counts.only(core)
    theta = table.strengths[~np.isnan(table.strengths)]
    expected_points = (alone.battles / (1 + np.exp(np.subtract.outer(theta, theta).T))).sum(axis=1)
    assert expected_points == pytest.approx(alone.points.sum(axis=1), abs=1e-6)


def test_a_pair_without_direct_votes_is_rated_through_others() -> None:
    gap = rate(votes_of("a>b 2", "b>a 1", "b>c 2", "c>b 1")).difference("a", "c")
    assert gap is not None
    assert gap.value == pytest.approx(400 * math.log10(4))


def test_weakly_joined_clusters_are_solved_exactly() -> None:
    ring = [f"{c}{i}>{c}{(i + 1) % 40} 50" for c in "xy" for i in range(40)]
    back = [f"{c}{(i + 1) % 40}>{c}{i} 50" for c in "xy" for i in range(40)]
    table = rate(votes_of(*ring, *back, "x0>y0 9", "y0>x0 1"))
    gap = table.difference("x0", "y0")
    assert gap is not None
    assert gap.value == pytest.approx(400 * math.log10(9), abs=1e-6)


def test_a_million_to_one_is_still_solved() -> None:
    gap = rate(votes_of("a>b 1000000", "b>a 1")).difference("a", "b")
    assert gap is not None
    assert gap.value == pytest.approx(2400, abs=1e-6)


# Properties


@given(connected_votes())
def test_the_mean_rating_is_a_thousand(votes: list[tuple[int, int, int]]) -> None:
    assert np.mean(list(ratings(rate(of(votes))).values())) == pytest.approx(1000)


@given(connected_votes(), st.permutations(range(4)))
def test_the_order_of_the_models_does_not_matter(votes: list[tuple[int, int, int]], order: list[int]) -> None:
    counts = of(votes)
    shuffled = rate(counts.only([counts.models[i] for i in order]))
    assert ratings(shuffled) == pytest.approx(ratings(rate(counts)), abs=1e-6)


@given(connected_votes(), st.integers(0, 3), st.integers(1, 3))
def test_adding_a_tie_pulls_two_models_together(votes: list[tuple[int, int, int]], i: int, shift: int) -> None:
    j = (i + shift) % 4
    before = rate(of(votes)).strengths
    after = rate(of([*votes, (i, j, 2)])).strengths
    assert abs(after[i] - after[j]) <= abs(before[i] - before[j]) + 1e-9


@given(connected_votes(), st.integers(0, 3), st.integers(1, 3))
def test_a_win_never_lowers_the_winner(votes: list[tuple[int, int, int]], i: int, shift: int) -> None:
    before = rate(of(votes)).strengths
    after = rate(of([*votes, (i, (i + shift) % 4, 0)])).strengths
    assert after[i] >= before[i] - 1e-9


@given(connected_votes())
def test_both_bad_is_a_tie_to_the_ratings(votes: list[tuple[int, int, int]]) -> None:
    as_ties = [(a, b, 2 if code == 3 else code) for a, b, code in votes]
    assert ratings(rate(of(votes))) == pytest.approx(ratings(rate(of(as_ties))))


@given(connected_votes())
def test_a_warm_start_ends_where_a_cold_one_does(votes: list[tuple[int, int, int]]) -> None:
    table = rate(of(votes))
    later = of([*votes, (0, 2, 0)])
    assert ratings(rate(later, start=table.start())) == pytest.approx(ratings(rate(later)), abs=1e-6)


@settings(max_examples=20)
@given(connected_votes())
def test_votes_counted_ten_times_keep_the_ratings_and_narrow_the_interval(
    votes: list[tuple[int, int, int]],
) -> None:
    once, often = rate(of(votes)), rate(of(votes * 10))
    assert ratings(often) == pytest.approx(ratings(once), abs=1e-6)
    assert often.covariance * 10 == pytest.approx(once.covariance, abs=1e-6)


# Options


def test_an_anchor_shifts_the_scale_and_has_no_interval_of_its_own() -> None:
    counts = counted(2000, 5)
    free, anchored = rate(counts), rate(counts, anchor=("model-002", 1114.0))
    at = anchored.rows[2]
    assert (at.rating, at.low, at.high) == pytest.approx((1114, 1114, 1114))
    gap = free.difference("model-000", "model-002")
    first = anchored.rows[0]
    assert gap is not None
    assert first.low == pytest.approx(1114 + gap.low)
    assert [row.rank_low for row in free.rows] == [row.rank_low for row in anchored.rows]


def test_an_anchor_without_a_rating_is_left_aside_with_a_warning() -> None:
    table = rate(votes_of("a>b", "b>a", "a>c"), anchor=("c", 1114.0))
    assert table.warnings == ("anchor_not_rated",)
    assert np.mean(list(ratings(table).values())) == pytest.approx(1000)


def test_dropping_ties_rates_the_decided_votes_alone() -> None:
    counts = votes_of("a>b 30", "b>a 10", "a=b 500")
    gap = rate(counts, ties="drop").difference("a", "b")
    assert gap is not None
    assert gap.value == pytest.approx(400 * math.log10(3))
    assert rate(counts, ties="drop").rows[0].ties == 500


def test_davidson_keeps_the_win_to_loss_ratio_of_two_models() -> None:
    table = rate(votes_of("a>b 30", "b>a 10", "a=b 40"), ties="davidson")
    gap = table.difference("a", "b")
    assert gap is not None
    assert table.nu == pytest.approx(40 / math.sqrt(300))
    assert gap.value == pytest.approx(400 * math.log10(3))


def test_davidson_meets_its_likelihood_equations() -> None:
    counts = counted(5000, 6)
    table = rate(counts, ties="davidson")
    assert table.nu is not None
    root = np.exp(np.subtract.outer(table.strengths, table.strengths) / 2)
    total = root + root.T + table.nu
    expected_points = (counts.battles * (root + table.nu / 2) / total).sum(axis=1)
    assert expected_points == pytest.approx(counts.points.sum(axis=1), abs=1e-5)
    assert (counts.battles * table.nu / total).sum() == pytest.approx(counts.ties.sum())


def test_davidson_without_ties_is_bradley_terry() -> None:
    counts = counted(2000, 5, tie_share=0.0)
    assert ratings(rate(counts, ties="davidson")) == pytest.approx(ratings(rate(counts)))


def test_reweighting_keeps_a_much_shown_pair_from_deciding_alone() -> None:
    counts = votes_of("a>b 900", "b>a 100", "b>c 20", "c>b 20", "c>a 20", "a>c 20")
    plain, even = rate(counts).difference("a", "b"), rate(counts, reweight=True).difference("a", "b")
    assert plain is not None
    assert even is not None
    assert even.value < plain.value
    assert even.high - even.low > plain.high - plain.low


def test_reweighting_changes_nothing_where_all_pairs_are_shown_alike() -> None:
    counts = votes_of("a>b 60", "b>a 40", "b>c 60", "c>b 40", "a>c 70", "c>a 30")
    plain, even = rate(counts), rate(counts, reweight=True)
    assert ratings(even) == pytest.approx(ratings(plain))
    assert even.covariance == pytest.approx(plain.covariance)


def test_ranks_are_intervals_that_hold_the_order_of_the_ratings() -> None:
    table = rate(counted(30_000, 30))
    order = sorted(table.rows, key=lambda row: -(row.rating or 0))
    for rank, row in enumerate(order, start=1):
        assert row.rank_low is not None
        assert row.rank_high is not None
        assert row.rank_low <= rank <= row.rank_high
        assert row.rank_ub is not None
        assert row.rank_ub <= rank


def test_the_win_probability_of_four_hundred_points_is_ten_to_one() -> None:
    assert win_probability(1400, 1000) == pytest.approx(10 / 11)
    assert win_probability(1000, 1000) == 0.5
    assert win_probability(1e9, 0) == 1
    assert win_probability(0, 1e9) == pytest.approx(0)
