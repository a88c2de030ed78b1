"""What operators are told: once, by mail and webhook, and by nobody's waiting on a server that hangs."""

from __future__ import annotations

import smtplib
import threading
import time
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as site
from django.core import mail
from django.utils import timezone

from config import apps
from judging import alarms as judging_alarms
from judging.models import Budget, JudgeTrial
from runners import alarms, canary
from runners.adapters import webhook
from runners.models import Alarm, EvaluationRun, Generation, Suite, Task
from tests.factories import (
    make_endpoint,
    make_finished_run,
    make_revision,
    make_run,
    make_suite,
    make_task,
    make_worker,
)
from tests.leaderboard.judged import make_judged

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def told(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Messages that webhooks got."""
    settings.EMAIL_HOST, settings.ALARM_EMAILS = "localhost", ["staff@example.org"]
    settings.ALARM_WEBHOOKS = ["https://chat.example/hook"]
    monkeypatch.setattr(alarms, "_took", defaultdict(set))
    sent: list[tuple[str, Any]] = []
    monkeypatch.setattr(webhook, "post", lambda url, message: sent.append((url, message)))
    return sent


def kinds() -> list[tuple[str, str]]:
    return sorted(Alarm.objects.filter(cleared_at=None).values_list("kind", "key"))


def test_a_healthy_site_raises_nothing(told: list[Any]):
    make_worker()
    make_run()
    make_finished_run()
    alarms.look()
    assert kinds() == [] and alarms.tell() == 0 and not mail.outbox and not told


def test_a_stalled_queue_a_lost_worker_and_failed_runs_are_told_once_together(told: list[Any]):
    make_run(created_at=timezone.now() - timedelta(hours=1), lane="gpu")
    make_worker("gpu-1", heartbeat_at=timezone.now() - timedelta(minutes=4))
    for _ in range(3):
        make_run(status="failed", error_kind="does_not_fit")
    alarms.look()
    alarms.look()
    assert kinds() == [("queue_stalled", "gpu"), ("run_failed", "does_not_fit"), ("worker_lost", "gpu-1")]
    assert alarms.tell() == 3 and alarms.tell() == 0
    assert len(mail.outbox) == 1 and "3 runs failed with does_not_fit" in mail.outbox[0].body
    assert [len(message["alarms"]) for _, message in told] == [3]


def test_what_is_well_again_is_closed_and_told_again_when_it_comes_back():
    worker = make_worker("gpu-1", heartbeat_at=timezone.now() - timedelta(minutes=4))
    alarms.look()
    assert alarms.tell() == 1
    type(worker).objects.update(heartbeat_at=timezone.now())
    alarms.look()
    assert kinds() == []
    type(worker).objects.update(heartbeat_at=timezone.now() - timedelta(minutes=4))
    alarms.look()
    assert alarms.tell() == 1 and Alarm.objects.count() == 2


@pytest.mark.parametrize("broken", ["mail", "webhook"])
def test_a_message_that_nobody_took_is_offered_again(broken: str, monkeypatch: pytest.MonkeyPatch):
    make_run(status="failed")
    alarms.look()

    def refuse(*_: Any, **__: Any) -> None:
        raise smtplib.SMTPServerDisconnected if broken == "mail" else webhook.WebhookError("hangs")

    with monkeypatch.context() as patch:
        patch.setattr(alarms, "send_mail", refuse) if broken == "mail" else patch.setattr(webhook, "post", refuse)
        assert alarms.tell() == 0
    assert Alarm.objects.get().told_at is None
    assert alarms.tell() == 1


def test_a_broken_webhook_does_not_make_the_mail_come_again_and_again(monkeypatch: pytest.MonkeyPatch, told: list[Any]):
    make_run(status="failed")
    alarms.look()

    def refuse(url: str, message: Any) -> None:
        raise webhook.WebhookError("down")

    with monkeypatch.context() as patch:
        patch.setattr(webhook, "post", refuse)
        assert [alarms.tell() for _ in range(3)] == [0, 0, 0]
        make_run(status="failed", error_kind="auth")
        alarms.look()
        assert alarms.tell() == 0
    assert [message.body.count("[runs failed]") for message in mail.outbox] == [1, 1]
    assert alarms.tell() == 2 and len(told[0][1]["alarms"]) == 2 and len(mail.outbox) == 2


def test_a_budget_near_its_cap_is_told_before_it_stops_the_judges():
    budget = Budget.objects.create(name="global", cap_usd=Decimal(100), spent_usd=Decimal(85))
    assert list(judging_alarms.check()) == []
    budget.reserved_usd = Decimal(6)
    budget.save()
    (trouble,) = judging_alarms.check()
    assert (trouble.kind, trouble.key) == ("budget", "global") and "$91.00 of $100.00" in trouble.text


def test_canaries_are_asked_for_on_schedule_and_never_twice(settings: Any):
    suite = make_suite(site.CANARY_SUITE)
    revision = make_revision(backend="api", endpoint=make_endpoint(), api_name="m")
    make_revision()
    assert canary.request_due() == 0
    settings.CANARY_HOURS = 24
    assert [canary.request_due(), canary.request_due()] == [1, 0]
    run = EvaluationRun.objects.get()
    assert (run.revision, run.suite, run.settings) == (revision, suite, {"limit": site.CANARY_ITEMS})
    EvaluationRun.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert canary.request_due() == 0  # it is still under way
    EvaluationRun.objects.update(status="finished", finished_at=timezone.now())
    assert canary.request_due() == 1


def _canaries(scores: list[int], revision: Any = None) -> Any:
    """A served revision with a canary run a day: so many of 20 items right."""
    task = Task.objects.first() or make_task()
    suite = Suite.objects.filter(slug=site.CANARY_SUITE).first() or make_suite(site.CANARY_SUITE, [task])
    revision = revision or make_revision(backend="api", endpoint=make_endpoint(), api_name="m")
    start = timezone.now() - timedelta(days=40) + timedelta(days=EvaluationRun.objects.count())
    for day, right in enumerate(scores):
        items = {task.name: [1.0] * right + [0.0] * (20 - right)}
        make_finished_run(revision, suite, items, requested_by=canary.BY, finished_at=start + timedelta(days=day))
    return revision


def _boards() -> int:
    return sum(Generation.objects.filter(pk="boards").values_list("value", flat=True))


def test_the_mark_of_a_change_closes_itself_when_the_canary_is_back_and_the_boards_are_made_new():
    revision = _canaries([16] * 8 + [8] * 4)
    for scores, still, touched in (([], True, 1), ([16] * 4, True, 0), ([16], False, 1), ([], False, 0)):
        _canaries(scores, revision)
        before = _boards()
        alarms.look()
        assert (bool(kinds()), _boards() - before) == (still, touched)
    assert Alarm.objects.get().accepted_at is None


def test_a_mark_keeps_its_size_with_the_interval():
    _canaries([16] * 8 + [8] * 4)
    alarms.look()
    figures = Alarm.objects.get().figures
    assert figures["size"] == pytest.approx(-0.4) and figures["low"] < -0.4 < figures["high"] < 0
    assert "95% interval" in Alarm.objects.get().text


def test_an_accepted_level_is_the_new_normal_and_a_change_from_it_is_told():
    revision = _canaries([16] * 8 + [8] * 4)
    alarms.look()
    now = timezone.now()
    Alarm.objects.update(accepted_at=now, cleared_at=now, accepted_reason="the maker announced it")
    _canaries([8] * 4, revision)
    alarms.look()
    assert kinds() == []
    _canaries([16] * 4, revision)
    alarms.look()
    alarm = Alarm.objects.get(cleared_at=None)
    assert alarm.figures["size"] == pytest.approx(0.4)


def test_two_models_are_watched_apart():
    _canaries([16] * 12)
    changed = _canaries([16] * 8 + [4] * 4)
    alarms.look()
    assert [alarm.revision for alarm in Alarm.objects.all()] == [changed]


def test_a_judge_that_misses_known_orders_is_told(told: list[Any], monkeypatch: pytest.MonkeyPatch):
    made = make_judged({"maker/talker": [(8.0, 7.0)] * 4})
    assert list(judging_alarms.check()) == []
    JudgeTrial.objects.update(known_order=0.7)
    (trouble,) = judging_alarms.check()
    assert trouble.kind == "judge_drift" and str(made.judge) in trouble.text and "70%" in trouble.text
    JudgeTrial.objects.update(known_order=0.9, is_red=True)
    assert "canary" in next(iter(judging_alarms.check())).text
    monkeypatch.setattr(alarms, "CHECKS", [])
    monkeypatch.setattr(alarms, "step", alarms.look)
    apps._alarms()
    assert alarms.tell() == 1 and told[0][1]["alarms"][0]["kind"] == "judge_drift"


@pytest.mark.django_db(transaction=True)
def test_a_webhook_that_hangs_holds_neither_the_reconciler_nor_a_second_message(monkeypatch: pytest.MonkeyPatch):
    reached, go_on = threading.Event(), threading.Event()

    def hang(url: str, message: Any) -> None:
        reached.set()
        go_on.wait(10)

    monkeypatch.setattr(webhook, "post", hang)
    monkeypatch.setattr(alarms, "_looked_at", float("-inf"))
    monkeypatch.setattr(alarms, "_pause_until", float("-inf"))
    monkeypatch.setattr(alarms, "_sender", None)
    make_run(status="failed")
    try:
        started = time.monotonic()
        alarms.step()
        assert reached.wait(5)
        monkeypatch.setattr(alarms, "_looked_at", float("-inf"))
        make_run(status="failed", error_kind="auth")
        alarms.step()
        assert time.monotonic() - started < 5
        assert Alarm.objects.filter(told_at=None).count() == 1  # the second one waits for the sender
        sender = alarms._sender
    finally:
        go_on.set()
    assert sender is not None
    sender.join(5)
    assert not sender.is_alive()
    assert alarms.tell() == 1


def test_a_model_that_changed_behind_its_name_is_marked_on_the_day_it_changed(told: list[Any]):
    task = make_task()
    suite = make_suite(site.CANARY_SUITE, [task])
    revision = make_revision(backend="api", endpoint=make_endpoint(), api_name="m")
    start = timezone.now() - timedelta(days=12)
    for day in range(12):
        right = 16 if day < 8 else 8
        scores = {task.name: [1.0] * right + [0.0] * (20 - right)}
        make_finished_run(revision, suite, scores, requested_by=canary.BY, finished_at=start + timedelta(days=day))
    alarms.look()
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.revision, alarm.about_at) == ("model_drift", revision, start + timedelta(days=8))
    assert "scores -4" in alarm.text
    assert alarms.tell() == 1 and "the model behind this name has probably changed" in told[0][1]["text"]
