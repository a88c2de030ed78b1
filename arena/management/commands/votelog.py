"""`manage.py votelog`: seals the vote log, or holds it against its published roots; recounts the kept pair counts."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arena import chain, tallies
from arena.models import VoteSource


class Command(BaseCommand):
    help = "Publishes a root over the votes so far (--seal), or verifies every root and recounts every vote (--verify)."

    def add_arguments(self, parser: CommandParser) -> None:
        chosen = parser.add_mutually_exclusive_group(required=True)
        chosen.add_argument("--seal", action="store_true")
        chosen.add_argument("--verify", action="store_true")
        parser.add_argument("--source", help="slug of one source; every source when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        sources = list(VoteSource.objects.order_by("slug"))
        if options["source"]:
            sources = [source for source in sources if source.slug == options["source"]]
            if not sources:
                raise CommandError(f"There is no vote source “{options['source']}”.")
        failed = [source.slug for source in sources if not self._one(source, verify=options["verify"])]
        if failed:
            raise CommandError(f"The log or the counts do not hold: {', '.join(failed)}")

    def _one(self, source: VoteSource, *, verify: bool) -> bool:
        if not verify:
            root = chain.seal(source)
            said = f"sealed {root.n_votes} votes, root {root.root}" if root else "nothing new to seal"
            self.stdout.write(f"{source.slug}: {said}")
            return True
        found = chain.verify(source)
        wrong = tallies.difference(source)
        if found.broken:
            self.stdout.write(f"{source.slug}: the root of {found.broken.day} ({found.broken.root}) does not hold")
        for cell, (have, want) in sorted(wrong.items())[:20]:
            self.stdout.write(f"{source.slug}: {cell} is kept as {tuple(have)} and recounted as {tuple(want)}")
        if not found.broken and not wrong:
            self.stdout.write(f"{source.slug}: {found.n_roots} roots over {found.n_votes} votes hold; counts are right")
        return not found.broken and not wrong
