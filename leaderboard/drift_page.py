"""The drift watch as a model's page shows it: the canary's scores over time, and when they changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from leaderboard.charts import marker
from runners import canary
from runners.drift import BASELINE, Z95
from runners.models import Alarm, LanguageModel, ModelRevision, Suite

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 220, 44, 24, 28
# A year of daily runs; what is older stays in the runs.
SHOWN = 400


@dataclass(frozen=True)
class Line:
    """One canary run of the table. `state`: normal (counted as such), change (told as changed), or nothing."""

    point: canary.Point
    half: float
    state: str


@dataclass(frozen=True)
class Watched:
    """A revision's canary runs on one suite version. `lines` are newest first, as is `marks`."""

    revision: ModelRevision
    suite: Suite
    history: canary.History
    lines: list[Line]
    chart: SafeString | str


@dataclass(frozen=True)
class DriftPage:
    """All that is known of a model's changes behind its names; `marks` are newest first."""

    watched: list[Watched]
    marks: list[Alarm]


def read(language_model: LanguageModel, revisions: Sequence[ModelRevision]) -> DriftPage | None:
    """What the drift watch knows; None for a model nobody serves. Four queries."""
    served = {revision.pk: revision for revision in revisions if revision.backend == ModelRevision.Backend.API}
    if not served:
        return None
    found = canary.histories(ModelRevision.objects.filter(pk__in=served))
    suites = Suite.objects.in_bulk([history.suite_id for history in found])
    marks = Alarm.objects.filter(kind=Alarm.Kind.MODEL_DRIFT, revision__language_model=language_model)
    watched = [_watched(served[one.revision_id], suites[one.suite_id], one) for one in found]
    known = list(marks.select_related("revision").order_by("-about_at", "-pk"))
    return DriftPage(watched, known) if watched or known else None


def said(alarm: Alarm) -> str:
    """The mark's figure with its interval and day, in the reader's language."""
    day = date_format(timezone.localtime(alarm.about_at), "Y-m-d") if alarm.about_at else "–"
    told = {name: f"{value * 100:+.1f}" for name, value in alarm.figures.items()}
    if not told:
        return _("The canary items are answered differently since %(day)s.") % {"day": day}
    text = _("%(size)s points (95%% interval %(low)s to %(high)s) on the canary items since %(day)s.")
    return text % {**told, "day": day}


def _watched(revision: ModelRevision, suite: Suite, history: canary.History) -> Watched:
    normal, changed = _states(history)
    lines = []
    for point in history.every[-SHOWN:]:
        half = Z95 * math.sqrt(point.score * (1 - point.score) / history.n_items)
        lines.append(Line(point, half, "change" if point in changed else "normal" if point in normal else ""))
    title = _("Canary scores of %(revision)s on %(suite)s") % {"revision": revision.slug, "suite": suite}
    return Watched(revision, suite, history, lines[::-1], chart(title, history, lines))


def _states(history: canary.History) -> tuple[set[canary.Point], set[canary.Point]]:
    """The runs that count as normal, and those that were told as changed."""
    points = history.points
    changed: set[canary.Point] = set()
    for episode in history.watch.episodes:
        end = len(points) if episode.over_at is None else episode.over_at - BASELINE + 1
        changed.update(points[episode.change.onset : end])
    return set(points[:BASELINE]), changed


def chart(title: str, history: canary.History, lines: Sequence[Line]) -> SafeString | str:
    """Scores over the runs: circles, squares where a change was told; the band is the noise of the normal runs."""
    if len(lines) < 2:
        return ""
    watch, scores = history.watch, [line.point.score for line in lines]
    edges = list(scores)
    if watch.mean is not None and watch.deviation is not None:
        edges += [watch.mean - Z95 * watch.deviation, watch.mean + Z95 * watch.deviation]
    low, high = max(0.0, min(edges) - 0.02), min(1.0, max(edges) + 0.02)

    def x(index: int) -> float:
        return LEFT + 10 + (WIDTH - LEFT - 20) * index / (len(lines) - 1)

    def y(score: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - min(high, max(low, score))) / (high - low)

    parts = [
        f'<svg class="chart history" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
        f"<title>{escape(title)}</title>"
    ]
    if watch.mean is not None and watch.deviation is not None:
        top, bottom = y(watch.mean + Z95 * watch.deviation), y(watch.mean - Z95 * watch.deviation)
        height = max(bottom - top, 1)
        parts.append(
            f'<rect class="band" x="{LEFT}" y="{top:.1f}" width="{WIDTH - LEFT - 4}" height="{height:.1f}"/>'
            f'<path class="grid" d="M{LEFT} {y(watch.mean):.1f}H{WIDTH - 4}"/>'
        )
    for score in (low, high):
        parts.append(
            f'<text class="tick" x="{LEFT - 6}" y="{y(score) + 4:.1f}" text-anchor="end">{score * 100:.0f}</text>'
        )
    places = " ".join(f"{x(i):.1f},{y(score):.1f}" for i, score in enumerate(scores))
    parts.append(f'<g class="series s0"><polyline class="line" points="{places}"/>')
    for i, line in enumerate(lines):
        told = f"{_day(line.point.at)}: {line.point.score * 100:.1f}"
        mark = marker(1 if line.state == "change" else 0, x(i), y(line.point.score), 3.5)
        parts.append(f"<g><title>{told}</title>{mark}</g>")
    parts.append("</g>")
    parts += [_onset(x(i), line.point.at) for i, line in enumerate(lines) if _begins(lines, i)]
    for i, anchor in ((0, "start"), (len(lines) - 1, "end")):
        day = _day(lines[i].point.at)
        parts.append(f'<text class="tick" x="{x(i):.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{day}</text>')
    return mark_safe("".join([*parts, "</svg>"]))  # noqa: S308 - numbers, dates and an escaped title


def _begins(lines: Sequence[Line], i: int) -> bool:
    return lines[i].state == "change" and (i == 0 or lines[i - 1].state != "change")


def _onset(x: float, at: datetime) -> str:
    side, gap = ("end", -5) if x > WIDTH * 0.7 else ("start", 5)
    return (
        f'<path class="onset" d="M{x:.1f} {TOP - 12}V{HEIGHT - BOTTOM}"/>'
        f'<text class="tick" x="{x + gap:.1f}" y="{TOP - 8}" text-anchor="{side}">{_day(at)}</text>'
    )


def _day(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d}"
