"""A worker that is not of the database's version takes no run, and machines agree on the time of leases."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from runners import clock, runs, schema
from runners.adapters.worker import FleetWorker
from runners.models import Worker
from tests.factories import make_run, make_worker

pytestmark = pytest.mark.django_db


def test_a_worker_of_the_databases_version_finds_nothing_to_say():
    assert schema.mismatch() == ""
    assert ("runners", "0001_initial") in schema.known()


def test_an_older_worker_refuses_a_newer_database_and_says_what_to_do():
    MigrationRecorder(connection).record_applied("runners", "9999_of_tomorrow")
    assert "newer than this worker (it has runners.9999_of_tomorrow): install the new version" in schema.mismatch()
    run = make_run()
    assert runs.claim(run.pk, "worker-1") is None
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("queued", 0)


def test_a_newer_worker_refuses_an_older_database():
    MigrationRecorder(connection).record_unapplied("runners", max(n for app, n in schema.known() if app == "runners"))
    assert "older than this worker" in schema.mismatch() and "manage.py migrate" in schema.mismatch()


def test_migrations_of_other_packages_do_not_matter():
    MigrationRecorder(connection).record_applied("auth", "9999_of_django")
    assert schema.mismatch() == ""


def test_a_worker_of_another_version_stands_aside_with_a_note_until_it_fits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    row = make_worker("gpu-1")
    worker = FleetWorker.__new__(FleetWorker)
    worker.fleet_name = row.name
    recorder = MigrationRecorder(connection)
    recorder.record_applied("judging", "9999_of_tomorrow")
    assert worker.stands_aside()
    assert "judging.9999_of_tomorrow" in Worker.objects.get().note
    recorder.record_unapplied("judging", "9999_of_tomorrow")
    assert not worker.stands_aside()
    assert Worker.objects.get().note == ""
    Worker.objects.update(is_draining=True)
    assert worker.stands_aside()


@pytest.mark.postgres
def test_a_machine_whose_clock_is_ten_minutes_off_neither_steals_nor_loses_a_lease(monkeypatch: pytest.MonkeyPatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite and its workers share one machine's clock")
    real = timezone.now

    def off_by(minutes: int) -> None:
        def skewed() -> datetime:
            return real() + timedelta(minutes=minutes)

        monkeypatch.setattr(timezone, "now", skewed)
        clock.forget()

    run = make_run()
    off_by(-10)
    claim = runs.claim(run.pk, "behind")
    assert claim is not None
    off_by(+10)
    runs.reconcile()
    assert runs.beat(claim)
    assert abs(clock.now() - real()) < timedelta(seconds=2)
    clock.forget()
