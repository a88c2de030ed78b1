"""What calls cost, by the price table of their day; None where no price is known: unknown is not free."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.utils import timezone

from runners.models import Price

MILLION = Decimal(1_000_000)


def price_of(served_name: str, day: date | None = None) -> Price | None:
    """The price of a served model that was valid on a day (today unless given)."""
    day = day or timezone.localdate()
    return Price.objects.filter(served_name=served_name, valid_from__lte=day).order_by("-valid_from").first()


def cost(price: Price | None, prompt_tokens: int | None, completion_tokens: int | None) -> Decimal | None:
    """US dollars of a call; None where the price or a count is unknown."""
    if price is None or prompt_tokens is None or completion_tokens is None:
        return None
    return (price.input_usd * prompt_tokens + price.output_usd * completion_tokens) / MILLION


def most(price: Price | None, texts: str, max_tokens: int) -> Decimal:
    """A bound on a call's cost before it is made: no tokenizer makes more tokens than a text has UTF-8 bytes, and
    those of today's models make at most about one per character of Korean. 0 where no price is known.
    """
    if price is None:
        return Decimal(0)
    return (price.input_usd * (len(texts) + 64) + price.output_usd * max_tokens) / MILLION
