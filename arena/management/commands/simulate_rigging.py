"""`manage.py simulate_rigging`: how many who push a model are caught, and, on request, a demo ledger of it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arena import demo
from arena.simulation import Row, day_table, voter_table


class Command(BaseCommand):
    help = "Simulates honest voters and voters who push one model, and prints who the tests catch."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--models", type=int, default=30)
        parser.add_argument("--votes", type=int, default=5000, help="votes cast before the attack")
        parser.add_argument("--voters", type=int, default=400, help="voters of each kind")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--fill-ledger",
            action="store_true",
            help="also stores a small attacked arena under the source rigging-demo, and screens it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["models"] < 4:
            raise CommandError("--models must be at least 4.")
        self.stdout.write(f"{options['models']} models, {options['votes']} votes before, seed {options['seed']}\n\n")
        self.stdout.write("Per voter and model (votes on the target for attackers):\n")
        self._table(voter_table(options["models"], options["votes"], options["voters"], options["seed"]))
        self.stdout.write("\nPooled over a day (votes pushed):\n")
        self._table(day_table(options["models"], 4 * options["votes"], seed=options["seed"]))
        if options["fill_ledger"]:
            filled = demo.fill(options["seed"])
            self.stdout.write(
                f"\nSource {demo.SOURCE}: {filled.votes} votes, of them {filled.pushed} by attackers; "
                f"left out {filled.caught} of theirs and {filled.false_alarms} honest ones. /arena/ledger/?source="
                f"{demo.SOURCE}\n"
            )

    def _table(self, rows: list[Row]) -> None:
        self.stdout.write(f"  {'who':22}{'votes':>7}{'caught':>9}{'of':>6}{'share':>9}\n")
        for row in rows:
            self.stdout.write(f"  {row.who:22}{row.votes:>7}{row.caught:>9}{row.voters:>6}{row.share:>9.1%}\n")
