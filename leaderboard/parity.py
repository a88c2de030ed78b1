"""The same job on another revision, backend or batch size, to hold the two against each other item by item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from runners import extraction, runs, specify
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
) -> EvaluationRun:
    """A new run of the run's suite, linked to it: on `revision`, with `changes` to its settings, or both.

    Its page /runs/<id>/proof/ shows the difference. Raises NothingToCompare and runs.AlreadyActive.
    """
    other = revision or run.revision
    settings = {**extraction.asking(run), **(changes or {})}
    if other.pk == run.revision_id and settings == run.settings:
        raise NothingToCompare(_("Name another revision or another setting; the same job again is a re-run."))
    if not can_be_asked(other):
        raise NothingToCompare(_("%(revision)s was imported; nothing here answers for it.") % {"revision": other})
    if not any(specify.can_run(other, task) for task in run.suite.tasks.all()):
        raise NothingToCompare(
            _("%(revision)s can run no task of %(suite)s; its API gives no log-probabilities.")
            % {"revision": other, "suite": run.suite}
        )
    return runs.request(other, run.suite, run_settings=settings, requested_by=by, reason=reason, rerun_of=run)


def can_be_asked(revision: ModelRevision) -> bool:
    """Whether a worker can get answers from this revision; what was only imported has nobody to ask."""
    return revision.backend != ModelRevision.Backend.API or revision.endpoint_id is not None
