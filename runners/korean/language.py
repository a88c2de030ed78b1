"""Is the answer Korean, does it leak other scripts, does it keep its register? Counted, not judged.

On public judgments a judge told to give 0 to answers that are not Korean gave it to 71 % of them, and 8 or
more to 20 %; and a leak of Chinese characters did not move its score at all. So these are figures computed
from the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from runners.korean.normalise import strip_reasoning

RegisterClass = Literal["hapsyo", "haeyo", "haera"]

_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n.*?(?:^[ \t]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_LATEX = re.compile(r"\$\$[^$]*\$\$|\$[^$\n]{1,300}\$|\\\([^\n]{0,300}?\\\)|\\\[[^\]]{0,2000}\\\]|\\[A-Za-z]+")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>()\"'\]]+")
_GLOSS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb]")
_LETTER = re.compile(r"[^\W\d_]")
_FOREIGN = re.compile(
    "[\u2e80-\u2fd5\u3005\u3007\u3041-\u3096\u309d-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff\uff66-\uff9d\u0400-\u052f\u0e01-\u0e5b\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc]"
)

_QUOTED = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|‘[^’\n]*’|「[^」\n]*」|『[^』\n]*』|'[^'\n]*'|《[^》\n]*》|〈[^〉\n]*〉")
_NOT_PROSE = re.compile(r"^\s*(?:#|\||>|[-*_=]{3,}\s*$)")
_SENTENCE_END = re.compile(r"[.!?…。]+(?=\s|$|[)\]*])")
_TRAILING = " \t*_~\"'”’)]}】」』》.,;:!?…·^ㅎㅋㅠㅜ"
_MIN_SENTENCES = 3


@dataclass(frozen=True)
class Register:
    """Speech level of an answer: its commonest class of sentence endings, its share, the n behind it."""

    dominant: RegisterClass
    share: float
    n_sentences: int


def _prose(text: str) -> str:
    """NFC text without reasoning, code, LaTeX and addresses."""
    text = unicodedata.normalize("NFC", strip_reasoning(text))
    if "```" in text or "~~~" in text:
        text = _FENCE.sub("\n", text)
    return _URL.sub(" ", _LATEX.sub(" ", _INLINE_CODE.sub(" ", text)))


def _letters(prose: str) -> tuple[int, int]:
    return len(_HANGUL.findall(prose)), len(_LETTER.findall(prose))


def hangul_share(text: str) -> float | None:
    """Hangul letters / letters (0..1), code, LaTeX and URLs left out; None for a text without letters."""
    hangul, letters = _letters(_prose(text))
    return min(1.0, hangul / letters) if letters else None


def is_not_korean(text: str, *, threshold: float = 0.1, min_letters: int = 100) -> bool:
    """Whether the text is clearly not Korean: `min_letters` letters or more, Hangul share below `threshold`.

    Callers exempt coding questions and prompts that ask for foreign text. Few real answers lie between 0.1
    and 0.5.
    """
    hangul, letters = _letters(_prose(text))
    return letters >= min_letters and hangul / letters < threshold


def foreign_leak(text: str, prompt: str = "") -> int:
    """Number of Han, kana, Cyrillic, Thai, Arabic characters, those in the prompt or a gloss left out."""
    prose = _prose(text)
    if not _FOREIGN.search(prose):
        return 0
    known = set(unicodedata.normalize("NFC", prompt))
    return sum(char not in known for char in _FOREIGN.findall(_GLOSS.sub(" ", prose)))


def _ends_in_bieup(syllable: str) -> bool:
    """합니다, 습니까 and not 아니다, 다니다: the syllable before the ending closes with ㅂ."""
    return "가" <= syllable <= "힣" and (ord(syllable) - 0xAC00) % 28 == 17


def _ending(sentence: str) -> RegisterClass | None:
    last = sentence.rstrip(_TRAILING)
    if last.endswith("시오") or (last.endswith(("니다", "니까")) and _ends_in_bieup(last[-3:-2])):
        return "hapsyo"
    if last.endswith(("요", "죠")):
        return "haeyo"
    if last.endswith(("다", "라", "자")):
        return "haera"
    return None


def register_consistency(text: str) -> Register | None:
    """How steadily an answer keeps one speech level; None below three classified sentence endings.

    Classes: 합쇼체 (-니다, -니까, -시오), 해요체 (-요, -죠), 해라체 (-다, -라, -자). Quotes, headings,
    tables and code are left out; a sentence ends at its punctuation. Not validated against human labels;
    해체 is not detected.
    """
    counts: Counter[RegisterClass] = Counter()
    for line in _prose(text).split("\n"):
        if _NOT_PROSE.match(line):
            continue
        line = _QUOTED.sub(" ", line)
        start = 0
        for end in _SENTENCE_END.finditer(line):
            found = _ending(line[start : end.start()])
            start = end.end()
            if found is not None:
                counts[found] += 1
    total = counts.total()
    if total < _MIN_SENTENCES:
        return None
    dominant, n = counts.most_common(1)[0]
    return Register(dominant, n / total, total)
