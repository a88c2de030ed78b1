"""Refitting: the votes of a source become snapshots of ratings, one per category and method.

A snapshot is written only where its input changed, so that a refit may run as often as one likes. Models without a
finite rating, with too few votes or without a path to the others get a status and no number.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from statistics import median
from typing import Any, Final

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from arena.models import VoteSource
from leaderboard import online_elo, rating_inputs
from leaderboard.bradley_terry import POINTS_PER_UNIT, RatingTable, rate
from leaderboard.bt.fragility import fragility
from leaderboard.bt.likelihood import NoMaximumError
from leaderboard.elo import START
from leaderboard.elo_spread import standard_errors
from leaderboard.inference import normal_quantile
from leaderboard.models import Rating, RatingSnapshot
from leaderboard.pair_counts import PairCounts
from leaderboard.rating_inputs import Inputs, StyledVotes
from leaderboard.style import rate_with_style, style_features
from runners.runs import touch

VERSION: Final = "1"
FEW_STYLED: Final = 30
"""A feature of style that differs in fewer votes is left out."""
VERSIONS: Final = {"elo": "2", "bt": "2", "bt-style": "2"}
"""Of methods that have changed since the first: their snapshots are made anew."""
PAGES: Final = "ratings"
MIN_BATTLES: Final = 3
"""A model with fewer counted votes gets no number of its own, although its votes count for the others."""
FRAGILITY_MODELS: Final = 300
HALF_WIDTH: Final = "half_width"
"""In the details of an official snapshot, for the gauge of how many votes are still missing."""
IF_COUNTED: Final = "if_counted"
"""In the details of an official snapshot: `leaderboard.if_counted`, taken along until it is worked out anew."""

METHODS: Final = {
    "bt": _("Bradley–Terry"),
    "elo": _("Elo (online)"),
    "bt-style": _("Bradley–Terry, style held equal"),
    "bt-decisive": _("Bradley–Terry, ties dropped"),
    "davidson": _("Davidson"),
    "bt-reweighted": _("Bradley–Terry, pairs reweighted"),
    "bt-capped": _("Bradley–Terry, voters capped"),
}
LIGHT: Final = ("bt", "elo", "bt-decisive", "davidson", "bt-reweighted")
"""Methods whose cost does not depend on the number of votes."""


@dataclass(frozen=True)
class Line:
    """One model of a fitted table; numbers are None unless `status` is rated."""

    revision: str
    status: str
    rating: float | None
    low: float | None
    high: float | None
    rank_low: int | None
    rank_high: int | None
    battles: int
    wins: int
    ties: int


@dataclass(frozen=True)
class Fitted:
    """What one method made of one category. `digest` names the input; `details` and `state` are kept as JSON."""

    method: str
    category: str
    lines: list[Line]
    digest: str
    n_votes: int
    up_to_vote: int
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)


def refit(source: VoteSource, methods: Iterable[str] = METHODS, anchor: tuple[str, float] | None = None) -> int:
    """Fits every category of a source by these methods; how many snapshots were new."""
    wanted = tuple(methods)
    inputs = rating_inputs.read(source)
    written = 0
    for method in wanted:
        written += sum(_store(inputs, method, fit) for fit in _fits(inputs, method, anchor))
    if written:
        touch(PAGES)
    return written


def newest(source: str, category: str, method: str) -> RatingSnapshot | None:
    """The last snapshot of a source's category by a method."""
    found = RatingSnapshot.objects.filter(source=source, category=category, method=method)
    return found.order_by("-pk").first()


Fit = Callable[[], Fitted]


def _fits(inputs: Inputs, method: str, anchor: tuple[str, float] | None) -> Iterable[tuple[str, str, Fit]]:
    """Per category the digest of its input and how to fit it."""
    salt = f"{method}/{VERSIONS.get(method, VERSION)}/{anchor}"
    if method == "elo":
        for category, state in online_elo.states(inputs).items():
            counts = inputs.counts.get(category)
            if counts is not None:
                digest = _digest(salt, counts.digest(), json.dumps(state.to_json(), sort_keys=True))
                yield category, digest, _bound(_elo, inputs, category, digest, counts, state)
        return
    if method == "bt-style":
        for category, votes in rating_inputs.styled(inputs).items():
            digest = _digest(salt, inputs.counts[category].digest(), str(votes.outcome.size), str(inputs.up_to_vote))
            yield category, digest, _bound(_style, inputs, category, digest, votes, anchor)
        return
    tables = rating_inputs.capped(inputs) if method == "bt-capped" else inputs.counts
    for category, counts in tables.items():
        digest = _digest(salt, counts.digest())
        yield category, digest, _bound(_bradley_terry, inputs, category, digest, counts, method, anchor)


def _bound(fit: Callable[..., Fitted], *arguments: Any) -> Fit:
    return lambda: fit(*arguments)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _store(inputs: Inputs, method: str, fit: tuple[str, str, Fit]) -> bool:
    """Writes the snapshot unless the newest one has the same input."""
    category, digest, make = fit
    source = inputs.source.slug
    last = newest(source, category, method)
    if last is not None and last.input_hash == digest and last.excluded == inputs.excluded:
        return False
    began = time.perf_counter()
    fitted = make()
    version = VERSIONS.get(method, VERSION)
    if last is not None and last.details.get(IF_COUNTED) and method == "bt":
        fitted.details[IF_COUNTED] = last.details[IF_COUNTED]
    details = {**fitted.details, "seconds": round(time.perf_counter() - began, 6)}
    ids = inputs.ids
    with transaction.atomic():
        snapshot = RatingSnapshot.objects.create(
            source=source, category=category, method=method, method_version=version, up_to_vote=fitted.up_to_vote,
            n_votes=fitted.n_votes, excluded=inputs.excluded, input_hash=digest, warnings=list(fitted.warnings),
            details=details, state=fitted.state,
        )  # fmt: skip
        Rating.objects.bulk_create(
            Rating(
                snapshot=snapshot, revision_id=ids[line.revision], status=line.status, rating=line.rating,
                low=line.low, high=line.high, rank_low=line.rank_low, rank_high=line.rank_high,
                battles=line.battles, wins=line.wins, ties=line.ties,
            )
            for line in fitted.lines
        )  # fmt: skip
        _thin(snapshot)
    return True


def _thin(snapshot: RatingSnapshot) -> None:
    """Of superseded snapshots keeps the last of each hour for a day and the last of each day before; the history."""
    same = RatingSnapshot.objects.filter(
        source=snapshot.source, category=snapshot.category, method=snapshot.method, pk__lt=snapshot.pk
    )
    recent = timezone.now() - timedelta(days=1)
    kept: set[tuple[Any, ...]] = set()
    spare = []
    for pk, created_at in same.order_by("-pk").values_list("pk", "created_at"):
        slot = (created_at.date(), created_at.hour) if created_at > recent else (created_at.date(),)
        if slot in kept:
            spare.append(pk)
        kept.add(slot)
    if spare:
        RatingSnapshot.objects.filter(pk__in=spare).delete()


def _bradley_terry(
    inputs: Inputs, category: str, digest: str, counts: PairCounts, method: str, anchor: tuple[str, float] | None
) -> Fitted:
    start = None if method == "bt-decisive" else _warm(inputs, category, method)
    ties = {"bt-decisive": "drop", "davidson": "davidson"}.get(method, "half")
    try:
        table = rate(counts, ties=ties, reweight=method == "bt-reweighted", anchor=anchor, start=start)  # type: ignore[arg-type]
    except NoMaximumError:
        return _unfitted(inputs, category, digest, counts, method)
    details: dict[str, Any] = {} if table.nu is None else {"nu": table.nu}
    if method == "bt":
        details[HALF_WIDTH] = half_width(table)
    if method == "bt" and len(counts.models) <= FRAGILITY_MODELS:
        found = fragility(counts)
        details["fragility"] = None if found is None else asdict(found)
    return _fitted(inputs, category, digest, method, table, details)


def half_width(table: RatingTable) -> float | None:
    """The median half 95 % interval in points of the models that have a number; None without one."""
    halves = [
        (row.high - row.low) / 2
        for row in table.rows
        if row.low is not None and row.high is not None and row.battles >= MIN_BATTLES
    ]
    return median(halves) if halves else None


def _style(inputs: Inputs, category: str, digest: str, votes: StyledVotes, anchor: tuple[str, float] | None) -> Fitted:
    features = style_features(*votes.styles)
    # A handful of votes that all went one way would leave the whole method without a finite solution.
    features[np.count_nonzero(features, axis=1) < FEW_STYLED] = 0.0
    try:
        fit = rate_with_style(votes.models, votes.left, votes.right, votes.outcome, features, anchor=anchor)
    except NoMaximumError:
        counts = PairCounts.from_votes(votes.models, votes.left, votes.right, votes.outcome)
        return _unfitted(inputs, category, digest, counts, "bt-style")
    details = {"coefficients": [asdict(one) for one in fit.coefficients]}
    return _fitted(inputs, category, digest, "bt-style", fit.table, details)


def _elo(inputs: Inputs, category: str, digest: str, counts: PairCounts, state: online_elo.State) -> Fitted:
    wins, ties = counts.wins.sum(axis=1), counts.ties.sum(axis=1)
    battles = counts.battles.sum(axis=1)
    ids = inputs.ids
    known = np.array([state.ratings.get(ids[name], START) for name in counts.models])
    half = normal_quantile(0.95) * standard_errors(counts, known)
    lines = []
    for i, name in enumerate(counts.models):
        rating = state.ratings.get(ids[name]) if battles[i] >= MIN_BATTLES else None
        status = "rated" if rating is not None else "too_few" if battles[i] else "no_votes"
        low, high = (None, None) if rating is None else (rating - half[i], rating + half[i])
        lines.append(Line(name, status, rating, low, high, None, None, int(battles[i]), int(wins[i]), int(ties[i])))
    n_votes = round(counts.n_votes)
    return Fitted("elo", category, lines, digest, n_votes, state.upto, ("order_dependent",), {}, state.to_json())


def _fitted(
    inputs: Inputs, category: str, digest: str, method: str, table: RatingTable, details: dict[str, Any]
) -> Fitted:
    lines = []
    for row in table.rows:
        enough = row.battles >= MIN_BATTLES
        status = "too_few" if row.status == "rated" and not enough else row.status
        numbers = (row.rating, row.low, row.high, row.rank_low, row.rank_high) if enough else (None,) * 5
        counts = (round(row.battles), round(row.wins), round(row.ties))
        lines.append(Line(row.model, status, *numbers, *counts))
    kept = {"strengths": table.start()}
    n_votes = round(table.n_votes)
    return Fitted(method, category, lines, digest, n_votes, inputs.up_to_vote, table.warnings, details, kept)


def _unfitted(inputs: Inputs, category: str, digest: str, counts: PairCounts, method: str) -> Fitted:
    """Nobody is rated: the method has no finite solution on these votes."""
    battles, wins, ties = counts.battles.sum(axis=1), counts.wins.sum(axis=1), counts.ties.sum(axis=1)
    lines = [
        Line(name, "no_maximum", None, None, None, None, None, int(battles[i]), int(wins[i]), int(ties[i]))
        for i, name in enumerate(counts.models)
    ]
    n_votes = round(counts.n_votes)
    return Fitted(method, category, lines, digest, n_votes, inputs.up_to_vote, ("no_maximum",))


def _warm(inputs: Inputs, category: str, method: str) -> Mapping[str, float] | None:
    """The strengths of the last snapshot: after a few votes one or two steps remain."""
    last = newest(inputs.source.slug, category, method)
    return last.state.get("strengths") if last is not None else None


def points(strength: float) -> float:
    """A natural-log strength in rating points around 1000."""
    return 1000 + POINTS_PER_UNIT * strength
