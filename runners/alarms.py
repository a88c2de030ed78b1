"""Alarms: what is wrong now becomes rows, new rows become messages, and what is well again is closed.

The reconciler looks every LOOK_SECONDS and sends from a thread of its own, so that a mail server or a webhook that
hangs delays no repair. Two reconcilers send one message: a row is taken, by conditional UPDATE, before it is sent.
"""

from __future__ import annotations

import logging
import smtplib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.core.mail import send_mail
from django.db import connection, transaction
from django.db.models import Count, Q

from runners import canary, clock, runs
from runners.adapters import webhook
from runners.models import Alarm, EvaluationRun, ModelRevision, Worker

log = logging.getLogger(__name__)
LOOK_SECONDS = 30.0
LOST = timedelta(seconds=180)
FAILED_FOR = timedelta(days=1)
# A message that somebody did not take is offered again after so long.
PAUSE_SECONDS = 300.0


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong. `key` tells it from others of its kind, `about_at` when it began."""

    kind: str
    key: str
    text: str
    revision: ModelRevision | None = None
    about_at: datetime | None = None
    figures: dict[str, float] = field(default_factory=dict)


# Other floors add what they watch; each is called at every look and says what is wrong now.
CHECKS: list[Callable[[], Iterable[Trouble]]] = []
_looked_at = _pause_until = float("-inf")
_sender: threading.Thread | None = None
# By channel the alarms that it took while another one refused them.
_took: defaultdict[str, set[int]] = defaultdict(set)


def step() -> None:
    """The reconciler's errand: canaries that are due, what is wrong now, and its messages."""
    global _looked_at, _sender
    if time.monotonic() - _looked_at < LOOK_SECONDS:
        return
    _looked_at = time.monotonic()
    canary.request_due()
    look()
    if time.monotonic() >= _pause_until and (_sender is None or not _sender.is_alive()):
        _sender = threading.Thread(target=_send_and_close, daemon=True)
        _sender.start()


def look() -> None:
    """Opens an alarm for everything that is wrong now and closes those of what is well again."""
    now = clock.now()
    wrong = {(trouble.kind, trouble.key[:260]): trouble for check in (*OURS, *CHECKS) for trouble in check()}
    still = set(Alarm.objects.filter(cleared_at=None).values_list("kind", "key"))
    for kind, key in still - wrong.keys():
        Alarm.objects.filter(kind=kind, key=key, cleared_at=None).update(cleared_at=now)
    new = [
        Alarm(kind=kind, key=key, text=t.text, revision=t.revision, about_at=t.about_at, figures=t.figures)
        for (kind, key), t in wrong.items()
        if (kind, key) not in still
    ]
    Alarm.objects.bulk_create(new, ignore_conflicts=True)
    if any(kind == Alarm.Kind.MODEL_DRIFT for kind, _key in still ^ wrong.keys()):
        with transaction.atomic():
            runs.touch("boards")


def tell() -> int:
    """Sends what nobody was told yet, one message for all; how many alarms it told."""
    global _pause_until
    now = clock.now()
    waiting = list(Alarm.objects.filter(told_at=None, cleared_at=None).order_by("pk")[:50])
    mine = [alarm for alarm in waiting if Alarm.objects.filter(pk=alarm.pk, told_at=None).update(told_at=now)]
    if not mine:
        return 0
    channels: dict[str, Callable[[list[Alarm]], bool]] = {"mail": _mail}
    channels |= {url: partial(_hook, url) for url in settings.ALARM_WEBHOOKS}
    # Every channel is asked, whatever another one said.
    if [name for name, send in channels.items() if not _offer(name, send, mine)]:
        # Another process may tell it a second time; an alarm that nobody hears is worse.
        Alarm.objects.filter(pk__in=[alarm.pk for alarm in mine]).update(told_at=None)
        _pause_until = time.monotonic() + PAUSE_SECONDS
        return 0
    for took in _took.values():
        took.difference_update(alarm.pk for alarm in mine)
    return len(mine)


def _offer(name: str, send: Callable[[list[Alarm]], bool], alarms: list[Alarm]) -> bool:
    """Sends what this channel has not taken yet; one that works is not told again because another one is broken."""
    new = [alarm for alarm in alarms if alarm.pk not in _took[name]]
    if new and not send(new):
        return False
    _took[name].update(alarm.pk for alarm in new)
    return True


def _send_and_close() -> None:
    try:
        tell()
    except Exception:
        log.exception("alarms could not be sent")
    finally:
        connection.close()


def _text(alarms: list[Alarm]) -> str:
    return "\n".join(f"[{alarm.get_kind_display()}] {alarm.text}" for alarm in alarms)


def _mail(alarms: list[Alarm]) -> bool:
    if not (settings.EMAIL_HOST and settings.ALARM_EMAILS):
        return True
    n = len(alarms)
    subject = f"겨루 Gyeoru: {n} alarm{'s' if n > 1 else ''}"
    body = f"{_text(alarms)}\n\n{settings.PUBLIC_URL}/console/"
    try:
        send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, settings.ALARM_EMAILS)
    except (smtplib.SMTPException, OSError) as error:
        log.warning("the mail of %d alarms could not be sent: %s", n, error)
        return False
    return True


def _hook(url: str, alarms: list[Alarm]) -> bool:
    """`text` is the field that chat services show; `alarms` is for machines."""
    rows = [{"kind": a.kind, "key": a.key, "text": a.text, "raised_at": a.raised_at.isoformat()} for a in alarms]
    try:
        webhook.post(url, {"text": _text(alarms), "alarms": rows})
    except webhook.WebhookError as error:
        log.warning("a webhook did not take %d alarms: %s", len(alarms), error)
        return False
    return True


def stalled_queues() -> Iterable[Trouble]:
    """Lanes whose oldest due run has waited too long, with how many wait and who works there."""
    old = clock.now() - timedelta(seconds=settings.ALARM_WAITING_SECONDS)
    due = Q(not_before=None) | Q(not_before__lte=clock.now())
    waiting = EvaluationRun.objects.filter(due, status="queued", created_at__lt=old).order_by()
    alive = Worker.objects.filter(heartbeat_at__gt=clock.now() - LOST, is_draining=False)
    for row in waiting.values("lane").annotate(n=Count("pk")):
        seats = alive.filter(lane=row["lane"]).count()
        text = f"{row['n']} runs of the lane {row['lane']} have waited long; {seats} workers are alive there."
        yield Trouble("queue_stalled", row["lane"], text)


def lost_workers() -> Iterable[Trouble]:
    """Workers that fell silent without leaving; one that leaves takes its row along."""
    for worker in Worker.objects.filter(heartbeat_at__lt=clock.now() - LOST):
        text = f"{worker.name} on {worker.host} gave its last sign of life at {worker.heartbeat_at:%Y-%m-%d %H:%M} UTC."
        yield Trouble("worker_lost", worker.name, text)


def failed_runs() -> Iterable[Trouble]:
    """Runs that failed within a day, one trouble for each error kind."""
    failed = EvaluationRun.objects.filter(status="failed", finished_at__gt=clock.now() - FAILED_FOR, is_imported=False)
    for row in failed.order_by().values("error_kind").annotate(n=Count("pk")):
        newest = failed.filter(error_kind=row["error_kind"]).latest("finished_at")
        text = f"{row['n']} runs failed with {row['error_kind']}; the last one is run {newest.pk} on {newest.worker}."
        yield Trouble("run_failed", row["error_kind"], text)


def drifted_models() -> Iterable[Trouble]:
    """Served models whose canary scores changed, from when on."""
    for revision, found in canary.changes():
        text = (
            f"{revision} scores {found.size:+.1%} (95% interval {found.low:+.1%} to {found.high:+.1%}) on the canary "
            f"items since {found.since:%Y-%m-%d}: the model behind this name has probably changed."
        )
        key = f"{revision.slug} {found.since:%Y-%m-%d}"
        yield Trouble("model_drift", key, text, revision, found.since, found.figures)


OURS = (stalled_queues, lost_workers, failed_runs, drifted_models)
