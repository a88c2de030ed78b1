"""How a judge rated what never changes, judging by judging: a chart of the hit rate on known pairs, and its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from judging import history
from judging.bias import Share
from judging.models import Judge, TrialPoint
from leaderboard.charts import marker

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 200, 44, 14, 28
SHOWN = 200


@dataclass(frozen=True)
class Line:
    """One judging; `share` is its hit rate on known pairs."""

    point: TrialPoint
    share: Share


@dataclass(frozen=True)
class History:
    """A judge's judgings of one set, newest first, with the chart of them and what the alarm says of them."""

    lines: list[Line]
    chart: SafeString | str
    fall: history.Fall | None


def read(judge: Judge) -> dict[int, History]:
    """Question set → history. One query."""
    return {set_id: _history(points) for set_id, points in history.points_of(judge).items()}


def _history(points: Sequence[TrialPoint]) -> History:
    lines = [Line(point, Share(point.hits, point.n)) for point in points[-SHOWN:]]
    return History(lines[::-1], chart(lines), history.fall(points))


def chart(lines: Sequence[Line]) -> SafeString | str:
    """Hit rates with their 95 % intervals, oldest first; nothing where fewer than two judgings had known pairs."""
    told = [line for line in lines if line.share.interval is not None]
    if len(told) < 2:
        return ""
    parts = [
        f'<svg class="chart history" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
        f"<title>{escape(_('Known pairs in order, judging by judging'))}</title>"
    ]
    for share in (0.0, 0.5, 1.0):
        parts.append(
            f'<path class="grid" d="M{LEFT} {_y(share):.1f}H{WIDTH - 4}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">{share * 100:.0f}</text>'
        )
    places = [LEFT + 12 + (WIDTH - LEFT - 26) * index / (len(told) - 1) for index in range(len(told))]
    line = " ".join(f"{x:.1f},{_y(one.share.value or 0.0):.1f}" for x, one in zip(places, told, strict=True))
    parts.append(f'<g class="series s0"><polyline class="line" points="{line}"/>')
    for x, one in zip(places, told, strict=True):
        assert one.share.interval is not None and one.share.value is not None
        low, high = one.share.interval
        title = f"{_day(one.point)}: {one.share.value * 100:.1f} ({low * 100:.1f}–{high * 100:.1f}), n={one.share.n}"
        parts.append(
            f'<g><title>{title}</title><path class="axis" d="M{x:.1f} {_y(low):.1f}V{_y(high):.1f}"/>'
            f"{marker(0, x, _y(one.share.value), 3.5)}</g>"
        )
    parts.append("</g>")
    for x, one, anchor in ((places[0], told[0], "start"), (places[-1], told[-1], "end")):
        parts.append(f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{_day(one.point)}</text>')
    return mark_safe("".join([*parts, "</svg>"]))  # noqa: S308 - numbers, dates and an escaped title


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)


def _day(point: TrialPoint) -> str:
    return date_format(timezone.localtime(point.at), "Y-m-d")
