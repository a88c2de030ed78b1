"""The rules that keep votes out of the count, in words for the ledger."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from arena import screening

RULES: dict[str, str | Promise] = {
    screening.LEAK: _("an answer named its model"),
    screening.ERROR: _("an answer was an error or empty"),
    screening.TOO_FAST: _("cast before anybody could have read"),
    screening.TOO_LATE: _("cast more than an hour after the battle began"),
    screening.DUPLICATE: _("one prompt brought too many votes"),
    screening.VOTER_CAP: _("daily limit of one voter"),
    screening.VOTER_MODEL_CAP: _("daily limit of one voter on one model"),
    screening.NETWORK_CAP: _("daily limit of one network"),
    screening.REPEAT: _("shown twice to measure reliability"),
    screening.TARGETED: _("a voter pushed one model"),
    screening.POOLED: _("a model was pushed by many voters in one day"),
    screening.QUARANTINE: _("new votes wait before they count"),
}


def label(rule: str) -> str:
    """What a rule is called; an unknown one by its own name."""
    return str(RULES.get(rule, rule))
