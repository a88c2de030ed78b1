"""Online Elo of a source, continued from the last snapshot: only votes after it are read.

Elo depends on the order of the votes, so an exclusion (or one lifted) before the snapshot means going back to one from
before it. Whether every counted vote is in is checked against the kept counts; where not, everything is replayed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import numpy as np
from django.db.models import Min, Q

from arena import tallies
from arena.models import Exclusion
from leaderboard.elo import START, replay
from leaderboard.models import RatingSnapshot
from leaderboard.rating_inputs import Inputs, ordered

METHOD: Final = "elo"
SCORE: Final = {"a": 1.0, "b": 0.0, "tie": 0.5, "bothbad": 0.5}
BLOCK: Final = 100_000
# Clocks of several machines differ; looking at exclusions a little older again costs nothing but reading.
MARGIN: Final = timedelta(minutes=2)


@dataclass
class State:
    """Ratings by revision id after `n_votes` votes up to id `upto`; models not named stand at 1000."""

    ratings: dict[int, float] = field(default_factory=dict)
    upto: int = 0
    n_votes: int = 0

    def to_json(self) -> dict[str, object]:
        return {"ratings": {str(pk): rating for pk, rating in self.ratings.items()}, "n_votes": self.n_votes}

    @classmethod
    def of(cls, snapshot: RatingSnapshot) -> State:
        kept = snapshot.state.get("ratings", {})
        return cls({int(pk): rating for pk, rating in kept.items()}, snapshot.up_to_vote, snapshot.state["n_votes"])


def states(inputs: Inputs) -> dict[str, State]:
    """The state of every category after the last vote."""
    start = _start(inputs)
    found = _advance(inputs, start)
    wanted = round(inputs.counts[tallies.OVERALL].n_votes) if tallies.OVERALL in inputs.counts else 0
    if found.get(tallies.OVERALL, State()).n_votes != wanted and start:
        found = _advance(inputs, {})
    return found


def _start(inputs: Inputs) -> dict[str, State]:
    """The newest states that no exclusion has touched since; empty where there are none."""
    snapshots = RatingSnapshot.objects.filter(source=inputs.source.slug, method=METHOD)
    base = snapshots.filter(category=tallies.OVERALL).order_by("-pk").first()
    if base is None:
        return {}
    moved = Exclusion.objects.filter(vote__source=inputs.source).filter(
        Q(created_at__gte=base.created_at - MARGIN) | Q(lifted_at__gte=base.created_at - MARGIN)
    )
    touched = moved.aggregate(first=Min("vote_id"))["first"]
    if touched is not None and touched <= base.up_to_vote:
        earlier = snapshots.filter(category=tallies.OVERALL, up_to_vote__lt=touched)
        base = earlier.order_by("-pk").first()
        if base is None:
            return {}
    newest: dict[str, RatingSnapshot] = {}
    for snapshot in snapshots.filter(up_to_vote__lte=base.up_to_vote).order_by("pk"):
        newest[snapshot.category] = snapshot
    return {category: State.of(snapshot) for category, snapshot in newest.items()}


def _advance(inputs: Inputs, start: dict[str, State]) -> dict[str, State]:
    """The states after every vote above where `start` stands."""
    found = {category: State(dict(state.ratings), state.upto, state.n_votes) for category, state in start.items()}
    after = found[tallies.OVERALL].upto if tallies.OVERALL in found else 0
    last = after
    waiting: defaultdict[str, list[tuple[int, int, float]]] = defaultdict(list)
    for pk, left, right, winner, category, language, turn in ordered(inputs.source, after):
        last = pk
        for name in tallies.categories(category, language, turn):
            waiting[name].append((left, right, SCORE[winner]))
        if len(waiting[tallies.OVERALL]) >= BLOCK:
            _play(found, waiting)
    _play(found, waiting)
    for state in found.values():
        state.upto = last
    return found


def _play(states: dict[str, State], waiting: defaultdict[str, list[tuple[int, int, float]]]) -> None:
    for category, votes in waiting.items():
        if not votes:
            continue
        state = states.setdefault(category, State())
        models = sorted({pk for vote in votes for pk in vote[:2]})
        place = {pk: i for i, pk in enumerate(models)}
        columns = np.array(votes)
        left, right = ([place[int(pk)] for pk in columns[:, side]] for side in (0, 1))
        after = replay(left, right, columns[:, 2], [state.ratings.get(pk, START) for pk in models])
        state.ratings |= {pk: float(rating) for pk, rating in zip(models, after, strict=True)}
        state.n_votes += len(votes)
        votes.clear()
