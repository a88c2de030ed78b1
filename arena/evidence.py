"""What the answers of a battle are seen to be before anybody votes: leaks and errors, kept with the battle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from arena import screening
from runners.models import Conversation, LanguageModel, Message


def findings(answers: Iterable[str], prompts: Sequence[str], models: Iterable[LanguageModel]) -> list[list[str]]:
    """The rules that answers (one text a side) fall under, as they are kept with the battle."""
    return [[one.rule, one.detail] for one in screening.of_answers(answers, prompts, own_names(models))]


def findings_of(sides: Sequence[Conversation]) -> list[list[str]]:
    """The same of conversations that are stored; their revisions' models should be loaded."""
    messages = list(Message.objects.filter(conversation__in=sides))
    answers = [
        "\n".join(m.text for m in messages if m.conversation_id == one.pk and m.role == Message.Role.ASSISTANT)
        for one in sides
    ]
    prompts = [m.text for m in messages if m.conversation_id == sides[0].pk and m.role == Message.Role.USER]
    return findings(answers, prompts, [one.revision.language_model for one in sides])


def own_names(models: Iterable[LanguageModel]) -> list[str]:
    """What models are called on this site; names that are mere words are left to the list of names."""
    known = [one for one in models if one.kind != LanguageModel.Kind.REFERENCE]
    names = {part for one in known for part in (one.name, one.slug.split("/")[-1]) if len(part) >= 4}
    return sorted(name for name in names if any(letter.isdigit() or letter == "-" for letter in name))
