"""The one mail a submitter may ask for: every run of the receipt has ended. Its address is deleted with it."""

from __future__ import annotations

import logging
import smtplib
import time

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from leaderboard.models import Submission
from leaderboard.submissions import has_mail
from runners.models import ACTIVE

log = logging.getLogger(__name__)
PAUSE_SECONDS = 300.0
_pause_until = 0.0


def send_due() -> None:
    """Sends what is due; called by the reconciler at every step. A mail server in trouble is left alone for a while."""
    global _pause_until
    if not has_mail() or time.monotonic() < _pause_until:
        return
    for submission in due():
        # Taken before it is sent: two reconcilers send one mail.
        if not Submission.objects.filter(pk=submission.pk, email=submission.email).update(email=""):
            continue
        try:
            _send(submission)
        except (smtplib.SMTPException, OSError) as error:
            Submission.objects.filter(pk=submission.pk).update(email=submission.email)
            _pause_until = time.monotonic() + PAUSE_SECONDS
            log.warning("the mail of submission %s could not be sent: %s", submission.pk, error)
            return


def due() -> list[Submission]:
    """Submissions with an address whose runs have all ended."""
    waiting = Submission.objects.filter(~Q(email="")).exclude(runs__status__in=ACTIVE)
    return list(waiting.select_related("revision__language_model").order_by("pk")[:20])


def _send(submission: Submission) -> None:
    parts = []
    for language, name in settings.LANGUAGES:
        with translation.override(language):
            address = f"{settings.PUBLIC_URL}/{language}/submissions/{submission.receipt}/"
            runs = submission.runs.select_related("suite").order_by("suite__order", "pk")
            states = [f"- {run.suite.title}: {run.get_status_display()}" for run in runs]
            text = _("Every run of %(model)s has ended:") % {"model": submission.revision.language_model.display_name}
            parts.append("\n".join([f"[{name}]", text, *states, "", address]))
    subject = f"겨루 Gyeoru: {submission.revision.language_model.display_name}".replace("\n", " ")
    send_mail(subject, "\n\n".join(parts), settings.DEFAULT_FROM_EMAIL, [submission.email])
