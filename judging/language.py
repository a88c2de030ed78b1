"""Which language a judge's own text is in, and whether it declines to judge. Judges answer in Korean or
English; what else they answer in is told as far as its script tells.
"""

from __future__ import annotations

import re

_HANGUL = re.compile(r"[가-힣ㄱ-ㆎ]")
_LATIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]")
_LETTER = re.compile(r"[^\W\d_]")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ']+")
# The most frequent English function words; a quarter to a half of the words of any English text.
_ENGLISH = frozenset(
    re.findall(
        r"\w+",
        "the a an of to in and is are was were be been it its this that these those for with on "
        "as by not but or from at which both they their there has have had does do did can "
        "could would should will more than i my you your he she we if so no answer assistant "
        "response question better user",
    )
)
_REFUSAL_EN = re.compile(
    r"\W*(?:as an ai\b[^.]{0,80}?\b(?:can ?not|can't|unable)|(?:i'?m |i am |we'?re )?(?:very |so )?sorry\b|"
    r"i(?:'m| am) (?:not able|unable) to|"
    r"i (?:can ?not|can'?t|won'?t|will not|do not|don't|must decline to) "
    r"(?:assist|help|evaluate|judge|rate|compare|provide|comply|fulfil|answer|grade|continue))",
    re.IGNORECASE,
)
_REFUSAL_KO = re.compile(
    r"\W*(?:대단히 |정말 )?(?:죄송(?:합니다|하지만|스럽)|미안(?:합니다|하지만))|"
    r"\W*(?:저는|제가|AI|이 (?:답변|내용|대화|질문|요청))[^.!?\n]{0,30}?"
    r"(?:평가|채점|판정)(?:를|을|은|는|이|가)?[^.!?\n]{0,8}"
    r"(?:할 수 없습니다|드릴 수 없습니다|하지 않겠습니다|거부합니다|거절합니다|불가능합니다)(?!라)"
)
_APOSTROPHE = str.maketrans({"\u2019": "'"})
_KANA = re.compile(r"[ぁ-ヿ]")
_HAN = re.compile(r"[一-鿿]")
MIN_LETTERS = 20
MIN_WORDS = 25


def refuses(text: str) -> bool:
    """Whether the text opens by declining to judge, in Korean or English."""
    opening = text[:400].lstrip().translate(_APOSTROPHE)
    return bool(_REFUSAL_EN.match(opening) or _REFUSAL_KO.match(opening))


def is_foreign(text: str) -> bool:
    """Whether a text is in neither Korean nor English, where it is long enough to tell (20 letters, 25
    words).

    Other scripts count by letters. Within Latin script a text with hardly any English function word is
    foreign.
    """
    text = text.translate(_APOSTROPHE)
    letters = len(_LETTER.findall(text))
    if letters < MIN_LETTERS:
        return False
    hangul, latin = len(_HANGUL.findall(text)), len(_LATIN.findall(text))
    if hangul >= 0.3 * letters:
        return False
    if letters - hangul - latin > 0.5 * letters:
        return True
    words = _LATIN_WORD.findall(text.lower())
    return len(words) >= MIN_WORDS and sum(word in _ENGLISH for word in words) < 0.08 * len(words)


def tag(text: str) -> str:
    """The language of a text as HTML names it: ko, en, ja or zh; "" where that cannot be told.

    Korean is what has three Hangul letters in ten, as in `is_foreign`; English is Latin script with English function
    words among its words.
    """
    letters = len(_LETTER.findall(text))
    if not letters:
        return ""
    if len(_HANGUL.findall(text)) >= 0.3 * letters:
        return "ko"
    if len(_HAN.findall(text)) + len(_KANA.findall(text)) > 0.5 * letters:
        return "ja" if _KANA.search(text) else "zh"
    words = _LATIN_WORD.findall(text.lower().translate(_APOSTROPHE))
    return "en" if sum(word in _ENGLISH for word in words) >= max(1, 0.08 * len(words)) else ""
