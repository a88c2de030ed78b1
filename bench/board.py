"""The board of 500 models by 60 tasks: bytes, queries on a hit, requests a second against a bare WSGI callable of
the same gunicorn sending the same bytes, and how long a new result takes to be seen."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS, TASKS = 500, 60
PATH = "/ko/boards/bench/?view=all"
SECONDS = int(os.environ.get("BENCH_SECONDS", "8"))


def seed() -> None:
    """500 finished runs with 60 results each, written in bulk."""
    from django.utils import timezone

    from runners.models import (
        Benchmark,
        EvaluationRun,
        LanguageModel,
        ModelRevision,
        Suite,
        SuiteTask,
        Task,
        TaskResult,
    )
    from runners.runs import touch

    draw = random.Random(1)
    benchmark = Benchmark.objects.create(slug="bench", title_ko="성능", title_en="Bench")
    suite = Suite.objects.create(
        slug="bench", version=1, kind="zero_shot", title_ko="성능 시험", title_en="Bench", published_at=timezone.now()
    )
    tasks = [
        Task.objects.create(
            benchmark=benchmark, name=f"task_{n:02}", config_sha=f"{n:064}", mode="generate", title_ko=f"과제 {n}",
            title_en=f"Task {n}", dataset_source="bundled", dataset_name="x", metric="acc", n_docs=100 + 13 * n,
        )
        for n in range(TASKS)
    ]  # fmt: skip
    for order, task in enumerate(tasks):
        SuiteTask.objects.create(suite=suite, task=task, order=order)
    for n in range(MODELS):
        skill = draw.gauss(0.6, 0.12)
        model = LanguageModel.objects.create(
            slug=f"org{n % 37}/model-{draw.randint(0, 99999)}-{n}", name=f"model-{n}-{draw.choice([7, 13, 70])}b",
            organization=f"org{n % 37}", kind="open", licence="apache-2.0", n_parameters=7 * 10**9,
        )  # fmt: skip
        revision = ModelRevision.objects.create(
            language_model=model, slug=f"{model.slug}@0", backend="hf", hub_id=model.slug, commit_sha=f"{n:040x}"
        )
        run = EvaluationRun.objects.create(
            revision=revision, suite=suite, status="finished", fingerprint=f"{n:064}", finished_at=timezone.now()
        )
        values = [(task, min(0.99, max(0.05, skill + draw.gauss(0, 0.08)))) for task in tasks]
        TaskResult.objects.bulk_create(
            TaskResult(
                run=run, task=t, value=v, stderr=(v * (1 - v) / t.n_docs) ** 0.5, n_docs=t.n_docs, n_scored=t.n_docs
            )
            for t, v in values
        )
    touch("boards")


def get(port: int, path: str, encoding: str = "br") -> tuple[bytes, dict[str, str], float]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept-Encoding": encoding})
    started = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as response:
        body = response.read()
        return body, {k.lower(): v for k, v in response.headers.items()}, time.perf_counter() - started


def wrk(port: int, path: str) -> tuple[float, str]:
    """(requests a second, latency line) of SECONDS with 16 connections, taking gzip."""
    out = subprocess.run(
        ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "--latency", "-H", "Accept-Encoding: gzip", f"http://127.0.0.1:{port}{path}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])  # type: ignore[index]
    return rate, re.search(r"99%\s+(\S+)", out)[1]  # type: ignore[index]


def gunicorn(port: int, *words: str, ready: str = PATH, **environment: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "1", "--no-control-socket", "--log-level",
         "error", *words], cwd=ROOT, env={**os.environ, **environment}, start_new_session=True,
    )  # fmt: skip
    for _ in range(200):
        try:
            get(port, ready)
        except OSError:
            time.sleep(0.1)
        else:
            break
    return process


def freshness(port: int) -> tuple[float, float]:
    """(seconds until a new value stands on the page, slowest request in ms while it is rebuilt)."""
    from runners.models import TaskResult
    from runners.runs import touch

    slowest, seen = 0.0, threading.Event()

    def read() -> None:
        nonlocal slowest
        while not seen.is_set():
            slowest = max(slowest, get(port, PATH)[2])
            time.sleep(0.02)

    reader = threading.Thread(target=read)
    reader.start()
    before = get(port, PATH)[1]["etag"]
    result = TaskResult.objects.order_by("pk").first()
    assert result is not None
    TaskResult.objects.filter(pk=result.pk).update(value=0.123 + random.random() / 10)
    touch("boards")
    started = time.perf_counter()
    while get(port, PATH)[1]["etag"] == before and time.perf_counter() - started < 60:
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    seen.set()
    reader.join()
    return seconds, slowest * 1000


def main() -> None:
    if not shutil.which("wrk"):
        print("board: skipped, wrk is not installed (apt-get install wrk)")
        return
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"GYEORU_HOME": home, "DJANGO_SETTINGS_MODULE": "config.settings"}
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection
        from django.test import Client
        from django.test.utils import CaptureQueriesContext

        call_command("migrate", verbosity=0)
        seed()
        client = Client()
        client.get(PATH)
        with CaptureQueriesContext(connection) as queries:
            client.get(PATH)
        from tests.lanes import free_port

        ours_port, bare_port = free_port(), free_port()
        ours = gunicorn(ours_port, "-k", "asgi", "--asgi-lifespan", "off", "config.asgi:application", GYEORU_WEB="1")
        sizes = {name: len(get(ours_port, PATH, name)[0]) for name in ("br", "gzip", "identity")}
        body = Path(home) / "page.gz"
        body.write_bytes(get(ours_port, PATH, "gzip")[0])
        bare = gunicorn(bare_port, "-k", "gthread", "--threads", "4", "bench.bare:application", BENCH_BODY=str(body))
        try:
            pairs = [(wrk(ours_port, PATH), wrk(bare_port, PATH)) for _ in range(3)]
            ratio = statistics.median(a[0] / b[0] for a, b in pairs)
            print(
                f"board {MODELS} x {TASKS}: {sizes['br'] / 1000:.0f} kB br, {sizes['gzip'] / 1000:.0f} kB gzip, "
                f"{sizes['identity'] / 1000:.0f} kB plain; {len(queries)} queries on a hit"
            )
            for (rate, slow), (bare_rate, bare_slow) in pairs:
                print(f"  ours {rate:7.0f}/s (p99 {slow})   bare WSGI {bare_rate:7.0f}/s (p99 {bare_slow})")
            print(f"  ratio {ratio:.2f} (goal ≥ 0.45)")
            fresh = [freshness(ours_port) for _ in range(3)]
            print(
                f"  new result visible after {max(s for s, _ in fresh):.1f} s (goal ≤ 10), slowest request meanwhile "
                f"{max(ms for _, ms in fresh):.0f} ms (goal ≤ 200)"
            )
            rss = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{_child(ours.pid)}/status").read_text())[1])  # type: ignore[index]
            print(f"  web process {rss / 1024:.0f} MB (goal ≤ 150)")
        finally:
            for process in (ours, bare):
                process.send_signal(signal.SIGTERM)
                process.wait()


def _child(pid: int) -> int:
    from tests.site import children_of

    return children_of(pid)[0]


if __name__ == "__main__":
    main()
