"""What judges say of a battle's two answers, for the arena's reveal: the arena itself knows no judges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arena.models import Battle
from arena.reveals import JudgeView
from judging.models import Judgment

POINTS = {"a": 1.0, "b": -1.0, "tie": 0.0}
OBSTACLES = {
    "budget_reached": gettext_lazy("The judging budget is used up; it goes on when staff raises it."),
    "judging_stopped": gettext_lazy("Judging is switched off for now."),
}
OTHER = gettext_lazy("The judge cannot be reached right now; it is asked again later.")
LEFT_BETTER, RIGHT_BETTER = frozenset({"A>>B", "A>B"}), frozenset({"B>>A", "B>A"})


def views(battle: Battle) -> list[JudgeView]:
    """A line per judge that compared the two in both orders, or graded both. Disagreement between orders is a tie."""
    if battle.right is None:
        return []
    pair = [battle.left_id, battle.right_id]
    said = Judgment.objects.filter(canary="", subject__in=pair).select_related("judge__seat")
    by_judge: dict[str, list[Judgment]] = defaultdict(list)
    for one in said.order_by("turn", "repeat", "pk"):
        if one.rival_id is None or one.rival_id in pair:
            by_judge[one.judge.display_name or one.judge.slug].append(one)
    found = [_view(name, battle, lines) for name, lines in sorted(by_judge.items())]
    return [view for view in found if view is not None]


def _view(name: str, battle: Battle, lines: list[Judgment]) -> JudgeView | None:
    done = [one for one in lines if one.status == Judgment.Status.DONE]
    waiting = [one for one in lines if one.rival_id is not None and one.status == Judgment.Status.PENDING]
    if waiting:
        seat = getattr(waiting[0].judge, "seat", None)
        kind = seat.error_kind if seat is not None else ""
        return JudgeView(name, "", is_waiting=True, obstacle=str(OBSTACLES.get(kind, OTHER) if kind else ""))
    return _compared(name, battle, done) or _graded(name, battle, done)


def _compared(name: str, battle: Battle, lines: Iterable[Judgment]) -> JudgeView | None:
    """Pairwise: per turn the verdict that both orders share, else a tie; over turns, who won more of them."""
    turns: dict[int, list[Judgment]] = defaultdict(list)
    for one in lines:
        if one.rival_id is not None and one.verdict:
            turns[one.turn].append(one)
    if not turns:
        return None
    points = 0.0
    for games in turns.values():
        sides = {_side(one, battle) for one in games}
        points += POINTS[sides.pop()] if len(sides) == 1 else 0.0
    winner = "a" if points > 0 else "b" if points < 0 else "tie"
    # The reason shown: of a game that ended as the whole did, best one that was shown as the voter saw it.
    games = [one for played in turns.values() for one in played]
    games.sort(key=lambda one: (not one.reason, _side(one, battle) != winner, _first(one) != battle.left_id))
    return JudgeView(name, winner, reason=_words(games[0], battle))


def _words(one: Judgment, battle: Battle) -> str:
    """A judge's reason; where it saw the sides the other way round than the voter, that is said first."""
    if not one.reason or _first(one) == battle.left_id:
        return one.reason
    return _("(The judge saw your B as A here, and your A as B.)") + "\n\n" + one.reason


def _first(one: Judgment) -> int | None:
    """The conversation that the judge saw as A."""
    return one.rival_id if one.swapped else one.subject_id


def _side(one: Judgment, battle: Battle) -> str:
    """The side a verdict prefers; verdicts have their subject as A."""
    if one.verdict not in LEFT_BETTER | RIGHT_BETTER:
        return "tie"
    prefers_subject = one.verdict in LEFT_BETTER
    return "a" if prefers_subject == (one.subject_id == battle.left_id) else "b"


def _graded(name: str, battle: Battle, lines: Iterable[Judgment]) -> JudgeView | None:
    """Single grades: the mean over turns of each side, where both have some."""
    scores: dict[int, list[float]] = defaultdict(list)
    reasons: dict[int, str] = {}
    for one in lines:
        if one.rival_id is None and one.score is not None:
            scores[one.subject_id].append(one.score)
            reasons.setdefault(one.subject_id, one.reason)
    left, right = scores.get(battle.left_id, []), scores.get(battle.right_id or 0, [])
    if not left or not right:
        return None
    means = sum(left) / len(left), sum(right) / len(right)
    # FastChat turns grades into a verdict beyond a tenth of a point.
    winner = "tie" if abs(means[0] - means[1]) < 0.1 else "a" if means[0] > means[1] else "b"
    sides = (("A", battle.left_id), ("B", battle.right_id or 0))
    reason = "\n\n".join(f"{letter}: {reasons[key]}" for letter, key in sides if reasons.get(key))
    return JudgeView(name, winner, *means, reason)
