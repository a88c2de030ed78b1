"""What models and judges wrote, in templates: `{{ text|markdown }}` inside an element of class prose."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from leaderboard import texts

register = template.Library()


@register.filter
def markdown(text: str | None) -> SafeString:
    """The text laid out safely; nothing where there is none."""
    return texts.markdown(text or "")
