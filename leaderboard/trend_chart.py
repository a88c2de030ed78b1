"""Shares over time with their intervals as a band: the line of the agreement page, in SVG with attributes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from django.utils.safestring import SafeString, mark_safe

from leaderboard.charts import marker

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 260, 44, 92, 14, 30


@dataclass(frozen=True)
class Series:
    """One line: value, low and high (0..1) per period, or None where nothing was compared."""

    name: str
    points: Sequence[tuple[float, float, float] | None]


def trend(title: str, periods: Sequence[str], series: Sequence[Series]) -> SafeString | str:
    """Shares (0 to 100 per cent) of at most four series by period; nothing with fewer than two periods."""
    if len(periods) < 2:
        return ""
    parts = [
        f'<svg class="chart lines trend" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
        f"<title>{escape(title)}</title>"
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{100 * share:.0f}</text>')
    last = len(periods) - 1
    for place in sorted({0, last // 2, last}):
        anchor = "start" if place == 0 else "end" if place == last else "middle"
        parts.append(
            f'<text class="tick" x="{_x(place, last):.0f}" y="{HEIGHT - 8}" text-anchor="{anchor}">'
            f"{escape(periods[place])}</text>"
        )
    parts += [_line(number, one, last) for number, one in enumerate(series[:4])]
    return mark_safe("".join([*parts, "</svg>"]))  # noqa: S308 - every text in it is escaped


def _x(place: int, last: int) -> float:
    return LEFT + 10 + (WIDTH - LEFT - RIGHT - 20) * place / last


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)


def _line(number: int, series: Series, last: int) -> str:
    """Band, line, markers and the name at the end; a period without a value breaks the line."""
    known = [(place, *point) for place, point in enumerate(series.points) if point is not None]
    if not known:
        return ""
    bands, line = [], []
    for one, other in pairwise(known):
        if other[0] != one[0] + 1:
            continue
        (a, av, al, ah), (b, bv, bl, bh) = one, other
        left, right = _x(a, last), _x(b, last)
        bands.append(f"M{left:.1f} {_y(al):.1f}L{right:.1f} {_y(bl):.1f}V{_y(bh):.1f}L{left:.1f} {_y(ah):.1f}Z")
        line.append(f"M{left:.1f} {_y(av):.1f}L{right:.1f} {_y(bv):.1f}")
    marks = "".join(marker(number, _x(place, last), _y(value)) for place, value, _low, _high in known)
    end = known[-1]
    name = f'<text x="{_x(end[0], last) + 10:.0f}" y="{_y(end[1]) + 4:.1f}">{escape(series.name)}</text>'
    return (
        f'<g class="series s{number}"><title>{escape(series.name)}</title>'
        f'<path class="mark band" fill-opacity="0.16" d="{"".join(bands)}"/>'
        f'<path class="line" d="{"".join(line)}"/>{marks}{name}</g>'
    )
