"""The tables with the texts of battles: battles, and preference pairs (chosen, rejected) for training and study.

What leaves the site was agreed to: only blind battles of voters who consented to publication, with their texts still
there. Battles whose answers name a model or are errors, those under a report that nobody has looked at, private sets,
hidden and unreleased models and withdrawn runs stay here. Every row carries the licence of the votes and those of both
models, so that whoever trains on outputs sees what their makers allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from arena import chain
from arena.models import Battle, Exclusion, Report, Vote
from leaderboard.exports import Column, Kind, Row, register
from runners.models import Message

READ_AT_ONCE: Final = 200
BATTLE_COLUMNS = (
    Column("battle"),
    Column("source"),
    Column("licence"),
    Column("kind"),
    Column("item"),
    Column("category"),
    Column("language"),
    Column("model_a"),
    Column("revision_a"),
    Column("licence_a"),
    Column("model_b"),
    Column("revision_b"),
    Column("licence_b"),
    Column("conversation_a", "json"),
    Column("conversation_b", "json"),
    Column("pair_probability", "number"),
    Column("winner"),
    Column("vote", "integer"),
    Column("excluded", "json"),
    Column("created_at", "time"),
)
PREFERENCE_COLUMNS = (
    Column("vote", "integer"),
    Column("source"),
    Column("licence"),
    Column("item"),
    Column("category"),
    Column("language"),
    Column("turns", "integer"),
    Column("prompt"),
    Column("chosen", "json"),
    Column("rejected", "json"),
    Column("chosen_model"),
    Column("chosen_licence"),
    Column("rejected_model"),
    Column("rejected_licence"),
    Column("reasons", "json"),
    Column("cast_at", "time"),
)
Said = list[dict[str, str]]


def public_battles() -> QuerySet[Battle]:
    """The voted battles whose texts may leave the site."""
    sides = Q()
    for side in ("left", "right"):
        sides |= Q(**{f"{side}__run__suite__tasks__benchmark__is_private": True})
        sides |= Q(**{f"{side}__run__withdrawn_at__isnull": False})
        sides |= ~Q(**{f"{side}_revision__language_model__hidden_reason": ""})
        sides |= Q(**{f"{side}_revision__arena_entry__is_private": True})
    kept = Battle.objects.exclude(pk__in=Battle.objects.filter(sides).values("pk"))
    return kept.filter(
        ~Exists(Report.objects.filter(battle=OuterRef("pk"), handled_at=None)),
        mode=Battle.Mode.BLIND, status=Battle.Status.VOTED, deleted_at=None, voter__consented_at__isnull=False,
        findings=[], right__isnull=False, vote__isnull=False,
    ).select_related("vote__source", "left_revision__language_model", "right_revision__language_model")  # fmt: skip


def _read(battles: QuerySet[Battle], only: str | None) -> Iterator[tuple[Battle, Said, Said]]:
    """Battles in the order of their votes, with what both sides said."""
    if only is not None:
        battles = battles.filter(vote__source__slug=only)
    rows = battles.order_by("vote__pk").iterator(chunk_size=READ_AT_ONCE)
    while batch := list(islice(rows, READ_AT_ONCE)):
        said = _said({key for one in batch for key in (one.left_id, one.right_id) if key})
        for one in batch:
            left, right = said.get(one.left_id, []), said.get(one.right_id or 0, [])
            if left and right:
                yield one, left, right


def _said(conversations: set[int]) -> dict[int, Said]:
    found: dict[int, Said] = {}
    rows = Message.objects.filter(conversation__in=conversations).exclude(role=Message.Role.SYSTEM)
    for conversation, role, text in rows.order_by("conversation", "position").values_list(
        "conversation_id", "role", "text"
    ):
        found.setdefault(conversation, []).append({"role": role, "content": text})
    return found


def battle_rows(only: str | None) -> Iterator[Row]:
    """Every public battle with its vote, excluded votes too with their rules."""
    for battle, left, right in _read(public_battles().prefetch_related("vote__exclusions"), only):
        vote, (a, b) = battle.vote, _models(battle)
        rules = [one.rule for one in vote.exclusions.all() if one.lifted_at is None]
        yield (
            chain.battle_name(battle.key), vote.source.slug, vote.source.licence, battle.kind, battle.item,
            battle.category, battle.language, a.slug, battle.left_revision.slug, a.licence, b.slug,
            battle.right_revision.slug if battle.right_revision else "", b.licence, left, right,
            battle.pair_probability, vote.winner, vote.pk, rules, battle.created_at,
        )  # fmt: skip


def preference_rows(only: str | None) -> Iterator[Row]:
    """A pair for every counted vote that preferred one side."""
    out = Exclusion.objects.filter(vote=OuterRef("vote"), lifted_at=None)
    decided = public_battles().filter(~Exists(out), vote__winner__in=(Vote.Winner.LEFT, Vote.Winner.RIGHT))
    for battle, left, right in _read(decided, only):
        vote, models, said = battle.vote, _models(battle), (left, right)
        won = 0 if vote.winner == Vote.Winner.LEFT else 1
        chosen, rejected = models[won], models[1 - won]
        prompt = next((one["content"] for one in left if one["role"] == Message.Role.USER), "")
        yield (
            vote.pk, vote.source.slug, vote.source.licence, battle.item, battle.category, battle.language, vote.turn,
            prompt, said[won], said[1 - won], chosen.slug, chosen.licence, rejected.slug, rejected.licence,
            vote.reasons, vote.cast_at,
        )  # fmt: skip


def _models(battle: Battle) -> tuple[Any, Any]:
    assert battle.right_revision is not None
    return battle.left_revision.language_model, battle.right_revision.language_model


register(Kind("battles", BATTLE_COLUMNS, battle_rows, by="source"))
register(Kind("preferences", PREFERENCE_COLUMNS, preference_rows, by="source"))
