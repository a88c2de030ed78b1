"""Answers in words: a label out of a closed set (예/아니오, positive/negative) and short free answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from runners.korean.normalise import normalise

_CUE = re.compile(
    r"(?:최종\s?)?(?:정답|(?<![가-힣])답변|(?<![가-힣])답안|해답|(?<![가-힣])답)\s?(?:은|는|이|:|=|→)\s?:?"
    r"|(?<![a-z])(?:final\s)?answer\s?(?:is|:)\s?:?|\\boxed\{",
    re.IGNORECASE,
)
_QUOTES = "\"'“”‘’「」『』《》〈〉()[]{}<>$"
_POINTS = " \t.,!?;:~…。"
_COPULA = re.compile(r"(?<=.)(?:입니다|이다|이에요|예요|에요|임|이야|이요)$")
# Spellings of one and the same word, for closed label sets.
_SPELLINGS = {
    "예": ("예", "네"), "네": ("네", "예"),
    "아니오": ("아니오", "아니요", "아뇨"), "아니요": ("아니요", "아니오", "아뇨"),
}  # fmt: skip
_AFTER_WORD = (
    r"(?![a-z0-9_])(?:(?![가-힣])|(?=입니|이다|이며|이고|이라|라고|라는|이에요|예요|에요|임|적(?:인|이|으로|입)|로|으로"
    r"|이(?![가-힣])|가(?![가-힣])|은(?![가-힣])|는(?![가-힣])|다(?![가-힣])))"
)
_ANOTHER = re.compile(r"\s?(?:,|/|와|과|또는|혹은|이나|or(?![a-z])|and(?![a-z]))")
_NEGATION = re.compile(r"(?:적)?(?:이|가|인\s?것이|은|는|라고는)?\s?(?:아니|아닌|아님|않)")


@lru_cache(maxsize=256)
def _words(labels: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    """A pattern for any of the labels, longest first, and the spelling → label table."""
    table: dict[str, str] = {}
    for label in labels:
        for spelling in _SPELLINGS.get(label, (label,)):
            table.setdefault(normalise(spelling).casefold(), label)
    for label in labels:
        table[normalise(label).casefold()] = label
    table.pop("", None)
    source = "|".join(re.escape(word) for word in sorted(table, key=len, reverse=True)) or r"(?!)"
    return re.compile(rf"(?<![a-z0-9_가-힣])(?:{source}){_AFTER_WORD}"), table


def extract_label(reply: str, labels: Sequence[str]) -> str | None:
    """The label (as written in `labels`) that the reply gives, or None when it gives none or several.

    The last cue wins; then a last or first line that is only a label; then a first line that begins with
    one; then the only label mentioned at all. A negated label ("긍정이 아니라 부정") does not count.
    """
    text = re.sub(r"[^\S\n]+", " ", normalise(reply)).casefold()
    if not text:
        return None
    pattern, table = _words(tuple(labels))
    for cue in reversed(list(_CUE.finditer(text))[-100:]):
        window = text[cue.end() : cue.end() + 120].lstrip(" \n").partition("\n")[0]
        match = _affirmed(pattern, window)
        if match is not None and not window[: match.start()].strip(_QUOTES + _POINTS):
            return table[match[0]]
        if match is not None and _NEGATION.search(window[: match.start()]):
            return table[match[0]]
    lines = [line.strip(_QUOTES + _POINTS) for line in text.split("\n") if line.strip(_QUOTES + _POINTS)]
    for line in (lines[-1], lines[0]) if lines else ():
        if (label := table.get(line) or table.get(normalise_short_answer(line))) is not None:
            return label
    if lines and (match := pattern.match(lines[0])) and not _taken_back(pattern, match):
        return table[match[0]]
    mentioned = {table[m[0]] for m in pattern.finditer(text) if not _NEGATION.match(text, m.end())}
    return mentioned.pop() if len(mentioned) == 1 else None


def _taken_back(pattern: re.Pattern[str], match: re.Match[str]) -> bool:
    """Whether the label is negated, or only the first of several that are listed."""
    line, end = match.string, match.end()
    if _NEGATION.match(line, end):
        return True
    another = _ANOTHER.match(line, end)
    return another is not None and pattern.match(line[another.end() :].lstrip(_QUOTES + " ")) is not None


def _affirmed(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    for match in pattern.finditer(text):
        if not _NEGATION.match(text, match.end()) and not text[: match.start()].rstrip().endswith("not"):
            return match
    return None


def normalise_short_answer(text: str) -> str:
    """A short answer for comparison: first line, lower case, without cue, copula, quotes and end punctuation.

    Particles stay: 서울은 and 서울 are different answers for exact match.
    """
    line = normalise(text).partition("\n")[0].casefold()
    cue = _CUE.match(line)
    line = (line[cue.end() :] if cue else line).strip(_QUOTES + _POINTS)
    line = _COPULA.sub("", line).strip(_QUOTES + _POINTS)
    return re.sub(r"\s+", " ", line)


def short_answer_matches(reply: str, accepted: Sequence[str]) -> bool | None:
    """Whether the reply is one of the accepted answers; None when there is no answer at all.

    The first line is compared, and the text after the last cue ("정답은 …") wherever it stands.
    """
    text = normalise(reply)
    given = {normalise_short_answer(text)}
    if cues := list(_CUE.finditer(text)):
        given.add(normalise_short_answer(text[cues[-1].end() :].lstrip()))
    given.discard("")
    if not given:
        return None
    wanted = {normalise_short_answer(answer) for answer in accepted}
    squeezed = {answer.replace(" ", "") for answer in wanted}
    return any(answer in wanted or answer.replace(" ", "") in squeezed for answer in given)


def char_f1(reply: str, reference: str) -> float:
    """Character F1 (0..1) of two short answers, blanks left out; 1.0 where both are empty."""
    given = Counter(normalise_short_answer(reply).replace(" ", ""))
    wanted = Counter(normalise_short_answer(reference).replace(" ", ""))
    if not given and not wanted:
        return 1.0
    common = (given & wanted).total()
    return 2 * common / (given.total() + wanted.total())
