"""What operators decided about the boards, as boards and pages read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leaderboard.models import Alias, Rollback
from runners.models import Alarm, EvaluationRun, ModelRevision, Suite

if TYPE_CHECKING:
    from django.db.models import QuerySet

# (revision id, number of shots; None: the suite's own)
Place = tuple[int, int | None]


def off_boards() -> QuerySet[Alias, int]:
    """Ids of the revisions that no board shows: candidates and retired ones."""
    return Alias.objects.exclude(name=Alias.Name.LISTED).values_list("revision", flat=True)


def rollbacks(suite: Suite) -> dict[Place, Rollback]:
    """The open rollbacks of a suite by their place on its board. One query."""
    found = Rollback.objects.filter(suite=suite, undone_at=None).select_related("run")
    return {(back.revision_id, back.shots): back for back in found}


def place_of(run: EvaluationRun) -> Place:
    return run.revision_id, run.settings.get("shots")


def admits(back: Rollback | None, run: EvaluationRun) -> bool:
    """Whether a rollback leaves the run its place: what came after the chosen run has none."""
    return back is None or (run.created_at, run.pk) <= (back.run.created_at, back.run_id)


def about(run: EvaluationRun) -> list[Rollback]:
    """The open rollbacks that chose this run or set it aside, for its page. One query for a finished one."""
    if run.status != EvaluationRun.Status.FINISHED or "limit" in run.settings:
        return []
    place = {"suite": run.suite_id, "revision": run.revision_id, "shots": run.settings.get("shots")}
    found = Rollback.objects.filter(**place, undone_at=None).select_related("run")
    return [back for back in found if back.run_id == run.pk or not admits(back, run)]


def drifts() -> dict[int, Alarm]:
    """The open drift mark of each revision that has one, the newest. One query."""
    found = Alarm.objects.filter(kind=Alarm.Kind.MODEL_DRIFT, cleared_at=None, revision__isnull=False)
    return {alarm.revision_id: alarm for alarm in found.order_by("about_at", "pk") if alarm.revision_id}


def alias_of(revision: ModelRevision) -> str:
    """candidate, listed or retired; no query where `alias` came along."""
    alias: Alias | None = getattr(revision, "alias", None)
    return alias.name if alias else Alias.Name.LISTED
