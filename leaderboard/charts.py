"""Charts as inline SVG, made here so that a page needs no script for them. Every chart has a table that says the same.

Nothing is told by colour alone: series differ in dash and marker, cells carry their number. Text in a chart is
escaped; positions are presentation attributes, which a strict policy allows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from django.utils.safestring import SafeString, mark_safe

SIZE, MIDDLE, RADIUS = (520, 400), (260, 200), 140
RINGS = 4
MAX_SERIES = 4
_NAME, _CELL, _LINE = 190, 76, 26


@dataclass(frozen=True)
class Series:
    """One model's values along the axes, None where it has none."""

    name: str
    values: Sequence[float | None]


def radar(title: str, axes: Sequence[str], series: Sequence[Series], low: float, high: float) -> SafeString | str:
    """Two to four series over at least three axes from `low` in the middle to `high` at the rim; else nothing.

    An axis without a value breaks the line of that series instead of drawing it to the middle.
    """
    if len(axes) < 3 or not series or high <= low:
        return ""
    parts = [_open("radar", *SIZE, title)]
    for ring in range(1, RINGS + 1):
        corners = " ".join(_at(_corner(axis, len(axes), RADIUS * ring / RINGS)) for axis in range(len(axes)))
        label = low + (high - low) * ring / RINGS
        parts.append(f'<polygon class="ring" points="{corners}"/>')
        parts.append(
            f'<text class="tick" x="{MIDDLE[0] + 4}" y="{MIDDLE[1] - RADIUS * ring / RINGS + 4:.1f}">{label:g}</text>'
        )
    for index, axis in enumerate(axes):
        parts.append(_axis(axis, index, len(axes)))
    for number, one in enumerate(series[:MAX_SERIES]):
        parts.append(_series(one, number, low, high))
    return mark_safe("".join([*parts, "</svg>"]))  # noqa: S308 - every text in it is escaped


def _open(name: str, width: int, height: int, title: str) -> str:
    return (
        f'<svg class="chart {name}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escape(title)}</title>"
    )


def _corner(axis: int, axes: int, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * axis / axes - math.pi / 2
    return MIDDLE[0] + radius * math.cos(angle), MIDDLE[1] + radius * math.sin(angle)


def _at(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def _axis(name: str, index: int, axes: int) -> str:
    x, y = _corner(index, axes, RADIUS)
    label_x, label_y = _corner(index, axes, RADIUS + 18)
    side = "middle" if abs(x - MIDDLE[0]) < 8 else "start" if x > MIDDLE[0] else "end"
    words = _broken(name)
    top = label_y + 4 - 7 * (len(words) - 1)
    lines = "".join(
        f'<tspan x="{label_x:.1f}" y="{top + 14 * n:.1f}">{escape(word)}</tspan>' for n, word in enumerate(words)
    )
    return f'<path class="axis" d="M{MIDDLE[0]} {MIDDLE[1]}L{x:.1f} {y:.1f}"/><text text-anchor="{side}">{lines}</text>'


def _series(one: Series, number: int, low: float, high: float) -> str:
    """The line through the values with a marker of its own at each, and the value as the marker's title."""
    axes = len(one.values)
    points = [
        None if value is None else _corner(axis, axes, RADIUS * min(1.0, max(0.0, (value - low) / (high - low))))
        for axis, value in enumerate(one.values)
    ]
    if all(point is not None for point in points):
        line = f'<polygon class="line" points="{" ".join(_at(point) for point in points if point)}"/>'
    else:
        around = [*points, points[0]]
        pieces = [f"M{_at(a)}L{_at(b)}" for a, b in pairwise(around) if a and b]
        line = f'<path class="line" d="{"".join(pieces)}"/>'
    markers = "".join(
        f"<g><title>{escape(one.name)}: {value:.2f}</title>{marker(number, *point)}</g>"
        for point, value in zip(points, one.values, strict=True)
        if point is not None and value is not None
    )
    return f'<g class="series s{number}">{line}{markers}</g>'


def marker(number: int, x: float, y: float, size: float = 4.5) -> str:
    """The mark of a series: circle, square, triangle or diamond."""
    shapes = (
        ((x, y),),
        ((x - size, y - size), (x + size, y - size), (x + size, y + size), (x - size, y + size)),
        ((x, y - size * 1.2), (x + size * 1.1, y + size), (x - size * 1.1, y + size)),
        ((x, y - size * 1.3), (x + size * 1.3, y), (x, y + size * 1.3), (x - size * 1.3, y)),
    )
    corners = shapes[number % len(shapes)]
    if len(corners) == 1:
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="{size}"/>'
    return f'<polygon class="mark" points="{" ".join(_at(corner) for corner in corners)}"/>'


def legend_mark(number: int) -> SafeString:
    """The mark and line of a series for a legend or a table's head."""
    inner = f'<g class="series s{number}"><path class="line" d="M1 8H31"/>{marker(number, 16, 8)}</g>'
    svg = f'<svg class="chart mark" viewBox="0 0 32 16" width="32" height="16" aria-hidden="true">{inner}</svg>'
    return mark_safe(svg)  # noqa: S308 - numbers alone


@dataclass(frozen=True)
class HeatRow:
    """A row of a heat map: its name, where it leads, and its values, None where there is none."""

    name: str
    href: str
    values: Sequence[float | None]


def heat_map(title: str, columns: Sequence[str], rows: Sequence[HeatRow], low: float, high: float) -> SafeString | str:
    """Rows by columns; the shade follows the value in ten steps between `low` and `high`, the number is in the cell."""
    if not columns or not rows or high <= low:
        return ""
    head = 16 + 14 * max(len(_broken(name)) for name in columns)
    width, height = _NAME + _CELL * len(columns), head + _LINE * len(rows)
    parts = [_open("heat", width, height, title)]
    for index, name in enumerate(columns):
        x = _NAME + _CELL * index + _CELL / 2
        words = _broken(name)
        top = head - 8 - 14 * (len(words) - 1)
        lines = "".join(f'<tspan x="{x:.0f}" y="{top + 14 * n}">{escape(word)}</tspan>' for n, word in enumerate(words))
        parts.append(f'<text class="head" text-anchor="middle">{lines}</text>')
    for number, row in enumerate(rows):
        y = head + _LINE * number
        shown = row.name if len(row.name) <= 24 else f"{row.name[:23]}…"
        parts.append(
            f'<a href="{escape(row.href)}"><title>{escape(row.name)}</title>'
            f'<text x="{_NAME - 8}" y="{y + 17}" text-anchor="end">{escape(shown)}</text></a>'
        )
        parts += [_heat_cell(value, _NAME + _CELL * i, y, low, high) for i, value in enumerate(row.values)]
    return mark_safe("".join([*parts, "</svg>"]))  # noqa: S308 - every text in it is escaped


def _heat_cell(value: float | None, x: float, y: float, low: float, high: float) -> str:
    middle = f'x="{x + _CELL / 2:.0f}" y="{y + 17:.0f}" text-anchor="middle"'
    if value is None:
        return f'<text class="none" {middle}>–</text>'
    step = min(9, max(0, int((value - low) / (high - low) * 10)))
    return (
        f'<rect class="h{step}" x="{x:.0f}" y="{y:.0f}" width="{_CELL - 2}" height="{_LINE - 2}" rx="3"/>'
        f"<text {middle}>{value:.2f}</text>"
    )


def _broken(name: str) -> list[str]:
    """A column's name in at most three lines of about ten signs."""
    lines = [""]
    for word in name.split():
        if lines[-1] and len(lines[-1]) + len(word) > 11 and len(lines) < 3:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
