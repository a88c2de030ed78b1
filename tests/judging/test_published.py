from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judging import published
from judging.verdicts import Unparsable, Verdict, parse_pair, parse_score
from tests.shared import shared_data

csv.field_size_limit(10**7)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)


def table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def expected(name: str) -> Any:
    return json.loads(shared_data(f"expected/{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("[[9]]", 9.0),
        ("[[7/10]]", None),
        ("see [5]", 5.0),
        ("[[11]]", 11.0),
        ("[[3]] [[8]]", 3.0),
        ("[[08]]", None),
    ],
)
def test_mt_bench_takes_the_first_number_in_brackets(text: str, rating: float | None) -> None:
    assert published.fastchat_single(text) == rating


def test_mt_bench_prefers_a_to_b_to_c_by_substring() -> None:
    assert published.fastchat_pair("[[C]] [[B]]") == "B"
    assert published.fastchat_pair("[[B]] [[A]]") == "A"
    assert published.fastchat_pair("A") is None
    assert published.fastchat_two_scores("[[8, 7.95]]") == "tie"
    assert published.fastchat_two_scores("[6, 8]") == "B"
    assert published.fastchat_two_scores("6 8") is None


def test_logickor_takes_the_first_score_after_removing_asterisks() -> None:
    assert published.logickor("**평가:** 좋다\n**점수: 8**\n점수: 3") == (8.0, "좋다")
    assert published.logickor("8점") == (None, "No judge message found")
    assert published.logickor_v1("평가: 좋다\n점수: 7") == 7.0
    assert published.logickor_v1("점수: 7/10") is None


def test_arena_hard_versions_differ_on_two_labels() -> None:
    text = "At first [[A>B]], in the end [[B>A]]"
    assert published.arena_hard_v1(text) is None
    assert published.arena_hard_v2(text) == "B>A"
    assert published.arena_hard_v1("[[A=B]] [[A=B]]") == "A=B"
    assert published.arena_hard_v2("[a>>b]") == "A>>B"
    assert published.arena_hard_v2("none") is None


def test_llmbar_equals_the_published_statistics() -> None:
    gold = {(row["subset"], row["idx"]): str(row["label"]) for row in lines(shared_data("llmbar/instances.jsonl.gz"))}
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for row in lines(shared_data("llmbar/judgments.jsonl.gz")):
        counter = counts.setdefault((row["subset"], row["evaluator"], row["strategy"]), Counter())
        first, second = llmbar_winners(row)
        label = gold[row["subset"], row["idx"]]
        counter["n"] += 1
        counter["original"] += first == label
        counter["swapped"] += second == label
        counter["both"] += first == second == label
        counter["same"] += first == second
        counter["unparsed"] += (first is None) + (second is None)
    published_rows = expected("llmbar")["results"]
    assert len(published_rows) == len(counts)
    for row in published_rows:
        counter = counts[row["subset"], row["evaluator"], row["strategy"]]
        assert counter["n"] == row["n"]
        assert counter["unparsed"] == row["unparsed"]
        for key, name in (
            ("original", "accuracy_original_order"),
            ("swapped", "accuracy_swapped_order"),
            ("both", "both_correct"),
            ("same", "same_verdict_in_both_orders"),
        ):
            assert counter[key] / counter["n"] == pytest.approx(row[name], abs=1e-6)


def llmbar_winners(row: dict[str, Any]) -> tuple[str | None, str | None]:
    if row["strategy"] == "Rating":
        return published.llmbar_rating(row["score_1"], row["score_2"])
    first, swapped = (
        published.llmbar(row[order]["completion"], row["strategy"], row["evaluator"])
        for order in ("original", "swapped")
    )
    return first, {"1": "2", "2": "1", None: None}[swapped]


def test_kudge_pairs_equal_the_recorded_decisions() -> None:
    file = expected("kudge_falseinfo")["files"]["_pairwise_iteration_1-false_info.csv"]
    rows = table(shared_data("kudge/judge_outputs/gpt-4o/_pairwise_iteration_1-false_info.csv.gz"))
    answers = table(shared_data("kudge/pairwise-falseinfo.csv.gz"))
    decisions = [published.kudge_pair(row["output"]) for row in rows]
    assert decisions == [row["decision"] for row in rows]
    assert len(decisions) == file["rows"] == file["parser_[[X]]_equals_decision"]
    assert Counter(decisions) == file["chose"]
    right = sum(found == row["winner"] for found, row in zip(decisions, answers, strict=True))
    assert right / len(rows) == pytest.approx(file["accuracy"], abs=1e-6)


def test_the_strict_parser_refuses_the_two_kudge_verdicts_that_are_none() -> None:
    rows = table(shared_data("kudge/judge_outputs/gpt-4o/_pairwise_iteration_1-false_info.csv.gz"))
    found = [parse_pair(row["output"]) for row in rows]
    reasons = sorted(verdict.reason for verdict in found if isinstance(verdict, Unparsable))
    assert reasons == ["contradictory", "quoted"]
    assert all(
        verdict.winner == row["decision"]
        for verdict, row in zip(found, rows, strict=True)
        if isinstance(verdict, Verdict)
    )


@pytest.mark.parametrize("iteration", [1, 2])
def test_kudge_points_equal_the_recorded_decisions(iteration: int) -> None:
    file = expected("kudge_falseinfo")["files"][f"_pointwise_iteration_{iteration}-false_info.csv"]
    rows = table(shared_data(f"kudge/judge_outputs/gpt-4o/_pointwise_iteration_{iteration}-false_info.csv.gz"))
    answers = table(shared_data("kudge/pointwise-falseinfo.csv.gz"))
    points = [published.kudge_point(row["output"]) for row in rows]
    scored = [point for point in points if point is not None]
    assert (len(rows), len(scored)) == (file["rows"], file["scored"])
    assert sum(scored) / len(scored) == pytest.approx(file["mean_score_of_falsified_answers"], abs=1e-6)
    people = [float(row["original_human_score"]) for row in answers]
    assert sum(people) / len(people) == pytest.approx(file["original_human_scores_mean"], abs=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "mt_bench_phi3/model_judgment/gpt-4_single.jsonl.gz",
        "komt_bench/model_judgment/gpt-4_single_final.jsonl.gz",
    ],
)
def test_both_parsers_read_every_real_single_rating(name: str) -> None:
    rows = list(lines(shared_data(name)))
    assert len(rows) == 160
    assert [published.fastchat_single(row["judgment"]) for row in rows] == [row["score"] for row in rows]
    assert [getattr(parse_score(row["judgment"]), "value", None) for row in rows] == [row["score"] for row in rows]
