"""The settings that staff may change while the site runs: what is in force, from where, and how it is changed.

A term is one value under a key. Site-wide ones have a default in the code or the environment and a row in its place
(`runners.overrides`); those of models in the draw, judges and budgets are columns of their rows. Every change is an
audit entry, and the history is read from there.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from leaderboard.console.actions import Press, Refused
from leaderboard.models import AuditEntry
from runners import runs

Text = str | Promise
Value = bool | int | float | str | Decimal | None
HISTORY = 50
MOST_USD = Decimal(1_000_000)


@dataclass(frozen=True)
class Term:
    """One setting. `value` None: nothing is set, `default` holds (None there too: what `empty` says).

    kind: whole, number, money, flag or choice; `low` and `high` are allowed themselves. `write` stores a value.
    `source` names the environment variable of the default.
    """

    key: str
    label: Text
    kind: str
    value: Value
    write: Callable[[Value], None]
    default: Value = None
    low: float = 0
    high: float = 0
    options: tuple[str, ...] = ()
    can_be_empty: bool = False
    empty: Text = ""
    source: str = ""
    on_boards: bool = False

    @property
    def in_force(self) -> Value:
        return self.default if self.value is None else self.value

    @property
    def was(self) -> str:
        """The stored value as a form sends it."""
        return text_of(self.value)

    @property
    def shown(self) -> str:
        """What is in force, in words."""
        return worded(self, text_of(self.in_force))

    @property
    def is_set(self) -> bool:
        """Whether staff's value is in force and not the default."""
        return self.value is not None and (self.can_be_empty or self.value != self.default)

    @property
    def usual(self) -> str:
        """The default in words, where another value is in force and there is one."""
        return worded(self, text_of(self.default)) if self.is_set and self.default is not None else ""

    @property
    def where(self) -> str:
        """Where the value in force comes from."""
        if self.is_set:
            return _("set here")
        if self.source and self.source in os.environ:
            return _("the environment (%(name)s)") % {"name": self.source}
        return _("the default")

    @property
    def asked(self) -> str:
        """What may be given, in words."""
        limits = {"low": f"{self.low:g}", "high": f"{self.high:g}"}
        return {
            "whole": _("a whole number from %(low)s to %(high)s") % limits,
            "number": _("a number from %(low)s to %(high)s") % limits,
            "money": _("dollars from 0 to 1,000,000, with four decimals at most"),
        }.get(self.kind, "")


@dataclass(frozen=True)
class Change:
    """One entry of the history; `term` None where the setting is gone."""

    entry: AuditEntry
    key: str
    term: Term | None
    was: str
    now: str

    @property
    def can_be_undone(self) -> bool:
        return self.term is not None and self.term.was == self.entry.details["is"]


def text_of(value: Value) -> str:
    """A value as forms send and the audit keeps it; empty where nothing is set."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Decimal):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return f"{value:g}" if isinstance(value, float) else str(value)


def worded(term: Term | None, text: str) -> str:
    """A value as a reader sees it."""
    if not text:
        return str(term.empty) if term is not None and term.empty else _("the default")
    if term is not None and term.kind == "flag":
        return _("yes") if text == "on" else _("no")
    if term is not None and term.kind == "money":
        return f"${Decimal(text):,.2f}" if Decimal(text) == round(Decimal(text), 2) else f"${text}"
    return text


def parse(term: Term, text: str) -> Value:
    """The value that `text` means. Raises Refused with what may be given."""
    text = text.strip()
    if not text:
        if term.can_be_empty:
            return None
        raise Refused(_("Give a value for “%(label)s”.") % {"label": term.label})
    if term.kind == "flag" and text in ("on", "off"):
        return text == "on"
    if term.kind == "choice" and text in term.options:
        return text
    found = _number(term, text)
    if found is None:
        wanted = term.asked or ", ".join(term.options) or "on, off"
        told = {"text": text[:40], "label": term.label, "wanted": wanted}
        raise Refused(_("“%(text)s” is no value for “%(label)s”: give %(wanted)s.") % told)
    return found


def change(press: Press, key: str, text: str, was: str, find: Callable[[str], Term | None]) -> Term:
    """Gives a term another value, with its audit entry, in one transaction. Returns the term as it was.

    Raises Refused: no such term, not a value, the same value, or another person was first.
    """
    with transaction.atomic():
        runs.touch("console")
        term = find(key)
        if term is None:
            raise Refused(_("There is no setting “%(key)s”.") % {"key": key[:100]})
        if term.was != was:
            told = {"label": term.label, "now": worded(term, term.was)}
            raise Refused(_("“%(label)s” was changed meanwhile; it is now: %(now)s.") % told)
        value = parse(term, text)
        if text_of(value) == term.was:
            raise Refused(_("“%(label)s” has this value already.") % {"label": term.label})
        term.write(value)
        press.entry(f"setting {key}", details={"was": term.was, "is": text_of(value)}).save()
        if term.on_boards:
            runs.touch("boards")
    return term


def history(terms: dict[str, Term]) -> list[Change]:
    """The newest changes; `terms` are those of the page, by key. One query."""
    entries = AuditEntry.objects.filter(action=AuditEntry.Action.SETTING).order_by("-pk")[:HISTORY]
    found = []
    for entry in entries:
        key = entry.target.removeprefix("setting ")
        term = terms.get(key)
        was, now = (worded(term, entry.details[name]) for name in ("was", "is"))
        found.append(Change(entry, key, term, was, now))
    return found


def _number(term: Term, text: str) -> Value:
    """The number, or None where it is none of the term's kind or outside of its limits."""
    try:
        if term.kind == "money":
            money = Decimal(text)
            fits = money.is_finite() and 0 <= money <= MOST_USD and money == round(money, 4)
            return money if fits else None
        number = int(text) if term.kind == "whole" else float(text)
    except (ValueError, InvalidOperation):
        return None
    allowed = term.kind in ("whole", "number") and math.isfinite(number) and term.low <= number <= term.high
    return number if allowed else None


UNLIMITED = gettext_lazy("no cap")
