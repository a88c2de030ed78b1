from __future__ import annotations

import math
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.style import StyleCounts, count_style, style_of
from leaderboard.bradley_terry import NoMaximumError, PairCounts, rate
from leaderboard.bt.rows import Ridge
from leaderboard.style import FASTCHAT_RIDGE, rate_with_style, style_features
from tests.leaderboard.votes import names, synthetic

ANSWER = """# Title

1. one
2. two
  - nested
* star

**bold** and __also bold__, not ** this
```python
# comment
- not a list
```
### Third
"""


def styled(n: int, m: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Votes that like longer answers: left, right, outcome and the features."""
    random = np.random.default_rng(seed)
    left, right, _ = synthetic(n, m, seed)
    means = np.array([[300], [3], [6], [5]])
    features = style_features(random.poisson(means, (4, n)), random.poisson(means, (4, n)))
    theta = random.normal(0, 0.6, m)
    z = theta[left] - theta[right] + 0.3 * features[0]
    outcome = np.where(random.random(n) < 0.25, 2, np.where(random.random(n) < 1 / (1 + np.exp(-z)), 0, 1))
    return left, right, outcome, features


def test_both_sides_of_a_battle_are_measured_in_one_unit() -> None:
    assert style_of([("가나다", 7), ("라", 2)], [("abcd", 5)])["left"]["tokens"] == 9
    mixed = style_of([("가나다", 7), ("라", 2)], [("abcd", None)])
    assert (mixed["left"]["tokens"], mixed["right"]["tokens"]) == (4, 4)


def test_markdown_is_counted_outside_code() -> None:
    assert count_style(ANSWER, tokens=40) == StyleCounts(length=40, headers=2, lists=4, bold=2)
    assert count_style("가나다").length == 3


@given(st.text(alphabet="#*-+_.1 \n`a", max_size=60))
def test_the_counts_are_those_of_the_arenas_patterns(text: str) -> None:
    prose = re.sub(r"```([^`]*)```", "", text)
    counts = count_style(text)
    assert counts.headers == sum(len(re.findall(rf"^#{{{n}}}\s", prose, re.MULTILINE)) for n in range(1, 7))
    lists = [r"^\s*\d+\.\s", r"^\s*[-*+]\s"]
    assert counts.bold == sum(len(re.findall(pattern, prose)) for pattern in (r"\*\*[^*\n]+\*\*", r"__[^_\n]+__"))
    assert counts.lists == sum(len(re.findall(pattern, prose, re.MULTILINE)) for pattern in lists)


def test_a_page_of_empty_lines_is_counted_at_once() -> None:
    begin = time.process_time()
    count_style("\n" * 30_000 + " " * 30_000)
    assert time.process_time() - begin < 0.5


def test_swapping_the_sides_turns_the_sign_of_symmetric_features() -> None:
    a, b = np.array([[300, 10, 5], [1, 0, 2]]), np.array([[100, 30, 5], [0, 0, 5]])
    assert style_features(a, b) == pytest.approx(-style_features(b, a))


def test_the_published_definitions_are_met() -> None:
    a, b = np.array([[3.0, 0.0, 4.0]]), np.array([[1.0, 0.0, 6.0]])
    assert style_features(a, b, "arena-rank") == pytest.approx(np.array([[0.5, 0.0, -0.2]]))
    ratio = np.array([2 / 5, 0, -2 / 11])
    assert style_features(a, b, "fastchat")[0] == pytest.approx((ratio - ratio.mean()) / ratio.std())


def test_without_covariates_style_control_is_bradley_terry() -> None:
    left, right, outcome, _ = styled(3000, 6)
    found = rate_with_style(names(6), left, right, outcome, np.zeros((4, 3000)))
    plain = rate(PairCounts.from_votes(names(6), left, right, outcome))
    assert [row.rating for row in found.table.rows] == pytest.approx([row.rating for row in plain.rows], abs=1e-6)
    assert found.table.covariance == pytest.approx(plain.covariance, abs=1e-10)
    assert [c.value for c in found.coefficients] == [None] * 4


@pytest.mark.parametrize("ridge", [Ridge(), FASTCHAT_RIDGE])
def test_the_penalised_likelihood_is_at_its_maximum(ridge: Ridge) -> None:
    left, right, outcome, features = styled(5000, 7)
    found = rate_with_style(names(7), left, right, outcome, features, ridge=ridge)
    theta, beta = found.table.strengths, np.array([c.value for c in found.coefficients], dtype=float)
    residual = np.choose(outcome, [1.0, 0.0, 0.5]) - 1 / (1 + np.exp(-(theta[left] - theta[right] + beta @ features)))
    slope = np.bincount(left, residual, 7) - np.bincount(right, residual, 7)
    assert slope == pytest.approx(ridge.strengths * theta, abs=1e-6)
    assert features @ residual == pytest.approx(ridge.coefficients * beta, abs=1e-6)


def test_the_sandwich_equals_the_one_over_rows() -> None:
    left, right, outcome, features = styled(4000, 5)
    found = rate_with_style(names(5), left, right, outcome, features)
    beta = np.array([c.value for c in found.coefficients], dtype=float)
    design = np.zeros((4000, 9))
    design[np.arange(4000), left], design[np.arange(4000), right] = 1, -1
    design[:, 5:] = features.T
    p = 1 / (1 + np.exp(-design @ np.concatenate([found.table.strengths, beta])))
    residual = np.choose(outcome, [1.0, 0.0, 0.5]) - p
    bread = np.linalg.pinv(design.T @ (design * (p * (1 - p))[:, None]))
    rows = bread @ (design.T @ (design * (residual**2)[:, None])) @ bread
    assert found.table.covariance == pytest.approx(rows[:5, :5], rel=1e-3, abs=1e-9)
    length = found.coefficients[0]
    assert length.high is not None
    assert length.value is not None
    assert (length.high - length.value) / 1.959964 == pytest.approx(math.sqrt(rows[5, 5]), rel=1e-3)


def test_a_taste_for_length_is_found_and_taken_out() -> None:
    found = rate_with_style(names(6), *styled(20_000, 6))
    by_name = {c.feature: c for c in found.coefficients}
    length, bold = by_name["length"], by_name["bold"]
    assert length.low is not None
    assert length.low > 0.18
    assert bold.low is not None
    assert bold.high is not None
    assert bold.low < 0 < bold.high


def test_many_rows_go_through_the_subsample_and_end_at_the_same_place() -> None:
    votes = styled(40_000, 4)
    found = rate_with_style(names(4), *votes)
    left, right, outcome, features = votes
    turned = rate_with_style(names(4), right, left, np.choose(outcome, [1, 0, 2]), -features)
    assert turned.table.strengths == pytest.approx(found.table.strengths, abs=1e-9)


def newtons(votes: tuple[np.ndarray, ...], m: int) -> np.ndarray:
    """Strengths and coefficients by plain Newton on the dense design, a second solver."""
    left, right, outcome, features = votes
    design = np.zeros((left.size, m + len(features)))
    design[np.arange(left.size), left], design[np.arange(left.size), right] = 1, -1
    design[:, m:] = features.T
    y, found = np.choose(outcome, [1.0, 0.0, 0.5]), np.zeros(m + len(features))
    for _ in range(25):
        p = 1 / (1 + np.exp(-design @ found))
        information = design.T @ (design * (p * (1 - p))[:, None])
        found = found + np.linalg.lstsq(information, design.T @ (y - p), rcond=1e-12)[0]
    found[:m] -= found[:m].mean()
    return found


@pytest.mark.parametrize(("n", "m", "own_style"), [(400, 4, 0.0), (20_000, 4, 2.0), (6000, 30, 1.0), (3000, 40, 0.0)])
def test_a_second_solver_agrees(n: int, m: int, own_style: float) -> None:
    left, right, outcome, features = styled(n, m, seed=n)
    style = np.random.default_rng(0).normal(0, own_style, (4, m))
    votes = left, right, outcome, features + style[:, left] - style[:, right]
    found = rate_with_style(names(m), *votes)
    expected = newtons(votes, m)
    assert found.table.strengths == pytest.approx(expected[:m], abs=1e-8)
    assert [c.value for c in found.coefficients] == pytest.approx(expected[m:], abs=1e-8)


def test_features_in_single_precision_give_the_same_ratings() -> None:
    left, right, outcome, features = styled(20_000, 6)
    single = rate_with_style(names(6), left, right, outcome, features.astype(np.float32))
    double = rate_with_style(names(6), left, right, outcome, features)
    assert single.table.strengths == pytest.approx(double.table.strengths, abs=1e-7)


def test_a_newcomer_with_few_votes_among_many_is_rated() -> None:
    left, right, outcome, features = styled(50_000, 4)
    meets, wins = np.array([0, 1, 2, 0, 1]), np.array([0, 1, 0, 0, 2])
    more = np.append(left, [4] * 5), np.append(right, meets), np.append(outcome, wins)
    votes = (*more, np.hstack([features, np.full((4, 5), 0.1)]))
    found = rate_with_style(names(5), *votes)
    assert found.table.strengths == pytest.approx(newtons(votes, 5)[:5], abs=1e-8)


def test_votes_cast_in_turns_do_not_matter() -> None:
    left, right, outcome, features = styled(17_000, 6)
    order = np.argsort(left * 6 + right, kind="stable")
    votes = tuple(column[..., order] for column in (left, right, outcome, features))
    assert rate_with_style(names(6), *votes).table.strengths == pytest.approx(newtons(votes, 6)[:6], abs=1e-8)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_any_core_is_rated_or_refused_never_wrong(seed: int) -> None:
    random = np.random.default_rng(seed)
    n, m = int(random.integers(20, 200)), int(random.integers(2, 8))
    left = random.integers(0, m, n)
    right = (left + random.integers(1, m, n)) % m
    features = random.normal(0, random.choice([0.1, 1, 10]), (4, n))
    score = random.choice([0, 1, 2], n)
    ridge = Ridge(0.1, 0.1)
    table = rate_with_style(names(m), left, right, score, features, ridge=ridge)
    theta, beta = table.table.strengths, np.array([c.value for c in table.coefficients], dtype=float)
    inside = ~np.isnan(theta)
    kept = inside[left] & inside[right]
    if not inside.any():
        return
    logit = theta[left[kept]] - theta[right[kept]] + beta @ features[:, kept]
    residual = np.choose(score[kept], [1.0, 0.0, 0.5]) - 1 / (1 + np.exp(-logit))
    assert features[:, kept] @ residual == pytest.approx(ridge.coefficients * beta, abs=1e-5)


def test_the_order_of_the_votes_does_not_matter() -> None:
    votes = styled(3000, 5)
    order = np.random.default_rng(1).permutation(3000)
    shuffled = [column[..., order] for column in votes]
    first, second = rate_with_style(names(5), *votes), rate_with_style(names(5), *shuffled)
    assert second.table.strengths == pytest.approx(first.table.strengths, abs=1e-9)


def test_models_outside_the_core_are_listed_and_disturb_nobody() -> None:
    left, right, outcome, features = styled(2000, 5)
    more = np.append(left, 5), np.append(right, 0), np.append(outcome, 0), np.hstack([features, np.ones((4, 1))])
    found = rate_with_style(names(6), *more)
    assert found.table.rows[5].status == "only_wins"
    alone = rate_with_style(names(5), left, right, outcome, features)
    assert found.table.strengths[:5] == pytest.approx(alone.table.strengths, abs=1e-9)


def test_nobody_rated_has_no_coefficients() -> None:
    found = rate_with_style(["a", "b"], [0], [1], [0], np.ones((4, 1)))
    assert found.table.warnings == ("nobody_rated",)
    assert found.coefficients[0].value is None


def test_a_feature_that_decides_every_vote_has_no_finite_coefficient() -> None:
    outcome = np.array([0, 1] * 20)
    decisive = np.where(outcome == 0, 1.0, -1.0)[None, :]
    with pytest.raises(NoMaximumError, match="ridge"):
        rate_with_style(["a", "b"], [0] * 40, [1] * 40, outcome, decisive, names=["length"])
    tamed = rate_with_style(["a", "b"], [0] * 40, [1] * 40, outcome, decisive, names=["length"], ridge=Ridge(0, 1))
    assert tamed.coefficients[0].value is not None
