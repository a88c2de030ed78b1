"""Which part of a board a reader asked for: column presets, filters, search and order, all of it in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.utils.translation import gettext_lazy as _

from leaderboard.boards import Board, Column, Row

PRESETS = {
    "basic": _("Basic"),
    "all": _("All tasks"),
    "generate": _("Generation"),
    "likelihood": _("Likelihood"),
    "statistics": _("Statistics"),
}
SIZES = {
    "s": (0, 4_000_000_000, _("under 4B")),
    "m": (4_000_000_000, 15_000_000_000, _("4B to 15B")),
    "l": (15_000_000_000, 80_000_000_000, _("15B to 80B")),
    "xl": (80_000_000_000, 10**15, _("80B and more")),
}
KINDS = {"open": _("open weights"), "api": _("served by an API"), "reference": _("reference player")}
TUNINGS = {"base": _("base"), "instruct": _("instruction-tuned")}
_LIMIT = 100


@dataclass(frozen=True)
class Choice:
    """What the address asks for; unknown values fall back to the default, so that an old link still opens."""

    preset: str = "basic"
    size: str = ""
    kind: str = ""
    tuning: str = ""
    licence: str = ""
    search: str = ""
    sort: str = ""
    shots: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Choice:
        return cls(
            preset=query.get("view", "") if query.get("view", "") in PRESETS else "basic",
            size=query.get("size", "") if query.get("size", "") in SIZES else "",
            kind=query.get("kind", "") if query.get("kind", "") in KINDS else "",
            tuning=query.get("tuning", "") if query.get("tuning", "") in TUNINGS else "",
            licence=query.get("licence", "")[:_LIMIT],
            search=query.get("q", "")[:_LIMIT].strip(),
            sort=query.get("sort", "")[:_LIMIT],
            shots=query.get("shots", "")
            if query.get("shots", "").isascii() and query.get("shots", "").isdigit()
            else "",
        )

    def query(self, **changes: str) -> str:
        """The address' query for this choice with `changes`; defaults are left out."""
        names = {"preset": "view", "search": "q"}
        values = {**self.__dict__, **changes}
        default = Choice()
        kept = {names.get(k, k): v for k, v in values.items() if v and v != getattr(default, k)}
        return f"?{urlencode(kept)}" if kept else ""

    def columns(self, board: Board) -> list[Column]:
        """The columns of the preset. Basic shows what the average is made of."""
        if self.preset in ("generate", "likelihood"):
            return [column for column in board.columns if column.mode == self.preset]
        if self.preset == "basic":
            return [column for column in board.columns if column.in_headline]
        return list(board.columns)

    def part(self, board: Board) -> Board:
        """The board of the number of shots asked for; the suite's own where nobody was asked with that many."""
        return board.by_shots.get(int(self.shots), board) if self.shots else board

    def rows(self, board: Board) -> list[Row]:
        """The rows that pass every filter, in the order asked for; ranks stay those of the whole board."""
        kept = [row for row in self.part(board).rows if self._passes(row)]
        if self.sort:
            wanted = next((c.task_id for c in board.columns if c.name == self.sort.lstrip("-")), None)
            if wanted is not None:
                kept.sort(key=lambda row: _value(row, wanted), reverse=not self.sort.startswith("-"))
                kept.sort(key=lambda row: _value(row, wanted) is _MISSING)
        return kept

    def _passes(self, row: Row) -> bool:
        model = row.model
        if self.kind and model.kind != self.kind:
            return False
        if self.tuning and model.tuning != self.tuning:
            return False
        if self.licence and model.licence != self.licence:
            return False
        if self.size:
            low, high, _label = SIZES[self.size]
            if model.n_parameters is None or not low <= model.n_parameters < high:
                return False
        words = [word.strip().lower() for word in self.search.split(";") if word.strip()]
        text = f"{model.slug} {model.name} {model.display_name} {model.organization} {row.revision}".lower()
        return not words or any(word in text for word in words)


_MISSING = -1.0


def _value(row: Row, task_id: int) -> float:
    """The cell's value for ordering; what is missing comes last, whatever the direction."""
    cell = row.cells.get(task_id)
    return _MISSING if cell is None or cell.value is None else cell.value
