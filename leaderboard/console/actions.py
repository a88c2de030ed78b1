"""What operators may do. Every change and its audit entry stand in one transaction; nothing without a reason."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from leaderboard import parity
from leaderboard.models import AuditEntry
from runners import extraction, judging_phase, runs
from runners.models import EvaluationRun, LanguageModel, ModelRevision, Suite, Worker

# One press acts on so many runs at most, in transactions of CHUNK, so that workers' heartbeats get in between.
MOST, CHUNK = 1000, 100
PRIORITIES = range(-100, 101)


class Refused(Exception):
    """This one cannot be done; the message says why."""


@dataclass(frozen=True)
class Press:
    """One press of a button: who, what, why, and what some actions need besides. Raises ValueError without a reason."""

    actor: User
    action: str
    reason: str
    priority: int = 0
    suite: Suite | None = None
    revision: ModelRevision | None = None
    host: str = ""
    batch: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("an action needs a reason")

    @property
    def by(self) -> str:
        return self.actor.get_username()

    def entry(self, target: str, **values: object) -> AuditEntry:
        return AuditEntry(
            actor=self.actor,
            actor_name=self.by,
            action=self.action,
            reason=self.reason.strip(),
            target=target[:260],
            batch=self.batch,
            **values,
        )


@dataclass
class Outcome:
    """How a press ended: how many were done, what was refused and why (run id → reason), which runs are new."""

    batch: str
    done: int = 0
    made: int = 0
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """What a verb changed: the run it made, and what was before and is after."""

    made: EvaluationRun | None = None
    details: dict[str, object] = field(default_factory=dict)


def on_runs(press: Press, run_ids: Iterable[int]) -> Outcome:
    """Does the action to each run, the first MOST of them in the order of their ids.

    Two people who press at the same time come one after the other: the second is told what the first has done.
    """
    verb, outcome = VERBS[press.action], Outcome(press.batch)
    ids = sorted(set(run_ids))[:MOST]
    for start in range(0, len(ids), CHUNK):
        with transaction.atomic():
            runs.touch("console")
            found = EvaluationRun.objects.filter(pk__in=ids[start : start + CHUNK]).order_by("pk")
            rows = found.select_related("suite", "revision__endpoint").defer("log_tail", "environment", "attempts_log")
            entries = [entry for run in rows if (entry := _one(verb, press, run, outcome)) is not None]
            AuditEntry.objects.bulk_create(entries)
            if entries and press.action in ("withdraw", "reinstate"):
                runs.touch("boards")
    return outcome


def on_models(press: Press, run_ids: Iterable[int]) -> Outcome:
    """Hides the models of these runs from the boards (hide), with the reason shown, or shows them again (show)."""
    outcome, hide = Outcome(press.batch), press.action == "hide"
    models = LanguageModel.objects.filter(revisions__runs__in=sorted(set(run_ids))[:MOST]).distinct()
    with transaction.atomic():
        runs.touch("console")
        for model in models.filter(hidden_reason="") if hide else models.exclude(hidden_reason=""):
            was = model.hidden_reason
            LanguageModel.objects.filter(pk=model.pk).update(hidden_reason=press.reason.strip() if hide else "")
            press.entry(f"model {model.slug}", details={"was": was}).save()
            outcome.done += 1
        if outcome.done:
            runs.touch("boards")
    return outcome


def on_worker(press: Press, worker: Worker) -> Outcome:
    """Drains a worker, which then finishes what it runs and takes nothing new, or lets it work again."""
    drain = press.action == "drain"
    with transaction.atomic():
        changed = Worker.objects.filter(pk=worker.pk, is_draining=not drain).update(is_draining=drain)
        if changed:
            press.entry(f"worker {worker.name}").save()
    return Outcome(press.batch, done=changed)


def _one(
    verb: Callable[[EvaluationRun, Press], Done], press: Press, run: EvaluationRun, outcome: Outcome
) -> AuditEntry | None:
    try:
        done = verb(run, press)
    except Refused as refused:
        outcome.refused[run.pk] = str(refused)
        return None
    except runs.AlreadyActive as twin:
        told = {"id": twin.run.pk, "status": twin.run.get_status_display()}
        outcome.refused[run.pk] = _("Run %(id)s does the same and is %(status)s.") % told
        return None
    outcome.done += 1
    outcome.made += done.made is not None
    return press.entry(f"run {run.pk}", run=run, made=done.made, details=done.details)


def _rerun(run: EvaluationRun, press: Press) -> Done:
    if run.is_active:
        raise Refused(
            _("It is %(status)s; cancel it first or wait for its end.") % {"status": run.get_status_display()}
        )
    if not run.answers_of and not parity.can_be_asked(run.revision):
        raise Refused(_("It was imported; nothing here answers for its model."))
    return Done(runs.rerun(run, by=press.by, reason=press.reason.strip()))


def _cancel(run: EvaluationRun, press: Press) -> Done:
    try:
        runs.cancel(run, by=f"{press.by}, {press.reason.strip()}")
    except runs.NotActive as ended:
        raise Refused(_("It has ended already (%(status)s).") % {"status": ended.run.get_status_display()}) from ended
    return Done()


def _withdraw(run: EvaluationRun, press: Press) -> Done:
    if run.is_active:
        raise Refused(
            _("It is %(status)s; cancel it first or wait for its end.") % {"status": run.get_status_display()}
        )
    values = {"withdrawn_at": timezone.now(), "withdrawn_reason": press.reason.strip()}
    if not EvaluationRun.objects.filter(pk=run.pk, withdrawn_at=None).update(**values):
        raise Refused(_("It is withdrawn already."))
    return Done()


def _reinstate(run: EvaluationRun, press: Press) -> Done:
    withdrawn = EvaluationRun.objects.filter(pk=run.pk, withdrawn_at__isnull=False)
    if not withdrawn.update(withdrawn_at=None, withdrawn_reason=""):
        raise Refused(_("It is not withdrawn."))
    return Done(details={"was": run.withdrawn_reason})


def _prioritise(run: EvaluationRun, press: Press) -> Done:
    waiting = EvaluationRun.objects.filter(pk=run.pk, status="queued")
    if not waiting.update(priority=press.priority):
        raise Refused(_("It does not wait any more (%(status)s).") % {"status": run.get_status_display()})
    return Done(details={"was": run.priority, "is": press.priority})


def _judge_again(run: EvaluationRun, press: Press) -> Done:
    if not judging_phase.judge_again(run):
        raise Refused(_("Only a multi-turn run that was answered to its end can be judged again."))
    return Done()


def _repeat(run: EvaluationRun, press: Press) -> Done:
    """The run's model on another version of its suite."""
    assert press.suite is not None
    if press.suite.slug != run.suite.slug or press.suite.pk == run.suite_id:
        raise Refused(_("Choose another version of the same suite."))
    if not parity.can_be_asked(run.revision):
        raise Refused(_("It was imported; nothing here answers for its model."))
    why, settings = press.reason.strip(), extraction.asking(run)
    made = runs.request(
        run.revision, press.suite, run_settings=settings, requested_by=press.by, reason=why, rerun_of=run
    )
    return Done(made)


def _reextract(run: EvaluationRun, press: Press) -> Done:
    """The run's stored answers, scored as the newest version of its suite does, or as `press.suite`."""
    try:
        return Done(extraction.request(run, by=press.by, reason=press.reason.strip(), suite=press.suite))
    except extraction.NothingToExtract as nothing:
        raise Refused(str(nothing)) from nothing


def _parity(run: EvaluationRun, press: Press) -> Done:
    try:
        made = parity.request(run, by=press.by, reason=press.reason.strip(), revision=press.revision, host=press.host)
    except parity.NothingToCompare as nothing:
        raise Refused(str(nothing)) from nothing
    return Done(made, {"host": press.host} if press.host else {})


def _unbind(run: EvaluationRun, press: Press) -> Done:
    """Lets any machine run what waits for one of them, as when that one is gone."""
    if not parity.unbind(run):
        raise Refused(_("It does not wait for a machine of its own."))
    return Done(details={"was": run.only_host})


VERBS: dict[str, Callable[[EvaluationRun, Press], Done]] = {
    "rerun": _rerun,
    "cancel": _cancel,
    "withdraw": _withdraw,
    "reinstate": _reinstate,
    "priority": _prioritise,
    "judge": _judge_again,
    "repeat": _repeat,
    "parity": _parity,
    "unbind": _unbind,
    "reextract": _reextract,
}
