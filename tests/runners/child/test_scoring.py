from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.child import mathematics, scoring
from runners.child.markers import FAILED

CHOICE = {"options": ["서울", "부산", "대구", "인천"], "gold": 1, "accepted": None}
SHORT = {"options": ["배", "사과"], "gold": 1, "accepted": ["사과", "능금"]}


def score(score_reply: Any, extract: type[scoring.Extract], doc: dict[str, Any], reply: str) -> dict[str, Any]:
    ((answer,),) = extract().apply([[reply]], [doc])
    found: dict[str, Any] = score_reply(doc, [answer])
    return found


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_macro_f1_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    gold, chosen = zip(*pairs, strict=True)
    assert scoring.macro_f1(pairs) == pytest.approx(metrics.f1_score(gold, chosen, average="macro", zero_division=0))


def test_no_answer_is_no_class_of_macro_f1_but_costs_recall() -> None:
    assert scoring.macro_f1([(0, 0), (1, 1), (0, -1), (1, -1)]) == pytest.approx(2 / 3)
    assert scoring.macro_f1([(0, -1), (1, -1)]) == 0.0


def test_the_bootstrap_of_a_mean_comes_near_its_closed_form_and_repeats() -> None:
    values = [float(n % 3 == 0) for n in range(300)]
    closed = scoring.mean_stderr(values)
    drawn = scoring.bootstrap_stderr(lambda x: float(np.mean(x)), values, seed=7)
    assert closed is not None
    assert drawn == pytest.approx(closed, rel=0.1)
    assert drawn == scoring.bootstrap_stderr(lambda x: float(np.mean(x)), values, seed=7)


def test_one_item_has_no_standard_error() -> None:
    found = scoring.summarise([{"metrics": ["acc", "f1"], "acc": 1.0, "f1": (0, 0)}])
    assert (found["acc"].value, found["acc"].stderr, found["f1"].stderr) == (1.0, None, None)


def test_failed_items_are_in_no_value() -> None:
    rows = [{"metrics": ["acc"], "acc": 1.0}, {"metrics": []}, {"metrics": ["acc"], "acc": 0.0}]
    assert scoring.summarise(rows)["acc"].value == 0.5
    assert scoring.summarise([{"metrics": []}]) == {}


@pytest.mark.parametrize(
    ("reply", "acc", "no_answer"),
    [("정답: B", 1, 0), ("부산", 1, 0), ("②", 1, 0), ("정답: C", 0, 0), ("모르겠다", 0, 1), ("", 0, 1)],
)
def test_a_choice_is_right_wrong_or_no_answer(reply: str, acc: int, no_answer: int) -> None:
    assert score(scoring.choice_reply, scoring.Choice, CHOICE, reply) == {"acc": acc, "no_answer": no_answer}


@pytest.mark.parametrize(
    ("reply", "acc", "no_answer"),
    [("정답: 사과", 1, 0), ("능금입니다.", 1, 0), ("배", 0, 0), ("<think>사과", 0, 1)],
)
def test_a_short_answer_is_right_in_any_accepted_spelling(reply: str, acc: int, no_answer: int) -> None:
    assert score(scoring.item_reply, scoring.ItemAnswer, SHORT, reply) == {"acc": acc, "no_answer": no_answer}


@pytest.mark.parametrize(
    ("reply", "gold", "right"),
    [
        (r"풀이... $\boxed{1,234}$", "1234", 1),
        (r"\boxed{\dfrac{3}{4}}", "0.75", 1),
        (r"\boxed{x = 5}", "5", 1),
        (r"\boxed{\frac{\sqrt{3}}{2}}", r"\frac{\sqrt3}{2}", 1),
        ("따라서 답은 42입니다.", "42", 1),
        (r"\boxed{7} 아니다, \boxed{8}", "8", 1),
        (r"\boxed{3}", "30", 0),
        ("풀 수 없다", "30", 0),
    ],
)
def test_a_final_answer_is_compared_by_value_or_by_spelling(reply: str, gold: str, right: int) -> None:
    doc = {"options": [], "gold": None, "answer": gold}
    assert score(scoring.number_reply, scoring.Number, doc, reply)["exact_match"] == right


def test_an_unclosed_box_holds_nothing() -> None:
    assert mathematics.last_boxed(r"\boxed{12") is None
    assert mathematics.last_boxed(r"\boxed{\frac{1}{2}} 끝") == r"\frac{1}{2}"


def test_a_failed_request_is_scored_in_no_mode() -> None:
    assert score(scoring.choice_reply, scoring.Choice, CHOICE, FAILED) == {}
    assert score(scoring.item_reply, scoring.ItemAnswer, SHORT, FAILED) == {}
    assert scoring.letter_likelihoods(CHOICE, [(-1.0, True), (math.nan, False), (-2.0, False), (-3.0, False)]) == {}


def test_acc_norm_divides_by_the_characters_of_an_option() -> None:
    doc = {"options": ["가", "가나다라"], "gold": 1}
    found = scoring.text_likelihoods(doc, [(-2.0, False), (-4.0, False)])
    assert (found["acc"], found["acc_norm"], found["f1"]) == (0.0, 1.0, (1, 0))
