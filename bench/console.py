"""The console over 50,000 runs: queries and p95 per page, and one press on 1,000 runs (`make bench ONLY=console`).

SQLite without DATABASE_URL; with one, that database, which must be empty and is filled.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from datetime import timedelta

RUNS, SUITES, MODELS, ROUNDS = 50_000, 10, 400, 40
PAGES = {
    "all": "", "failed": "?status=failed", "one suite": "?suite=suite-3@1", "one model": "?model=model-123",
    "one worker": "?worker=g2", "one error": "?status=failed&error=does_not_fit&open=1", "last week": "?age=7d",
    "last page": "?page=100000", "watched": "?status=running&watch=1", "failures": "failures/", "fleet": "fleet/",
    "settings": "settings/", "audit": "audit/",
}  # fmt: skip


def seed() -> None:
    from django.utils import timezone

    from runners.models import EvaluationRun, ModelRevision, TaskResult
    from tests import factories

    draw, now = random.Random(7), timezone.now()
    suites = [factories.make_suite(f"suite-{n}", tasks=2) for n in range(SUITES)]
    tasks = {suite.pk: list(suite.tasks.all()) for suite in suites}
    revisions: list[ModelRevision] = [factories.make_revision(f"maker/model-{n}") for n in range(MODELS)]
    for number in range(8):
        factories.make_worker(f"g{number}", lane="gpu")
    states = ("finished",) * 14 + ("failed",) * 4 + ("cancelled",)
    rows, log = [], "a line of a log that says something\n" * 60
    for number in range(RUNS):
        waits = number >= RUNS - 1000
        status = ("queued" if number < RUNS - 40 else "running") if waits else draw.choice(states)
        asked = now - timedelta(minutes=2.5 * (RUNS - number))
        rows.append(
            EvaluationRun(
                revision=draw.choice(revisions), suite=draw.choice(suites), status=status, lane="gpu",
                fingerprint=f"{number:064}", worker="" if status == "queued" else f"g{draw.randrange(8)}",
                error_kind=draw.choice(("does_not_fit", "auth", "poison", "stalled")) if status == "failed" else "",
                error_text="CUDA out of memory" if status == "failed" else "", log_tail=log, attempt=1,
                environment={"versions": {"torch": "2.9"}}, created_at=asked, started_at=asked,
                finished_at=None if waits else asked + timedelta(seconds=draw.uniform(200, 700)),
                token="t" if status == "running" else "", lease_until=now if status == "running" else None,
                heartbeat_at=now,
            )
        )  # fmt: skip
    EvaluationRun.objects.bulk_create(rows, batch_size=500)
    done = EvaluationRun.objects.filter(status="finished").order_by("pk").values_list("pk", "suite_id")
    TaskResult.objects.bulk_create(
        (
            TaskResult(run_id=pk, task=task, value=0.5, stderr=0.01, n_docs=500, n_scored=500)
            for pk, suite in done
            for task in tasks[suite]
        ),
        batch_size=500,
    )


def pages() -> bool:
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client, good = Client(), True
    client.force_login(User.objects.create_superuser("chief"))
    for name, query in PAGES.items():
        address = f"/ko/console/{query}"
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
            queries = len(captured)
        took = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            client.get(address)
            took.append((time.perf_counter() - started) * 1000)
        p50, p95 = sorted(took)[ROUNDS // 2], sorted(took)[int(ROUNDS * 0.95) - 1]
        good &= p95 <= 150 and queries <= 12
        print(f"  {name:12} {queries:2} queries  p50 {p50:6.1f} ms  p95 {p95:6.1f} ms", flush=True)
    return good


def presses() -> bool:
    from django.contrib.auth.models import User

    from leaderboard.console import actions
    from leaderboard.console.actions import Press
    from runners.models import EvaluationRun

    chief, good = User.objects.get(), True
    failed = list(EvaluationRun.objects.filter(status="failed").order_by("fingerprint").values_list("pk", flat=True))
    queued = EvaluationRun.objects.filter(status="queued").order_by("pk")
    waiting = list(queued.values_list("pk", flat=True)[:1000])
    chosen = {"rerun": failed[:1000], "withdraw": failed[1000:2000], "priority": waiting, "cancel": waiting}
    for action, ids in chosen.items():
        started = time.perf_counter()
        outcome = actions.on_runs(Press(chief, action, "measured", priority=1), ids)
        seconds = time.perf_counter() - started
        good &= seconds <= 5
        print(f"  {action} of {len(ids)} runs: {outcome.done} done, {len(outcome.refused)} left out, {seconds:.2f} s")
    return good


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"GYEORU_HOME": home, "DJANGO_SETTINGS_MODULE": "config.settings", "GYEORU_LOG_LEVEL": "ERROR"}
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        started = time.perf_counter()
        seed()
        print(f"console of {RUNS:,} runs on {connection.vendor} (filled in {time.perf_counter() - started:.0f} s)")
        print("  goals: ≤ 12 queries, p95 ≤ 150 ms a page; 1,000 runs at one press ≤ 5 s")
        good = pages()
        good = presses() and good
        print("  within the goals" if good else "  NOT within the goals")
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
