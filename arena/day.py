"""What the votes of a day say about the next ones: of their voters, their networks and their prompts.

Looked up once for all battles whose votes are stored together, and counted on from there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from django.db.models import Count, QuerySet

from arena import screening
from arena.models import Battle, Vote, VoteSource
from arena.screening import Cast

_REMEMBER: Final = 600.0
_prompt_limit: list[tuple[float, int]] = []


class Day:
    """Today's votes around some battles; their revisions should be loaded."""

    def __init__(self, battles: Sequence[Battle], source: VoteSource, now: datetime) -> None:
        self.now = now
        self._voters: Counter[int] = Counter()
        self._models: Counter[tuple[int, str]] = Counter()
        start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        today = Vote.objects.filter(source=source, cast_at__gte=start)
        of_voters = today.filter(voter__in={one.voter_id for one in battles})
        for voter, left, right in of_voters.values_list("voter", "left__slug", "right__slug"):
            self._count(voter, left, right)
        networks = {one.network_hash for one in battles if one.network_hash}
        self._networks = _counted(today.filter(battle__network_hash__in=networks), "battle__network_hash", networks)
        prompts = {one.prompt_hash for one in battles if _is_prompted(one)}
        same = Vote.objects.filter(battle__prompt_hash__in=prompts)
        self._prompts = _counted(same, "battle__prompt_hash", prompts)

    def cast(self, battle: Battle, seconds: float) -> Cast:
        """The battle's vote as it stands among the others of the day."""
        slugs = _slugs(battle)
        live = _is_prompted(battle)
        on_model = {slug: self._models[battle.voter_id, slug] for slug in slugs}
        return Cast(
            answers=(),
            prompts=(),
            seconds=seconds,
            age_seconds=(self.now - battle.created_at).total_seconds(),
            votes_of_voter=self._voters[battle.voter_id],
            votes_of_voter_on={slug: votes for slug, votes in on_model.items() if votes},
            votes_of_network=self._networks[battle.network_hash],
            same_prompt=self._prompts[battle.prompt_hash] if live else 0,
            prompt_limit=_limit_of_prompts() if live else None,
            is_repeat=battle.repeat_of_id is not None,
        )

    def add(self, battle: Battle) -> None:
        """One more vote of the day."""
        self._count(battle.voter_id, *_slugs(battle))
        if battle.network_hash:
            self._networks[battle.network_hash] += 1
        if _is_prompted(battle):
            self._prompts[battle.prompt_hash] += 1

    def _count(self, voter: int, *slugs: str) -> None:
        self._voters[voter] += 1
        for slug in slugs:
            self._models[voter, slug] += 1


def _slugs(battle: Battle) -> list[str]:
    return [one.slug for one in (battle.left_revision, battle.right_revision) if one is not None]


def _is_prompted(battle: Battle) -> bool:
    return battle.kind == Battle.Kind.LIVE and bool(battle.prompt_hash)


def _counted(votes: QuerySet[Vote], name: str, wanted: set[str]) -> Counter[str]:
    if not wanted:
        return Counter()
    return Counter(dict(votes.order_by().values(name).annotate(n=Count("pk")).values_list(name, "n")))


def _limit_of_prompts() -> int:
    """The 99.9 % quantile of votes per prompt, looked up every ten minutes."""
    if _prompt_limit and time.monotonic() - _prompt_limit[0][0] < _REMEMBER:
        return _prompt_limit[0][1]
    voted = Battle.objects.filter(kind=Battle.Kind.LIVE, status=Battle.Status.VOTED).exclude(prompt_hash="")
    counts = list(voted.order_by().values("prompt_hash").annotate(n=Count("pk")).values_list("n", flat=True))
    _prompt_limit[:] = [(time.monotonic(), screening.over_represented(counts))]
    return _prompt_limit[0][1]
