"""What an answer looks like, counted by the rules of the Chatbot Arena's style control. No Django here.

Kept with a vote, so that style-controlled ratings read no conversation again. Markdown is counted outside code blocks;
length is in tokens where the server told them, else in characters: one unit within a battle.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_CODE: Final = re.compile(r"```[^`]*```")
_HEADER: Final = re.compile(r"^#{1,6}\s", re.MULTILINE)
# Blank lines before a list item are not part of it: "^\s*" would count the same and be quadratic on empty lines.
_LIST: Final = re.compile(r"^[^\S\n]*(?:\d+\.|[-*+])\s", re.MULTILINE)
_BOLD: Final = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")


Turns = tuple[str, ...]
"""The answers of one model in a conversation, turn by turn."""


@dataclass(frozen=True)
class StyleCounts:
    """What an answer looks like. `length` in tokens where known, else characters."""

    length: int
    headers: int
    lists: int
    bold: int


def count_style(text: str, tokens: int | None = None) -> StyleCounts:
    """Counts of one answer; those of several answers of a conversation are added up."""
    prose = _CODE.sub("", text)
    return StyleCounts(
        length=len(text) if tokens is None else tokens,
        headers=len(_HEADER.findall(prose)),
        lists=len(_LIST.findall(prose)),
        bold=len(_BOLD.findall(prose)),
    )


Answers = Sequence[tuple[str, int | None]]
"""The answers of one side: text, and tokens where the server told them."""


def style_of(left: Answers, right: Answers) -> dict[str, dict[str, int]]:
    """What a vote keeps of a battle: sums over each side, in tokens only where those of both sides are all known."""
    known = all(tokens is not None for _, tokens in (*left, *right))
    return {"left": _sums(left, known), "right": _sums(right, known)}


def _sums(answers: Answers, known: bool) -> dict[str, int]:
    counts = [count_style(text, tokens if known else None) for text, tokens in answers]
    return {
        "tokens": sum(one.length for one in counts),
        "headers": sum(one.headers for one in counts),
        "lists": sum(one.lists for one in counts),
        "bold": sum(one.bold for one in counts),
    }


def turns_of(value: Any) -> Turns:
    """The answers in a cell of a file: one text, or a list of texts or messages, as such or as JSON."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return (value,)
    if isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, list):
        return ()
    said = [
        one.get("content") if isinstance(one, dict) else one
        for one in value
        if not isinstance(one, dict) or one.get("role", "assistant") == "assistant"
    ]
    return tuple(text for text in said if isinstance(text, str))
