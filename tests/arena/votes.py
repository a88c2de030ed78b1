"""Votes for tests, stored and counted the way the product does."""

from __future__ import annotations

import itertools

from django.db import transaction

from arena import tallies
from arena.models import Vote, Voter, VoteSource
from runners.catalog import register_imported

_numbers = itertools.count(1)


def make_source(slug: str = "people", judge: str = "") -> VoteSource:
    return VoteSource.objects.get_or_create(slug=slug, defaults={"name": slug, "judge": judge})[0]


def make_vote(source: VoteSource, left: str, right: str, winner: str = "a", **fields: object) -> Vote:
    """A vote between two models by name, stored and counted in one transaction."""
    with transaction.atomic():
        models = register_imported((left, right))
        if isinstance(name := fields.pop("voter", None), str):
            fields["voter"] = Voter.objects.get_or_create(key=name)[0]
        vote = Vote.objects.create(
            source=source, left=models[left], right=models[right], winner=winner,
            external_id=f"test-{next(_numbers)}", **fields,
        )  # fmt: skip
        tallies.count_vote(vote)
    return vote
