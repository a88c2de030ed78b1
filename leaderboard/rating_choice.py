"""What a reader chose on the rating pages, and the address that says the same to anybody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self
from urllib.parse import urlencode

from django.utils.translation import gettext_lazy as _

from arena.tallies import OVERALL
from leaderboard.ratings import METHODS

VIEWS: Final = {
    "table": _("Ratings"),
    "methods": _("Methods compared"),
    "pairs": _("Pairs"),
    "history": _("History"),
}
SIZES: Final = (10, 20, 40)


@dataclass(frozen=True)
class Choice:
    """Source and category ("" is the site's first), method, view, methods compared, and models in the pair tables."""

    source: str = ""
    category: str = OVERALL
    method: str = "bt"
    view: str = "table"
    methods: tuple[str, ...] = tuple(METHODS)
    size: int = 20

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """From an address; what is not known becomes the default, except source and category, which may not exist."""
        method, view = query.get("method", "bt"), query.get("view", "table")
        compared = tuple(name for name in METHODS if name in query.get("methods", "").split(","))
        size = query.get("size", "20")
        return cls(
            query.get("source", "")[:80],
            query.get("category", "")[:80] or OVERALL,
            method if method in METHODS else "bt",
            view if view in VIEWS else "table",
            compared if len(compared) > 1 else tuple(METHODS),
            int(size) if size in map(str, SIZES) else 20,
        )

    def query(self, **changes: Any) -> str:
        """The address of this choice with some of it changed, "" for the defaults."""
        other = replace(self, **changes)
        said: dict[str, str] = {}
        if other.source:
            said["source"] = other.source
        for name, default in (("category", OVERALL), ("method", "bt"), ("view", "table")):
            if (value := getattr(other, name)) != default:
                said[name] = value
        if other.methods != tuple(METHODS):
            said["methods"] = ",".join(other.methods)
        if other.size != 20:
            said["size"] = str(other.size)
        return f"?{urlencode(said)}" if said else ""

    def toggled(self, method: str) -> str:
        """The address with a method put into the comparison or taken out of it."""
        chosen = set(self.methods) ^ {method}
        return self.query(methods=tuple(name for name in METHODS if name in chosen))
