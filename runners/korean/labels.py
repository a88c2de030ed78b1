"""How an option's label looks in running text: which characters, and what may stand after them.

Word boundaries (`\\b`) are of no use here: Latin letters, digits and Hangul are all word characters, so
that "B입니다" has no boundary after B.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from runners.korean.normalise import JAMO, LATIN, SYLLABLES

Family = Literal["letters", "digits", "zero", "syllables", "jamo"]

KINDS = ("letter", "lower", "digit", "ordinal", "syllable", "jamo")
LETTERS = tuple("ABCDE")
DIGITS = tuple("12345")
ZERO_BASED = tuple("0123")
SYLLABLE_LABELS = tuple("가나다라마")
JAMO_LABELS = tuple("ㄱㄴㄷㄹㅁ")

# What may follow a label without a space. Anything else is a word: "B형 간염", "C언어", "3가지".
_COPULA = r"입니|이며|이고|이므|이에요|이라|이지|예요|에요|(?:이다|임|다|요)(?![가-힣])"
_PARTICLE = (
    rf"번(?!째|지|호)|{_COPULA}|인데|인\s|가(?!지|량)|는|은|을|를|와|과(?!목|정)|로|으로|라고|라는"
    r"|(?:이|라)(?![가-힣])"
    r"|의|에(?!서)|도(?![가-힣])|만(?![가-힣])|보다|항(?![가-힣])|처럼|야|죠|네|고(?![가-힣])"
)
_HANGUL_AFTER = rf"(?:(?![가-힣])|(?={_PARTICLE}))"
_UNITS = r"개|명|년|월|원|배|회|시간|분|초|가지|세|살|마리|권|장|층|점|번째|차|[kcm]?m|k?g|m?[lL]|[AVWN]|Hz"
_AFTER_LETTER = (
    r"(?![A-Za-z0-9_+#^]|['’][A-Za-z]|\s?(?:[=>≤≥≈±×∪∩△]|<(?!/))|\s?[/+]\s?[A-Za-z0-9]|-[A-Za-z0-9]|\.[A-Za-z])"
    + _HANGUL_AFTER
)
_AFTER_DIGIT = rf"(?![A-Za-z\d°%℃‰]|[.,:]\d|\s?[-+/×^=~÷]\s?[\d(]|\s?%|\s(?:{_UNITS})(?![A-Za-z]))" + _HANGUL_AFTER
_AFTER_SYLLABLE = rf"(?=\s?[).\]】:,」』'\"]|번(?!째|지|호)|{_COPULA}|\s*\Z|\n)"
_AFTER_LOWER = rf"(?=\s?[).,:\]}}\"'!」』]|\s*\Z|\n|번|{_COPULA})"


@dataclass(frozen=True)
class LabelSet:
    """Which labels may be read, and where each points. `token`: regex source, one named group per kind."""

    family: Family | None
    n_options: int
    token: str

    def index(self, match: re.Match[str], prefix: str = "") -> int | None:
        """The option the match names, or None where it lies outside the options."""
        groups = match.groupdict()
        if letter := groups.get(f"{prefix}letter") or groups.get(f"{prefix}lower"):
            found = LATIN.index(letter.upper())
        elif digit := groups.get(f"{prefix}digit") or groups.get(f"{prefix}ordinal"):
            found = int(digit) - (self.family != "zero")
        elif syllable := groups.get(f"{prefix}syllable"):
            found = SYLLABLES.index(syllable)
        else:
            found = JAMO.index(groups[f"{prefix}jamo"])
        return found if 0 <= found < self.n_options else None


def family_of(labels: Sequence[str]) -> Family | None:
    """The family of the labels that were shown, or None where they are words or signs."""
    shown = "".join(labels).upper()
    if any(len(label) != 1 for label in labels) or not shown:
        return None
    if LATIN.startswith(shown):
        return "letters"
    if "123456789".startswith(shown):
        return "digits"
    if "0123456789".startswith(shown):
        return "zero"
    if SYLLABLES.startswith(shown):
        return "syllables"
    return "jamo" if JAMO.startswith(shown) else None


@lru_cache(maxsize=256)
def label_set(family: Family | None, n_options: int) -> LabelSet:
    """Labels for a question with `n_options` options whose shown labels are of `family` (None: unknown, any).

    Letters and ordinals (②, 2번) are read whatever was shown. Bare digits, 가나다라 and ㄱㄴㄷㄹ are read
    only where they were shown (or nothing is known): elsewhere they are mostly numbers, words or items of
    the passage.
    """
    n = max(5, min(n_options, 14))
    upper = LATIN[:n]
    parts = [
        rf"(?P<letter>[{upper}]){_AFTER_LETTER}",
        rf"(?P<lower>[{upper.lower()}]){_AFTER_LOWER}",
    ]
    if family in (None, "digits", "zero"):
        number = r"\d" if family == "zero" else r"1[0-4](?!\d)|[1-9]"
        parts.append(rf"(?P<digit>{number}){_AFTER_DIGIT}")
    else:
        parts.append(r"(?P<ordinal>(?<=\()\d{1,2}(?=\))|\d{1,2}(?=\s?번(?!째|지|호)))")
    if family in (None, "syllables"):
        parts.append(rf"(?P<syllable>[{SYLLABLES[:n]}]){_AFTER_SYLLABLE}")
    if family in (None, "jamo"):
        parts.append(rf"(?P<jamo>[{JAMO[:n]}])(?![ㄱ-ㅣ]){_HANGUL_AFTER}")
    return LabelSet(family, n_options, "(?:" + "|".join(parts) + ")")
