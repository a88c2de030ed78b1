"""`manage.py reconcile`: the reconciler, once or for ever."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from runners import dispatch


class Command(BaseCommand):
    help = "Repairs runs whose worker died and gives waiting runs' hints to the queue."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(dispatch.step() or "ok")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        dispatch.loop(stop.is_set)
