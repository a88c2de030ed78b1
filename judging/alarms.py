"""What the alarms watch on this floor: money that is nearly gone, and judges that err, or have begun to err more, on
pairs whose order is known."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from django.db.models import Q

from judging import history
from judging.models import Budget, Judge, JudgeTrial, QuestionSet
from runners.alarms import Trouble

NEAR = Decimal("0.9")
# A judge that puts fewer of the known pairs in their order than this is not to be trusted.
KNOWN_ORDER = 0.8


def check() -> Iterable[Trouble]:
    """Open budgets above NEAR of their cap, judges on trial that a canary beat or that miss known orders, and judges
    whose newest judgings hit fewer known orders than those before."""
    # A budget of one run that is used up ends that run, which tells it itself.
    for budget in Budget.objects.filter(cap_usd__gt=0).exclude(name__startswith="run:"):
        used = budget.spent_usd + budget.reserved_usd
        if used < budget.cap_usd * NEAR:
            continue
        text = f"${used:.2f} of ${budget.cap_usd:.2f} of the budget “{budget.name}” are spent or reserved."
        yield Trouble("budget", budget.name, text)
    bad = JudgeTrial.objects.filter(Q(is_red=True) | Q(known_order__lt=KNOWN_ORDER), judge__is_active=True)
    for trial in bad.select_related("judge", "question_set"):
        why = "a canary beat a real model" if trial.is_red else f"{trial.known_order:.0%} of the known orders are right"
        text = f"The judge {trial.judge} errs on {trial.question_set}: {why}."
        yield Trouble("judge_drift", f"{trial.judge} {trial.question_set}", text)
    yield from _falls()


def _falls() -> Iterable[Trouble]:
    for judge in Judge.objects.filter(is_active=True):
        for set_id, points in history.points_of(judge).items():
            found = history.fall(points)
            if found is None or found.now.value is None:
                continue
            name = QuestionSet.objects.get(pk=set_id)
            text = (
                f"The judge {judge} puts fewer known pairs of {name} in their order than before: {found.now.value:.0%} "
                f"of {found.now.n} in its newest {history.RECENT} judgings, {found.before:.0%} of the same kinds until "
                f"then (difference {found.low * 100:.0f} to {found.high * 100:.0f} points)."
            )
            yield Trouble("judge_drift", f"{judge} {name} over time", text)
