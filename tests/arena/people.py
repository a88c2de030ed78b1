"""Rows of an arena for tests: models with recorded answers or servers, voters with and without a browser."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from arena import battles, recorded
from arena.models import Battle, Voter
from runners.models import Conversation, Message, ModelRevision
from tests.factories import make_endpoint, make_language_model, make_revision

_numbers = itertools.count(1)
ITEM = "ko-mt/writing-01"


def make_conversation(
    revision: ModelRevision,
    item: str = ITEM,
    answers: Sequence[str] = ("첫 번째 답입니다.", "두 번째 답입니다."),
    **fields: object,
) -> Conversation:
    """A recorded conversation of as many turns as there are answers."""
    values = {"category": "writing", "is_recorded": True, **fields}
    conversation = Conversation.objects.create(revision=revision, item=item, **values)
    for turn, answer in enumerate(answers, start=1):
        common = {"conversation": conversation, "turn": turn}
        Message.objects.create(**common, position=2 * turn - 2, role="user", text=f"질문 {turn}: 편지를 써 주세요.")
        Message.objects.create(
            **common,
            position=2 * turn - 1,
            role="assistant",
            text=answer,
            completion_tokens=7,
            prompt_tokens=11,
            seconds=1.5,
            served_model="secret-served-name",
        )
    return conversation


def make_contenders(count: int = 2, items: Sequence[str] = (ITEM,)) -> list[ModelRevision]:
    """Models that have all answered the same recorded questions."""
    made = [make_revision(make_language_model(f"maker/contender-{next(_numbers)}")) for _ in range(count)]
    for revision in made:
        for item in items:
            make_conversation(revision, item)
    return made


def make_served(base_url: str, served_name: str, name: str = "") -> ModelRevision:
    """A model behind a server that is offered for the arena."""
    name = name or f"served-{next(_numbers)}"
    endpoint = make_endpoint(f"endpoint-{name}", base_url=base_url, served_name=served_name, purposes=["arena"])
    model = make_language_model(f"maker/{name}", kind="api")
    return make_revision(model, backend="api", api_name=served_name, endpoint=endpoint)


def make_voter() -> Voter:
    return Voter.objects.create(key=f"voter-{next(_numbers)}", consented_at=timezone.now())


def open_battle(voter: Voter | None = None, network: str = "network", *, read: bool = True) -> Battle:
    """A recorded battle; read for half a minute unless told otherwise."""
    battle = recorded.open_recorded(voter or make_voter(), network)
    if read:
        earlier = timezone.now() - timedelta(seconds=30)
        Battle.objects.filter(pk=battle.pk).update(created_at=earlier, completed_at=earlier)
        battle.refresh_from_db()
    return battle


def consenting(client: Client, language: str = "ko") -> Client:
    """The client after it has agreed to the terms."""
    answer = client.post(f"/{language}/arena/consent/")
    assert answer.status_code == 302
    return client


__all__ = ["battles", "consenting", "make_contenders", "make_conversation", "make_served", "make_voter", "open_battle"]
