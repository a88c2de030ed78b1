"""What the answers of a battle are seen to be before anybody votes: leaks and errors, kept with the battle."""

from __future__ import annotations

from collections.abc import Sequence

from arena import screening
from runners.models import Conversation, LanguageModel, Message


def findings(sides: Sequence[Conversation]) -> list[list[str]]:
    """The rules that the answers of these conversations fall under, as they are kept with the battle."""
    messages = list(Message.objects.filter(conversation__in=sides))
    answers = [
        "\n".join(m.text for m in messages if m.conversation_id == one.pk and m.role == "assistant") for one in sides
    ]
    prompts = [m.text for m in messages if m.conversation_id == sides[0].pk and m.role == "user"]
    return [[one.rule, one.detail] for one in screening.of_answers(answers, prompts, own_names(sides))]


def own_names(sides: Sequence[Conversation]) -> list[str]:
    """What their models are called on this site; names that are mere words are left to the list of names."""
    models = LanguageModel.objects.filter(revisions__conversations__in=sides).exclude(kind="reference")
    names = {part for one in models for part in (one.name, one.slug.split("/")[-1]) if len(part) >= 4}
    return sorted(name for name in names if any(letter.isdigit() or letter == "-" for letter in name))
