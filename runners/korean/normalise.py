"""One normal form for every reply, before anything is read out of it.

The order matters and is fixed: reasoning blocks are cut, then NFC, then enclosed labels are spelled out,
then NFKC, then Markdown is removed. NFKC alone would turn ⑩ into 10 and ㉮ into a bare 가, which can no
longer be told from a number or a particle.
"""

from __future__ import annotations

import re
import unicodedata

SYLLABLES = "가나다라마바사아자차카타파하"
JAMO = "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ"
LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_THINK = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_KEYCAP = re.compile("([0-9])\ufe0f?\u20e3")
_COMPATIBILITY_JAMO = re.compile("([\u3131-\u318e]+)")
_PRODUCT = re.compile(r"(?<=[0-9)]) ?\* ?(?=[0-9(])")
_POWER = re.compile(r"(?<=[0-9)])\*\*(?=[0-9(])")
_EMPHASIS = re.compile(r"[*`]+")
_UNDERSCORES = re.compile(r"__+|~~+")
_LINE_MARK = re.compile(r"^[ \t]*(?:(?:[#>]+|[-+•](?=[ \t]))[ \t]*)+", re.MULTILINE)
_BREAK = re.compile(r"<br ?/?>|\r\n?|[\u2028\u2029\x0b\x0c\x85]", re.IGNORECASE)
_INVISIBLE = dict.fromkeys((0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xFE0F))


def _enclosed() -> dict[int, str]:
    """Code point of every enclosed label → the label in parentheses."""
    table: dict[int, str] = {}

    def put(first: int, labels: list[str]) -> None:
        table.update((first + i, f"({label})") for i, label in enumerate(labels))

    twenty, ten = [str(n) for n in range(1, 21)], [str(n) for n in range(1, 11)]
    for first in (0x2460, 0x2474):
        put(first, twenty)
    for first in (0x24F5, 0x2776, 0x2780, 0x278A):
        put(first, ten)
    put(0x24EB, [str(n) for n in range(11, 21)])
    table[0x20E3] = ""  # a keycap without its digit
    put(0x24EA, ["0"])
    put(0x24FF, ["0"])
    for first in (0x24B6, 0x1F110, 0x1F130, 0x1F150, 0x1F170):
        put(first, list(LATIN))
    for first in (0x249C, 0x24D0):
        put(first, list(LATIN.lower()))
    for first in (0x326E, 0x320E):
        put(first, list(SYLLABLES))
    for first in (0x3260, 0x3200):
        put(first, list(JAMO))
    return table


_ENCLOSED = _enclosed()
# NFKC makes a lone initial consonant (U+1100..) of half-width ㄱ: write it as people do.
_INITIALS = {0x1100 + i: letter for i, letter in enumerate("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ")}


def strip_reasoning(text: str) -> str:
    """The reply without its <think> blocks; "" when one is still open at the end (no answer came).

    A closing mark without an opening one belongs to a chat template that opened the block itself: all
    before it goes.
    """
    if "<" not in text:
        return text
    kept: list[str] = []
    start, inside = 0, False
    for mark in _THINK.finditer(text):
        if mark[1]:
            if not inside:
                kept.clear()
            inside = False
            start = mark.end()
        elif not inside:
            kept.append(text[start : mark.start()])
            inside = True
    if inside:
        return ""
    kept.append(text[start:])
    return "\n".join(kept)


def _compatible(text: str) -> str:
    """NFKC, except that ㄱ-ㅎ and ㅏ-ㅣ stay what they are (NFKC would join them with their neighbours)."""
    text = _KEYCAP.sub(r"(\1)", text).translate(_ENCLOSED)
    parts = _COMPATIBILITY_JAMO.split(text)
    parts[::2] = [unicodedata.normalize("NFKC", part).translate(_INITIALS) for part in parts[::2]]
    return "".join(parts).replace("\u2212", "-")


def _plain(text: str) -> str:
    """Text without Markdown emphasis; `3*4` stays a product."""
    if "*" in text:
        text = _PRODUCT.sub("×", _POWER.sub("^", text))
    return _UNDERSCORES.sub("", _EMPHASIS.sub("", text))


def normalise(text: str) -> str:
    """The reply in the form that every extractor reads; idempotent, and the same for NFC and NFD input.

    Enclosed labels become `(1)`, `(A)`, `(가)`, `(ㄱ)`; full-width signs become ASCII; headings, bullets,
    quotes and emphasis lose their marks; lines stay lines. An unclosed reasoning block gives "".
    """
    text = _BREAK.sub("\n", strip_reasoning(text))
    if not text.isascii():
        text = _compatible(unicodedata.normalize("NFC", text.translate(_INVISIBLE)))
        text = _BREAK.sub("\n", text)
    text = strip_reasoning(_plain(text))
    return unicodedata.normalize("NFC", _LINE_MARK.sub("", text)).strip()
