"""The numbers of the agreement page: one judge against the people of one source, computed at refits and stored.

`refresh` is the verb; everything else turns rows into numbers that JSON can hold.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from arena.models import VoteSource
from leaderboard import verdict_rows
from leaderboard.agreement import Item, agreement, between_people
from leaderboard.agreement_ratings import combined, correlation, ratings_of, table_of
from leaderboard.agreement_trend import trend
from leaderboard.models import AgreementSnapshot
from leaderboard.preference import (
    length_preference,
    position_preference,
    preference_gap,
    swap_consistency,
)
from leaderboard.rating_inputs import excluded
from leaderboard.ratings import PAGES
from leaderboard.verdict_rows import JudgeVerdicts, PeopleVote, model_of
from runners.runs import touch

GAPS: Final = ((0, 50), (50, 100), (100, 200), (200, None))
"""Bins of the rating gap of a pair, in points of the people's ratings."""
ROUNDS: Final = 500
EXAMPLES: Final = 300
VERSION: Final = "2"
_SIDE: Final = {"first": 1.0, "second": 0.0, "tie": 0.5}


def refresh(source: VoteSource) -> int:
    """Computes every judge of a people's source anew whose verdicts or votes have changed; how many these were."""
    votes = verdict_rows.people(source)
    judges = verdict_rows.judges(source, votes)
    stamp = f"{VERSION}/{len(votes)}/{excluded(source)}/{hash_of(votes)}"
    written = 0
    for judge in judges:
        digest = hashlib.sha256(f"{stamp}/{judge.digest}".encode()).hexdigest()
        last = newest(source.slug, judge.slug)
        if last is not None and last.input_hash == digest:
            continue
        numbers = compute(judge, votes)
        whole = numbers["slices"][0]
        AgreementSnapshot.objects.create(
            judge=judge.slug, source=source.slug, n_items=whole["n_items"], n_votes=whole["s1"]["n"],
            input_hash=digest, numbers=numbers,
        )  # fmt: skip
        written += 1
    if written:
        touch(PAGES)
    return written


def newest(source: str, judge: str) -> AgreementSnapshot | None:
    """The last numbers of a judge on a source."""
    return AgreementSnapshot.objects.filter(source=source, judge=judge).order_by("-pk").first()


def hash_of(votes: Sequence[PeopleVote]) -> str:
    """A hash of who preferred what, whatever the order."""
    total = sum(int.from_bytes(hashlib.sha256(repr(vote.verdict).encode()).digest()[:8]) for vote in votes)
    return f"{total:x}"


def compute(judge: JudgeVerdicts, votes: Sequence[PeopleVote]) -> dict[str, Any]:
    """All numbers as stored: slices (the whole first), trend, biases, ratings, the combined rating, examples."""
    people = [vote.verdict for vote in votes]
    strengths = ratings_of(table_of(people))
    return {
        "name": judge.name,
        "slices": [_slice(judge, kind, key, turn, chosen) for kind, key, turn, chosen in _slices(votes, strengths)],
        "trend": trend(judge.verdicts, votes),
        "swap": _swap(judge),
        "position": _interval(position_preference(judge.sides)),
        "length": _length(judge, votes),
        "own_kin": _own_kin(judge, votes),
        "ratings": correlation(people, judge.verdicts),
        "combined": combined(judge.verdicts, people),
        "disagreements": _disagreements(judge, votes),
    }


def _slices(
    votes: Sequence[PeopleVote], strengths: dict[str, float]
) -> Iterable[tuple[str, str, int | None, list[PeopleVote]]]:
    """(kind, key, turn or None for all, votes): the whole, then every cut that says more than the whole."""
    whole = list(votes)
    yield "all", "", None, whole
    cuts: list[tuple[str, dict[str, list[PeopleVote]]]] = [
        ("voters", _cut(votes, lambda vote: [vote.voters])),
        ("category", _cut(votes, lambda vote: [part.strip() for part in vote.category.split("|")])),
        ("language", _cut(votes, lambda vote: [vote.language])),
        ("gap", _cut(votes, lambda vote: [_gap(vote.verdict.item, strengths)])),
        ("month", _cut(votes, lambda vote: [vote.month])),
    ]
    turns = _by_turn(whole)
    for turn, chosen in turns:
        yield "all", "", turn, chosen
    for kind, groups in cuts:
        if kind == "month" and len(groups) < 2:
            continue
        for key, chosen in groups.items():
            yield kind, key, None, chosen
            if kind in ("voters", "category") and len(turns) > 1:
                for turn, part in _by_turn(chosen):
                    yield kind, key, turn, part


def _cut(votes: Sequence[PeopleVote], keys: Any) -> dict[str, list[PeopleVote]]:
    groups: defaultdict[str, list[PeopleVote]] = defaultdict(list)
    for vote in votes:
        for key in keys(vote):
            if key:
                groups[key].append(vote)
    return dict(sorted(groups.items(), key=lambda group: (_start_of(group[0]), group[0])))


def _by_turn(votes: Sequence[PeopleVote]) -> list[tuple[int, list[PeopleVote]]]:
    groups: defaultdict[int, list[PeopleVote]] = defaultdict(list)
    for vote in votes:
        if vote.turn is not None:
            groups[vote.turn].append(vote)
    return sorted(groups.items()) if len(groups) > 1 else []


def _gap(item: Item, strengths: dict[str, float]) -> str:
    first, second = strengths.get(model_of(item.first)), strengths.get(model_of(item.second))
    if first is None or second is None:
        return ""
    gap = abs(first - second)
    low, high = next((low, high) for low, high in GAPS if high is None or gap < high)
    return f"{low}–{high}" if high is not None else f"{low}+"


def _slice(judge: JudgeVerdicts, kind: str, key: str, turn: int | None, votes: Sequence[PeopleVote]) -> dict[str, Any]:
    said = [vote.verdict for vote in votes]
    found = agreement(judge.verdicts, said, rounds=ROUNDS)
    ceiling = between_people(said, rounds=ROUNDS)
    return {"kind": kind, "key": key, "turn": turn, **asdict(found), "ceiling": asdict(ceiling)}


def _swap(judge: JudgeVerdicts) -> dict[str, Any] | None:
    """Verdicts shown in both orders; from stored games, or from the marks of an import."""
    if judge.games:
        found = swap_consistency(judge.games)
        return {**asdict(found), "flipped": found.flipped, "n": len(judge.games) - found.error}
    if not judge.n_flipped:
        return None
    n = len(judge.verdicts)
    games: list[Any] = [("left", "right")] * (n - judge.n_flipped) + [("left", "left")] * judge.n_flipped
    found = swap_consistency(games)
    # An import says that a verdict flipped, not to which side.
    return {**asdict(found), "left": None, "right": None, "one_tie": None, "flipped": judge.n_flipped, "n": n}


def _length(judge: JudgeVerdicts, votes: Sequence[PeopleVote]) -> dict[str, float] | None:
    lengths = {vote.verdict.item: vote.lengths for vote in votes if vote.lengths}
    sides = {"first": "left", "second": "right", "tie": "tie"}
    rows = [(sides[said.label], *lengths[said.item]) for said in judge.verdicts if said.item in lengths]
    return _interval(length_preference(rows))  # type: ignore[arg-type]


def _own_kin(judge: JudgeVerdicts, votes: Sequence[PeopleVote]) -> dict[str, float] | None:
    """How much more the judge gives models of its own family than people do on the same items."""
    family = judge.family.lower()
    if not family:
        return None
    said = {one.item: _SIDE[one.label] for one in judge.verdicts}
    rows = []
    for vote in votes:
        item = vote.verdict.item
        kin = [family in model_of(answer).lower() for answer in (item.first, item.second)]
        if item in said and kin[0] != kin[1]:
            points = (said[item], _SIDE[vote.verdict.label])
            theirs, ours = points if kin[0] else (1 - points[0], 1 - points[1])
            rows.append((theirs, ours, item.question))
    if not rows:
        return None
    return _interval(preference_gap([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]))


def _interval(found: Any) -> dict[str, float] | None:
    return None if found is None else asdict(found)


def _disagreements(judge: JudgeVerdicts, votes: Sequence[PeopleVote]) -> list[dict[str, Any]]:
    """Items on which the judge decided against the people, the clearest first; never a text."""
    said = {one.item: one.label for one in judge.verdicts}
    counted: defaultdict[Item, Counter[str]] = defaultdict(Counter)
    about: dict[Item, PeopleVote] = {}
    for vote in votes:
        if vote.verdict.item in said:
            counted[vote.verdict.item][vote.verdict.label] += 1
            about[vote.verdict.item] = vote
    found = []
    for item, tally in counted.items():
        other = {"first": "second", "second": "first"}.get(said[item])
        if other and tally[other] > tally[said[item]] + tally["tie"]:
            found.append((tally[said[item]] - tally[other], item, tally))
    return [
        {
            "item": item.question, "turn": item.turn or None, "first": model_of(item.first),
            "second": model_of(item.second), "people": [tally["first"], tally["second"], tally["tie"]],
            "judge": said[item], "category": about[item].category, "battle": about[item].battle,
        }
        for _, item, tally in sorted(found, key=lambda row: (row[0], row[1]))[:EXAMPLES]
    ]  # fmt: skip


def _start_of(key: str) -> int:
    """Bins of numbers come in the order of their numbers, everything else by name."""
    digits = key.partition("–")[0].rstrip("+")
    return int(digits) if digits.isdigit() else -1
