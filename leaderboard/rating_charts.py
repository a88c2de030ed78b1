"""Charts of ratings as inline SVG: intervals, slopes between methods, ratings over time. Each has a table twin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from unicodedata import east_asian_width

from django.utils.safestring import SafeString, mark_safe

from leaderboard.charts import marker

_NAME, _PLOT, _LINE = 160, 460, 24


@dataclass(frozen=True)
class Dot:
    """A rating with its interval (None where a method has none) and where its name leads."""

    name: str
    href: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Path:
    """A model's way over columns: a value per column, None where it has none."""

    name: str
    values: Sequence[float | None]


def intervals(title: str, dots: Sequence[Dot]) -> SafeString | str:
    """One line per model on a common scale: the dot is the rating, the bar its 95 % interval."""
    if not dots:
        return ""
    bounds = [bound for dot in dots for bound in (dot.value, dot.low, dot.high) if bound is not None]
    ticks = _ticks(min(bounds), max(bounds))
    low, high = ticks[0], ticks[-1]
    height = _LINE * len(dots) + 30

    def x(value: float) -> float:
        return _NAME + 12 + (_PLOT - 24) * (value - low) / (high - low)

    parts = [_open("dots", _NAME + _PLOT, height, title)]
    for tick in ticks:
        parts.append(f'<path class="grid" d="M{x(tick):.1f} 20V{height}"/>')
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="13" text-anchor="middle">{tick:.0f}</text>')
    for number, dot in enumerate(dots):
        parts.append(_dot(dot, 32 + _LINE * number, x))
    return mark_safe("".join([*parts, "</svg>"]))  # noqa: S308 - every text in it is escaped


def _dot(dot: Dot, y: float, place: Callable[[float], float]) -> str:
    shown = escape(_short(dot.name, 20))
    span = "" if dot.low is None or dot.high is None else f" [{dot.low:.0f}, {dot.high:.0f}]"
    bar = ""
    if dot.low is not None and dot.high is not None:
        bar = f'<path class="bar" d="M{place(dot.low):.1f} {y}H{place(dot.high):.1f}"/>'
    return (
        f'<a href="{escape(dot.href)}"><title>{escape(dot.name)}: {dot.value:.1f}{span}</title>'
        f'<text x="{_NAME - 4}" y="{y + 4}" text-anchor="end">{shown}</text>{bar}'
        f'<circle class="dot" cx="{place(dot.value):.1f}" cy="{y}" r="4"/></a>'
    )


def slopes(title: str, columns: Sequence[str], paths: Sequence[Path]) -> SafeString | str:
    """Ranks by column, 1 on top: lines that cross are models whose order hangs on the method."""
    if len(columns) < 2 or not paths:
        return ""
    step, top = 150, 44
    width, height = 2 * 170 + step * (len(columns) - 1), top + 22 * len(paths) + 8
    ranks = [_ranks([path.values[column] for path in paths]) for column in range(len(columns))]

    def at(column: int, rank: int) -> tuple[float, float]:
        return 170 + step * column, top + 22 * (rank - 1) + 8

    parts = [_open("slopes", width, height, title)]
    for column, name in enumerate(columns):
        x = at(column, 1)[0]
        words = name.split(", ")
        lines = "".join(f'<tspan x="{x}" y="{14 + 14 * n}">{escape(word)}</tspan>' for n, word in enumerate(words[:2]))
        parts.append(f'<text class="head" text-anchor="middle">{lines}</text>')
    for number, path in enumerate(paths):
        parts.append(_slope(path, [rank[number] for rank in ranks], at))
    return mark_safe("".join([*parts, "</svg>"]))  # noqa: S308 - every text in it is escaped


def _slope(path: Path, ranks: Sequence[int | None], place: Callable[[int, int], tuple[float, float]]) -> str:
    points = [None if rank is None else place(column, rank) for column, rank in enumerate(ranks)]
    known = [point for point in points if point]
    if not known:
        return ""
    moved = len({rank for rank in ranks if rank}) > 1
    line = "".join(f"M{a[0]:.0f} {a[1]:.0f}L{b[0]:.0f} {b[1]:.0f}" for a, b in pairwise(points) if a and b)
    dots = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3.5"/>' for x, y in known)
    shown = escape(_short(path.name, 20))
    said = ", ".join("–" if rank is None else str(rank) for rank in ranks)
    names = ""
    if points[0]:
        names += f'<text x="{points[0][0] - 10:.0f}" y="{points[0][1] + 4:.0f}" text-anchor="end">{shown}</text>'
    if points[-1]:
        names += f'<text x="{points[-1][0] + 10:.0f}" y="{points[-1][1] + 4:.0f}">{shown}</text>'
    kind = "moved" if moved else "kept"
    return f'<g class="{kind}"><title>{escape(path.name)}: {said}</title><path d="{line}"/>{dots}{names}</g>'


def _ranks(values: Sequence[float | None]) -> list[int | None]:
    order = sorted((i for i, value in enumerate(values) if value is not None), key=lambda i: -(values[i] or 0.0))
    place = {i: rank for rank, i in enumerate(order, 1)}
    return [place.get(i) for i in range(len(values))]


def lines(title: str, columns: Sequence[str], paths: Sequence[Path]) -> SafeString | str:
    """Ratings over time for at most four models: a column per snapshot, a marker of its own for each model."""
    known = [value for path in paths for value in path.values if value is not None]
    if len(columns) < 2 or not known:
        return ""
    ticks = _ticks(min(known), max(known))
    low, high = ticks[0], ticks[-1]
    width, height, left = 720, 300, 52

    def place(column: int, value: float) -> tuple[float, float]:
        return (
            left + 10 + (width - left - 30) * column / (len(columns) - 1),
            20 + (height - 60) * (high - value) / (high - low),
        )

    parts = [_open("lines", width, height, title)]
    for tick in ticks:
        y = place(0, tick)[1]
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{width - 10}"/>')
        parts.append(f'<text class="tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.0f}</text>')
    for column in sorted({0, len(columns) // 2, len(columns) - 1}):
        x = place(column, low)[0]
        anchor = "start" if column == 0 else "end" if column == len(columns) - 1 else "middle"
        label = escape(columns[column])
        parts.append(f'<text class="tick" x="{x:.0f}" y="{height - 12}" text-anchor="{anchor}">{label}</text>')
    for number, path in enumerate(paths[:4]):
        points = [None if v is None else place(column, v) for column, v in enumerate(path.values)]
        drawn = "".join(f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" for a, b in pairwise(points) if a and b)
        marks = "".join(marker(number, *point) for point in points if point)
        parts.append(
            f'<g class="series s{number}"><title>{escape(path.name)}</title><path class="line" d="{drawn}"/>{marks}</g>'
        )
    return mark_safe("".join([*parts, "</svg>"]))  # noqa: S308 - every text in it is escaped


def _open(name: str, width: float, height: float, title: str) -> str:
    return (
        f'<svg class="chart {name}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escape(title)}</title>"
    )


def _short(text: str, room: int) -> str:
    """A name in so many columns; Hangul and its kind take two each."""
    width = 0
    for place, sign in enumerate(text):
        width += 2 if east_asian_width(sign) in "WF" else 1
        if width > room:
            return f"{text[: place - 1]}…"
    return text


def _ticks(low: float, high: float) -> list[float]:
    """Five to ten round marks that enclose both values."""
    span = max(high - low, 1.0)
    step = 10 ** math.floor(math.log10(span / 4))
    step = next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * n for n in range(first, max(last, first + 1) + 1)]
