"""`manage.py work --queue LANE`: a worker of one lane."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from runners.adapters import worker


class Command(BaseCommand):
    help = "Works on one lane of the queue until it gets one SIGTERM, which drains it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queue", choices=settings.LANES, required=True)
        parser.add_argument("--gpu", default="", help="name of the GPU this worker has, for the queue page")
        parser.add_argument("--burst", action="store_true", help="end when the lane is empty")

    def handle(self, *args: Any, **options: Any) -> None:
        worker.start(options["queue"], gpu=options["gpu"], burst=options["burst"])
