"""`manage.py refit`: ratings of every source, category and method, and the agreement of judges with people."""

from __future__ import annotations

import os

# Two BLAS threads on a busy machine take a small Cholesky from 0.2 to 240 ms; numpy reads this at its import.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import threading  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

from django.core.management.base import BaseCommand, CommandError, CommandParser  # noqa: E402

from leaderboard.ratings import METHODS  # noqa: E402
from leaderboard.refitting import Watch, refit_all  # noqa: E402


class Command(BaseCommand):
    help = "Refits what has changed. With --watch it stays and does so whenever votes arrive."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--source", help="slug of one source alone")
        parser.add_argument("--method", nargs="+", choices=list(METHODS), default=list(METHODS))
        parser.add_argument("--anchor", metavar="REVISION=RATING", help="fixes a model; else the mean is 1000")
        parser.add_argument("--watch", action="store_true", help="keep on; at most 5 s behind the votes")
        parser.add_argument("--seconds", type=float, default=3.0, help="pause between two looks with --watch")

    def handle(self, *args: Any, **options: Any) -> None:
        anchor = _anchor(options["anchor"])
        if options["watch"]:
            self._watch(Watch(anchor), options["seconds"])
        began = time.monotonic()
        try:
            for line in refit_all(options["source"], options["method"], anchor):
                self.stdout.write(line)
        except LookupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{time.monotonic() - began:.1f} s")

    def _watch(self, watch: Watch, seconds: float) -> None:
        """Looks for ever; ends with the thread that reads votes, so that whoever started this starts it anew."""

        def work() -> None:
            while True:
                watch.work()
                time.sleep(seconds)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        while worker.is_alive():
            for line in watch.look():
                self.stdout.write(line)
            time.sleep(seconds)
        raise CommandError("What reads votes has failed; the reason stands above.")


def _anchor(text: str | None) -> tuple[str, float] | None:
    if not text:
        return None
    slug, mark, rating = text.rpartition("=")
    try:
        return (slug, float(rating)) if mark and slug else None
    except ValueError as error:
        raise CommandError(f"--anchor takes REVISION=RATING, not “{text}”.") from error
