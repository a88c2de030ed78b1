"""The rules that keep votes out of the count, in words for the ledger."""

from __future__ import annotations

import re

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


# What is stored with an exclusion is English, as it was found; these are its forms, for pages in other languages.
_DETAILS: list[tuple[str, Promise]] = [
    (r"(?P<model>.+): z (?P<wins>\S+) for its wins, (?P<met>\S+) for how often it was met, over (?P<n>\d+) votes",
     _("%(model)s: z %(wins)s for its wins, %(met)s for how often it was met, over %(n)s votes")),
    (r"shown again with sides swapped to measure reliability",
     _("shown again with sides swapped to measure reliability")),
    (r"(?P<s>[\d.]+) s after both answers stood there", _("%(s)s s after both answers stood there")),
    (r"(?P<n>\d+) min after the battle began", _("%(n)s min after the battle began")),
    (r"the prompt had (?P<n>\d+) votes already", _("the prompt had %(n)s votes already")),
    (r"over (?P<n>\d+) votes a day", _("over %(n)s votes a day")),
    (r"over (?P<n>\d+) votes a day on one model", _("over %(n)s votes a day on one model")),
    (r"over (?P<n>\d+) votes a day from one network", _("over %(n)s votes a day from one network")),
    (r"an answer names (?P<name>.+)", _("an answer names %(name)s")),
    (r"an answer is an error or empty", _("an answer is an error or empty")),
    (r"new votes wait (?P<n>\S+) h", _("new votes wait %(n)s h")),
]  # fmt: skip


def detail(text: str) -> str:
    """What was found, in the reader's language where it has one of the known forms, else as it is stored."""
    for form, words in _DETAILS:
        if found := re.fullmatch(form, text):
            return str(words) % found.groupdict() if found.groupdict() else str(words)
    return text
