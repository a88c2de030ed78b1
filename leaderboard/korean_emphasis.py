"""Emphasis beside Hangul. CommonMark wants a space between a closing `**` after a bracket or quotation mark and the
word that goes on; Korean writes its particles there without one: **한국어(Korean)**는, **"예"**라고.

The rule is that of the CJK-friendly amendment: beside a Hangul letter a run of * or ~ opens or closes as if the letter
were a space or a punctuation mark (tats-u, markdown-cjk-friendly).
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType

_HANGUL = re.compile(r"[가-힣ㄱ-ㆎ]")


class _State(StateInline):
    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:
        found = super().scanDelims(start, canSplitWord)
        if not canSplitWord:
            return found
        before = self.src[start - 1] if start else " "
        end = start + found.length
        after = self.src[end] if end < self.posMax else " "
        return Scanned(
            found.can_open or (bool(_HANGUL.match(before)) and not after.isspace()),
            found.can_close or (bool(_HANGUL.match(after)) and not before.isspace()),
            found.length,
        )


class KoreanInline(ParserInline):
    """The inline parser of markdown-it with Korean emphasis."""

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        """As in markdown-it, with our state."""
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens
