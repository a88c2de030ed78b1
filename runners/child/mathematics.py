"""Whether two final answers of a mathematics problem are the same: numbers by value, formulas by their spelling."""

from __future__ import annotations

import re
from fractions import Fraction

TOLERANCE = Fraction(1, 1_000_000)
_FRACTION = re.compile(r"(-?)\\frac\{(-?[\d.]+)\}\{(-?[\d.]+)\}")
_SLASH = re.compile(r"(-?[\d.]+)/(-?[\d.]+)")
_LAYOUT = re.compile(r"\\(?:left|right|displaystyle|,|!|;|:|quad)|\\text\{[^{}]*\}|[\s$]|\\?%|\^\{?\\circ\}?")


def last_boxed(reply: str) -> str | None:
    r"""What the last \boxed{...} holds, with balanced braces; None where there is none or it never closes."""
    start = reply.rfind("\\boxed{")
    if start < 0:
        return None
    depth, begin = 0, start + len("\\boxed{")
    for place in range(begin - 1, len(reply)):
        depth += {"{": 1, "}": -1}.get(reply[place], 0)
        if depth == 0:
            return reply[begin:place].strip()
    return None


def number(answer: str) -> Fraction | None:
    """The value of an integer, decimal, fraction or number with thousands commas; None for anything else."""
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", spelling(answer))
    if match := _FRACTION.fullmatch(plain):
        sign, over, under = match.groups()
        return _divide(over, under, -1 if sign else 1)
    if match := _SLASH.fullmatch(plain):
        return _divide(match[1], match[2], 1)
    return _value(plain)


def _value(digits: str) -> Fraction | None:
    try:
        return Fraction(digits)
    except (ValueError, ZeroDivisionError):
        return None


def _divide(over: str, under: str, sign: int) -> Fraction | None:
    top, bottom = _value(over), _value(under)
    return sign * top / bottom if top is not None and bottom else None


def spelling(answer: str) -> str:
    """A formula without what changes its look alone."""
    plain = _LAYOUT.sub("", re.sub(r"\\[dt]frac", r"\\frac", answer)).rstrip(".")
    plain = re.sub(r"\\frac(\d)(\d)", r"\\frac{\1}{\2}", plain)
    return re.sub(r"\\sqrt(\d)", r"\\sqrt{\1}", plain)


def same(answer: str, gold: str) -> bool:
    """Equal values within 1e-6, or equal spelling; `x = 3` counts as 3 where the gold has no equation."""
    if "=" in answer and "=" not in gold:
        answer = answer.rsplit("=", 1)[1]
    left, right = number(answer), number(gold)
    if left is not None and right is not None:
        return abs(left - right) <= TOLERANCE * max(Fraction(1), abs(right))
    return spelling(answer) == spelling(gold)
