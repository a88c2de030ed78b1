"""What models and judges wrote, in templates: `{{ text|markdown }}` inside an element of class prose."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from judging import language
from leaderboard import texts

register = template.Library()


@register.filter
def markdown(text: str | None) -> SafeString:
    """The text laid out safely; nothing where there is none."""
    return texts.markdown(text or "")


@register.filter
def lang(text: str | None) -> str:
    """The language a text is in, for `lang="…"`; empty, as HTML has it for an unknown one, where it can't be told."""
    return language.tag(text or "")
