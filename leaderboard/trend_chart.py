"""Shares over time with their intervals as a band: the line of the agreement page, in SVG with attributes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

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
    runs: list[list[tuple[float, float, float, float]]] = [[]]
    for place, point in enumerate(series.points):
        if point is not None:
            value, low, high = point
            runs[-1].append((_x(place, last), _y(value), _y(low), _y(high)))
        elif runs[-1]:
            runs.append([])
    known = [spot for run in runs for spot in run]
    if not known:
        return ""
    line = "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y, _low, _high in run) for run in runs if len(run) > 1)
    bands = "".join(
        "M" + "L".join([f"{x:.1f} {low:.1f}" for x, _value, low, _high in run]
                       + [f"{x:.1f} {high:.1f}" for x, _value, _low, high in reversed(run)]) + "Z"
        for run in runs if len(run) > 1
    )  # fmt: skip
    marks = "".join(marker(number, x, y) for x, y, _low, _high in known)
    name = f'<text x="{known[-1][0] + 10:.0f}" y="{known[-1][1] + 4:.1f}">{escape(series.name)}</text>'
    return (
        f'<g class="series s{number}"><title>{escape(series.name)}</title>'
        f'<path class="mark band" fill-opacity="0.16" d="{bands}"/>'
        f'<path class="line" d="{line}"/>{marks}{name}</g>'
    )
