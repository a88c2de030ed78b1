"""What judges say of a battle's two answers, for the arena's reveal: the arena itself knows no judges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from arena.models import Battle
from arena.reveals import JudgeView
from judging.models import Judgment

LEFT_BETTER, RIGHT_BETTER = frozenset({"A>>B", "A>B"}), frozenset({"B>>A", "B>A"})


def views(battle: Battle) -> list[JudgeView]:
    """A line per judge that compared the two in both orders, or graded both. Disagreement between orders is a tie."""
    if battle.right is None:
        return []
    pair = [battle.left_id, battle.right_id]
    said = Judgment.objects.filter(status=Judgment.Status.DONE, canary="", subject__in=pair).select_related("judge")
    by_judge: dict[str, list[Judgment]] = defaultdict(list)
    for one in said.order_by("turn", "repeat", "pk"):
        if one.rival_id is None or one.rival_id in pair:
            by_judge[one.judge.display_name or one.judge.slug].append(one)
    found = [_compared(name, battle, lines) or _graded(name, battle, lines) for name, lines in sorted(by_judge.items())]
    return [view for view in found if view is not None]


def _compared(name: str, battle: Battle, lines: Iterable[Judgment]) -> JudgeView | None:
    """Pairwise: the verdict both orders share."""
    pairs = [one for one in lines if one.rival_id is not None and one.verdict]
    if not pairs:
        return None
    sides = [_side(one, battle) for one in pairs]
    winner = sides[0] if len(set(sides)) == 1 else "tie"
    return JudgeView(name, winner, reason=pairs[0].reason)


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
