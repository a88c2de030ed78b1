"""Who can be drawn, on which terms, and how probable every pair is: the sampler and the public page read this."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from arena.models import Battle, Entry, PairTally, VoteSource
from arena.pairing import BOOST, UNCERTAIN, Contender, Pair, Record, pair_of, probabilities
from arena.tallies import OVERALL
from runners import overrides
from runners.models import Conversation, LanguageModel, Message, ModelRevision

SOURCE: Final = "arena"
NEW_UNTIL: Final = 300
"""Votes up to which a model is drawn more often; the Chatbot Arena's 3,000 at a tenth of its size."""
GOLD_SHARE: Final = 0.15
"""Weight of reference players beside real models: enough for gold pairs, no more."""
FAILURES: Final = 5
BREAK: Final = timedelta(minutes=2)
_REMEMBER: Final = 30.0
_recorded: dict[str, tuple[float, list[int]]] = {}
_sizes: dict[str, tuple[float, int]] = {}


@dataclass(frozen=True)
class Terms:
    """What staff may set for all models: the boost of a new one, the votes until it is none, the weight of reference
    players beside real models, and the share of draws where votes help most."""

    boost: float = BOOST
    new_until: int = NEW_UNTIL
    gold_share: float = GOLD_SHARE
    share_uncertain: float = UNCERTAIN


@dataclass(frozen=True)
class Pool:
    """The draw of one kind of battle: contenders by slug, their revisions, and every pair's probability."""

    kind: str
    revisions: dict[str, ModelRevision]
    contenders: list[Contender]
    table: dict[Pair, float]

    @property
    def is_open(self) -> bool:
        return bool(self.table)


def defaults() -> dict[str, float]:
    """The ordinary terms, by the names of their overrides."""
    return {f"arena.{name}": value for name, value in asdict(Terms()).items()}


def terms() -> Terms:
    """The terms in force. One query."""
    found: dict[str, Any] = overrides.read(defaults())
    return Terms(**{name.removeprefix("arena."): value for name, value in found.items()})


def source() -> VoteSource:
    """Where this site's own votes are counted."""
    found, _ = VoteSource.objects.get_or_create(slug=SOURCE, defaults={"name": "Gyeoru Arena", "licence": "CC BY 4.0"})
    return found


def recorded_conversations() -> QuerySet[Conversation]:
    """Recorded conversations to show: answered to the end, public, of a run that stands, in the plain mode."""
    broken = Message.objects.filter(conversation=OuterRef("pk"), status__in=("error", "empty"))
    answered = Message.objects.filter(conversation=OuterRef("pk"), role=Message.Role.ASSISTANT)
    return (
        Conversation.objects.filter(~Exists(broken), Exists(answered), is_recorded=True, mode__in=("", "default"))
        .exclude(item="")
        .exclude(run__suite__tasks__benchmark__is_private=True)
        .exclude(revision__language_model__hidden_reason__gt="")
        .exclude(run__withdrawn_reason__gt="")
    )


def recorded_revisions() -> list[ModelRevision]:
    """Revisions with recorded conversations, as of half a minute ago at most."""
    return _revisions(ModelRevision.objects.filter(pk__in=recorded_ids()))


def recorded_ids() -> list[int]:
    """Their ids; the list is remembered for half a minute."""
    at, ids = _recorded.get(Battle.Kind.RECORDED, (0.0, []))
    if not ids or time.monotonic() - at > _REMEMBER:
        ids = sorted(set(recorded_conversations().order_by().values_list("revision_id", flat=True)))
        _recorded[Battle.Kind.RECORDED] = (time.monotonic(), ids)
    return ids


def live_revisions() -> list[ModelRevision]:
    """Revisions behind an active server that was offered for the arena."""
    served = ModelRevision.objects.filter(endpoint__is_active=True, state=ModelRevision.State.OK)
    return [one for one in _revisions(served) if one.endpoint is not None and "arena" in one.endpoint.purposes]


def _revisions(found: QuerySet[ModelRevision]) -> list[ModelRevision]:
    kept = found.exclude(language_model__hidden_reason__gt="").select_related("language_model", "endpoint")
    return list(kept.select_related("arena_entry").order_by("slug"))


def pool(kind: str) -> Pool:
    """The draw as it stands now."""
    revisions = live_revisions() if kind == Battle.Kind.LIVE else recorded_revisions()
    failing = _failing() if kind == Battle.Kind.LIVE else set()
    return _pool(kind, [one for one in revisions if not _retired(one) and one.pk not in failing])


def _pool(kind: str, revisions: Sequence[ModelRevision]) -> Pool:
    records, now = records_of(revisions), terms()
    contenders = contenders_of(revisions, records, now)
    table = probabilities(contenders, records, now.share_uncertain, now.boost)
    return Pool(kind, {one.slug: one for one in revisions}, contenders, table)


def records_of(revisions: Iterable[ModelRevision]) -> dict[Pair, Record]:
    """Counted votes of every pair of these revisions."""
    slugs = {one.pk: one.slug for one in revisions}
    rows = PairTally.objects.filter(source__slug=SOURCE, category=OVERALL, left__in=slugs, right__in=slugs)
    records = {}
    for row in rows:
        votes = row.left_wins + row.right_wins + row.ties + row.both_bad
        score = row.left_wins + (row.ties + row.both_bad) / 2
        left, right = slugs[row.left_id], slugs[row.right_id]
        pair = pair_of(left, right)
        records[pair] = Record(votes, score if pair.first == left else votes - score)
    return records


def contenders_of(
    revisions: Sequence[ModelRevision], records: dict[Pair, Record], now: Terms | None = None
) -> list[Contender]:
    """The terms of each: its entry's, or the ordinary ones."""
    now = now or Terms()
    votes: dict[str, int] = {}
    for pair, record in records.items():
        for name in pair:
            votes[name] = votes.get(name, 0) + record.votes
    real = sum(one.backend != ModelRevision.Backend.REFERENCE for one in revisions)
    return [_contender(one, votes.get(one.slug, 0), now, beside_real=real >= 2) for one in revisions]


def _contender(revision: ModelRevision, votes: int, now: Terms, *, beside_real: bool) -> Contender:
    entry = entry_of(revision)
    is_reference = revision.language_model.kind == LanguageModel.Kind.REFERENCE
    return Contender(
        name=revision.slug,
        weight=entry.weight * (now.gold_share if is_reference and beside_real else 1.0),
        is_new=votes < now.new_until and not (is_reference and beside_real),
        is_out=entry.is_out,
        is_private=entry.is_private,
        organisation=revision.language_model.organization,
        strict_targets=tuple(entry.strict_targets),
        targets=tuple(entry.targets),
    )


def entry_of(revision: ModelRevision) -> Entry:
    """Its terms; unsaved ordinary ones where it has no entry."""
    try:
        return revision.arena_entry
    except Entry.DoesNotExist:
        return Entry(revision=revision)


def _retired(revision: ModelRevision) -> bool:
    return entry_of(revision).retired_at is not None


def size(kind: str) -> int:
    """How many models can be drawn, as of half a minute ago at most."""
    at, n = _sizes.get(kind, (0.0, 0))
    if not n or time.monotonic() - at > _REMEMBER:
        n = len(live_revisions() if kind == Battle.Kind.LIVE else recorded_revisions())
        _sizes[kind] = (time.monotonic(), n)
    return n


def _failing() -> set[int]:
    """Revisions whose last answers all failed: five in the last two minutes and none that came."""
    recent = Message.objects.filter(
        role=Message.Role.ASSISTANT, conversation__is_recorded=False, created_at__gt=timezone.now() - BREAK
    )
    counts: dict[int, list[int]] = {}
    for revision, status in recent.values_list("conversation__revision_id", "status"):
        seen = counts.setdefault(revision, [0, 0])
        seen[status == Message.Status.ERROR] += 1
    return {revision for revision, (good, bad) in counts.items() if bad >= FAILURES and not good}


def forget() -> None:
    """Drops what is remembered between requests."""
    _recorded.clear()
    _sizes.clear()
