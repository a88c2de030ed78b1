"""What operators may do to revisions: move their alias, roll a listed run back and undo it, accept a new level.

Every change and its audit entry stand in one transaction and make the boards new; nothing without a reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from leaderboard import boards, listing
from leaderboard.console.actions import Press, Refused
from leaderboard.models import Alias, AuditEntry, Rollback
from runners import runs
from runners.models import Alarm, EvaluationRun, ModelRevision, Suite

HISTORY = 50


@dataclass(frozen=True)
class Listed:
    """The run that a board shows of a revision, and the earlier finished ones that it could show instead.

    `newer`: runs that finished after the rollback.
    """

    suite: Suite
    run: EvaluationRun
    rollback: Rollback | None
    earlier: list[EvaluationRun]
    newer: list[EvaluationRun]


def search(words: str, alias: str) -> QuerySet[ModelRevision]:
    """Revisions by slug, with their alias, how many runs finished, and who asked for the first."""
    asked = EvaluationRun.objects.filter(revision=OuterRef("pk")).order_by("pk").values("requested_by")[:1]
    found = ModelRevision.objects.select_related("language_model", "alias", "endpoint")
    if words:
        found = found.filter(Q(slug__icontains=words) | Q(commit_sha__startswith=words))
    if alias == Alias.Name.LISTED:
        found = found.filter(Q(alias=None) | Q(alias__name=alias))
    elif alias:
        found = found.filter(alias__name=alias)
    finished = Count("runs", filter=Q(runs__status="finished", runs__withdrawn_at=None))
    return found.annotate(asked_by=Subquery(asked), n_finished=finished).order_by("slug")


def standings(revision: ModelRevision) -> list[Listed]:
    """Where the revision stands: a line per suite in force and number of shots. Three queries per suite."""
    suites = Suite.objects.filter(runs__revision=revision, published_at__isnull=False, retired_at=None).distinct()
    found = []
    for suite in suites.order_by("order", "slug", "-version"):
        backs = listing.rollbacks(suite)
        finished = list(_finished(revision, suite))
        for run in boards.listed_runs(suite, backs, revision=revision):
            place = listing.place_of(run)
            same = [other for other in finished if listing.place_of(other) == place and other.pk != run.pk]
            earlier = [other for other in same if (other.created_at, other.pk) < (run.created_at, run.pk)]
            back = backs.get(place)
            newer = [other for other in same if back and other.finished_at and other.finished_at > back.at]
            found.append(Listed(suite, run, back, [] if back else earlier[::-1], newer))
    return found


def marks(revision: ModelRevision) -> list[Alarm]:
    return list(revision.alarms.filter(kind=Alarm.Kind.MODEL_DRIFT).order_by("-about_at", "-pk")[:HISTORY])


def history(revision: ModelRevision) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(target=_target(revision)).order_by("-pk")[:HISTORY])


def move(press: Press, revision: ModelRevision, alias: str) -> None:
    """Makes a revision candidate, listed or retired. Raises Refused."""
    with transaction.atomic():
        runs.touch("boards")
        was = listing.alias_of(ModelRevision.objects.select_related("alias").get(pk=revision.pk))
        if was == alias:
            raise Refused(_("It is that already."))
        values = {"name": alias, "reason": press.reason.strip(), "moved_at": timezone.now()}
        Alias.objects.update_or_create(revision=revision, defaults=values)
        press.entry(_target(revision), details={"was": was, "is": alias}).save()


def roll_back(press: Press, revision: ModelRevision, run_id: int) -> None:
    """Lets the board show an earlier finished run of the revision instead of the listed one. Raises Refused."""
    with transaction.atomic():
        runs.touch("boards")
        for line in standings(revision):
            chosen = next((run for run in line.earlier if run.pk == run_id), None)
            if chosen is not None:
                break
        else:
            raise Refused(_("Choose a finished run that is earlier than the one on the board; undo a rollback first."))
        revision_id, shots = listing.place_of(chosen)
        values = {"suite": line.suite, "revision_id": revision_id, "shots": shots}
        try:
            with transaction.atomic():
                Rollback.objects.create(**values, run=chosen, instead_of=line.run, reason=press.reason.strip())
        except IntegrityError as error:
            raise Refused(_("Somebody has rolled it back already.")) from error
        press.entry(_target(revision), run=chosen, details={"was": line.run.pk, "is": chosen.pk}).save()


def undo(press: Press, revision: ModelRevision, rollback_id: int) -> None:
    """Ends a rollback: the board shows the newest evidence again. Raises Refused."""
    with transaction.atomic():
        runs.touch("boards")
        found = Rollback.objects.filter(pk=rollback_id, revision=revision, undone_at=None)
        back = found.select_related("run").first()
        if back is None or not found.update(undone_at=timezone.now()):
            raise Refused(_("It is undone already."))
        press.entry(_target(revision), run=back.run, details={"was": back.run_id}).save()


def accept_level(press: Press, revision: ModelRevision, alarm_id: int) -> None:
    """Takes the canary's scores since a change for normal: its mark is closed, and the watch compares with them from
    then on. Raises Refused."""
    with transaction.atomic():
        runs.touch("boards")
        now = timezone.now()
        found = Alarm.objects.filter(pk=alarm_id, revision=revision, kind=Alarm.Kind.MODEL_DRIFT, cleared_at=None)
        if not found.update(cleared_at=now, accepted_at=now, accepted_reason=press.reason.strip()):
            raise Refused(_("This mark is closed already."))
        press.entry(_target(revision), details=dict(Alarm.objects.get(pk=alarm_id).figures)).save()


def _finished(revision: ModelRevision, suite: Suite) -> QuerySet[EvaluationRun]:
    found = EvaluationRun.objects.published().filter(revision=revision, suite=suite, status="finished")
    return (
        found.exclude(settings__has_key="limit")
        .order_by("created_at", "pk")
        .defer("log_tail", "environment", "attempts_log")
    )


def _target(revision: ModelRevision) -> str:
    return f"revision {revision.slug}"[:260]
