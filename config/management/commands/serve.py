"""`manage.py serve`: the whole site in one command, as `make run` starts it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import checks, redis_server
from config.launcher import Launcher, Part, manage
from judging import judges
from judging.apps import QUALITIES
from runners import catalog, runs
from runners.adapters import served
from runners.models import EvaluationRun, ModelRevision, Suite

# Who answers which bundled suite at the first start.
FIRST_RUNS = {"ko-basic": tuple(catalog.REFERENCE_PLAYERS), "ko-mt": (*QUALITIES, "constant", "echo")}


class Command(BaseCommand):
    help = "Starts Redis (where none is given), the reconciler, workers and the web server; Ctrl-C stops them all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workers", type=int, default=int(os.environ.get("GYEORU_EVAL_WORKERS", "2")))

    def handle(self, *args: Any, **options: Any) -> None:
        port = os.environ.get("PORT", "8000")
        _refuse_a_taken_port(port)
        call_command("check", fail_level="ERROR", verbosity=0)
        call_command("migrate", verbosity=0, interactive=False)
        changes = catalog.synchronise()
        catalog.register_reference_players()
        for slug in changes.drifted:
            raise CommandError(f"The published suite {slug} has changed; raise its version (gyeoru.E004).")
        self._first_runs()
        self._attach_server()
        call_command("collectstatic", verbosity=0, interactive=False)
        parts = [*self._redis(), *self._parts(options["workers"])]
        _refuse_an_evicting_redis()
        self.stdout.write(self.style.SUCCESS(f"\n  겨루 Gyeoru → http://localhost:{port}\n"))
        self.stdout.write("  Ctrl-C stops everything; start again and it goes on where it left off.\n\n")
        self.stdout.flush()
        Launcher(parts, lambda text: self.stderr.write(text)).run()

    def _redis(self) -> list[Part]:
        """Our own Redis, started first and stopped last, unless REDIS_URL names one."""
        if os.environ.get("REDIS_URL"):
            return []
        try:
            part = Part("redis", redis_server.command(settings.HOME))
            part.start()
            assert part.process is not None
            redis_server.wait_until_ready(part.process, redis_server.socket(settings.HOME))
        except redis_server.NoRedis as error:
            raise CommandError(str(error)) from error
        return [part]

    def _parts(self, workers: int) -> list[Part]:
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", str(settings.BASE_DIR / "config" / "gunicorn.py")]
        return [
            Part("reconciler", manage("reconcile")),
            *(Part(f"worker {n + 1}", manage("work", "--queue", "eval")) for n in range(workers)),
            Part("judge worker", manage("work", "--queue", "judge")),
            Part("ratings", manage("refit", "--watch")),
            *([Part("GPU worker", manage("work", "--queue", "gpu"))] if _gpu() else []),
            Part("web", [*gunicorn, "config.asgi:application"]),
        ]

    def _first_runs(self) -> None:
        """The reference players go through the real queue, so that the first page fills while one watches."""
        for slug, players in FIRST_RUNS.items():
            suite = Suite.objects.filter(slug=slug, retired_at=None).order_by("-version").first()
            if suite is None:
                continue
            for revision in ModelRevision.objects.filter(slug__in=[f"reference/{name}" for name in players]):
                if not EvaluationRun.objects.filter(revision=revision, suite=suite).exists():
                    runs.request(revision, suite, requested_by="gyeoru", reason="first start")

    def _attach_server(self) -> None:
        """`OPENAI_BASE_URL=… make run` offers the models of that server."""
        base_url = os.environ.get("OPENAI_BASE_URL")
        if not base_url:
            return
        try:
            revisions = served.attach(base_url, key_env="OPENAI_API_KEY" if os.environ.get("OPENAI_API_KEY") else "")
        except served.ServerError as error:
            self.stderr.write(f"The model server at OPENAI_BASE_URL is not offered: {error}")
            return
        for revision in revisions:
            if revision.endpoint is not None:
                judges.offer(revision.endpoint)
        names = ", ".join(revision.api_name for revision in revisions) or "none"
        self.stdout.write(f"Models of the attached server: {names}")
        if revisions:
            port = os.environ.get("PORT", "8000")
            self.stdout.write(f"Let one answer and another one judge: http://localhost:{port}/ko/submit/")


def _gpu() -> bool:
    try:
        found = subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False)  # noqa: S607
    except FileNotFoundError:
        return False
    return found.returncode == 0 and b"GPU" in found.stdout


def _refuse_an_evicting_redis() -> None:
    """A given Redis is asked once, here: a check of every command would make each wait for a Redis that is away."""
    for message in checks.redis_keeps_hints(None):
        if message.is_serious():
            raise CommandError(f"{message.msg} {message.hint} ({message.id})")


def _refuse_a_taken_port(port: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((os.environ.get("GYEORU_BIND", "127.0.0.1"), int(port)))
        except OSError as error:
            raise CommandError(
                f"Port {port} is taken ({error.strerror}). Stop what uses it, or choose another: PORT=8001 make run"
            ) from error
