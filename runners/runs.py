"""Every status change of an evaluation run, each one conditional UPDATE.

The database is the only source of truth; the queue is a hint; the reconciler gives hints again; every write of an
attempt carries the attempt's token, so that an attempt that was given up can never write (docs/running.md).
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Concat, Greatest

from runners import clock, endings, machines, schema
from runners.models import EvaluationRun, Generation, ModelRevision, Suite

log = logging.getLogger(__name__)
# The states in which an attempt may hold a run by its token: being answered, being judged.
HOLDING = ("running", "judging")
# The lane of runs that score stored answers anew: they need neither a GPU nor the model.
EXTRACTION = "eval"


class AlreadyActive(Exception):
    """The same revision, suite and settings are waiting or running already; `run` is that run."""

    def __init__(self, run: EvaluationRun) -> None:
        super().__init__(f"run {run.pk} does the same and is {run.status}")
        self.run = run


class NotActive(Exception):
    """The run has ended; there is nothing to cancel. `run` is as it stands."""

    def __init__(self, run: EvaluationRun) -> None:
        super().__init__(f"run {run.pk} is already {run.status}")
        self.run = run


@dataclass(frozen=True)
class Claim:
    """One attempt at one run. The token is what every later write of this attempt must show."""

    run_id: int
    token: str
    attempt: int


def fingerprint(revision: ModelRevision, suite: Suite, run_settings: dict[str, Any]) -> str:
    """sha256 over what decides the numbers: revision, suite version and task configurations, settings."""
    tasks = sorted(suite.tasks.values_list("name", "config_sha"))
    identity = [getattr(revision, name) for name in ModelRevision.IDENTITY]
    text = json.dumps([revision.slug, identity, suite.slug, suite.version, tasks, run_settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def request(
    revision: ModelRevision,
    suite: Suite,
    *,
    run_settings: dict[str, Any] | None = None,
    requested_by: str = "",
    reason: str = "",
    rerun_of: EvaluationRun | None = None,
    priority: int = 0,
    only_host: str = "",
) -> EvaluationRun:
    """A new queued run, bound to `only_host` if named. Freezes the revision. Raises AlreadyActive where the same is
    under way, bound to the same machine or likewise to none.
    """
    run_settings = run_settings or {}
    mark = fingerprint(revision, suite, run_settings)
    try:
        with transaction.atomic():
            run = EvaluationRun.objects.create(
                revision=revision,
                suite=suite,
                lane=EXTRACTION if "answers_of" in run_settings else revision.lane,
                fingerprint=mark,
                settings=run_settings,
                requested_by=requested_by,
                reason=reason,
                rerun_of=rerun_of,
                priority=priority,
                only_host=only_host,
            )
            ModelRevision.objects.filter(pk=revision.pk, frozen_at=None).update(frozen_at=clock.now())
    except IntegrityError:
        twin = EvaluationRun.objects.active().filter(fingerprint=mark, only_host=only_host).first()
        if twin is None:
            raise
        raise AlreadyActive(twin) from None
    return run


def claim(run_id: int, worker: str) -> Claim | None:
    """Takes a waiting run for this worker; None where another was first, it waits no more, or not yet, or not here."""
    return take(run_id, worker, Q(status="queued", only_host__in=("", machines.here())), status="running")


def take(run_id: int, worker: str, waiting: Q, *, status: str) -> Claim | None:
    """A new attempt at a run that is `waiting` and that nobody holds, now in state `status`."""
    if problem := schema.mismatch():
        log.error("run %s is not taken: %s", run_id, problem)
        return None
    now, token = clock.now(), secrets.token_hex(16)
    taken = EvaluationRun.objects.filter(
        waiting, Q(not_before=None) | Q(not_before__lte=now), pk=run_id, token="", cancel_requested_at=None
    ).update(
        status=status,
        attempt=F("attempt") + 1,
        token=token,
        worker=worker,
        lease_until=now + timedelta(seconds=settings.LEASE_SECONDS),
        heartbeat_at=now,
        started_at=Coalesce("started_at", Value(now)),
        stage="preparing",
        error_kind="",
        error_text="",
        not_before=None,
    )
    if not taken:
        return None
    attempt = EvaluationRun.objects.values_list("attempt", flat=True).get(pk=run_id)
    return Claim(run_id, token, attempt)


def held(claim: Claim) -> QuerySet[EvaluationRun]:
    """The row this attempt still holds, or nothing: the condition of every write below."""
    return EvaluationRun.objects.filter(pk=claim.run_id, token=claim.token, status__in=HOLDING)


def beat(claim: Claim, *, done: int | None = None, total: int | None = None, stage: str = "", log: str = "") -> bool:
    """A sign of life with the progress so far. False: the attempt was fenced off and must stop at once."""
    now = clock.now()
    values: dict[str, Any] = {
        "heartbeat_at": now,
        "lease_until": now + timedelta(seconds=settings.LEASE_SECONDS),
    }
    if done is not None:
        values["progress_done"] = done
    if total is not None:
        values["progress_total"] = total
    if stage:
        values["stage"] = stage[:200]
    if log:
        values["log_tail"] = log[-endings.LOG_TAIL :]
    return bool(held(claim).update(**values))


def cancel_requested(claim: Claim) -> bool:
    """Whether somebody asked this run to stop."""
    return bool(held(claim).filter(cancel_requested_at__isnull=False).exists())


def note_environment(claim: Claim, environment: dict[str, Any]) -> bool:
    """Stores what the run really ran on (machine, versions, GPU, shas) for whoever wants to repeat it."""
    return bool(held(claim).update(environment={"host": machines.here(), **environment}))


def finish(claim: Claim) -> bool:
    """The run is complete. False where the attempt was fenced off: its end counts for nothing."""
    with transaction.atomic():
        done = held(claim).update(
            status="finished", finished_at=clock.now(), token="", lease_until=None, stage="", error_kind=""
        )
        if done:
            touch("boards")
    return bool(done)


def fail(claim: Claim, kind: str, text: str, *, permanent: bool, log: str = "") -> bool:
    """The attempt ended badly: back in line with a growing pause, or failed when permanent or out of attempts."""
    if cancel_requested(claim):
        return cancelled(claim)
    with transaction.atomic():
        run = held(claim).first()
        if run is None:
            return False
        ended = permanent or run.attempt >= settings.MAX_ATTEMPTS
        changed = held(claim).update(**endings.values(run, kind, text, ended=ended, log=log))
        if changed:
            touch("boards")
    return bool(changed)


def release(claim: Claim, why: str) -> bool:
    """Gives the run back unharmed (a worker is drained or stopped): the attempt does not count."""
    if cancel_requested(claim):
        return cancelled(claim)
    return bool(
        held(claim).update(
            status=Case(When(status="judging", then=Value("judging")), default=Value("queued")),
            token="",
            lease_until=None,
            hinted_at=None,
            stage=why[:200],
            attempt=Greatest(F("attempt") - 1, Value(0)),
        )
    )


# A finished run that was being judged again stays finished, with the judgments it has.
_STOPPED = Case(When(status="judging", finished_at__isnull=False, then=Value("finished")), default=Value("cancelled"))


def cancelled(claim: Claim) -> bool:
    """The attempt stopped because it was asked to."""
    now = clock.now()
    return bool(
        held(claim).update(
            status=_STOPPED, finished_at=Coalesce("finished_at", now), token="", lease_until=None, stage=""
        )
    )


def cancel(run: EvaluationRun, by: str) -> EvaluationRun:
    """Stops a run: at once when it waits, within a heartbeat when it runs. Raises NotActive when it has ended."""
    now = clock.now()
    waiting = EvaluationRun.objects.filter(pk=run.pk, status__in=("queued", "judging"), token="").update(
        status=_STOPPED,
        cancel_requested_at=now,
        finished_at=Coalesce("finished_at", now),
        reason=Concat("reason", Value(f"\n취소: {by}")),
    )
    if not waiting:
        asked = EvaluationRun.objects.filter(pk=run.pk, status__in=HOLDING).update(cancel_requested_at=now)
        if not asked:
            run.refresh_from_db()
            raise NotActive(run)
    run.refresh_from_db()
    return run


def rerun(run: EvaluationRun, *, by: str, reason: str) -> EvaluationRun:
    """A new run of the same, linked to its parent, which stays as it is. Raises AlreadyActive."""
    return request(run.revision, run.suite, run_settings=run.settings, requested_by=by, reason=reason, rerun_of=run)


def reconcile(now: datetime | None = None) -> list[EvaluationRun]:
    """Repairs what died silently and returns the waiting runs whose hint must be given (again).

    An attempt whose lease ran out goes back in line, or ends as failed (poison) after the last attempt.
    """
    now = now or clock.now()
    for run in EvaluationRun.objects.filter(status__in=HOLDING, lease_until__lt=now):
        silence = f"The worker {run.worker} gave no sign of life for {settings.LEASE_SECONDS:.0f} s."
        _abandon(run, silence, Q(lease_until__lt=now))
    # Asked to stop in the moment their attempt ended: nobody would ever claim them.
    EvaluationRun.objects.filter(status__in=("queued", "judging"), token="", cancel_requested_at__isnull=False).update(
        status=_STOPPED, finished_at=Coalesce("finished_at", now), stage=""
    )
    return list(
        EvaluationRun.objects.unhinted(now - timedelta(seconds=settings.HINT_SECONDS)).order_by(
            "-priority", "created_at", "id"
        )
    )


def abandoned_by(worker: str, text: str) -> None:
    """The process that ran this worker's run is known to be dead: no need to wait for the lease."""
    for run in EvaluationRun.objects.filter(status__in=HOLDING, worker=worker).exclude(token=""):
        _abandon(run, text, Q())


def hinted(run_ids: list[int]) -> None:
    """Remembers that these runs' hints reached the queue."""
    EvaluationRun.objects.filter(pk__in=run_ids, status__in=("queued", "judging")).update(hinted_at=clock.now())


def touch(name: str) -> None:
    """Makes the pages called `name` new; call it inside the transaction that changes what they show.

    Holds the counter's row until that transaction ends, so that it also lets one transaction in at a time.
    """
    row, more = Generation.objects.filter(pk=name), {"value": F("value") + 1, "changed_at": clock.now()}
    if not row.update(**more):
        # Somebody else may be making it too; only the update after that is sure to hold it.
        Generation.objects.bulk_create([Generation(name=name)], ignore_conflicts=True)
        row.update(**more)


def _abandon(run: EvaluationRun, text: str, still: Q) -> None:
    """Ends the attempt that `run` shows, if it is `still` so, without waiting for anybody."""
    gone = EvaluationRun.objects.filter(still, pk=run.pk, token=run.token, status__in=HOLDING)
    if run.cancel_requested_at is not None:
        gone.update(status=_STOPPED, finished_at=Coalesce("finished_at", clock.now()), token="", lease_until=None)
        return
    ended = run.attempt >= settings.MAX_ATTEMPTS
    with transaction.atomic():
        if gone.update(**endings.values(run, "poison" if ended else "worker_lost", text, ended=ended, pause=0)):
            touch("boards")
