"""One mail, when everything has ended, and the address is gone."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest
from django.core import mail

from leaderboard import letters
from leaderboard.models import Submission
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mail_server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EMAIL_HOST = "mail.example"
    monkeypatch.setattr(letters, "_pause_until", 0.0)


def _submission(*states: str) -> Submission:
    revision = factories.make_revision()
    made = Submission.objects.create(form_key="k", revision=revision, network_hash="h", email="a@example.org")
    for state in states:
        made.runs.add(factories.make_run(revision, status=state))
    return made


def test_it_is_sent_once_and_the_address_is_deleted() -> None:
    made = _submission("finished", "failed")
    letters.send_due()
    letters.send_due()
    assert len(mail.outbox) == 1
    assert mail.outbox[0].to == ["a@example.org"]
    assert f"/ko/submissions/{made.receipt}/" in mail.outbox[0].body
    assert f"/en/submissions/{made.receipt}/" in mail.outbox[0].body
    made.refresh_from_db()
    assert made.email == ""


def test_it_waits_for_the_last_run() -> None:
    _submission("finished", "running")
    letters.send_due()
    assert mail.outbox == []


def test_without_a_mail_server_nothing_is_tried(settings: Any) -> None:
    settings.EMAIL_HOST = ""
    _submission("finished")
    letters.send_due()
    assert mail.outbox == []


def test_a_mail_server_in_trouble_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def refuse(*args: Any, **options: Any) -> None:
        tries.append(args)
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(letters, "send_mail", refuse)
    made = _submission("finished")
    letters.send_due()
    letters.send_due()
    made.refresh_from_db()
    assert (len(tries), made.email) == (1, "a@example.org")
