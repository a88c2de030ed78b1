"""The number a reply ends on: boxed, after a cue, or simply the last one."""

from __future__ import annotations

import re
from decimal import Decimal

from runners.korean.normalise import normalise

_MAX_DIGITS = 300
_TOLERANCE = Decimal("1e-6")
_UNITS = {"": 1, "백": 100, "천": 1000, "만": 10**4, "억": 10**8, "조": 10**12}

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?![\d,]*\d)|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w)\]}%])-\s?(?=[\d.$₩\\])|(?<=\$)-(?=\d))?[$₩]?"
    r"(?:\\[dt]?frac\s?\{(?P<top>-?\d+(?:\.\d+)?)\}\s?\{(?P<bottom>\d+(?:\.\d+)?)\}"
    rf"|(?<![A-Za-z\d])(?<!\d[.,])(?P<number>{_DIGITS})"
    r"(?:\s?(?:×|x|\\times|\\cdot)\s?10\s?\^\s?\{?(?P<power>-?\d{1,3})(?!\d)\}?"
    r"|\s?/\s?(?P<over>\d+(?:\.\d+)?)(?![\d/])"
    r"|(?P<big>\s?(?:[백천]?[만억조]|[백천])(?:(?![가-힣])|(?=원|명|개|년|톤|달러|대|마리|입니다|이다)))"
    rf"(?P<more>(?:\s?(?:{_DIGITS})\s?(?:[백천]?[만억조]|[백천]))*(?:\s?(?:{_DIGITS})(?![\d.]))?))?"
    r")"
)
_PART = re.compile(rf"({_DIGITS})\s?([백천]?)([만억조]?)")
_CUE = re.compile(
    r"(?:정답|(?<![가-힣])답변|(?<![가-힣])답안|해답|(?<![가-힣])답)(?:\s?\([^()\n]{1,20}\))?\s?(?:은|는|이|:|=|→)"
    r"|(?<![A-Za-z])answer(?:\s?\([^()\n]{1,20}\))?\s?(?:is|:|=)|^(?:A|답|정답)\s?:|^####",
    re.IGNORECASE | re.MULTILINE,
)
_BOX = re.compile(r"\\(?:boxed|fbox)\s?\{")
_SENTENCE = re.compile(r"[.!?。](?=\s|\Z)|\n")
_OPENER = re.compile(r"(?:[\s:=\"'(\[{$₩\\]|약|총|바로|is|about|approximately|text|displaystyle)*")


def extract_number(reply: str) -> Decimal | None:
    """The number the reply gives as its answer, or None when it gives none.

    Order: the last \\boxed{}, the text after the last cue (정답은, Answer:, ####), the last number. Reads
    1,234.5, 3/4, \\frac{3}{4}, 2×10^3, 12원, 3억 5,000만.
    """
    text = re.sub(r"[^\S\n]+", " ", _keep_hashes(reply))
    if (inside := _last_box(text)) is not None:
        found = _numbers(inside)
        if found:
            return found[-1]
    for cue in reversed(list(_CUE.finditer(text))[-100:]):
        head = text[cue.end() : cue.end() + 300].lstrip()
        end = _SENTENCE.search(head)
        found_number = _in_sentence(head[: end.start()] if end else head)
        if found_number is not None:
            return found_number
    return _last_number(text)


def _keep_hashes(reply: str) -> str:
    """Normalised text in which GSM8K's "#### 42" is a cue and not a heading."""
    return normalise(re.sub(r"^####(?!#)", "정답:", reply, flags=re.MULTILINE))


def _in_sentence(sentence: str) -> Decimal | None:
    """The number directly after the cue, else the last one of its sentence; after "=" where there is one."""
    if "=" in sentence:
        sentence = sentence.rpartition("=")[2]
    opener = _OPENER.match(sentence)
    if match := _NUMBER.match(sentence, opener.end() if opener else 0):
        return _value(match)
    found = _numbers(re.sub(r"\([^()]*\)", " ", sentence))
    return found[-1] if found else None


def _last_box(text: str) -> str | None:
    """What stands inside the last \\boxed{…}, braces balanced (an unclosed one runs to the end)."""
    boxes = list(_BOX.finditer(text))
    if not boxes:
        return None
    start = boxes[-1].end()
    depth = 1
    for i in range(start, min(len(text), start + 1000)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[start:i]
    return text[start : start + 1000]


def _last_number(text: str) -> Decimal | None:
    """The last number of a long text, looked for from its end."""
    for size in (400, len(text)):
        tail = text[-size:]
        if size < len(text):
            tail = tail.partition("\n")[2] or tail.partition(" ")[2]
        if found := _numbers(tail):
            return found[-1]
    return None


def _numbers(text: str) -> list[Decimal]:
    return [value for match in _NUMBER.finditer(text) if (value := _value(match)) is not None]


def _value(match: re.Match[str]) -> Decimal | None:
    sign = -1 if match["sign"] else 1
    top, bottom = match["top"] or match["number"], match["bottom"] or match["over"]
    if len(match[0]) > _MAX_DIGITS:
        return None
    value = sign * _decimal(top)
    if bottom is not None:
        return value / _decimal(bottom) if _decimal(bottom) else None
    if match["power"]:
        return value.scaleb(int(match["power"]))
    if match["big"]:
        parts = _PART.findall(match["number"] + match["big"] + match["more"])
        return sign * sum(
            (_decimal(n) * _UNITS[low] * _UNITS[high] for n, low, high in parts),
            Decimal(0),
        )
    return value


def _decimal(digits: str) -> Decimal:
    return Decimal(digits.replace(",", ""))


def numbers_equal(given: Decimal, wanted: Decimal) -> bool:
    """Equal numbers: whole ones exactly, others within 1e-6 (relative above 1)."""
    if given == wanted:
        return True
    if given == given.to_integral_value() and wanted == wanted.to_integral_value():
        return False
    return abs(given - wanted) <= _TOLERANCE * max(Decimal(1), abs(wanted))
