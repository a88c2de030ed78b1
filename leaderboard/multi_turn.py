"""The board of a multi-turn question set under one judge, one prompting mode and one choice of the two switches.

The numbers are stored ones (`judging.standings`); here they are ranked, compared with the ranking without any switch,
and held against the judge's noise floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext_lazy as _

from judging import standings
from judging.bias import NoiseFloor, Share
from judging.models import Judge, JudgedRun, JudgeTrial, QuestionSet
from judging.scores import Mean
from leaderboard import listing
from leaderboard.models import Rollback
from leaderboard.multi_turn_choice import Choice
from leaderboard.multi_turn_ranks import Span, possible_ranks
from runners.models import Alarm, LanguageModel, Suite

NOTHING = Mean(None, None, None, 0, 0)
FAILURES = {
    "unparsable": _("unreadable verdicts"),
    "refused": _("judge refused"),
    "error": _("judge failed"),
    "failed": _("answer failed"),
    "truncated": _("answer cut off"),
    "empty": _("answer empty"),
}


@dataclass(frozen=True)
class Row:
    """One model in one mode. Ranks are None where there is no mean; `gap` is the distance to the row above.

    `rank` counts from 1 by the mean, rank_low..rank_high are the ranks that the questions allow; the `plain_` ones
    are without any switch. `is_noise` says that the gap is below the judge's noise floor (None: not measured).
    `rollback` and `drift` as in `boards.Row`.
    """

    judged: JudgedRun
    overall: Mean
    turns: Mapping[int, Mean]
    categories: Mapping[str, Mean]
    cells: Mapping[tuple[str, int], Mean]
    plain: Mean
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    plain_rank: int | None = None
    gap: float | None = None
    is_noise: bool | None = None
    margin: float | None = None
    rollback: Rollback | None = None
    drift: Alarm | None = None

    @property
    def language_model(self) -> LanguageModel:
        return self.judged.run.revision.language_model

    @property
    def moved(self) -> int:
        """How many ranks the switches move it up; negative is down."""
        return 0 if self.rank is None or self.plain_rank is None else self.plain_rank - self.rank

    @property
    def fell(self) -> int:
        """How many ranks the switches move it down."""
        return max(0, -self.moved)

    @property
    def won(self) -> int | None:
        """What its answers cost, in won; None where no price is known."""
        cost, rate = self.judged.answer_cost_usd, self.judged.krw_per_usd
        return None if cost is None or rate is None else round(cost * rate)

    @property
    def failures(self) -> dict[str, int]:
        """What was not read, not got, cut off or empty, by what happened; zeroes included."""
        judged = self.judged
        return {
            "unparsable": judged.n_unparsable,
            "refused": judged.n_refused,
            "error": judged.n_error,
            "failed": judged.n_failed,
            "truncated": judged.n_truncated,
            "empty": judged.n_empty,
        }

    @property
    def n_failures(self) -> int:
        return sum(self.failures.values())

    @property
    def failed_parts(self) -> list[tuple[str, int]]:
        """The failures that happened, in words."""
        return [(str(FAILURES[name]), n) for name, n in self.failures.items() if n]


@dataclass(frozen=True)
class Trust:
    """How far the judge of a board can be trusted; None is "not measured"."""

    known_order: Share | None
    is_red: bool
    noise: NoiseFloor | None
    canaries: int

    @classmethod
    def of(cls, trial: JudgeTrial | None) -> Trust:
        if trial is None:
            return cls(None, False, None, 0)
        order, noise = trial.report.get("known_order") or {}, trial.report.get("noise") or {}
        hits, agreement = order.get("hits") or {}, noise.get("agreement") or {}
        floor = NoiseFloor(
            noise.get("deviation"), noise.get("turns") or 0, noise.get("repeats") or 0.0,
            Share(agreement.get("hits", 0), agreement.get("n", 0)),
        )  # fmt: skip
        return cls(
            known_order=Share(hits["hits"], hits["n"]) if hits.get("n") else None,
            is_red=trial.is_red,
            noise=floor if floor.deviation is not None else None,
            canaries=len((trial.report.get("canaries") or {}).get("rows") or ()),
        )


@dataclass(frozen=True)
class MultiTurnBoard:
    """The board as chosen: rows best first, those without a mean last. `n_moved` rows change their rank."""

    suite: Suite
    question_set: QuestionSet
    judge: Judge | None
    judges: list[Judge]
    modes: list[str]
    mode: str
    trust: Trust
    categories: list[str]
    n_turns: int
    scale: tuple[float, float]
    rows: list[Row]

    @property
    def n_moved(self) -> int:
        return sum(row.moved != 0 for row in self.rows)

    @property
    def n_asked(self) -> int:
        """The most questions that any row was asked; rows with fewer say so."""
        return max((row.judged.n_questions for row in self.rows), default=0)

    def shown(self, models: tuple[int, ...]) -> list[Row]:
        """The rows of the chosen runs, or the first three that have a mean."""
        chosen = [row for row in self.rows if row.judged.run_id in models]
        return chosen or [row for row in self.rows if row.rank is not None and row.categories][:3]


def listed(question_set: QuestionSet, judge: Judge, mode: str = "") -> list[JudgedRun]:
    """The runs that stand on a judge's board of one prompting mode, best first, as the judge said. Four queries."""
    modes = standings.modes_of(question_set, judge)
    chosen = mode if mode in modes else next(iter(modes), "default")
    rows = [(_row(one, Choice()).overall.value, one) for one in
            _judged(question_set, judge, chosen, listing.rollbacks(question_set.suite))]  # fmt: skip
    return [one for _value, one in sorted(rows, key=lambda row: (row[0] is None, -(row[0] or 0.0), row[1].run_id))]


def build(suite: Suite, choice: Choice) -> MultiTurnBoard:
    """The board of a choice. Eleven queries. Raises QuestionSet.DoesNotExist for another kind of suite."""
    question_set = QuestionSet.objects.get(suite=suite)
    judges = standings.judges_of(question_set)
    judge = chosen_judge(judges, choice.judge)
    modes = standings.modes_of(question_set, judge) if judge else []
    mode = choice.mode if choice.mode in modes else next(iter(modes), "default")
    trust = Trust.of(standings.trial(judge, question_set) if judge else None)
    backs, drifts = listing.rollbacks(suite), listing.drifts()
    rows = [
        replace(
            _row(one, choice),
            rollback=backs.get(listing.place_of(one.run)),
            drift=drifts.get(one.run.revision_id),
        )
        for one in (_judged(question_set, judge, mode, backs) if judge else [])
    ]
    spans = (
        possible_ranks([row.judged for row in rows], [row.overall for row in rows], question_set, judge, choice)
        if judge
        else []
    )
    ranked = _ranked(rows, spans, trust)
    categories = _categories(question_set, ranked)
    scale = (0.0, 100.0) if judge and judge.mode != Judge.Mode.SINGLE else (0.0, 10.0)
    turns = max((turn for row in ranked for turn in row.turns), default=2)
    return MultiTurnBoard(
        suite, question_set, judge, judges, modes, mode, trust, categories, turns, scale, ranked
    )  # fmt: skip


def _judged(
    question_set: QuestionSet, judge: Judge, mode: str, backs: Mapping[listing.Place, Rollback]
) -> list[JudgedRun]:
    """Per revision the newest judged run that operators leave on the board."""
    off = set(listing.off_boards())
    found: dict[int, JudgedRun] = {}
    for one in standings.judged_runs(question_set, judge, every=bool(backs)):
        revision = one.run.revision
        if one.mode != mode or revision.language_model.hidden_reason or revision.pk in off:
            continue
        if listing.admits(backs.get(listing.place_of(one.run)), one.run):
            found.setdefault(revision.pk, one)
    return list(found.values())


def chosen_judge(judges: list[Judge], asked: str) -> Judge | None:
    """The judge that an address names by slug or slug@version; the first of the list where it names none of them."""
    slug, _, version = asked.partition("@")
    named = [judge for judge in judges if judge.slug == slug and (not version or str(judge.version) == version)]
    return next(iter(named or judges), None)


def _row(judged: JudgedRun, choice: Choice) -> Row:
    """A row before it is ranked."""
    standing, plain = judged.standing(choice.failures, choice.language), judged.standing()
    if standing is None or plain is None:
        overall = _against_baseline(judged)
        return Row(judged, overall, {}, {}, {}, overall)
    return Row(judged, standing.overall, standing.turns, standing.categories, standing.cells, plain.overall)


def _against_baseline(judged: JudgedRun) -> Mean:
    """A judge of pairs gives one share, in per cent; the switches do not touch it."""
    strict = judged.numbers.get("strict") or {}
    games = strict.get("battles") or 0
    return Mean(strict.get("score"), strict.get("low"), strict.get("high"), games, strict.get("failed") or 0)


def _ranked(rows: list[Row], spans: list[Span], trust: Trust) -> list[Row]:
    """Best first, with the rank by the mean, the span of possible ranks, and the distance to the row above."""
    plain = _places([row.plain.value for row in rows])
    placed = _places([row.overall.value for row in rows])
    done = [
        replace(
            row,
            rank=placed[i],
            plain_rank=plain[i],
            rank_low=spans[i][0],
            rank_high=spans[i][1],
            **_noise(row, trust),
        )
        for i, row in enumerate(rows)
    ]
    done.sort(key=lambda row: (row.rank is None, row.rank or 0, row.language_model.slug))
    return [done[0], *(_after(above, row, trust) for above, row in pairwise(done))] if done else []


def _places(values: list[float | None]) -> list[int | None]:
    """Rank from 1 by value, equal values sharing the better one; None without a value."""
    known = sorted((value for value in values if value is not None), reverse=True)
    first = {value: place for place, value in reversed(list(enumerate(known, start=1)))}
    return [None if value is None else first[value] for value in values]


def _noise(row: Row, trust: Trust) -> dict[str, Any]:
    """The ± that the judge's own noise puts on the mean."""
    if trust.noise is None or not row.overall.n or not row.turns:
        return {}
    repeats = max(trust.noise.repeats, 1.0)
    return {"margin": trust.noise.margin(max(1, round(row.overall.n / repeats)), repeats)}


def _after(above: Row, row: Row, trust: Trust) -> Row:
    """The row with its distance to the one above, and whether that is less than the judge's noise."""
    if above.overall.value is None or row.overall.value is None:
        return row
    gap = above.overall.value - row.overall.value
    if trust.noise is None or not row.turns:
        return replace(row, gap=gap)
    repeats = max(trust.noise.repeats, 1.0)
    turns = max(1, round(row.overall.n / repeats))
    return replace(row, gap=gap, is_noise=trust.noise.is_noise(gap, turns, repeats))


def _categories(question_set: QuestionSet, rows: list[Row]) -> list[str]:
    """The categories in the order of the questions, as far as any row has them."""
    known = {name for row in rows for name in row.categories}
    ordered = question_set.questions.values_list("category", flat=True).order_by("position")
    return [name for name in dict.fromkeys(ordered) if name in known]
