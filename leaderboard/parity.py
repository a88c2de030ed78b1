"""The same job on another revision, backend, batch size or machine, to hold the two against each other item by item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from runners import extraction, machines, runs, specify
from runners.models import EvaluationRun, ModelRevision


class NothingToCompare(Exception):
    """The wanted job is the run itself, or it cannot be run at all; the message says what to change."""


def request(
    run: EvaluationRun,
    *,
    by: str,
    reason: str,
    revision: ModelRevision | None = None,
    changes: Mapping[str, Any] | None = None,
    host: str = "",
) -> EvaluationRun:
    """A new run of the run's suite, linked to it: on `revision`, with `changes` to its settings, bound to the machine
    `host`, or several of these.

    Its page /runs/<id>/proof/ shows the difference. Raises NothingToCompare and runs.AlreadyActive.
    """
    other = revision or run.revision
    settings = {**extraction.asking(run), **(changes or {})}
    if other.pk == run.revision_id and settings == run.settings and host in ("", run.environment.get("host")):
        raise NothingToCompare(
            _("Name another revision, another setting or another machine; the same job again is a re-run.")
        )
    if not can_be_asked(other):
        raise NothingToCompare(_("%(revision)s was imported; nothing here answers for it.") % {"revision": other})
    if not any(specify.can_run(other, task) for task in run.suite.tasks.all()):
        raise NothingToCompare(
            _("%(revision)s can run no task of %(suite)s; its API gives no log-probabilities.")
            % {"revision": other, "suite": run.suite}
        )
    if host:
        _check_machine(host, other.lane)
    return runs.request(
        other, run.suite, run_settings=settings, requested_by=by, reason=reason, rerun_of=run, only_host=host
    )


def _check_machine(host: str, lane: str) -> None:
    """Raises NothingToCompare where no worker of the lane works there, with the machines where one does."""
    hosts = [machine.host for machine in machines.live([lane])]
    if host in hosts:
        return
    told = {"host": host, "lane": lane, "hosts": ", ".join(hosts)}
    if not hosts:
        raise NothingToCompare(_("No machine has a live worker of the lane %(lane)s; start one first.") % told)
    raise NothingToCompare(_("%(host)s has no live worker of the lane %(lane)s; there is one on: %(hosts)s.") % told)


def unbind(run: EvaluationRun) -> bool:
    """Lets any machine of its lane take a waiting run; False where it waits no more or was not bound.

    Raises runs.AlreadyActive where the same is under way and not bound either.
    """
    bound = EvaluationRun.objects.filter(pk=run.pk, status="queued").exclude(only_host="")
    try:
        with transaction.atomic():
            return bool(bound.update(only_host="", hinted_at=None))
    except IntegrityError:
        twin = EvaluationRun.objects.active().filter(fingerprint=run.fingerprint, only_host="").first()
        if twin is None:
            raise
        raise runs.AlreadyActive(twin) from None


def can_be_asked(revision: ModelRevision) -> bool:
    """Whether a worker can get answers from this revision; what was only imported has nobody to ask."""
    return revision.backend != ModelRevision.Backend.API or revision.endpoint_id is not None
