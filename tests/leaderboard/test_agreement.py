from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.agreement import (
    Share,
    Verdict,
    agreement,
    between_people,
    clustered_share,
    cohen_kappa,
    coincidence_matrix,
    krippendorff_alpha,
    majority,
    verdict,
)
from tests.leaderboard.votes import expected
from tests.shared import shared_data

SIDES = {"left": "model_a", "right": "model_b", "tie": "tie"}


def mt_bench(file: str, turn: int | None = None, judge: str = "") -> list[Verdict]:
    lines = shared_data(f"mt_bench_human/{file}").read_text().split("\n")
    rows = [json.loads(line) for line in lines if line]
    return [
        verdict(row["question_id"], row["turn"], row["model_a"], row["model_b"], row["winner"])
        for row in rows
        if turn in (None, row["turn"]) and judge in (row["judge"] if isinstance(row["judge"], str) else "")
    ]


def llmfao(file: str) -> list[Verdict]:
    path = shared_data(f"llmfao/{file}")
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        return [verdict(r["id"], 1, r["left"], r["right"], SIDES[r["winner"]]) for r in csv.DictReader(lines)]


def counts(share: Share) -> dict[str, int]:
    return {"agree": share.agree, "n": share.n}


def golden(entry: dict[str, Any]) -> dict[str, int]:
    return {"agree": entry["agree"], "n": entry["n"]}


def rows(*lines: str) -> Iterable[Verdict]:
    """Verdicts from lines such as "q1 a b tie"."""
    for line in lines:
        question, a, b, winner = line.split()
        yield verdict(question, 1, a, b, {"a": "model_a", "b": "model_b"}.get(winner, winner))


@pytest.mark.parametrize("turn", [1, 2])
def test_the_mt_bench_paper_is_met_to_the_vote(turn: int) -> None:
    want = expected("mt_bench_human")[f"turn{turn}"]
    judge, experts = mt_bench("gpt4_pair.jsonl", turn), mt_bench("human.jsonl", turn, "expert")
    found = agreement(judge, experts)
    assert counts(found.s1) == golden(want["gpt4_vs_expert_human"]["S1_with_ties_per_vote"])
    assert counts(found.s2) == golden(want["gpt4_vs_expert_human"]["S2_no_ties_per_vote"])
    assert counts(found.majority_s1) == golden(want["gpt4_vs_expert_human"]["S1_with_ties_vs_majority"])
    assert counts(found.majority_s2) == golden(want["gpt4_vs_expert_human"]["S2_no_ties_vs_majority"])
    among = between_people(experts)
    assert counts(among.s1) == golden(want["expert_vs_expert"]["S1_with_ties"])
    assert counts(among.s2) == golden(want["expert_vs_expert"]["S2_no_ties"])


def test_turn_one_of_mt_bench_reads_886_of_1343_and_727_of_859() -> None:
    found = agreement(mt_bench("gpt4_pair.jsonl", 1), mt_bench("human.jsonl", 1, "expert"))
    assert (found.s1.agree, found.s1.n, found.s2.agree, found.s2.n) == (886, 1343, 727, 859)
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx(0.496801, abs=1e-6)
    assert found.kappa_decided is not None
    assert found.kappa_decided.value == pytest.approx(0.758742, abs=1e-6)
    assert found.kappa.low < 0.45 < found.kappa.value < 0.55 < found.kappa.high + 0.01


def test_pairs_are_matched_whatever_their_order() -> None:
    found = agreement(mt_bench("gpt4_pair.jsonl"), mt_bench("human.jsonl"))
    want = expected("mt_bench_human")["all_turns_all_humans"]
    assert found.n_items == 1814
    assert counts(found.s1) == golden(want["S1_with_ties_per_vote"])
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx(want["S1_with_ties_vs_majority"]["cohen_kappa"], abs=1e-6)


@pytest.mark.parametrize(("file", "key"), [("judge_gpt4.csv", "gpt4"), ("judge_gpt35.csv", "gpt35")])
def test_the_crowd_against_two_judges_is_as_expected(file: str, key: str) -> None:
    want = expected("llmfao")[f"agreement_human_{key}"]
    found = agreement(llmfao(file), llmfao("votes.csv.gz"), rounds=50)
    for share, entry in (
        (found.s1, "S1_with_ties_per_vote"),
        (found.s2, "S2_no_ties_per_vote"),
        (found.majority_s1, "S1_with_ties_vs_majority"),
        (found.majority_s2, "S2_no_ties_vs_majority"),
    ):
        assert counts(share) == golden(want[entry])


def test_the_crowd_among_itself_is_as_expected() -> None:
    want = expected("llmfao")["agreement_human_human"]
    found = between_people(llmfao("votes.csv.gz"), rounds=50)
    assert counts(found.s1) == golden(want["S1_with_ties"])
    assert counts(found.s2) == golden(want["S2_no_ties"])


def test_krippendorffs_own_example_has_its_published_alpha() -> None:
    with shared_data("evalica_toy/codings.csv").open() as lines:
        raters = [[int(cell) if cell else 0 for cell in row] for row in csv.reader(lines)]
    units = [[code for code in unit if code] for unit in zip(*raters, strict=True)]
    assert float(krippendorff_alpha(coincidence_matrix(units, 6))) == pytest.approx(0.743, abs=0.0005)


def test_kappa_equals_the_textbook_example() -> None:
    # Cohen 1960: 20 yes/yes, 15 no/no, 5 + 10 apart gives kappa 0.4.
    assert float(cohen_kappa(np.array([[20.0, 5.0], [10.0, 15.0]]))) == pytest.approx(0.4)


def test_perfect_agreement_on_one_label_has_no_kappa_and_no_alpha() -> None:
    found = agreement(rows("q1 x y a", "q2 x y a"), rows("q1 x y a", "q2 x y a"))
    assert found.s1.rate == 1
    assert found.kappa is None
    assert found.alpha is None


def test_nothing_in_common_is_nothing_and_not_zero() -> None:
    found = agreement(rows("q1 x y a"), rows("q2 x y a"))
    assert found.s1 == Share(0, 0, None, None, None)
    assert (found.kappa, found.n_items, found.n_questions) == (None, 0, 0)


def test_one_vote_on_an_item_says_nothing_about_people_among_themselves() -> None:
    found = between_people(rows("q1 x y a", "q2 x y a", "q2 y x b", "q2 x y tie"))
    assert (found.s1.agree, found.s1.n, found.s2.agree, found.s2.n) == (1, 3, 1, 1)


def test_an_unknown_winner_never_becomes_a_tie() -> None:
    with pytest.raises(ValueError, match="unknown winner 'draw'"):
        verdict("q", 1, "x", "y", "draw")


def test_every_kind_of_tie_is_a_tie() -> None:
    assert {verdict("q", 1, "x", "y", w).label for w in ("tie", "tie (bothbad)", "tie (inconsistent)")} == {"tie"}


def test_the_majority_of_an_even_split_is_a_tie() -> None:
    assert majority([0, 0, 1]) == 0
    assert majority([0, 1]) == 2
    assert majority([1, 1, 0, 0, 2]) == 2


def test_votes_that_move_together_within_a_question_widen_the_interval() -> None:
    together = clustered_share(np.array([10.0, 0.0] * 20), np.full(40, 10.0))
    apart = clustered_share(np.full(40, 5.0), np.full(40, 10.0))
    assert (together.rate, apart.rate) == (0.5, 0.5)
    assert together.low is not None
    assert apart.low is not None
    assert together.low == pytest.approx(0.352, abs=0.002)
    assert apart.low == pytest.approx(0.451, abs=0.002)


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["model_a", "model_b", "tie"])), max_size=30))
def test_swapping_the_names_of_a_row_changes_nothing(votes: list[tuple[int, str]]) -> None:
    swap = {"model_a": "model_b", "model_b": "model_a", "tie": "tie"}
    judge = [verdict(q, 1, "x", "y", "model_a") for q in range(10)]
    straight = [verdict(q, 1, "x", "y", w) for q, w in votes]
    turned = [verdict(q, 1, "y", "x", swap[w]) for q, w in votes]
    assert agreement(judge, straight, rounds=5) == agreement(judge, turned, rounds=5)
