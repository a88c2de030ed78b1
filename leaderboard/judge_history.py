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
from leaderboard.qualities import QUALITIES

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 360, 150, 40, 12, 26
SHOWN = 200


@dataclass(frozen=True)
class Line:
    """One judging; `share` is its hit rate on known pairs of one kind, or of all."""

    point: TrialPoint
    share: Share

    @property
    def kinds(self) -> list[tuple[str, Share]]:
        """The hit rate by kind of pair, in words."""
        return [(title_of(kind), Share(*counted)) for kind, counted in self.point.kinds.items()]


@dataclass(frozen=True)
class History:
    """A judge's judgings of one set, newest first, a chart for each kind of known pair, and what the alarm says."""

    lines: list[Line]
    charts: list[tuple[str, SafeString]]
    fall: history.Fall | None


def read(judge: Judge) -> dict[int, History]:
    """Question set → history. One query."""
    return {set_id: _history(points) for set_id, points in history.points_of(judge).items()}


def _history(points: Sequence[TrialPoint]) -> History:
    shown = points[-SHOWN:]
    charts = []
    # Kinds differ in how hard they are: one line through all of them would show which were judged last.
    for kind in dict.fromkeys(kind for point in shown for kind in point.kinds):
        title = title_of(kind)
        if drawn := chart(title, [Line(point, Share(*point.kinds[kind])) for point in shown if kind in point.kinds]):
            charts.append((title, drawn))
    return History([Line(point, Share(point.hits, point.n)) for point in reversed(shown)], charts, history.fall(points))


def title_of(kind: str) -> str:
    """A kind of known pair in words."""
    if kind == history.CANARY:
        return _("canaries below the complete answer, or the baseline")
    better, _sign, worse = kind.partition(">")
    told = {name: str(QUALITIES.get(name, name)) for name in (better, worse)}
    return _("%(better)s above %(worse)s") % {"better": told[better], "worse": told[worse]}


def chart(title: str, lines: Sequence[Line]) -> SafeString | None:
    """Hit rates with their 95 % intervals, oldest first; nothing where fewer than two judgings had such pairs."""
    told = [line for line in lines if line.share.interval is not None]
    if len(told) < 2:
        return None
    parts = [
        f'<svg class="chart slim" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
        f"<title>{escape(title)}</title>"
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
        said = f"{_day(one.point)}: {one.share.value * 100:.1f} ({low * 100:.1f}–{high * 100:.1f}), n={one.share.n}"
        parts.append(
            f'<g><title>{said}</title><path class="line" d="M{x:.1f} {_y(low):.1f}V{_y(high):.1f}"/>'
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
