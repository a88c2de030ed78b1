"""Canary tokens in every secret place: none is seen in logs, rows, pages, job hashes or the child's environment."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from config import redis_server
from runners import logs
from runners.adapters import harness
from tests.fake_openai import Behaviour, FakeOpenAI
from tests.site import Site

TOKENS = {
    "SECRET_KEY": "canary-0-django-secret-key-0000000000000000000000000000",
    "HF_TOKEN": "canary-1-hub-token-1111",
    "OPENAI_API_KEY": "canary-2-api-key-2222",
    "EMAIL_HOST_PASSWORD": "canary-3-mail-password-3333",
    "JUDGE_KEY": "canary-4-judge-key-4444",
    "AWS_SECRET_ACCESS_KEY": "canary-5-storage-key-5555",
}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TOKENS.items():
        monkeypatch.setenv(name, value)


def record(message: str, *, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    found = logging.LogRecord("runners.supervise", logging.ERROR, __file__, 1, message, (), exc_info)
    assert logs.SecretFilter().filter(found)
    return found


@pytest.mark.parametrize("formatter", [logs.LineFormatter(), logs.JSONFormatter()], ids=["line", "json"])
def test_neither_a_message_nor_a_traceback_carries_a_secret(formatter: logging.Formatter, secrets: None):
    text = " ".join(TOKENS.values()) + " postgres://user:p4ssw0rd@host/db Bearer abcdefgh sk-abcdefghijkl"
    try:
        raise ValueError(text)
    except ValueError as error:
        line = formatter.format(record(f"run 12 broke: {text}", error=error))
    assert not [value for value in (*TOKENS.values(), "p4ssw0rd", "abcdefgh") if value in line]
    assert "run 12 broke" in line and "ValueError" in line


def test_a_json_line_names_its_run_and_stays_one_line():
    line = logs.JSONFormatter().format(record("run 12 attempt 2: another attempt\nhas taken over"))
    assert "\n" not in line
    assert {"run": 12, "level": "ERROR", "logger": "runners.supervise"}.items() <= json.loads(line).items()


def test_the_child_gets_the_one_key_its_model_needs_and_no_other(secrets: None):
    given = harness.scrubbed_environment("OPENAI_API_KEY", offline=True)
    assert [name for name in TOKENS if name in given] == ["OPENAI_API_KEY"]


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        fake.behaviours["candidate"] = Behaviour(reply="정답: A")
        fake.behaviours["broken"] = Behaviour("401")
        yield fake


@pytest.mark.workers
@pytest.mark.parametrize("form", ["line", "json"])
def test_a_whole_site_with_secrets_in_every_variable_shows_none(tmp_path: Path, server: FakeOpenAI, form: str):
    site = Site(tmp_path, **TOKENS, GYEORU_LOG_FORMAT=form, GYEORU_LOG_LEVEL="DEBUG")
    seen: dict[str, str] = {}
    try:
        site.manage("migrate", "-v0")
        site.manage("sync_catalogue")
        for name in ("candidate", "broken"):
            site.manage("add_endpoint", name, "--base-url", server.base_url, "--served-name", name,
                        "--key-env", "OPENAI_API_KEY")  # fmt: skip
            site.manage("evaluate", f"api/{name}", "ko-basic", "--limit", "2")
        redis = subprocess.Popen(redis_server.command(site.home), stdout=subprocess.DEVNULL, start_new_session=True)
        site.processes.insert(0, redis)
        redis_server.wait_until_ready(redis, redis_server.socket(site.home))
        site.start("reconcile")
        site.start("work", "--queue", "eval")
        ended = "select status from runners_evaluationrun where status in ('finished', 'failed')"
        site.wait_for("both ended", lambda: len(site.sql(ended)) == 2, 90)
        assert sorted(site.sql(ended)) == [("failed",), ("finished",)]
        with Redis(unix_socket_path=str(redis_server.socket(site.home))) as client:
            seen["job hashes"] = "".join(repr(client.dump(key)) for key in client.scan_iter())
        pages = ["/ko/", "/ko/queue/", "/api/v1/queue", "/metrics", "/healthz", "/api/v1/runs/1", "/ko/runs/2/"]
        show = f"from django.test import Client; print([Client().get(p, follow=True).content for p in {pages}])"
        seen["pages"] = site.manage("shell", "-v0", "-c", show)
    finally:
        site.stop()
    assert any("Bearer " + TOKENS["OPENAI_API_KEY"] in str(call.headers) for call in server.calls)
    seen["log"] = site.log.read_text(errors="replace")
    with sqlite3.connect(site.home / "gyeoru.sqlite3") as database:
        seen["database"] = "\n".join(database.iterdump())
    seen["files"] = "".join(
        path.read_bytes().decode(errors="replace")
        for path in (site.home / "artifacts").rglob("*") if path.is_file()
    )  # fmt: skip
    hits = [(place, name) for place, text in seen.items() for name, value in TOKENS.items() if value in text]
    assert hits == []
    told = [json.loads(line) for line in seen["log"].splitlines() if line.startswith("{")]
    assert {1, 2} <= {line.get("run") for line in told} if form == "json" else "run 1 attempt 1 is done" in seen["log"]
