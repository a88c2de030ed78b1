"""What the site itself knows before a model is taken: earlier runs, suites, workers, prices and the quota."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from leaderboard import quota
from leaderboard.precheck import Check
from leaderboard.submissions import CannotRunSuite, check_suite, quota_text
from runners import specify
from runners.adapters.hub import HubModel
from runners.child.datasets import local_folder
from runners.models import ACTIVE, EvaluationRun, ModelRevision, Price, Suite, Task, Worker
from runners.waiting import LIVE


def candidate(model: HubModel, backend: str, dtype: str) -> ModelRevision:
    """The revision a submission would measure: the row where it is known, else one that is not written."""
    identity = {"hub_id": model.hub_id, "commit_sha": model.sha, "backend": backend, "dtype": dtype, "quantization": ""}
    return ModelRevision.objects.filter(**identity).first() or ModelRevision(**identity)


def site_checks(revision: ModelRevision, suites: Sequence[Suite], network: str, *, is_staff: bool) -> list[Check]:
    """The site's own looks. Six queries and one per chosen suite."""
    checks = [_duplicate_check(revision, suites), *_suite_checks(revision, suites), _worker_check(revision)]
    if revision.endpoint_id:
        checks.append(_price_check(revision.api_name))
    return [*checks, quota_check(network, is_staff=is_staff)]


def quota_check(network: str, *, is_staff: bool) -> Check:
    """Whether the reader's network may send another one."""
    used = quota.usage(network)
    if used.is_spent and not is_staff:
        return Check("quota", "bad", quota_text(used), _("The queue page shows what is under way."))
    text = _("Within the quota: %(open)s of %(most)s under way, %(week)s of %(weekly)s this week.")
    return Check("quota", "ok", text % {
        "open": used.open, "most": used.limits.open, "week": used.week, "weekly": used.limits.week,
    })  # fmt: skip


def _duplicate_check(revision: ModelRevision, suites: Sequence[Suite]) -> Check:
    earlier = EvaluationRun.objects.none()
    if revision.pk:
        earlier = EvaluationRun.objects.filter(revision=revision, suite__in=suites, withdrawn_at=None)
    ended = earlier.filter(status=EvaluationRun.Status.FINISHED)
    known = {run.suite_id: run for run in [*ended.select_related("suite"), *earlier.filter(status__in=ACTIVE)]}
    if not known:
        return Check("duplicate", "ok", _("The chosen suites have not been run on this revision."))
    active = [run for run in known.values() if run.is_active]
    if active:
        numbers = ", ".join(str(run.pk) for run in active)
        return Check("duplicate", "warning", _("The same is under way already: run %(runs)s.") % {"runs": numbers},
                     _("Your receipt will follow that run; nothing is computed twice."))  # fmt: skip
    numbers = ", ".join(str(run.pk) for run in known.values())
    return Check("duplicate", "warning", _("This was measured before: run %(runs)s.") % {"runs": numbers},
                 _("Sent again, it is measured once more, and the newer numbers stand on the board."))  # fmt: skip


def _suite_checks(revision: ModelRevision, suites: Sequence[Suite]) -> list[Check]:
    if not suites:
        return [Check("suites", "bad", _("No suite is chosen."), _("Choose at least one suite."))]
    checks = []
    for suite in suites:
        try:
            check_suite(revision, suite)
        except CannotRunSuite as error:
            checks.append(Check("suites", "bad", str(error)))
            continue
        if absent := sorted({task.dataset_name for task in suite.tasks.all() if not _has_items(task)}):
            text = _("%(suite)s: this site does not have its items (%(sets)s).")
            remedy = _("Choose another suite; staff may put the files below GYEORU_DATASETS.")
            names = {"suite": suite.title, "sets": ", ".join(absent)}
            checks.append(Check("suites", "bad", text % names, remedy))
            continue
        left_out = sum(not specify.can_run(revision, task) for task in suite.tasks.all())
        if left_out:
            text = _("%(suite)s: %(n)s columns by likelihood stay empty, as a chat API gives no log-probabilities.")
            checks.append(Check("suites", "warning", text % {"suite": suite.title, "n": left_out}))
    return checks or [Check("suites", "ok", _("The backend can run every chosen suite."))]


def _has_items(task: Task) -> bool:
    """False for a set that is on no Hub and has no files here: its run could only fail."""
    root = settings.DATASETS_ROOT
    return task.dataset_source != "local" or bool(root and local_folder(task.dataset_name, Path(root)))


def _worker_check(revision: ModelRevision) -> Check:
    lane = revision.lane
    n = Worker.objects.filter(lane=lane, heartbeat_at__gt=timezone.now() - LIVE, is_draining=False).count()
    if n:
        return Check("workers", "ok", _("%(n)s workers are at work on the lane %(lane)s.") % {"n": n, "lane": lane})
    text = _("No worker of the lane %(lane)s is connected now.") % {"lane": lane}
    remedy = _("The run waits in line until one comes; the receipt shows it.")
    return Check("workers", "warning", text, remedy)


def _price_check(served_name: str) -> Check:
    if Price.objects.filter(served_name=served_name, valid_from__lte=timezone.localdate()).exists():
        return Check("price", "ok", _("Its price is known."))
    return Check("price", "warning", _("Its price is not known; the cost can't be told."),
                 _("Staff may enter it in the admin pages."))  # fmt: skip
