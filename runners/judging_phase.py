"""The second half of a multi-turn run: answered, it waits for its judges, with a lane and attempts of its own.

Like `runners.runs`, every change is one conditional UPDATE. Heartbeats, failure and release are those of `runs`.
"""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from runners import runs
from runners.models import EvaluationRun

LANE = "judge"


def claim(run_id: int, worker: str) -> runs.Claim | None:
    """Takes a run whose answers wait for their judges; None where another was first or nothing waits."""
    return runs.take(run_id, worker, Q(status="judging"), status="judging")


def to_judging(claim: runs.Claim) -> bool:
    """The answers are complete and wait for their judges, with attempts of their own. False: fenced off."""
    with transaction.atomic():
        done = (
            runs.held(claim)
            .filter(status="running")
            .update(
                status="judging",
                lane=LANE,
                attempt=0,
                token="",
                lease_until=None,
                hinted_at=None,
                stage="",
                progress_done=0,
                progress_total=None,
            )
        )
        if done:
            runs.touch("boards")
    return bool(done)


def judge_again(run: EvaluationRun) -> bool:
    """Lets a run be judged (again): new judges, or what a spent budget left open. Paid judgments stay.

    False where it was never answered to its end, is under way, or its twin is.
    """
    try:
        with transaction.atomic():
            ended = EvaluationRun.objects.filter(pk=run.pk, status__in=("finished", "failed"), lane=LANE)
            changed = ended.update(
                # Remembered for a finished run alone: it stays finished however its new judging ends.
                finished_at=Case(When(status="finished", then=F("finished_at")), default=Value(None)),
                status="judging",
                attempt=0,
                token="",
                hinted_at=None,
                not_before=None,
                cancel_requested_at=None,
                error_kind="",
                error_text="",
            )
    except IntegrityError:
        return False
    return bool(changed)


def waiting_for_judges(before: datetime) -> list[int]:
    """Runs that wait for their judges and are due, whose last hint is older than `before`; oldest first."""
    now = timezone.now()
    return list(
        EvaluationRun.objects.filter(Q(not_before=None) | Q(not_before__lte=now), status="judging", token="")
        .filter(Q(hinted_at=None) | Q(hinted_at__lt=before))
        .order_by("-priority", "created_at", "id")
        .values_list("pk", flat=True)
    )
