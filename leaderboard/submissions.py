"""Writes of submissions: what somebody asks to have measured becomes a revision, its runs and a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from leaderboard import quota
from leaderboard.models import Submission
from leaderboard.precheck import Check
from runners import catalog, runs, specify
from runners.adapters import hub
from runners.adapters.hub import HubModel
from runners.models import EvaluationRun, ModelRevision, Suite

# Attempts of a receipt at one suite; what still fails then does not fail by chance.
MAX_RETRIES = 3


class SubmissionError(Exception):
    """Refused; the message is for the reader and says what to change, `field` says where ("" for the whole form)."""

    field = ""


class OverQuota(SubmissionError):
    """The reader's network has enough under way, or asked enough this week."""


class CannotRunSuite(SubmissionError):
    """The backend can't run a chosen suite; the message names it."""

    field = "suites"


class NothingChosen(SubmissionError):
    """No suite was chosen."""

    field = "suites"


class Unsafe(SubmissionError):
    """The repository could run code of its own or can't be loaded."""

    field = "hub_id"


class NotYours(SubmissionError):
    """The run does not belong to this receipt, or others wait for it as well."""


class NotNow(SubmissionError):
    """The run is not in a state that allows this."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for: a model of the Hub at its commit with backend and precision, or a registered revision.

    form_key is drawn with the form: the same key is accepted once. network as `quota.network_of` tells it.
    """

    form_key: str
    network: str
    model: HubModel | ModelRevision
    suites: Sequence[Suite]
    backend: str = ModelRevision.Backend.HF
    dtype: str = ""
    submitter: str = ""
    email: str = ""
    note: str = ""
    checks: Sequence[Check] = ()
    is_staff: bool = False


@transaction.atomic
def accept(wanted: Wanted) -> Submission:
    """The receipt of a submission, made once per form_key: posted again, it is found again. Raises SubmissionError.

    A run that does the same and is under way already is attached instead of a second one. All or nothing is written.
    """
    # Holds a row that every submission writes: quota and form key are then looked at by one at a time.
    runs.touch("submissions")
    if known := sent_before(wanted.form_key):
        return known
    if not wanted.suites:
        raise NothingChosen(_("Choose at least one suite."))
    if not wanted.is_staff:
        _check_quota(wanted.network)
    revision = _revision(wanted)
    for suite in wanted.suites:
        check_suite(revision, suite)
    submission = Submission.objects.create(
        form_key=wanted.form_key,
        revision=revision,
        submitter=wanted.submitter,
        email=wanted.email,
        note=wanted.note,
        network_hash=quota.network_hash(wanted.network, timezone.localdate()),
        checks=[asdict(check) for check in wanted.checks],
    )
    for suite in sorted(wanted.suites, key=lambda suite: (suite.order, suite.slug)):
        submission.runs.add(_requested(submission, revision, suite))
    return submission


@transaction.atomic
def retry(submission: Submission, run: EvaluationRun) -> EvaluationRun:
    """Another attempt at an ended run of the receipt; pressed twice, it is one. Raises NotYours, NotNow."""
    runs.touch("submissions")
    own = submission.runs.filter(suite=run.suite_id).order_by("created_at", "pk")
    if run not in own:
        raise NotYours(_("This run does not belong to this receipt."))
    newest = own.last()
    if newest is not None and newest.is_active:
        return newest
    run.refresh_from_db()
    if run.status not in (EvaluationRun.Status.FAILED, EvaluationRun.Status.CANCELLED):
        raise NotNow(_("Only a run that failed or was cancelled can be tried again."))
    if len(own) > MAX_RETRIES:
        raise NotNow(
            _("This was tried %(n)s times. Change what the reason names and submit the model anew.") % {"n": len(own)}
        )
    try:
        with transaction.atomic():
            again = runs.rerun(run, by=_mark(submission), reason="retry")
    except runs.AlreadyActive as twin:
        again = twin.run
    submission.runs.add(again)
    return again


def cancel(submission: Submission, run: EvaluationRun) -> EvaluationRun:
    """Stops a run that this receipt asked for and nobody else waits for. Raises NotYours, NotNow."""
    if not may_cancel(submission, run):
        raise NotYours(_("Somebody else asked for this run or waits for it as well; it goes on."))
    try:
        return runs.cancel(run, by=_mark(submission))
    except runs.NotActive as ended:
        raise NotNow(_("This run has ended already.")) from ended


def may_cancel(submission: Submission, run: EvaluationRun) -> bool:
    """Whether the receipt's holder may stop this run."""
    return run.requested_by == _mark(submission) and not run.submissions.exclude(pk=submission.pk).exists()


def check_suite(revision: ModelRevision, suite: Suite) -> None:
    """Raises CannotRunSuite where the revision's backend can run no task of the suite."""
    if suite.kind == Suite.Kind.MULTI_TURN and suite.retired_at is None and suite.published_at is not None:
        if revision.has_chat_template is False:
            raise CannotRunSuite(
                _(
                    "%(suite)s is a conversation, and this model has no chat template to put one through. "
                    "Choose suites of single questions, or submit the instruction-tuned model."
                )
                % {"suite": suite.title}
            )
        return
    tasks = list(suite.tasks.all())
    if not tasks or suite.retired_at is not None or suite.published_at is None:
        raise CannotRunSuite(_("%(suite)s is not offered for evaluation; choose another suite.") % {"suite": suite})
    if not any(specify.can_run(revision, task) for task in tasks):
        raise CannotRunSuite(
            _(
                "%(suite)s is scored by likelihood only, and a chat API gives no log-probabilities. "
                "Choose a suite with generation tasks, or submit the weights."
            )
            % {"suite": suite.title}
        )


def _requested(submission: Submission, revision: ModelRevision, suite: Suite) -> EvaluationRun:
    try:
        return runs.request(revision, suite, requested_by=_mark(submission))
    except runs.AlreadyActive as twin:
        return twin.run


def _mark(submission: Submission) -> str:
    """Who asked for a run: this receipt, without its secret name."""
    return f"submission:{submission.pk}"


def _check_quota(network: str) -> None:
    used = quota.usage(network)
    if used.is_spent:
        raise OverQuota(quota_text(used))


def quota_text(used: quota.Usage) -> str:
    """Why nothing more is taken from this network for now."""
    if used.open >= used.limits.open:
        return _(
            "%(n)s of your submissions are still under way; at most %(limit)s may be. Wait until one has ended."
        ) % {
            "n": used.open,
            "limit": used.limits.open,
        }
    return _("Your network has sent %(n)s submissions in seven days; at most %(limit)s are taken.") % {
        "n": used.week,
        "limit": used.limits.week,
    }


def _revision(wanted: Wanted) -> ModelRevision:
    """The row that is measured. A model of the Hub is looked over once more, so that no way around the checks is."""
    if isinstance(wanted.model, ModelRevision):
        return wanted.model
    try:
        hub.check_name(wanted.model.hub_id)
        hub.check_files(wanted.model)
    except hub.HubError as error:
        raise Unsafe(error.message) from error
    return catalog.register_revision(wanted.model, backend=wanted.backend, dtype=wanted.dtype)


def sent_before(form_key: str) -> Submission | None:
    """The submission this very form has made already."""
    return Submission.objects.filter(form_key=form_key).first() if form_key else None


def has_mail() -> bool:
    """Whether this site can send mail at all."""
    return bool(settings.EMAIL_HOST)
