"""Ranks if votes that were left out counted: one refit per rule, from the kept counts and those of the votes left out.

Worked out with the methods that read votes, kept in the details of the newest official snapshot, and read from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Exists, OuterRef
from django.utils import timezone

from arena import chain, screening, tallies
from arena.if_counted import Change, Group, Report, Standing
from arena.models import Exclusion, Vote, VoteSource
from leaderboard import rating_inputs
from leaderboard.bradley_terry import RatingTable, rate
from leaderboard.bt.likelihood import NoMaximumError
from leaderboard.models import RatingSnapshot
from leaderboard.pair_counts import PairCounts
from leaderboard.rating_inputs import OUTCOME
from leaderboard.rating_standings import VISIBLE
from leaderboard.ratings import FRAGILITY_MODELS, IF_COUNTED, MIN_BATTLES, PAGES, newest
from runners.models import ModelRevision
from runners.models.language_models import shown_name
from runners.runs import touch

VOTERS: Final = 10
FEW: Final = 3
"""A voter with fewer votes left out gets no line of their own."""
MODELS: Final = 6
WAITING: Final = frozenset({screening.QUARANTINE, screening.REPEAT})
"""Rules that say nothing against a voter."""
Anchor = tuple[str, float] | None
Cells = list[tuple[str, str, Any, float]]


def refresh(source: VoteSource, anchor: Anchor = None) -> bool:
    """Works the report out anew where votes have been left out; whether the pages have changed."""
    inputs = rating_inputs.read(source)
    found = compute(source, inputs.counts.get(tallies.OVERALL), anchor) if inputs.excluded else None
    changed = False
    for _ in range(3):  # a refit may store a newer snapshot meanwhile
        last = newest(source.slug, tallies.OVERALL, "bt")
        if last is None or not _differs(last.details.get(IF_COUNTED), found):
            break
        last.details[IF_COUNTED] = found
        changed = bool(RatingSnapshot.objects.filter(pk=last.pk).update(details=last.details))
    if changed:
        touch(PAGES)
    return changed


def _differs(before: dict[str, Any] | None, found: dict[str, Any] | None) -> bool:
    """Whether two reports say other things; when they were made is not one."""
    return (before or {}).get("groups") != (found or {}).get("groups")


def compute(source: VoteSource, counts: PairCounts | None, anchor: Anchor = None) -> dict[str, Any] | None:
    """The report as JSON: all votes left out, each rule's, and those of the voters with most; None for big tables."""
    if counts is None or len(counts.models) > FRAGILITY_MODELS:
        return None
    table = _rated(counts, anchor)
    if table is None:
        return None
    groups = []
    for rule, voter, cells in _left_out(source):
        delta = PairCounts.from_groups(cells)
        counted = _rated(counts.plus(delta), anchor)
        if counted is not None:
            groups.append({"rule": rule, "voter": voter, "votes": round(delta.n_votes), "models": len(delta.models),
                           "changes": _changes(delta.models, table, counted)})  # fmt: skip
    return {"at": timezone.now().isoformat(), "groups": groups}


def _rated(counts: PairCounts, anchor: Anchor) -> RatingTable | None:
    try:
        return rate(counts, anchor=anchor)
    except NoMaximumError:
        return None


def _left_out(source: VoteSource) -> Iterable[tuple[str, str, Cells]]:
    """(rule, voter, votes by pair): every vote left out, then by rule, then of the voters with most of them."""
    active = Exclusion.objects.filter(vote__source=source, lifted_at=None).order_by()
    fields = ("rule", "vote__voter__key", "vote__left__slug", "vote__right__slug", "vote__winner")
    by_rule: defaultdict[str, Cells] = defaultdict(list)
    for rule, _key, left, right, winner, n in active.values_list(*fields).annotate(n=Count("vote", distinct=True)):
        by_rule[rule].append((left, right, OUTCOME[winner], n))
    if len(by_rule) > 1:
        yield "", "", _cells(source, list(by_rule))
    for rule, cells in sorted(by_rule.items(), key=lambda item: -sum(cell[3] for cell in item[1])):
        yield rule, "", cells
    against = sorted(set(by_rule) - WAITING)
    yield from _voters(source, against) if against else ()


def _votes(source: VoteSource, rules: list[str]) -> Any:
    """Votes under any of the rules, each once."""
    active = Exclusion.objects.filter(vote=OuterRef("pk"), lifted_at=None, rule__in=rules)
    return Vote.objects.filter(Exists(active), source=source).order_by()


def _cells(source: VoteSource, rules: list[str]) -> Cells:
    rows = _votes(source, rules).values_list("left__slug", "right__slug", "winner").annotate(n=Count("pk"))
    return [(left, right, OUTCOME[winner], n) for left, right, winner, n in rows]


def _voters(source: VoteSource, rules: list[str]) -> Iterable[tuple[str, str, Cells]]:
    votes = _votes(source, rules).exclude(voter=None)
    most = votes.values_list("voter", "voter__key").annotate(n=Count("pk")).filter(n__gte=FEW).order_by("-n", "voter")
    for voter, key, _n in most[:VOTERS]:
        rows = votes.filter(voter=voter).values_list("left__slug", "right__slug", "winner").annotate(n=Count("pk"))
        yield "", chain.pseudonym(key)[:8], [(left, right, OUTCOME[winner], n) for left, right, winner, n in rows]


def _changes(models: Iterable[str], now: RatingTable, counted: RatingTable) -> list[dict[str, Any]]:
    """The models that the votes are about, those first whose rating would move most."""
    before, after = ({row.model: row for row in table.rows} for table in (now, counted))
    found = [
        {"model": name, "now": _numbers(before.get(name)), "counted": _numbers(after.get(name))} for name in models
    ]
    found.sort(key=lambda one: (-_move(one), one["model"]))
    return found[:MODELS]


def _numbers(row: Any) -> list[Any]:
    if row is None or row.rating is None or row.battles < MIN_BATTLES:
        return [None] * 5
    return [row.rating, row.low, row.high, row.rank_low, row.rank_high]


def _move(change: dict[str, Any]) -> float:
    now, counted = change["now"][0], change["counted"][0]
    return float("inf") if (now is None) != (counted is None) else abs((counted or 0.0) - (now or 0.0))


def report(source: str) -> Report | None:
    """The stored report of a source with the names of models; hidden models are out."""
    last = newest(source, tallies.OVERALL, "bt")
    kept = last.details.get(IF_COUNTED) if last is not None else None
    if not kept:
        return None
    slugs = {one["model"] for group in kept["groups"] for one in group["changes"]}
    shown = ModelRevision.objects.filter(VISIBLE, slug__in=slugs)
    names = {slug: shown_name(name) for slug, name in shown.values_list("slug", "language_model__name")}
    groups = [
        Group(group["rule"], group["voter"], group["votes"], group["models"],
              [Change(names[one["model"]], Standing(*one["now"]), Standing(*one["counted"]))
               for one in group["changes"] if one["model"] in names])
        for group in kept["groups"]
    ]  # fmt: skip
    return Report(datetime.fromisoformat(kept["at"]), groups)
