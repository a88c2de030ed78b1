"""The marks of operators and of the drift watch in templates."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString, mark_safe

from leaderboard import board_marks, drift_page
from leaderboard.multi_turn import Row

register = template.Library()
register.filter("said", drift_page.said)


@register.simple_tag
def flags(row: Row, language: str) -> SafeString:
    """The marks beside a model of a multi-turn board."""
    found = board_marks.marks(row.language_model.slug, language, row.rollback, row.drift)
    return mark_safe("".join(f" · {mark}" for mark in found))  # noqa: S308 - every text in a mark is escaped
