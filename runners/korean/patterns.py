"""The regular expressions of the option extractor, built once per label family and number of options.

Every blank is bounded by `\\s?` (the text was tidied before) and every unbounded repeat is possessive, so
that no reply can make them slow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from runners.korean.labels import KINDS, Family, LabelSet, label_set

CUE = re.compile(
    r"(?:(?:정답|최종답|해답|대답|(?<![가-힣])(?:답변|답안|답))(?!률|지|자|안|변|하|한|할|을(?!\s?[가-힣]{1,3}면))"
    r"|(?<![A-Za-z])(?:answer|(?:correct|right|best)\s(?:option|choice)"
    r"|(?:choose|select|선택|결론)\s?(?=[:은는]))(?![A-Za-z])"
    r"|\\boxed|\\fbox)"
    r"(?:\s?\([^()\n]{1,20}\))?",
    re.IGNORECASE,
)
_CONNECT = (
    r"(?P<link>[\])>】」\"'”]{0,2}"
    r"\s?(?:은|을\s?[가-힣]{1,3}면|는|이|:|=|→|->|⇒|-|–|—|is|would\sbe|should\sbe|must\sbe)?+"
    r"(?!\s?(?:not\s|아[니닌닙]|없))\s?(?:[:\n]|\.{2,3})?+)\s?"
    r"(?:(?:바로|아마도?|보기|선택지|선지|옵션|번호|therefore|thus|option|choice|letter|number)\s?:?\s?)*+"
)
_OPEN = r"(?:[\s(\"'“‘「『《〈\[{<$]|\\(?:text|mathrm|mathbf|textbf|mathit|boxed|bf|rm)(?![A-Za-z]))*+"
_CLOSE = r"[)\]}\"'”’」』》〉>$]*+"
# Nothing before it that would make the label a part of a word, a number or a formula.
_FREE = r"(?<![A-Za-z0-9가-힣ㄱ-ㅎ.\-_'+/=°])"
_AND = r"\s?(?:,|·|/|&|、|와|과|랑|및|또는|혹은|이나|or(?=\s)|and(?=\s))\s?(?:and\s|or\s|또는\s)?"
_NEGATED = (
    rf"{_CLOSE}\s?(?:번)?\s?(?:도\s|(?:이|가|은|는)?\s?(?:아[니닌님닙닐냐]|대신|보다|말고|틀|오답|잘못))"
    r"|\s?(?:isn't|not(?![A-Za-z])|is\s(?:not|wrong|incorrect)(?![A-Za-z]))"
)
_NOT_THE_ANSWER = (
    r"(?!은|는|률|지|을\s|과|이?\s?아[니닌님닙닐]|이?\s?(?:될\s수|되려|되기|되지)|이?라면"
    r"|일\s?수|인지|일까|여부)"
)
# "C가 옳지 않은 것입니다" names C, as the answer to a question for the odd one out.
_ODD_ONE = (
    r"(?:옳지|맞지|적절하지|적합하지|올바르지|알맞지|해당하지|일치하지)\s?않[는은]\s?"
    r"(?:것|설명|선택|내용|보기|문장|항목)"
)
_RIGHT = r"(?:가장\s|제일\s|더\s)?(?:(?:맞|옳|알맞)(?!지)|(?:적절|적합)(?!하지|치)|올바(?!르지))"
_COPULA = r"(?:입니다|이다|이에요|예요|에요|임|이요|요|다|로\s?보입니다|인\s?것\s?같습니다)"
_ENDING = rf"(?:번)?\s?(?:옵션|보기|선택지|선지|option)?\s?{_COPULA}?"
_HENCE = (
    r"(?:(?:따라서|그러므로|그래서|결론적으로|즉|thus|therefore|so|hence|it's|it\sis"
    r"|(?:I|we)\s(?:would\s)?(?:choose|pick|select))\s?,?\s?)?"
)
_PREFIXES = ("", "en_", "pick_", "odd_", "fits_")  # alternatives of one pattern name their groups apart
_OPTION_WORD = r"(?:(?:보기|선택지|선지|옵션|option|choice)\s?)?"


@dataclass(frozen=True)
class Patterns:
    """One compiled pattern per way of naming an option; `index` tells which option a match names."""

    labels: LabelSet
    direct: re.Pattern[str]
    listed: re.Pattern[str]
    negated: re.Pattern[str]
    explicit: re.Pattern[str]
    reverse: re.Pattern[str]
    weak: re.Pattern[str]
    alone: re.Pattern[str]
    leading: re.Pattern[str]
    trailing: re.Pattern[str]
    first: re.Pattern[str]
    free: re.Pattern[str]
    listing: re.Pattern[str]

    def index(self, match: re.Match[str]) -> int | None:
        """The option a match names, or None where it lies outside the options."""
        groups = match.groupdict()
        for prefix in _PREFIXES:
            if any(groups.get(prefix + kind) for kind in KINDS):
                return self.labels.index(match, prefix)
        return None


def _renamed(source: str, prefix: str) -> str:
    return source.replace("(?P<", f"(?P<{prefix}")


def _reverse(named: str) -> str:
    """ "B가 정답이다", "B is the answer", "B를 선택합니다": as strong as a cue."""
    return (
        rf"{named}\s?(?:이|가|은|는)?\s?(?:가장\s|제일\s)?(?:정답|답){_NOT_THE_ANSWER}"
        rf"|{_renamed(named, 'en_')}\s(?i:is\sthe\s(?:\w+\s)?(?:answer|correct))"
        rf"|{_renamed(named, 'pick_')}(?:을|를)\s?(?:정답으로|답으로|선택|고르|고릅|고른|택)"
    )


def _weak(named: str, token: str) -> str:
    """ "B가 옳다", "C가 옳지 않은 것이다", "B is correct": read only where one option is named."""
    return (
        rf"{named}\s?(?:이|가)\s?{_RIGHT}"
        rf"|{_renamed(named, 'odd_')}(?:이|가)\s?{_ODD_ONE}"
        rf"|{_renamed(named, 'en_')}\s(?i:is\s(?:the\s)?(?:most\s|best\s)?(?:correct|right|appropriate|best))"
        rf"|{_renamed(named, 'fits_')}에\s?해당(?:합|한|하는\s것)"
        rf"|것은\s?{_OPEN}{_renamed(token, 'pick_')}"
    )


@lru_cache(maxsize=256)
def patterns_for(family: Family | None, n_options: int) -> Patterns:
    """The patterns for `n_options` options whose shown labels are of `family` (None: unknown)."""
    labels = label_set(family, n_options)
    token, second = labels.token, _renamed(labels.token, "second_")
    named = rf"{_FREE}{_OPTION_WORD}[(\[\"']?{token}{_CLOSE}\s?(?:번)?"
    start = rf"(?i:{_HENCE}{_OPTION_WORD}){_OPEN}{token}"
    return Patterns(
        labels,
        direct=re.compile(rf"(?i:{_CONNECT}{_OPEN}){token}"),
        listed=re.compile(
            rf"(?:{_CLOSE}(?:번)?(?P<sign>{_AND}){_OPEN}{second})+{_CLOSE}(?:번)?"
            r"(?P<among>\s?(?:중|가운데|사이))?(?P<clause>\s?(?:은|는|이(?![다며고라므])|가|의|도|[:.)]))?"
        ),
        negated=re.compile(_NEGATED, re.IGNORECASE),
        explicit=re.compile(rf"(?:(?<=\()|{_FREE}(?!\()){token}(?=\)|번|입니다|이다|임)"),
        reverse=re.compile(_reverse(named)),
        weak=re.compile(_weak(named, token)),
        alone=re.compile(rf"{start}[.:]?{_CLOSE}[.:]?\s?{_ENDING}{_CLOSE}\s?[.!,;:]*+\s?\Z"),
        leading=re.compile(
            rf"{start}(?:\s?[)\]}}\"'”’」』]+\s?[.:]?|\s?[.:]|번?(?:입니다|이다|이에요|예요|임)[.,!]?"
            r"|번[.,:]|,\s|\s(?=[(\-–—:]))"
        ),
        trailing=re.compile(rf"[(\[](?:{token})[)\]]\s?{_ENDING}[.!]?\Z"),
        first=re.compile(rf"{token}\s"),
        free=re.compile(_FREE + token),
        listing=re.compile(rf"{_FREE}(?<!\(){token}(?=\s?[:.),]|(?<=,\s.)\Z)"),
    )
