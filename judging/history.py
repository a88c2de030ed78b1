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
Z95 = 1.959963984540054


CANARY = "canary"


@dataclass(frozen=True)
class Fall:
    """A judge's hit rate on its anchors fell: `before` is what the same kinds of pairs had until then, 0..1; `low` and
    `high` are the 95 % interval of the difference."""

    before: float
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
    kinds = {**_order(judge, rows, known, people), CANARY: _below(rows, known, people)}
    kinds = {kind: share for kind, share in kinds.items() if share.n}
    worthless = [points for row in rows if row.canary and (points := trials.points_of(row)) is not None]
    stored, _ = TrialPoint.objects.update_or_create(
        run=run,
        judge=judge,
        defaults={
            "question_set": question_set,
            "at": timezone.now(),
            "hits": sum(share.hits for share in kinds.values()),
            "n": sum(share.n for share in kinds.values()),
            "kinds": {kind: [share.hits, share.n] for kind, share in kinds.items()},
            "canary_mean": fmean(worthless) if worthless else None,
            "n_canaries": len(worthless),
            "n_judgments": len(rows),
            "n_unread": sum(row.status != "done" for row in rows),
        },
    )
    return stored


def fall(points: Sequence[TrialPoint]) -> Fall | None:
    """Whether the newest judgings hit fewer anchors than all before them, oldest first; None where that isn't shown.

    Kinds of pairs differ in how hard they are, and each judging has its own: each kind is compared with itself, and
    the differences are summed as the newest judgings have them. The interval adds one hit and one miss to both sides of
    each kind (Agresti and Caffo 2000); shown is one that lies below nothing.
    """
    told = [point for point in points if point.n]
    before, now = _pooled(told[:-RECENT]), _pooled(told[-RECENT:])
    both = [kind for kind in now if kind in before]
    total, earlier = sum(now[kind].n for kind in both), sum(before[kind].n for kind in both)
    if min(total, earlier) < ENOUGH:
        return None
    size = variance = was = 0.0
    for kind in both:
        weight, parts = now[kind].n / total, [(share.hits + 1, share.n + 2) for share in (now[kind], before[kind])]
        (new, n_new), (old, n_old) = parts
        size += weight * (new / n_new - old / n_old)
        was += weight * before[kind].hits / before[kind].n
        variance += weight**2 * sum(hits / n * (1 - hits / n) / n for hits, n in parts)
    half = Z95 * variance**0.5
    if size + half >= 0:
        return None
    return Fall(was, Share(sum(now[kind].hits for kind in both), total), size - half, size + half)


def _pooled(points: Sequence[TrialPoint]) -> dict[str, Share]:
    found: dict[str, Share] = {}
    for point in points:
        for kind, (hits, n) in point.kinds.items():
            share = found.get(kind, Share(0, 0))
            found[kind] = Share(share.hits + hits, share.n + n)
    return found


def points_of(judge: Judge) -> dict[int, list[TrialPoint]]:
    """Question set → its points, oldest first. One query."""
    found: dict[int, list[TrialPoint]] = defaultdict(list)
    for point in TrialPoint.objects.filter(judge=judge, run__withdrawn_at=None).order_by("at", "pk"):
        found[point.question_set_id].append(point)
    return dict(found)


def _order(judge: Judge, rows: Sequence[Told], known: list[Told], people: Mapping[int, trials.Who]) -> dict[str, Share]:
    """By kind `better>worse`, the known orders in which this run's answers have a part."""
    own = {row.subject_id for row in rows}
    kinds = {people[key].quality for key in own if key in people and people[key].quality}
    others = [row for row in known if row.subject_id in own or people[row.subject_id].quality not in kinds]
    pairs = [pair for pair in bias.KNOWN_ORDER if not kinds.isdisjoint(pair)]
    # A pair has a score on both sides only where this run was judged: the rest have no part in it.
    asked = {people[key].question for key in own if key in people}
    told = [row for row in others if people[row.subject_id].question in asked]
    single = judge.mode == Judge.Mode.SINGLE
    scores = trials.known_scores(trials.against_complete(judge, told, people), people, single)
    return {f"{better}>{worse}": share for (better, worse), share in bias.known_order(scores, pairs).pairs.items()}


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
