"""Names of models, their makers and assistants, found in Korean and English text whatever their spelling.

A bare sub-string match throws away harmless votes (palm, bard, solar) and knows no Hangul. Here a name stands between
word boundaries, may carry Korean particles and spaces, and a name that is also a word or a company counts only in a
sentence in which somebody says what they are or who made them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

# A space inside a name is "may be written together, apart or with a hyphen"; case and width don't matter.
_NAMES = json.loads((Path(__file__).parent / "data" / "names.json").read_text(encoding="utf-8"))
MODELS: Final[tuple[str, ...]] = tuple(_NAMES["models"])
"""Hardly anything else: enough by themselves."""
WORDS: Final[tuple[str, ...]] = tuple(_NAMES["words"])
"""Companies, and names that are also words: only where somebody says what they are."""

_PARTICLES = (
    "은|는|이|가|을|를|의|에|에서|에게|께서|로|으로|와|과|랑|이랑|도|만|나|이나|라|란|이란|이며|이고|이자|인|입|예|죠|야|측|사|팀|社|모델|"
    "시리즈|버전|연구|그룹|회사|님|처럼|기반|답게|씨|표|산|한테|하고|다|일|아|였|제|보다|까지|부터"
)
_SELF = re.compile(
    r"(?<![가-힣])(?:저는|전|저|나는|난|제가|내가|제|저의|저를|저희|저희는|저도|나를|제게|"
    r"본인은|본 모델|이 모델|해당 모델|여러분의)"
    r"(?![가-힣])|(?<![a-z])(?:as an ai|as a large|you(?:'re| are) (?:talking|chatting|speaking) (?:to|with)|"
    r"i am|i'm|i’m|i was|call me|i've been|my|me|myself|this model|this assistant|im)(?![a-z])"
)
_KIND = re.compile(
    r"인공\s?지능|언어\s?모델|(?<![가-힣])모델|챗\s?봇|어시스턴트|비서|에이전트|대화형|도우미|llm|(?<![a-z])ai(?![a-z])|assistant|"
    r"chat\s?bot|neural network|\bmodel\b"
)
_MADE = re.compile(
    r"개발(?:한|된|했|하|되|사|자|진)|만든|만들|제작(?:한|된|했)|훈련(?:한|된|시킨|받|시켰|되)|학습(?:한|된|시킨|시켰|되)|출시|선보|"
    r"탄생|공개한|태어났|태어난|소속|(?:created|developed|trained|made|built|designed) (?:by|me)|comes? from|"
    r"powered by|based on|(?:developed|created) and|product of|work for|behind me"
)
_NAMED = re.compile(
    r"라고\s?(?:합니다|해|불러|부르|하며|하고|불립|소개)|이름(?:은|이)|name(?:'s| is|d)|call me|known as|called|go by"
)
_IS = re.compile(
    r"^.{0,12}?(?:입니다|이에요|예요|이야|야|에요|이라고|라고|이다|랍니다|이랍니다)|^(?:이라|라)\s|"
    r"^(?:이라서|라서)|^ here(?![a-z])"
)
_ENDINGS = ("입니다.", "이에요.", "예요.", "입니다", "이에요!", "예요!")
_SPLIT = re.compile(r"(?<=[.!?。])\s+|\n+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_MARKUP = re.compile(r"[*`\"“”‘’「」『』《》<>〈〉\[\]]")


@dataclass(frozen=True)
class Hit:
    """A name as it stands in the text. `identity`: somebody says there what they are, or it is told who made them."""

    name: str
    found: str
    identity: bool


def normalise(text: str) -> str:
    """NFKC, lower case, one kind of hyphen, without invisible characters, emphasis and quotes."""
    folded = unicodedata.normalize("NFKC", text).lower()
    folded = re.sub(r"[\u2010-\u2015\u2212_]", "-", _INVISIBLE.sub("", folded))
    return _MARKUP.sub("", folded)


def find(text: str, own: Iterable[str] = ()) -> list[Hit]:
    """Names in a text, one hit per name. `own`: further names (of this site's models), enough by themselves."""
    clean = normalise(text)
    hits: dict[str, Hit] = {}
    strong = _pattern(MODELS)
    words = _pattern(WORDS)
    more = _pattern(tuple(sorted(set(own)))) if own else None
    sentences = [one for one in _SPLIT.split(clean) if one]
    for number, sentence in enumerate(sentences):
        beside = " ".join(one for one in (*sentences[max(0, number - 1) : number], *sentences[number + 1 : number + 2]))
        for pattern, alone in ((strong, True), (more, True), (words, False)):
            for match in pattern.finditer(sentence) if pattern else ():
                identity = _speaks_of_itself(sentence, match, beside)
                if alone or identity:
                    name = re.sub(r"[\s\-·]+", "", match[0])
                    if name not in hits or identity:
                        hits[name] = Hit(name, match[0], identity)
    return list(hits.values())


def leaks(answer: str, prompt: str = "", own: Iterable[str] = ()) -> list[Hit]:
    """Names by which an answer betrays its model. A name that the prompt brought up is none unless it is claimed."""
    own = tuple(own)
    asked = {hit.name for hit in find(prompt, own)} if prompt else set()
    asked_text = re.sub(r"[\s\-·]+", "", normalise(prompt))
    found = find(answer, own)
    return [hit for hit in found if hit.identity or (hit.name not in asked and hit.name not in asked_text)]


def mentions(prompt: str, own: Iterable[str] = ()) -> list[Hit]:
    """Names that a prompt brings up: told in the ledger, no reason to leave a vote out."""
    return find(prompt, own)


def _speaks_of_itself(sentence: str, match: re.Match[str], beside: str) -> bool:
    """Whether a sentence says who speaks or who made the speaker; `beside` are the sentences before and after it."""
    around = sentence[max(0, match.start() - 120) : match.end() + 120]
    claimed = bool(_IS.match(sentence[match.end() :]))
    if _SELF.search(around) and (_told(around) or claimed or _just_named(sentence, match)):
        return True
    if len(sentence) > 100 or len(beside) > 250:
        return False
    if _KIND.search(around) and (claimed or sentence.endswith(_ENDINGS)):
        return True
    return bool(_SELF.search(f"{beside} {around}") and _told(f"{beside} {around}"))


def _told(text: str) -> bool:
    """Whether it is about a model, a name or a maker."""
    return bool(_KIND.search(text) or _MADE.search(text) or _NAMED.search(text))


def _just_named(sentence: str, match: re.Match[str]) -> bool:
    """`I'm Claude` and `I am Claude, made by …`."""
    head = sentence[: match.start()].rstrip()
    return bool(re.search(r"(?:i am|i'm|i’m|im|name is|name's|call me|this is)(?: an?| the| called| named)?$", head))


@lru_cache(maxsize=64)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for many names, the longest first."""
    ordered = sorted({normalise(name) for name in names if name.strip()}, key=len, reverse=True)
    # The left border once for all: then a name whose first letter differs costs next to nothing.
    hangul = "|".join(_one(name) for name in ordered if _is_hangul(name[0]))
    others = "|".join(_one(name) for name in ordered if not _is_hangul(name[0]))
    kinds = ((r"(?<![가-힣a-z0-9])", hangul), (r"(?<![a-z0-9.@/])", others))
    return re.compile("|".join(f"{left}(?:{body})" for left, body in kinds if body) or r"(?!)")


def _one(name: str) -> str:
    """A name up to its right border: a particle, or what is no letter of its script."""
    body = r"[\s\-·]?".join(_part(part) for part in re.split(r"[\s\-/]+", name) if part)
    if _is_hangul(name[-1]):
        return rf"{body}(?=(?:{_PARTICLES})|[^가-힣]|$)"
    if name[-1].isdigit():
        return rf"{body}(?![0-9])"
    return rf"{body}(?![a-z]|\.com|\.net|\.co|\.ai/)"


def _part(part: str) -> str:
    """A long Hangul name may be written in pieces; a short Latin one with spaces or full stops between its letters."""
    if len(part) >= 3 and all(_is_hangul(letter) for letter in part):
        return r"[\s·]?".join(part)
    if part in ("gpt", "exaone", "qwen", "claude"):
        return r"[\s.]?".join(part)
    return re.escape(part)


def _is_hangul(letter: str) -> bool:
    return "가" <= letter <= "힣"
