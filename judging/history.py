"""What each judging says of its judge: how it rated what must not change, kept run by run so that a drift is seen.

Anchors are pairs whose order is known and does not depend on the model that was judged: answers of known quality among
each other, and each canary below the complete answer to its question (for a judge of pairs: below the baseline).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from django.utils import timezone

from judging import bias, tally, trials
from judging.bias import Share
from judging.models import Judge, QuestionSet, TrialPoint
from judging.tally import Told
from runners.models import EvaluationRun

# The newest judgings that are held against all before them, and how many pairs both need to be.
RECENT = 3
ENOUGH = 20


@dataclass(frozen=True)
class Fall:
    """A judge's hit rate on its anchors fell: `low` and `high` are the 95 % interval of the difference."""

    before: Share
    now: Share
    low: float
    high: float


def note(run: EvaluationRun, judge: Judge, question_set: QuestionSet) -> TrialPoint | None:
    """Stores what this run's judging said of the judge; None where nothing was judged. Written anew when more is."""
    rows = [row for row in tally.told(run=run, judge=judge) if row.status != "pending"]
    point = TrialPoint.objects.filter(run=run, judge=judge).first()
    if not rows or (point is not None and point.n_judgments == len(rows)):
        return point
    people = trials.players_of(question_set)
    known = tally.told(
        judge=judge,
        canary="",
        status="done",
        subject__answer__question__question_set=question_set,
        subject__answer__quality__gt="",
        run__withdrawn_at=None,
    )
    order = _order(judge, rows, known, people)
    below = _below(rows, known, people)
    worthless = [points for row in rows if row.canary and (points := trials.points_of(row)) is not None]
    stored, _ = TrialPoint.objects.update_or_create(
        run=run,
        judge=judge,
        defaults={
            "question_set": question_set,
            "at": timezone.now(),
            "hits": order.hits + below.hits,
            "n": order.n + below.n,
            "canary_mean": fmean(worthless) if worthless else None,
            "n_canaries": len(worthless),
            "n_judgments": len(rows),
            "n_unread": sum(row.status != "done" for row in rows),
        },
    )
    return stored


def fall(points: Sequence[TrialPoint]) -> Fall | None:
    """Whether the newest judgings hit fewer anchors than all before them, oldest first; None where that isn't shown.

    Shown is a 95 % interval of the difference (Newcombe 1998) that lies below nothing.
    """
    told = [point for point in points if point.n]
    before, now = (
        Share(sum(point.hits for point in part), sum(point.n for point in part))
        for part in (told[:-RECENT], told[-RECENT:])
    )
    if before.interval is None or now.interval is None or min(before.n, now.n) < ENOUGH:
        return None
    assert before.value is not None and now.value is not None
    size = now.value - before.value
    (before_low, before_high), (now_low, now_high) = before.interval, now.interval
    low = size - ((now.value - now_low) ** 2 + (before_high - before.value) ** 2) ** 0.5
    high = size + ((now_high - now.value) ** 2 + (before.value - before_low) ** 2) ** 0.5
    return Fall(before, now, low, high) if high < 0 else None


def points_of(judge: Judge) -> dict[int, list[TrialPoint]]:
    """Question set → its points, oldest first. One query."""
    found: dict[int, list[TrialPoint]] = defaultdict(list)
    for point in TrialPoint.objects.filter(judge=judge, run__withdrawn_at=None).order_by("at", "pk"):
        found[point.question_set_id].append(point)
    return dict(found)


def _order(judge: Judge, rows: Sequence[Told], known: list[Told], people: Mapping[int, trials.Who]) -> Share:
    """The known orders in which this run's answers have a part."""
    own = {row.subject_id for row in rows}
    kinds = {people[key].quality for key in own if key in people and people[key].quality}
    others = [row for row in known if row.subject_id in own or people[row.subject_id].quality not in kinds]
    pairs = [pair for pair in bias.KNOWN_ORDER if not kinds.isdisjoint(pair)]
    # A pair has a score on both sides only where this run was judged: the rest have no part in it.
    asked = {people[key].question for key in own if key in people}
    told = [row for row in others if people[row.subject_id].question in asked]
    single = judge.mode == Judge.Mode.SINGLE
    scores = trials.known_scores(trials.against_complete(judge, told, people), people, single)
    return bias.known_order(scores, pairs).hits if kinds else Share(0, 0)


def _below(rows: Sequence[Told], known: Sequence[Told], people: Mapping[int, trials.Who]) -> Share:
    """This run's canaries below the complete answers to their questions, or below the baseline."""
    duels = [pair.winner for pair in tally.pairs_of(row for row in rows if row.canary) if pair.winner is not None]
    good: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in known:
        if people[row.subject_id].quality == "complete" and row.score is not None:
            good[people[row.subject_id].question, row.turn].append(row.score)
    singles = [
        row.score < fmean(good[key])
        for row in rows
        if row.canary and row.score is not None and (key := (people[row.subject_id].question, row.turn)) in good
    ]
    return Share(sum(winner == "left" for winner in duels) + sum(singles), len(duels) + len(singles))
