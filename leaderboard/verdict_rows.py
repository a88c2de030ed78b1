"""Verdicts of people and of judges on the same items, read from the store: imported votes and this site's judgments.

An item is what was compared: question, turn and the unordered pair of answers. A vote on a battle is on the whole
conversation (turn 0), and a pair of answers is then a pair of conversations; a judge's verdicts on single turns or in
both orders are put together as MT-Bench does: orders that disagree are a tie.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import Max, Q

from arena import tallies
from arena.models import VoteSource
from arena.votes_import import JUDGE
from judging.models import Judge, Judgment
from leaderboard.agreement import Item, Label, Verdict
from leaderboard.preference import Side

TIE_DELTA: Final = 0.1
"""Two single scores closer than this are a tie (FastChat's conversion of single grades to pairs)."""
_POINTS: Final = {"A>>B": 1.0, "A>B": 1.0, "A=B": 0.5, "B>A": 0.0, "B>>A": 0.0}
_WON: Final = {"a": 1.0, "b": 0.0}
_MARK: Final = "\x1f"


@dataclass(frozen=True)
class PeopleVote:
    """One counted vote. `month` and `week` (its Monday) in UTC; `lengths`: of the answers in the item's order, where
    known; `battle`: its key once shared.
    """

    verdict: Verdict
    winner: str
    turn: int | None
    category: str
    language: str
    voters: str
    month: str
    week: str
    lengths: tuple[int, int] | None
    battle: str


@dataclass(frozen=True)
class JudgeVerdicts:
    """Everything one judge said on the items of a source.

    sides: per verdict, which answer on the screen won, where one order was shown; games: (original, swapped) sides of
    those shown in both orders; n_flipped of n_both: verdicts an import marks as flipped with the order.
    """

    slug: str
    name: str
    family: str
    verdicts: list[Verdict]
    sides: list[Side]
    games: list[tuple[Side | None, Side | None]]
    n_flipped: int
    digest: str


def model_of(answer: str) -> str:
    """The revision's slug in an item's `first` or `second`."""
    return answer.partition(_MARK)[0]


def people(source: VoteSource) -> list[PeopleVote]:
    """The counted votes of a source that are about a known item."""
    votes = tallies.counted(source).filter(Q(battle__isnull=False) | ~Q(item="")).order_by("pk")
    fields = (
        "battle_id", "battle__left_id", "battle__right_id", "battle__key", "battle__shared_at", "item", "turn",
        "left__slug", "right__slug", "winner", "category", "language", "voter__kind", "cast_at", "style",
    )  # fmt: skip
    return [_people_vote(row) for row in votes.values(*fields).iterator(chunk_size=5000)]


def _people_vote(row: dict[str, Any]) -> PeopleVote:
    left, right, battle = row["left__slug"], row["right__slug"], row["battle_id"]
    question, turn = row["item"], row["turn"] or 0
    if battle is not None:
        left, right = f"{left}{_MARK}{row['battle__left_id']}", f"{right}{_MARK}{row['battle__right_id']}"
        question, turn = question or f"battle/{battle}", 0
    lengths = _lengths(row["style"])
    return PeopleVote(
        verdict=_verdict(question, turn, left, right, _WON.get(row["winner"], 0.5)),
        winner=row["winner"],
        turn=row["turn"],
        category=row["category"],
        language=row["language"],
        voters=row["voter__kind"] or "",
        month=f"{row['cast_at']:%Y-%m}",
        week=f"{row['cast_at'] - timedelta(days=row['cast_at'].weekday()):%Y-%m-%d}",
        lengths=lengths[::-1] if lengths and left > right else lengths,
        battle=row["battle__key"] if row["battle__shared_at"] else "",
    )


def _lengths(style: dict[str, dict[str, int]] | None) -> tuple[int, int] | None:
    """Of the left and the right answer, where both are known."""
    found = [(style or {}).get(side, {}) for side in ("left", "right")]
    left, right = (one.get("length", one.get("tokens")) for one in found)
    return None if left is None or right is None else (int(left), int(right))


def _verdict(question: str, turn: int, left: str, right: str, points: float) -> Verdict:
    """`points` of the left answer, 1, 1/2 or 0."""
    first, second = sorted((left, right))
    label: Label = "tie"
    if points != 0.5:
        label = "first" if (points > 0.5) == (left == first) else "second"
    return Verdict(Item(question, turn, first, second), label)


def judges(source: VoteSource, votes: list[PeopleVote]) -> list[JudgeVerdicts]:
    """Every judge with verdicts on the items of a source: imported for it, or stored on the same conversations."""
    found = [
        imported
        for other in VoteSource.objects.exclude(judge="").order_by("slug")
        if (imported := _imported(other, source.slug)).verdicts
    ]
    pairs = {vote.verdict.item for vote in votes if _MARK in vote.verdict.item.first}
    if pairs:
        found += [stored for judge in Judge.objects.order_by("slug", "version") if (stored := _stored(judge, pairs))]
    return found


def _imported(judged: VoteSource, slug: str) -> JudgeVerdicts:
    votes = tallies.counted(judged).filter(item__startswith=f"{slug}/").order_by("pk")
    rows = votes.values_list("item", "turn", "left__slug", "right__slug", "winner", "reasons")
    verdicts, sides, n_flipped = [], [], 0
    for item, turn, left, right, winner, reasons in rows.iterator(chunk_size=5000):
        verdicts.append(_verdict(item, turn or 0, left, right, _WON.get(winner, 0.5)))
        n_flipped += "inconsistent" in reasons
        sides.append(_side(_WON.get(winner, 0.5)))
    last = votes.aggregate(last=Max("pk"))["last"]
    digest = hashlib.sha256(f"{last}/{len(verdicts)}".encode()).hexdigest()
    # A file that knows of flips holds verdicts over both orders: no side of theirs was seen alone.
    return JudgeVerdicts(
        judged.slug.removeprefix(JUDGE), judged.name.removeprefix(JUDGE), "", verdicts,
        [] if n_flipped else sides, [], n_flipped, digest,
    )  # fmt: skip


def _side(points: float) -> Side:
    return "tie" if points == 0.5 else "left" if points > 0.5 else "right"


def _stored(judge: Judge, pairs: set[Item]) -> JudgeVerdicts | None:
    """A judge's judgments of the conversations that people voted on, and of other pairs on the same questions."""
    done = Judgment.objects.filter(judge=judge, status=Judgment.Status.DONE, canary="")
    digest = hashlib.sha256(f"{done.aggregate(last=Max('pk'))}/{done.count()}/{len(pairs)}".encode()).hexdigest()
    if judge.mode == Judge.Mode.SINGLE:
        verdicts = _from_scores(done, pairs)
        sides: list[Side] = []
        games: list[tuple[Side | None, Side | None]] = []
    else:
        verdicts, sides, games = _from_pairs(done, pairs)
    if not verdicts:
        return None
    slug = judge.slug if judge.version == 1 else f"{judge.slug}@{judge.version}"
    return JudgeVerdicts(slug, judge.name, judge.family, verdicts, sides, games, 0, digest)


def _from_scores(done: Any, pairs: set[Item]) -> list[Verdict]:
    """Single grades of both conversations as a verdict; the mean over turns and repeats decides."""
    scores: defaultdict[str, list[float]] = defaultdict(list)
    rows = done.filter(rival=None, score__isnull=False).values_list("subject_id", "score")
    for conversation, score in rows.iterator(chunk_size=5000):
        scores[str(conversation)].append(score)
    means = {conversation: sum(values) / len(values) for conversation, values in scores.items()}
    verdicts = []
    for item in sorted(pairs):
        first, second = (means.get(answer.partition(_MARK)[2]) for answer in (item.first, item.second))
        if first is not None and second is not None:
            points = 0.5 if abs(first - second) < TIE_DELTA else float(first > second)
            verdicts.append(_verdict(item.question, item.turn, item.first, item.second, points))
    return verdicts


def _from_pairs(done: Any, pairs: set[Item]) -> tuple[list[Verdict], list[Side], list[tuple[Side | None, Side | None]]]:
    questions = _questions(pairs)
    rows = done.filter(rival__isnull=False).values_list(
        "subject_id", "subject__revision__slug", "subject__item", "rival_id", "rival__revision__slug", "turn",
        "swapped", "verdict",
    )  # fmt: skip
    played: defaultdict[tuple[str, str, str, int], dict[bool, float]] = defaultdict(dict)
    for subject, slug, item, rival, other, turn, swapped, verdict in rows.iterator(chunk_size=5000):
        question = questions.get(frozenset((subject, rival)), item)
        if question and verdict in _POINTS:
            answers = f"{slug}{_MARK}{subject}", f"{other}{_MARK}{rival}"
            played[(question, *answers, turn)][swapped] = _POINTS[verdict]
    turns: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    sides: list[Side] = []
    games: list[tuple[Side | None, Side | None]] = []
    for (question, subject, rival, _turn), points in sorted(played.items()):
        turns[question, subject, rival].append(_agreed(list(points.values())))
        shown = {swapped: _side(1 - p if swapped else p) for swapped, p in points.items()}
        sides.extend(shown.values())
        if len(shown) == 2:
            games.append((shown[False], shown[True]))
    verdicts = [_verdict(*key[:1], 0, *key[1:], _mean_side(points)) for key, points in turns.items()]
    return verdicts, sides, games


def _questions(pairs: Iterable[Item]) -> dict[frozenset[int], str]:
    """The question of a pair of conversations: live battles have no item of their own in the judgments."""
    found = {}
    for item in pairs:
        ids = [answer.partition(_MARK)[2] for answer in (item.first, item.second)]
        if all(one.isdigit() for one in ids):
            found[frozenset(map(int, ids))] = item.question
    return found


def _agreed(points: list[float]) -> float:
    """Games of one turn in both orders: one verdict where they agree, else a tie."""
    return points[0] if len(set(points)) == 1 else 0.5


def _mean_side(points: list[float]) -> float:
    mean = sum(points) / len(points)
    return 0.5 if mean == 0.5 else float(mean > 0.5)
