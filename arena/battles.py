"""Opening, carrying on and ending battles. Every change of a battle's status is one conditional UPDATE."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from arena import moderation, roster, screening
from arena.models import Battle, Report, Voter
from arena.models.battles import public_key
from arena.pairing import draw
from arena.refusal import Refused
from runners.models import Conversation, Message, ModelRevision

MAX_PROMPT: Final = 30_000
MAX_TURNS: Final = 50
ABANDONED: Final = timedelta(minutes=10)
_SYSTEM = random.SystemRandom()


def open_live(voter: Voter, network: str, prompt: str, source: random.Random = _SYSTEM) -> Battle:
    """A blind battle of two served models on the visitor's prompt. Raises Refused."""
    asked = clean_prompt(prompt)
    pool = roster.pool(Battle.Kind.LIVE)
    drawn = draw(pool.table, source)
    if drawn is None:
        raise Refused("no_live", _("No model server is attached, so only recorded answers can be compared here."), 503)
    left, right = pool.revisions[drawn.left], pool.revisions[drawn.right]
    return _live_battle(voter, network, asked, [left, right], Battle.Mode.BLIND, drawn.probability)


def open_chosen(voter: Voter, network: str, prompt: str, slugs: Sequence[str]) -> Battle:
    """One or two models the visitor chose, by name: a chat that is never ranked. Raises Refused."""
    asked = clean_prompt(prompt)
    by_slug = {one.slug: one for one in roster.live_revisions()}
    chosen = [by_slug[slug] for slug in dict.fromkeys(slugs) if slug in by_slug]
    if not chosen or len(chosen) > 2:
        raise Refused("no_model", _("Choose one model, or two different ones, from the list."))
    mode = Battle.Mode.DIRECT if len(chosen) == 1 else Battle.Mode.SIDE_BY_SIDE
    return _live_battle(voter, network, asked, chosen, mode, None)


def clean_prompt(text: str) -> str:
    """The prompt as it is sent: control characters gone, ends trimmed. Raises Refused for an empty or too long one."""
    kept = "".join(letter for letter in text if letter in "\n\t" or letter.isprintable() or letter == "\u3000").strip()
    if not any(letter.isalnum() for letter in kept):
        raise Refused("empty_prompt", _("Write what both models should answer."))
    if len(kept) > MAX_PROMPT:
        raise Refused(
            "long_prompt",
            _("The text has %(n)d characters; at most %(most)d can be sent.") % {"n": len(kept), "most": MAX_PROMPT},
        )
    if moderation.refused([kept]):
        raise Refused("moderated", _("This text cannot be sent. Please write it differently."))
    return kept


@transaction.atomic
def _live_battle(
    voter: Voter, network: str, prompt: str, revisions: list[ModelRevision], mode: str, probability: float | None
) -> Battle:
    settings_sent = {"temperature": 0.7, "max_tokens": 2048}
    sides = [Conversation.objects.create(revision=one, settings=settings_sent) for one in revisions]
    battle = Battle.objects.create(
        kind=Battle.Kind.LIVE,
        mode=mode,
        left=sides[0],
        right=sides[1] if len(sides) == 2 else None,
        left_revision=revisions[0],
        right_revision=revisions[1] if len(sides) == 2 else None,
        voter=voter,
        network_hash=network,
        pair_probability=probability,
        prompt_hash=screening.prompt_key([prompt]),
        language=language_of(prompt),
        category=category_of(prompt),
        stream_key=public_key(),
    )
    for side in sides:
        Message.objects.create(conversation=side, position=0, turn=1, role=Message.Role.USER, text=prompt)
    return battle


def language_of(text: str) -> str:
    """ko where a third of its letters are Hangul, else en."""
    letters = [letter for letter in text if letter.isalpha()]
    hangul = sum("가" <= letter <= "힣" for letter in letters)
    return "ko" if hangul * 3 >= len(letters) else "en"


def category_of(prompt: str) -> str:
    """Categories a prompt shows by itself, separated by |: code, math, long, short."""
    found = []
    if "```" in prompt or any(
        word in prompt.lower() for word in ("코드", "함수", "python", "파이썬", "javascript", "sql")
    ):
        found.append("coding")
    if any(word in prompt for word in ("방정식", "확률", "미분", "적분", "계산", "증명", "구하시오", "몇 명", "합은")):
        found.append("math")
    if len(prompt) >= 1000:
        found.append("long")
    return "|".join(found)


def ask(battle: Battle, prompt: str) -> Battle:
    """A further turn of a live battle that nobody has voted on. Raises Refused."""
    asked = clean_prompt(prompt)
    with transaction.atomic():
        again = Battle.objects.filter(
            pk=battle.pk, kind=Battle.Kind.LIVE, status=Battle.Status.COMPLETE, deleted_at=None
        ).update(status=Battle.Status.CREATED, stream_key=public_key(), completed_at=None)
        if not again:
            raise Refused("not_open", _("This battle is over; open a new one."), 409)
        for side in sides_of(battle):
            last = side.messages.aggregate(position=Max("position"), turn=Max("turn"))
            if last["turn"] >= MAX_TURNS:
                raise Refused("many_turns", _("A battle has at most %(n)d turns; please vote.") % {"n": MAX_TURNS})
            Message.objects.create(
                conversation=side,
                position=last["position"] + 1,
                turn=last["turn"] + 1,
                role=Message.Role.USER,
                text=asked,
            )
    battle.refresh_from_db()
    return battle


def retry(battle: Battle) -> Battle:
    """A battle that broke off is answered again, by the same two models. Raises Refused."""
    with transaction.atomic():
        again = Battle.objects.filter(pk=battle.pk, kind=Battle.Kind.LIVE, status=Battle.Status.ERROR, deleted_at=None)
        if not again.update(status=Battle.Status.CREATED, stream_key=public_key(), error_kind=""):
            raise Refused("not_broken", _("There is nothing to try again."), 409)
    battle.refresh_from_db()
    return battle


def end_abandoned() -> int:
    """Streams whose process died are over, and not votable; how many."""
    old = Battle.objects.filter(status=Battle.Status.STREAMING, created_at__lt=timezone.now() - ABANDONED)
    lost = old.filter(completed_at=None).exclude(left__messages__created_at__gt=timezone.now() - ABANDONED)
    return lost.update(status=Battle.Status.ERROR, error_kind="abandoned")


def sides_of(battle: Battle) -> list[Conversation]:
    return [side for side in (battle.left, battle.right) if side is not None]


def share(battle: Battle) -> None:
    """Whoever has the address of a voted battle may read it from now on."""
    Battle.objects.filter(pk=battle.pk, status=Battle.Status.VOTED, shared_at=None, deleted_at=None).update(
        shared_at=timezone.now()
    )


def report(battle: Battle, reason: str) -> None:
    Report.objects.create(battle=battle, reason=reason.strip()[:1000] or "-")


@transaction.atomic
def delete_texts(battle: Battle) -> None:
    """Takes the visitor's texts away for good: both sides of a live battle, and the comment. The verdict stays."""
    Battle.objects.filter(pk=battle.pk, deleted_at=None).update(
        deleted_at=timezone.now(), shared_at=None, prompt_hash="", network_hash="", stream_key=secrets.token_urlsafe(16)
    )
    if battle.kind == Battle.Kind.LIVE:
        Message.objects.filter(conversation__in=sides_of(battle)).update(
            text="", served_model="", system_fingerprint=""
        )
        Battle.objects.filter(Q(pk=battle.pk), ~Q(status__in=(Battle.Status.VOTED, Battle.Status.ERROR))).update(
            status=Battle.Status.ERROR, error_kind="deleted"
        )
    if hasattr(battle, "vote"):
        type(battle.vote).objects.filter(pk=battle.vote.pk).update(comment="")


def streams_at_once() -> int:
    return int(settings.ARENA_STREAMS)
