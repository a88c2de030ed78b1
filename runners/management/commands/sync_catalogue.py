"""`manage.py sync_catalogue`: the shipped suites and reference players become rows."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runners import catalog


class Command(BaseCommand):
    help = "Publishes the suites that come with the project and registers the reference players."

    def handle(self, *args: Any, **options: Any) -> None:
        changes = catalog.synchronise()
        catalog.register_reference_players()
        for slug in changes.published:
            self.stdout.write(f"published {slug}")
        if changes.drifted:
            raise CommandError(f"changed without a new version: {', '.join(changes.drifted)}")
