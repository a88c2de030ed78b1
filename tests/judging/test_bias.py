from __future__ import annotations

import math

import pytest

from judging.bias import (
    Share,
    known_order,
    length,
    noise_floor,
    penalised,
    position,
    rank_correlation,
    self_preference,
)
from judging.formats import PROTOCOLS, Intake, PairJudgment, SingleJudgment, read_answers, read_judgments
from judging.formats.protocols import Penalty
from judging.formats.rows import Game, Place, Side
from judging.scores import Rated, multi_turn
from judging.verdicts import SWAPPED, Label
from runners.korean.language import is_not_korean
from tests.shared import shared_data


def pair(first: Label | None, second: Label | None) -> PairJudgment:
    """A pair whose two games said this, each told for the answer shown first."""
    sides: tuple[Side, Side] = ("left", "right")
    games = tuple(Game(side, label, label, None, "") for side, label in zip(sides, (first, second), strict=True))
    return PairJudgment("1", 1, "l", "r", "j", "", games, Place("f", 1))


def test_position_tells_agreement_from_a_liking_for_a_place() -> None:
    judged = [
        pair("A>B", "B>A"),
        pair("A>>B", "B>A"),
        pair("A=B", "A=B"),
        pair("A>B", "A>B"),
        pair("A>B", "A>>B"),
        pair("B>A", "B>A"),
        pair("A>B", "A=B"),
        pair("A>B", None),
    ]
    found = position(judged)
    shares = (found.consistent, found.prefers_first, found.prefers_second, found.mixed)
    assert [share.hits for share in shares] == [3, 2, 1, 1]
    assert {share.n for share in shares} == {7}
    assert found.failed == 1


def test_all_pairs_of_labels_favour_neither_place() -> None:
    labels: tuple[Label, ...] = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
    found = position(pair(a, b) for a in labels for b in labels)
    assert found.consistent == Share(9, 25)
    assert found.prefers_first == found.prefers_second == Share(4, 25)
    assert found.mixed == Share(8, 25)


def test_position_of_the_real_pairs_is_the_published_one() -> None:
    path = shared_data("mt_bench_phi3/model_judgment/gpt-4_pair.jsonl.gz")
    found = position(one for one in read_judgments(path, "fastchat", Intake()) if isinstance(one, PairJudgment))
    assert (found.consistent.hits, found.consistent.n, found.failed) == (20 + 18 + 8, 73, 2)
    assert found.prefers_first.hits + found.prefers_second.hits + found.mixed.hits == 27


def test_wilson_intervals_are_the_textbook_ones() -> None:
    assert Share(0, 0).value is None and Share(0, 0).interval is None
    assert Share(8, 10).interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share(0, 10).interval == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_length_counts_decisive_verdicts_between_unequal_answers() -> None:
    found = length([(10, 5, "left"), (10, 5, "right"), (3, 9, "right"), (9, 9, "left"), (1, 2, "tie"), (1, 2, None)])
    assert (found.longer_wins.hits, found.longer_wins.n, found.equal_length) == (2, 3, 1)


def test_rank_correlation_shares_ranks_between_ties() -> None:
    assert rank_correlation([(1, 10), (2, 20), (3, 30)]) == pytest.approx(1.0)
    assert rank_correlation([(1, 3), (2, 2), (3, 1)]) == pytest.approx(-1.0)
    assert rank_correlation([(1, 1), (1, 2), (2, 2)]) == pytest.approx(0.5)
    assert rank_correlation([(1, 5), (2, 5)]) is None
    assert rank_correlation([]) is None


def test_self_preference_is_the_surplus_over_what_others_say() -> None:
    found = self_preference([(1, 0), (1, 1), (0.5, 0.5), (1, 0)])
    assert (found.by_judge.value, found.by_others.value, found.difference) == (0.875, 0.375, 0.5)
    assert found.interval is not None
    assert found.interval[0] < 0.5 < found.interval[1]
    assert self_preference([]).difference is None


def test_noise_is_pooled_within_turns_and_shrinks_with_their_number() -> None:
    found = noise_floor([[7, 9], [5, 5], [2, None, 4], [None], [8]])
    assert found.deviation is not None
    assert found.deviation == pytest.approx(math.sqrt((2 + 0 + 2 + 0) / 3))
    assert (found.turns, found.repeats) == (4, 7 / 4)
    assert (found.agreement.hits, found.agreement.n) == (1, 3)
    margin = found.margin(160, 2)
    assert margin == pytest.approx(1.96 * found.deviation / math.sqrt(320), rel=1e-4)
    assert margin is not None
    assert found.is_noise(1.4 * margin, 160, 2)
    assert not found.is_noise(1.5 * margin, 160, 2)


def test_one_rating_per_turn_says_nothing_about_noise() -> None:
    found = noise_floor([[7], [8]])
    assert found.deviation is None
    assert found.margin(80) is None
    assert not found.is_noise(0.0, 80)


def test_a_judge_of_known_answers_is_measured_by_order_and_a_tie_is_no_hit() -> None:
    found = known_order(
        [
            {"complete": 9, "terse": 7, "wrong": 3, "english": 0},
            {"complete": 7, "terse": 7, "wrong": 8, "english": None},
            {"complete": 9, "wrong": 2},
        ]
    )
    assert (found.hits.hits, found.hits.n) == (5, 8)
    assert (found.ties, found.missing) == (1, 1)
    assert found.pairs["complete", "wrong"] == Share(2, 3)
    assert found.pairs["complete", "english"] == Share(1, 1)


@pytest.mark.parametrize(
    ("score", "korean", "rule", "exempt", "after"),
    [
        (9.0, False, "none", False, 9.0),
        (9.0, False, "sqrt", False, 3.0),
        (9.0, False, "zero", False, 0.0),
        (9.0, False, "zero", True, 9.0),
        (9.0, True, "zero", False, 9.0),
        (9.0, None, "zero", False, 9.0),
        (None, False, "zero", False, None),
        (0.0, False, "sqrt", False, 0.0),
    ],
)
def test_the_language_rule_is_code(
    score: float | None, korean: bool | None, rule: Penalty, exempt: bool, after: float | None
) -> None:
    assert penalised(score, korean, rule, exempt=exempt) == after


@pytest.fixture(scope="module")
def logickor() -> dict[str, list[tuple[Rated, bool | None, bool]]]:
    """Default mode by model: (rating as published, False where the answer is clearly not Korean, exempt)."""
    path, protocol = shared_data("logickor/answers_default.jsonl.gz"), PROTOCOLS["logickor"]
    ratings = {
        (one.model, one.question_id, one.turn): one.published
        for one in read_judgments(path, "rows", Intake())
        if isinstance(one, SingleJudgment)
    }
    models: dict[str, list[tuple[Rated, bool | None, bool]]] = {}
    for answer in read_answers(path, "rows", Intake()):
        for turn, text in enumerate(answer.turns, start=1):
            category = answer.category or ""
            rated = Rated(answer.question_id, category, turn, ratings[answer.model, answer.question_id, turn])
            korean = False if is_not_korean(text or "") else None
            exempt = protocol.is_exempt(answer.question_id, turn, category)
            models.setdefault(answer.model, []).append((rated, korean, exempt))
    return models


def test_the_language_rule_moves_the_means_that_it_is_known_to_move(
    logickor: dict[str, list[tuple[Rated, bool | None, bool]]],
) -> None:
    def overall(rule: Penalty) -> dict[str, float]:
        board = {}
        for model, rows in logickor.items():
            rated = [
                Rated(row.question_id, row.category, row.turn, penalised(row.score, korean, rule, exempt=exempt))
                for row, korean, exempt in rows
            ]
            board[model] = multi_turn(rated, "turns", resamples=0).overall.value or 0.0
        return board

    before, after = overall("none"), overall("zero")
    assert before["meta-llama/Meta-Llama-3-70B-Instruct"] == pytest.approx(2.76, abs=0.005)
    assert after["meta-llama/Meta-Llama-3-70B-Instruct"] == pytest.approx(1.61, abs=0.005)
    drops = {model: before[model] - after[model] for model in before}
    assert max(drops, key=drops.__getitem__) == "neversleep/llama-3-lumimaid-8b"
    assert max(drops.values()) == pytest.approx(1.71, abs=0.005)
    assert sum(drop > 0.1 for drop in drops.values()) == 13
    ranked = [sorted(board, key=lambda model: (-board[model], model)) for board in (before, after)]
    assert sum(a != b for a, b in zip(*ranked, strict=True)) == 20
    assert all(drop >= 0 for drop in drops.values())


def test_the_judge_let_clearly_foreign_answers_keep_points(
    logickor: dict[str, list[tuple[Rated, bool | None, bool]]],
) -> None:
    foreign = [row for rows in logickor.values() for row, korean, exempt in rows if korean is False and not exempt]
    zero = sum(row.score == 0 for row in foreign) / len(foreign)
    assert 0.6 < zero < 0.8


def test_swapping_twice_changes_nothing() -> None:
    assert all(SWAPPED[SWAPPED[label]] == label for label in SWAPPED)
