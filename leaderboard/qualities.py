"""Known qualities of answers in words."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

QUALITIES = {
    "complete": gettext_lazy("correct and complete"),
    "terse": gettext_lazy("correct but terse"),
    "wrong": gettext_lazy("fluent but wrong"),
    "english": gettext_lazy("right but in English"),
    "better": gettext_lazy("the better one by its gold label"),
    "worse": gettext_lazy("the worse one by its gold label"),
}
