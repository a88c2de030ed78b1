"""What an answer looks like, counted when a vote is cast, by the rules of the Chatbot Arena's style control.

Kept with the vote, so that style-controlled ratings read no conversation again. Counts are outside code blocks; length
is in tokens where the server told them, else in characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runners.models import Message

_CODE = re.compile(r"```[^`]*```")
_HEADER = re.compile(r"^#{1,6}\s", re.MULTILINE)
_LIST = re.compile(r"^[^\S\n]*(?:\d+\.|[-*+])\s", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")


def style_of(messages: Sequence[Message]) -> dict[str, int]:
    """Sums over the answers of one conversation: tokens (or characters), headers, lists, bold."""
    answers = [one for one in messages if one.role == Message.Role.ASSISTANT]
    prose = [_CODE.sub("", one.text) for one in answers]
    known = [one.completion_tokens for one in answers if one.completion_tokens is not None]
    return {
        "tokens": sum(known) if known and len(known) == len(answers) else sum(len(one.text) for one in answers),
        "headers": sum(len(_HEADER.findall(text)) for text in prose),
        "lists": sum(len(_LIST.findall(text)) for text in prose),
        "bold": sum(len(_BOLD.findall(text)) for text in prose),
    }
