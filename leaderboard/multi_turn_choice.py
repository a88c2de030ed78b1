"""What a reader of a multi-turn board asked for: judge, mode, switches and models, all in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, get_args
from urllib.parse import urlencode

from django.db.models import TextChoices
from django.utils.translation import get_language
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from judging.formats.protocols import Penalty
from judging.scores import Failed

MAX_SHOWN = 4


class Failure(TextChoices):
    """What a verdict that could not be read counts as."""

    DROPPED = "dropped", _("dropped")
    ZERO = "zero", _("as 0")
    ONE = "one", _("as 1")


class Language(TextChoices):
    """What the score of an answer that is not in Korean becomes."""

    NONE = "none", _("no penalty")
    SQRT = "sqrt", _("square root (KoMT-Bench)")
    ZERO = "zero", _("0 (LogicKor)")


@dataclass(frozen=True)
class Choice:
    """What the address asks for; what is not known falls back to the default, so that an old link still opens.

    `judge` is a slug, or slug@version; `models` are run ids of the models in the radar.
    """

    judge: str = ""
    mode: str = ""
    failures: Failed = "dropped"
    language: Penalty = "none"
    models: tuple[int, ...] = ()

    @classmethod
    def read(cls, query: Mapping[str, Any]) -> Choice:
        """From a QueryDict or a plain mapping; `models` may be given again and again or be separated by commas."""
        asked = query.getlist("models") if hasattr(query, "getlist") else [query.get("models") or ""]
        failures, language = query.get("failures") or "", query.get("language") or ""
        return cls(
            judge=(query.get("judge") or "")[:100],
            mode=(query.get("mode") or "")[:40],
            failures=cast(Failed, failures) if failures in get_args(Failed) else "dropped",
            language=cast(Penalty, language) if language in get_args(Penalty) else "none",
            models=_ids(",".join(asked)),
        )

    def query(self, **changes: Any) -> str:
        """The address' query for this choice with `changes`; defaults are left out."""
        wanted = replace(self, **changes)
        kept = {name: value for name, value in wanted.__dict__.items() if value and value != getattr(Choice(), name)}
        if wanted.models:
            kept["models"] = ",".join(map(str, wanted.models))
        return f"?{urlencode(kept, safe='@,')}" if kept else ""

    @property
    def is_plain(self) -> bool:
        """Whether both switches are off."""
        return self.failures == "dropped" and self.language == "none"


def _ids(text: str) -> tuple[int, ...]:
    """The first four different ids of a list with commas; what is not a number is left out."""
    known = [int(part) for part in text[:200].split(",") if part.isascii() and part.isdigit() and len(part) < 18]
    return tuple(dict.fromkeys(known))[:MAX_SHOWN]


CATEGORIES = {
    "writing": _("writing"),
    "roleplay": _("roleplay"),
    "reasoning": _("reasoning"),
    "math": _("mathematics"),
    "coding": _("coding"),
    "extraction": _("extraction"),
    "stem": _("science and technology"),
    "humanities": _("humanities and Korean culture"),
}


def category_title(name: str) -> str:
    """A category in the reader's language: MT-Bench's keys by our words, 추론(Reasoning) by its half."""
    if name in CATEGORIES:
        return str(CATEGORIES[name])
    korean, bracket, english = name.partition("(")
    if bracket and english.endswith(")"):
        return english[:-1] if (get_language() or "ko").startswith("en") else korean.strip()
    return name


def mode_title(mode: str) -> str:
    """A prompting mode in words; a name that is not ours as it is."""
    return _now("default") if mode == "default" else mode
