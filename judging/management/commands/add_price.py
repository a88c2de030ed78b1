"""`manage.py add_price NAME --input-usd N --output-usd N`: what a served model costs from a day on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from runners.models import Price


class Command(BaseCommand):
    help = "Enters a price per million tokens; the day's price is what a call of that day costs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("served_name")
        parser.add_argument("--input-usd", type=Decimal, required=True, help="per million tokens read")
        parser.add_argument("--output-usd", type=Decimal, required=True, help="per million tokens written")
        parser.add_argument("--krw-per-usd", type=Decimal, required=True, help="exchange rate of the day, to show won")
        parser.add_argument("--from", dest="day", type=date.fromisoformat, help="YYYY-MM-DD; today unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        values = {name: options[name] for name in ("input_usd", "output_usd", "krw_per_usd")}
        if any(not value.is_finite() or value < 0 for value in values.values()):
            raise CommandError("Prices and the exchange rate must be 0 or more.")
        day = options["day"] or timezone.localdate()
        price, _ = Price.objects.update_or_create(served_name=options["served_name"], valid_from=day, defaults=values)
        self.stdout.write(f"{price}: ${price.input_usd} in, ${price.output_usd} out per million tokens")
