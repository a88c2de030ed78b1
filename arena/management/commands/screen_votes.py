"""`manage.py screen_votes`: the review of voters and of the day, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from arena.review import review


class Command(BaseCommand):
    help = "Tests recent voters and today's votes, releases quarantine, forgets old hashes of networks."

    def handle(self, *args: Any, **options: Any) -> None:
        done = review()
        self.stdout.write(
            f"{done.voters} voters tested, {done.flagged} flagged; votes left out: {done.targeted_votes} by voter, "
            f"{done.pooled_votes} by day; {done.released} released from quarantine"
        )
