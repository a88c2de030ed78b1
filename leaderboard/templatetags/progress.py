"""What workers and the reconciler say of themselves, in the language of the page."""

from __future__ import annotations

import re

from django import template
from django.utils.translation import gettext_lazy as _

from arena import rules
from runners import schema

register = template.Library()
register.filter("rule", rules.label)
# They write English into their rows, a fixed beginning and then a name or a figure.
SPOKEN = {
    "preparing": _("preparing"),
    "loading": _("loading the model"),
    "reading": _("reading the questions"),
    "downloading,": _("downloading,"),
    "Redis cannot be reached:": _("Redis cannot be reached:"),
    "the database cannot be reached:": _("the database cannot be reached:"),
}
# Notes that go on after the name, whole: what a worker says of a database of another version.
WHOLE = (
    (
        re.compile(rf"{schema.NEWER} \(it has (\S+)\).*"),
        _("the database is newer than this worker (it has %s): install the new version here and start it again"),
    ),
    (
        re.compile(rf"{schema.OLDER} \(it lacks (\S+)\).*"),
        _("the database is older than this worker (it lacks %s): run manage.py migrate, or start an old worker"),
    ),
)


@register.filter
def spoken(text: str) -> str:
    """A stage or a note; what does not begin with known words, such as a task's name, stays as it is."""
    for pattern, told in WHOLE:
        if found := pattern.fullmatch(text):
            return str(told) % found[1]
    for start, words in SPOKEN.items():
        if text == start or text.startswith(f"{start} "):
            return f"{words}{text.removeprefix(start)}"
    return text
