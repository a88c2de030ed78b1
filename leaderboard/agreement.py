"""Do judges and people agree? S1, S2, Cohen's kappa and Krippendorff's alpha, with intervals over questions.

S1 and S2 follow MT-Bench (Zheng et al. 2023, `compute_agreement.py`): every single human vote is compared with the
judge's one verdict on the same question, turn and unordered pair of models. S1 counts ties as a third outcome (chance
33 %); S2 drops every comparison in which either side is a tie (chance 50 %). Questions, not votes, are what was
sampled, so intervals resample or cluster by question. Biases and rank correlation are in `leaderboard.preference`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

from leaderboard.inference import Floats, Interval, wilson_interval

Label = Literal["first", "second", "tie"]
_CODE: dict[Label, int] = {"first": 0, "second": 1, "tie": 2}


class Item(NamedTuple):
    """What one verdict is about; `first` and `second` in alphabetical order, so that items match in any order."""

    question: str
    turn: int
    first: str
    second: str


@dataclass(frozen=True)
class Verdict:
    """One preference of one voter or judge on one item."""

    item: Item
    label: Label


def verdict(question: object, turn: int, model_a: str, model_b: str, winner: str) -> Verdict:
    """A verdict from a row of votes; `winner` is model_a, model_b or anything that starts with "tie".

    Raises ValueError for any other winner: an unknown outcome never becomes a tie.
    """
    if winner not in ("model_a", "model_b") and not winner.startswith("tie"):
        raise ValueError(f"unknown winner {winner!r}; use model_a, model_b, tie or tie (bothbad)")
    first, second = sorted((model_a, model_b))
    label: Label = "tie"
    if not winner.startswith("tie"):
        label = "first" if (winner == "model_a") == (model_a == first) else "second"
    return Verdict(Item(str(question), turn, first, second), label)


@dataclass(frozen=True)
class Share:
    """`agree` of `n` comparisons; rate and bounds 0..1 are None where there was nothing to compare."""

    agree: int
    n: int
    rate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Agreement:
    """A judge against people.

    s1, s2: per human vote; majority_s1, majority_s2: against the most frequent vote on the item (an even split is a
    tie); kappa, kappa_decided: Cohen's for the two; alpha: Krippendorff's (nominal) of judge and majority. Each is None
    where undefined. confusion[judge][people] counts items against the majority in the order first, second, tie.
    """

    s1: Share
    s2: Share
    majority_s1: Share
    majority_s2: Share
    kappa: Interval | None
    kappa_decided: Interval | None
    alpha: Interval | None
    confusion: tuple[tuple[int, ...], ...]
    n_items: int
    n_questions: int


@dataclass(frozen=True)
class PeopleAgreement:
    """People among themselves, over all pairs of votes on one item: the ceiling a judge can be held to."""

    s1: Share
    s2: Share
    alpha: Interval | None
    n_items: int
    n_questions: int


def agreement(judge: Iterable[Verdict], people: Iterable[Verdict], rounds: int = 1000, seed: int = 0) -> Agreement:
    """Compare a judge with people on the items both decided; of several verdicts on one item the last counts."""
    verdicts = {one.item: _CODE[one.label] for one in judge}
    votes = _by_item(vote for vote in people if vote.item in verdicts)
    index = _Questions.of(votes)
    per_vote, per_item = np.zeros((index.size, 3, 3)), np.zeros((index.size, 3, 3))
    for item, labels in votes.items():
        q, said = index.of_question[item.question], verdicts[item]
        for label in labels:
            per_vote[q, said, label] += 1
        per_item[q, said, majority(labels)] += 1
    coincidences = per_item + per_item.transpose(0, 2, 1)
    return Agreement(
        s1=clustered_share(_diagonal(per_vote), per_vote.sum(axis=(1, 2))),
        s2=clustered_share(_diagonal(per_vote[:, :2, :2]), per_vote[:, :2, :2].sum(axis=(1, 2))),
        majority_s1=clustered_share(_diagonal(per_item), per_item.sum(axis=(1, 2))),
        majority_s2=clustered_share(_diagonal(per_item[:, :2, :2]), per_item[:, :2, :2].sum(axis=(1, 2))),
        kappa=_resampled(cohen_kappa, per_item, rounds, seed),
        kappa_decided=_resampled(cohen_kappa, per_item[:, :2, :2], rounds, seed),
        alpha=_resampled(krippendorff_alpha, coincidences, rounds, seed),
        confusion=tuple(tuple(int(n) for n in row) for row in per_item.sum(axis=0)),
        n_items=len(votes),
        n_questions=index.size,
    )


def between_people(people: Iterable[Verdict], rounds: int = 1000, seed: int = 0) -> PeopleAgreement:
    """Agreement over all pairs of votes on the same item; items with one vote say nothing and are left out."""
    votes = {item: labels for item, labels in _by_item(people).items() if len(labels) > 1}
    index = _Questions.of(votes)
    pairs, coincidences = np.zeros((index.size, 3, 3)), np.zeros((index.size, 3, 3))
    for item, labels in votes.items():
        q = index.of_question[item.question]
        for one, other in combinations(labels, 2):
            pairs[q, one, other] += 1
        coincidences[q] += coincidence_matrix([labels], 3)
    decided = pairs[:, :2, :2]
    return PeopleAgreement(
        s1=clustered_share(_diagonal(pairs), pairs.sum(axis=(1, 2))),
        s2=clustered_share(_diagonal(decided), decided.sum(axis=(1, 2))),
        alpha=_resampled(krippendorff_alpha, coincidences, rounds, seed),
        n_items=len(votes),
        n_questions=index.size,
    )


def majority(labels: Sequence[int]) -> int:
    """The most frequent code; an even split at the top is a tie (code 2)."""
    (top, n), *rest = Counter(labels).most_common(2)
    return 2 if rest and rest[0][1] == n else top


def clustered_share(agree: Floats, n: Floats, level: float = 0.95) -> Share:
    """A proportion from per-question counts (Q,), with Wilson's interval at the effective sample size.

    The design effect is the cluster-robust variance of the ratio over the binomial one; where it can't be estimated
    (one question, or all alike) each question counts as one trial.
    """
    total, hits = float(n.sum()), float(agree.sum())
    if total == 0:
        return Share(0, 0, None, None, None)
    rate = hits / total
    questions = int((n > 0).sum())
    effective = float(questions)
    if questions > 1 and 0 < rate < 1:
        variance = questions / (questions - 1) * float(((agree - rate * n) ** 2).sum()) / total**2
        effective = min(total, rate * (1 - rate) / variance) if variance > 0 else total
    bounds = wilson_interval(rate * effective, effective, level)
    assert bounds is not None
    return Share(round(hits), round(total), rate, bounds.low, bounds.high)


def cohen_kappa(confusion: Floats) -> Floats:
    """Cohen's kappa (Cohen 1960) of (..., C, C) tables; NaN where chance agreement is already complete."""
    total = confusion.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(confusion, axis1=-2, axis2=-1) / total
        by_chance = (confusion.sum(axis=-1) * confusion.sum(axis=-2)).sum(axis=-1) / total**2
        return np.asarray(np.where(by_chance < 1, (observed - by_chance) / (1 - by_chance), np.nan))


def coincidence_matrix(units: Iterable[Sequence[int]], n_categories: int) -> Floats:
    """Krippendorff's coincidences (C, C): each unit of m >= 2 codes adds its ordered pairs, weighted 1/(m - 1)."""
    total = np.zeros((n_categories, n_categories))
    for codes in units:
        if len(codes) > 1:
            counts = np.bincount(codes, minlength=n_categories).astype(np.float64)
            total += (np.outer(counts, counts) - np.diag(counts)) / (len(codes) - 1)
    return total


def krippendorff_alpha(coincidences: Floats) -> Floats:
    """Nominal alpha (Krippendorff 2011) of (..., C, C) coincidences; NaN where only one code was ever used."""
    totals = coincidences.sum(axis=-1)
    n = totals.sum(axis=-1)
    by_chance = (totals * (totals - 1)).sum(axis=-1)
    observed = (n - 1) * np.trace(coincidences, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        room = n * (n - 1) - by_chance
        return np.asarray(np.where(room > 1e-9, (observed - by_chance) / room, np.nan))


@dataclass(frozen=True)
class _Questions:
    of_question: dict[str, int]

    @classmethod
    def of(cls, items: Iterable[Item]) -> _Questions:
        names = dict.fromkeys(item.question for item in items)
        return cls({name: i for i, name in enumerate(names)})

    @property
    def size(self) -> int:
        return len(self.of_question)


def _by_item(verdicts: Iterable[Verdict]) -> dict[Item, list[int]]:
    grouped: defaultdict[Item, list[int]] = defaultdict(list)
    for one in verdicts:
        grouped[one.item].append(_CODE[one.label])
    return dict(grouped)


def _diagonal(tables: Floats) -> Floats:
    return np.asarray(np.trace(tables, axis1=-2, axis2=-1))


def _resampled(statistic: Callable[[Floats], Floats], tables: Floats, rounds: int, seed: int) -> Interval | None:
    """Statistic of the summed (Q, C, C) tables with its percentile interval over resampled questions.

    None where the statistic is undefined or there are fewer than two questions to resample.
    """
    questions, c, _ = tables.shape
    value = float(statistic(tables.sum(axis=0))) if questions else math.nan
    if math.isnan(value) or questions < 2:
        return None
    draws = np.random.default_rng(seed).multinomial(questions, np.full(questions, 1 / questions), size=rounds)
    samples = statistic((draws @ tables.reshape(questions, c * c)).reshape(rounds, c, c))
    low, high = np.nanquantile(samples, [0.025, 0.975])
    return Interval(value, float(low), float(high))
