"""Agreement by week or month, the chart of it, and how sure a rank correlation is."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from leaderboard.agreement import Verdict, verdict
from leaderboard.agreement_ratings import correlation
from leaderboard.agreement_trend import trend
from leaderboard.trend_chart import Series
from leaderboard.trend_chart import trend as chart
from leaderboard.verdict_rows import PeopleVote


def vote(question: str, day: int, winner: str = "model_a") -> PeopleVote:
    at = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=day)  # a Monday
    week = f"{at - timedelta(days=at.weekday()):%Y-%m-%d}"
    said = verdict(question, 1, "m", "n", winner)
    return PeopleVote(said, "a", 1, "", "", "", f"{at:%Y-%m}", week, None, "")


def test_votes_are_held_against_the_judge_week_by_week() -> None:
    judge = [verdict(f"q{n}", 1, "m", "n", "model_a") for n in range(4)]
    found = trend(judge, [vote("q0", 0), vote("q1", 6, "model_b"), vote("q2", 7), vote("q3", 8), vote("unjudged", 30)])
    assert found is not None and found["step"] == "week"
    assert [(row["start"], row["s1"]["agree"], row["s1"]["n"]) for row in found["rows"]] == [
        ("2026-01-05", 1, 2), ("2026-01-12", 2, 2),
    ]  # fmt: skip


def test_many_weeks_are_shown_by_month_and_one_period_is_no_line() -> None:
    judge = [verdict(f"q{n}", 1, "m", "n", "model_a") for n in range(40)]
    found = trend(judge, [vote(f"q{n}", 7 * n) for n in range(40)])
    assert found is not None and found["step"] == "month"
    assert sum(row["s1"]["n"] for row in found["rows"]) == 40
    assert trend(judge, [vote("q0", 0), vote("q1", 3)]) is None


def test_the_line_breaks_where_nothing_was_compared_and_names_are_escaped() -> None:
    point = (0.5, 0.4, 0.6)
    text = chart("title", ["a", "b", "c", "<d>"], [Series("<S>", [point, None, point, point])])
    assert text.count('<path class="mark band"') == 1 and text.count('Z"/>') == 1
    assert "&lt;S&gt;" in text and "&lt;d&gt;" in text and "<S>" not in text
    assert chart("title", ["a"], [Series("S", [point])]) == ""


def test_a_rank_correlation_is_surer_with_more_questions() -> None:
    draw, strength = random.Random(2), {"p": 0.0, "q": 0.5, "r": 1.0, "s": 1.5, "t": 2.0}

    def said(questions: int) -> list[Verdict]:
        found = []
        for number in range(questions):
            for _ in range(4):
                one, other = draw.sample(sorted(strength), 2)
                won = draw.random() < 1 / (1 + 2.7 ** (strength[other] - strength[one]))
                found.append(verdict(f"q{number}", 1, one, other, "model_a" if won else "model_b"))
        return found

    widths = []
    for questions in (20, 400):
        found = correlation(said(questions), said(questions), rounds=60)
        assert found is not None and found["spearman_bounds"] is not None
        low, high = found["spearman_bounds"]
        assert low <= found["spearman"] <= high or high == pytest.approx(1.0)
        assert found["rows"][0]["people_low"] < found["rows"][0]["people"] < found["rows"][0]["people_high"]
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_one_question_gives_no_interval_and_two_models_no_correlation() -> None:
    pairs = [("p", "q"), ("q", "r"), ("r", "p")]
    said = [verdict("q", 1, one, other, "model_a") for one, other in pairs]
    found = correlation(said, said)
    assert found is not None and found["spearman_bounds"] is None
    assert correlation(said[:1], said[:1]) is None
