"""A bad start is refused, with what to change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config import checks
from runners import catalog
from runners.adapters import queue
from runners.models import Suite, Task
from tests.lanes import ROOT


def ids(found: list) -> list[str]:
    return [message.id for message in found]


def test_production_without_a_secret_is_refused(tmp_path: Path):
    environment = {**os.environ, "GYEORU_ENV": "production", "GYEORU_HOME": str(tmp_path), "DATABASE_URL": ""}
    environment.pop("SECRET_KEY", None)
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "gyeoru.E001" in done.stderr
    assert "Set SECRET_KEY" in done.stderr


def test_production_settings_pass_djangos_own_deployment_checks(tmp_path: Path):
    environment = {
        **os.environ,
        "GYEORU_ENV": "production",
        "GYEORU_HOME": str(tmp_path),
        "SECRET_KEY": "abcdefghij0123456789" * 4,
    }
    environment["DATABASE_URL"] = ""
    command = [sys.executable, "manage.py", "check", "--deploy", "--tag", "security", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_sqlite_as_django_sets_it_up_is_refused(settings, monkeypatch):
    assert checks.sqlite_is_safe(None) == []
    database = {**settings.DATABASES["default"], "ENGINE": "django.db.backends.sqlite3", "OPTIONS": {}}
    monkeypatch.setitem(settings.DATABASES, "default", database)
    assert ids(checks.sqlite_is_safe(None)) == ["gyeoru.E002"]


@pytest.mark.parametrize(("policy", "found"), [("noeviction", []), ("allkeys-lru", ["gyeoru.E003"])])
def test_a_redis_that_throws_hints_away_is_refused(monkeypatch, policy, found):
    monkeypatch.setattr(queue, "eviction_policy", lambda: policy)
    assert ids(checks.redis_keeps_hints(None)) == found


def test_a_redis_that_is_away_is_only_a_warning(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert ids(checks.redis_keeps_hints(None)) == ["gyeoru.W003"]


@pytest.mark.django_db
def test_a_published_suite_that_changed_is_refused():
    catalog.synchronise()
    assert checks.suites_are_as_published(None) == []
    Suite.objects.filter(slug="ko-basic").update(definition_sha="0" * 64)
    (error,) = checks.suites_are_as_published(None)
    assert (error.id, "ko-basic v1" in error.msg) == ("gyeoru.E004", True)
    assert catalog.synchronise().drifted == ["ko-basic"]


@pytest.mark.django_db
def test_a_size_that_became_known_is_filled_in_and_one_that_a_run_told_stays():
    catalog.synchronise()
    Task.objects.filter(name="click_law").update(n_docs=None)
    Task.objects.filter(name="click_law_gen").update(n_docs=218)
    assert catalog.synchronise() == catalog.Changes([], [])
    sizes = dict(Task.objects.filter(name__startswith="click_law").values_list("name", "n_docs"))
    assert sizes == {"click_law": 219, "click_law_gen": 218}


@pytest.mark.workers
def test_the_site_does_not_start_on_an_evicting_redis(tmp_path: Path):
    from config import redis_server
    from tests.lanes import free_port
    from tests.site import Site

    port = free_port()
    evicting = [redis_server.binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--maxmemory-policy",
                "allkeys-lru", "--dir", str(tmp_path)]  # fmt: skip
    process = subprocess.Popen(evicting, stdout=subprocess.DEVNULL)
    site = Site(tmp_path / "home", REDIS_URL=f"redis://127.0.0.1:{port}/0")
    try:
        with pytest.raises(AssertionError, match="noeviction"):
            site.manage("serve")
    finally:
        process.terminate()
        process.wait()


def test_no_secret_reaches_a_log_line(monkeypatch):
    from runners.logs import without_secrets

    monkeypatch.setenv("MY_API_KEY", "correct-horse-battery")
    line = "key correct-horse-battery, hf_abcdefghijklmnop, sk-abcdefghijklmnop, redis://user:pass@host, Bearer abc.def"
    cleaned = without_secrets(line)
    for secret in ("correct-horse", "hf_abc", "sk-abc", "pass", "abc.def"):
        assert secret not in cleaned


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/ko/", "/ko/queue/", "/ko/nothing-here/", "/admin/login/", "/api/v1/suites"])
def test_every_answer_carries_the_strict_policy(client, path):
    policy = client.get(path)["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
