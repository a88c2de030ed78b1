from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import Any

import pytest

from judging.formats import Intake, PairJudgment, SingleJudgment, read_answers, read_judgments, read_questions
from judging.scores import Rated, against_baseline, is_invalid, multi_turn
from tests.shared import shared_data


def expected(name: str) -> Any:
    return json.loads(shared_data(f"expected/{name}.json").read_text(encoding="utf-8"))


def rated(*rows: tuple[str, str, int, float | None]) -> list[Rated]:
    return [Rated(*row) for row in rows]


UNEVEN = rated(
    ("1", "math", 1, 10),
    ("1", "math", 2, 4),
    ("2", "math", 1, 10),
    ("2", "math", 2, None),
    ("3", "coding", 1, 1),
)


def test_the_three_published_averages_differ() -> None:
    assert multi_turn(UNEVEN, "judgments").overall.value == pytest.approx((10 + 4 + 10 + 1) / 4)
    assert multi_turn(UNEVEN, "turns").overall.value == pytest.approx((7 + 4) / 2)
    assert multi_turn(UNEVEN, "categories").overall.value == pytest.approx((8 + 1) / 2)


def test_failures_are_dropped_or_count_as_zero_or_one_and_are_always_counted() -> None:
    means = [multi_turn(UNEVEN, "judgments", failed).overall for failed in ("dropped", "zero", "one")]
    assert [mean.value for mean in means] == pytest.approx([25 / 4, 25 / 5, 26 / 5])
    assert [(mean.n, mean.failed) for mean in means] == [(4, 1), (5, 1), (5, 1)]


def test_a_mean_over_nothing_is_none() -> None:
    nothing = multi_turn(rated(("1", "math", 1, None)))
    assert (nothing.overall.value, nothing.overall.n, nothing.overall.failed) == (None, 0, 1)
    assert nothing.failed_share == 1.0
    assert multi_turn([]).overall.value is None


def test_the_interval_holds_the_mean_and_narrows_with_more_questions() -> None:
    few = multi_turn(rated(*((str(i), "math", 1, float(1 + 9 * (i % 2))) for i in range(10)))).overall
    many = multi_turn(rated(*((str(i), "math", 1, float(1 + 9 * (i % 2))) for i in range(160)))).overall
    for mean in (few, many):
        assert mean.low is not None and mean.high is not None and mean.value is not None
        assert mean.low < mean.value < mean.high
    assert many.high - many.low < (few.high - few.low) / 2  # type: ignore[operator]


def test_a_run_is_invalid_above_half_a_percent_without_verdict() -> None:
    assert not is_invalid(0, 0)
    assert not is_invalid(1, 200)
    assert is_invalid(2, 200)


def logickor_scores(name: str) -> tuple[dict[str, list[Rated]], Counter[str], Counter[str], Intake]:
    """Ratings by model, as published; zeroes and failed judgments by model."""
    path, intake = shared_data(f"logickor/{name}.jsonl.gz"), Intake()
    category = {answer.question_id: answer.category or "" for answer in read_answers(path, "rows", Intake())}
    models: dict[str, list[Rated]] = {}
    zeroes: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for one in read_judgments(path, "rows", intake, judge="gpt-4-1106-preview"):
        assert isinstance(one, SingleJudgment)
        row = Rated(one.question_id, category[one.question_id], one.turn, one.published)
        models.setdefault(one.model, []).append(row)
        zeroes[one.model] += one.published == 0
        failed[one.model] += one.reason == "request_failed"
    return models, zeroes, failed, intake


@pytest.mark.parametrize("mode", ["default", "1-shot", "cot-1-shot"])
def test_logickor_means_ranks_and_failures_are_the_published_ones(mode: str) -> None:
    models, zeroes, failed, intake = logickor_scores(f"answers_{mode}")
    board = {model: multi_turn(rows, "turns", resamples=0) for model, rows in models.items()}
    rows = expected("logickor_leaderboard")["modes"][mode]
    assert len(rows) == len(board) == 43
    assert intake.counts == {"failed_judgment": sum(row["judge_failed"] for row in rows)}
    order = sorted(board, key=lambda model: (-(board[model].overall.value or 0), model))
    for row in rows:
        ours = board[row["model"]]
        assert ours.questions == row["n_questions"]
        assert ours.turns[1].value == pytest.approx(row["turn1"], abs=1e-6)
        assert ours.turns[2].value == pytest.approx(row["turn2"], abs=1e-6)
        assert ours.overall.value == pytest.approx(row["overall"], abs=1e-6)
        assert order.index(row["model"]) + 1 == row["rank"]
        assert (zeroes[row["model"]], failed[row["model"]]) == (row["zero_scores"], row["judge_failed"])
        for name, cell in row["categories"].items():
            assert ours.categories[name].value == pytest.approx(cell["mean"], abs=1e-6)
            assert ours.cells[name, 1].value == pytest.approx(cell["turn1"], abs=1e-6)
            assert ours.cells[name, 2].value == pytest.approx(cell["turn2"], abs=1e-6)


@pytest.mark.parametrize("mode", ["default", "1-shot", "cot-1-shot"])
def test_logickor_empty_answers_are_counted(mode: str) -> None:
    empty: Counter[str] = Counter()
    for answer in read_answers(shared_data(f"logickor/answers_{mode}.jsonl.gz"), "rows", Intake()):
        empty[answer.model] += sum(turn == "" for turn in answer.turns)
    rows = expected("logickor_leaderboard")["modes"][mode]
    assert {row["model"]: row["empty_outputs"] for row in rows} == {row["model"]: empty[row["model"]] for row in rows}


def test_logickor_v1_means_are_the_published_ones() -> None:
    models, _, _, _ = logickor_scores("v1_answers")
    rows = expected("logickor_v1_leaderboard")["models"]
    assert len(rows) == len(models) == 26
    for row in rows:
        ours = multi_turn(models[row["model"]], "turns", resamples=0)
        found = [ours.turns[1].value, ours.turns[2].value, ours.overall.value]
        assert found == pytest.approx([row["turn1"], row["turn2"], row["overall"]], abs=1e-6)


@pytest.mark.parametrize(
    ("judged", "asked", "want"),
    [
        (
            "komt_bench/model_judgment/gpt-4_single_final.jsonl.gz",
            "komt_bench/question_ko.jsonl",
            lambda: expected("komt_bench"),
        ),
        (
            "mt_bench_phi3/model_judgment/gpt-4_single.jsonl.gz",
            "mt_bench/question.jsonl",
            lambda: expected("mt_bench_phi3")["single"],
        ),
    ],
)
def test_fastchat_means_are_the_published_ones_by_both_readings(judged: str, asked: str, want: Any) -> None:
    questions = {question.id: question for question in read_questions(shared_data(asked), "fastchat", Intake())}
    intake = Intake(known=dict.fromkeys(questions, 2))
    found = list(read_judgments(shared_data(judged), "fastchat", intake))
    assert not intake.counts
    row = want()
    for reading in ("score", "published"):
        ours = multi_turn(
            Rated(one.question_id, questions[one.question_id].category, one.turn, getattr(one, reading))
            for one in found
            if isinstance(one, SingleJudgment)
        )
        assert (ours.overall.n, ours.overall.failed) == (row["rows"], 0)
        assert ours.overall.value == pytest.approx(row["average"], abs=1e-6)
        assert [ours.turns[1].value, ours.turns[2].value] == pytest.approx([row["turn1"], row["turn2"]])
        assert {name: mean.value for name, mean in ours.categories.items()} == pytest.approx(row["by_category"])


def test_fastchat_pairs_are_the_published_ones() -> None:
    want = expected("mt_bench_phi3")["pairwise"]
    path = shared_data("mt_bench_phi3/model_judgment/gpt-4_pair.jsonl.gz")
    found = [one for one in read_judgments(path, "fastchat", Intake()) if isinstance(one, PairJudgment)]
    sides = {"left": "model_1", "right": "model_2", "tie": "tie", None: "error"}
    assert len(found) == want["rows"]
    for game, name in enumerate(("g1", "g2")):
        assert Counter(sides[one.games[game].winner] for one in found) == want[name]
        assert Counter(sides[one.games[game].published_winner] for one in found) == want[name]
    final: Counter[str] = Counter()
    for one in found:
        final["tie (inconsistent)" if one.consistent is False else sides[one.winner]] += 1
    assert final == want["final_verdict"]


@pytest.fixture(scope="module")
def ko_arena_hard() -> dict[str, list[PairJudgment]]:
    models: dict[str, list[PairJudgment]] = {}
    for one in read_judgments(shared_data("ko_arena_hard/judgments_ensemble.jsonl.gz"), "arena-hard", Intake()):
        assert isinstance(one, PairJudgment)
        models.setdefault(one.right, []).append(one)
    return models


def test_ko_arena_hard_scores_are_the_published_ones(ko_arena_hard: dict[str, list[PairJudgment]]) -> None:
    rows = expected("ko_arena_hard")["models"]
    board = {model: against_baseline(ko_arena_hard[model], published=True, resamples=0) for model in ko_arena_hard}
    assert len(rows) == len(board) == 50
    for row in rows:
        ours = board[row["model"]]
        assert ours.score == pytest.approx(row["score"], abs=1e-6)
        assert ours.elo == pytest.approx(row["elo_vs_baseline_1000"], abs=1e-5)
        assert ours.weighted_battles == row["weighted_battles"]
        assert (ours.weighted_wins, ours.ties, ours.weighted_losses) == (
            row["weighted_wins"],
            row["ties"],
            row["weighted_losses"],
        )
        assert (ours.wins, ours.losses) == (row["unweighted_wins"], row["unweighted_losses"])


def test_a_missing_game_is_counted_by_the_original_and_left_out_by_us(
    ko_arena_hard: dict[str, list[PairJudgment]],
) -> None:
    theirs = against_baseline(ko_arena_hard["o4-mini-high"], published=True, resamples=0)
    ours = against_baseline(ko_arena_hard["o4-mini-high"], resamples=0)
    assert (theirs.battles, theirs.losses, theirs.failed) == (1000, 252, 0)
    assert (ours.battles, ours.losses, ours.failed) == (999, 251, 1)


def test_ko_arena_hard_order_consistency_is_the_published_one(
    ko_arena_hard: dict[str, list[PairJudgment]],
) -> None:
    want = expected("ko_arena_hard")["order_consistency"]
    counts: Counter[str] = Counter()
    for one in (pair for pairs in ko_arena_hard.values() for pair in pairs):
        winners = [game.winner for game in one.games]
        if one.consistent is None:
            counts["only_one_game"] += 1
        elif one.consistent:
            counts["consistent"] += 1
        else:
            counts["one_tie" if "tie" in winners else "flipped"] += 1
    assert counts == want


def test_no_judgments_make_no_score() -> None:
    row = against_baseline([])
    assert (row.score, row.low, row.elo, row.battles, row.failed) == (None, None, None, 0, 0)


def test_the_baseline_interval_holds_the_score(ko_arena_hard: dict[str, list[PairJudgment]]) -> None:
    row = against_baseline(ko_arena_hard["o3-high"], resamples=200)
    assert row.low is not None and row.high is not None and row.score is not None
    assert row.low < row.score < row.high


def test_the_packed_rows_are_what_upstream_wrote() -> None:
    """LogicKor's own file (byte order mark, its own field names) and the packed row say the same."""
    name = "openai/gpt-4o-2024-05-13"
    raw = shared_data("logickor/raw_sample/openai__gpt-4o-2024-05-13__default.jsonl")
    own = {
        (one.question_id, one.turn): one.score
        for one in read_judgments(raw, "logickor", Intake())
        if isinstance(one, SingleJudgment) and one.model == name and one.mode == "default"
    }
    with gzip.open(shared_data("logickor/answers_default.jsonl.gz"), "rt", encoding="utf-8", newline="\n") as file:
        packed = [row for row in map(json.loads, file) if row["model"] == name]
    assert len(own) == 84
    assert own == {(str(row["question_id"]), one["turn"]): one["score"] for row in packed for one in row["judge"]}
