"""A small attacked arena under a source of its own, so that the ledger and the review can be seen at work."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.utils import timezone

from arena import review, tallies
from arena.models import Exclusion, Vote, Voter, VoteSource
from arena.pairing import Contender, exposure, weighted
from arena.rigging import Ballot
from arena.simulation import Arena, arena_of
from runners.models import LanguageModel, ModelRevision

SOURCE: Final = "rigging-demo"
MODELS, HONEST, ATTACKERS, VOTES_OF_ONE, PUSHED = 12, 40, 6, 25, 8
_WINNERS = {1.0: "a", 0.0: "b", 0.5: "tie"}


@dataclass(frozen=True)
class Filled:
    """Votes stored, those of attackers, how many of them were left out, and honest votes left out."""

    votes: int
    pushed: int
    caught: int
    false_alarms: int


@transaction.atomic
def fill(seed: int = 1) -> Filled:
    """Makes the demo anew, in one transaction: honest voters, attackers who push one model, the review's verdicts."""
    draw, arena = random.Random(seed), arena_of(MODELS)  # noqa: S311 - a simulation
    source, _ = VoteSource.objects.get_or_create(slug=SOURCE, defaults={"name": "Rigging demo (simulated votes)"})
    Exclusion.objects.filter(vote__source=source).delete()
    Vote.objects.filter(source=source).delete()
    source.tallies.all().delete()
    revisions = {name: _revision(name) for name in arena.strengths}
    target = sorted(arena.strengths)[MODELS // 2]
    honest = [_voter(f"honest {n}") for n in range(HONEST)]
    attackers = [_voter(f"attacker {n}") for n in range(ATTACKERS)]
    for voter in honest:
        _store(source, voter, arena.ballots(VOTES_OF_ONE, draw), revisions)
    for voter in attackers:
        _store(source, voter, arena.attack(target, PUSHED, "target-only", draw), revisions)
    tallies.add(source.pk, tallies.recount(source))
    return _screened(source, arena, revisions, honest, attackers)


def _screened(
    source: VoteSource, arena: Arena, revisions: dict[str, ModelRevision], honest: list[Voter], attackers: list[Voter]
) -> Filled:
    expected = review.expectation(source)
    shares = exposure(weighted([Contender(revisions[name].slug) for name in arena.strengths]))
    for voter in [*honest, *attackers]:
        review.screen_voter(source, voter.pk, expected, shares)
    out = Exclusion.objects.filter(vote__source=source, lifted_at=None)
    return Filled(
        Vote.objects.filter(source=source).count(),
        Vote.objects.filter(source=source, voter__in=attackers).count(),
        out.filter(vote__voter__in=attackers).count(),
        out.filter(vote__voter__in=honest).count(),
    )


def _revision(name: str) -> ModelRevision:
    slug = f"{SOURCE}/{name}"
    model, _ = LanguageModel.objects.get_or_create(
        slug=slug,
        defaults={
            "name": name,
            "organization": SOURCE,
            "kind": LanguageModel.Kind.REFERENCE,
            "hidden_reason": "simulated, for the demo of the exclusion ledger",
        },
    )
    backend = ModelRevision.Backend.REFERENCE
    revision, _ = ModelRevision.objects.get_or_create(slug=slug, defaults={"language_model": model, "backend": backend})
    return revision


def _voter(name: str) -> Voter:
    return Voter.objects.get_or_create(key=f"{SOURCE} {name}", defaults={"kind": "simulated"})[0]


def _store(source: VoteSource, voter: Voter, ballots: Iterable[Ballot], revisions: dict[str, ModelRevision]) -> None:
    Vote.objects.bulk_create(
        Vote(
            source=source,
            voter=voter,
            left=revisions[one.left],
            right=revisions[one.right],
            winner=_WINNERS[one.score],
            language="ko",
            cast_at=timezone.now(),
        )
        for one in ballots
    )
