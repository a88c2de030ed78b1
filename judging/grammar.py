"""The forms a verdict may take in a judge's text, and the name of what is wrong where it takes none.

`said` finds the one thing that was said; `verdicts` knows what it means.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from judging import language

Reason = Literal[
    "empty",
    "request_failed",
    "refusal",
    "other_language",
    "unfinished",
    "malformed",
    "fraction",
    "out_of_range",
    "contradictory",
    "single_brackets",
    "wrong_form",
    "quoted",
    "buried",
    "no_verdict",
]

# What other programs store where a judge's text should be when the request itself failed.
FAILURE_TEXTS = ("$ERROR$", "Impossible to judge due to repetition.")


@dataclass(frozen=True)
class Scale:
    """The scores that count, both ends included: 1 to 10 (MT-Bench), 0 to 10 (LogicKor)."""

    low: float = 1.0
    high: float = 10.0


@dataclass(frozen=True)
class Unparsable:
    """No verdict, and why. `detail` is the piece of judge text that decided (at most 200 characters)."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True)
class Said:
    """What a judge said: one label, one rating, or two; and the text around it."""

    values: tuple[float | str, ...]
    explanation: str
    is_json: bool = False


MAX_ATTEMPTS = 100

# Full-width letters, digits and brackets are the same signs; nothing else is folded (NFKC makes 1⁰ a 10).
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_THOUGHT_END = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)
_THOUGHT = re.compile(r"<(?:think|thinking|reasoning)>", re.IGNORECASE)
_BRACKETS = re.compile(r"(?<!\[)\[\[([^\[\]\n]{0,80})\]\](?![\](])")
_SCORE_LINE = re.compile(
    r"(?:^|(?<=[.!?。] ))[^\w\[\]\n]{0,12}(?:(?:최종|종합|final|overall) ?)?"
    r"(?:점수|평점|score|rating)[*_ ]*:([^\n]{0,80})",
    re.IGNORECASE | re.MULTILINE,
)
_SINGLE = re.compile(r"(?<!\[)\[ ?(?:\d{1,2}(?:\.\d+)?|[ABC]|[AB][<>=]{1,2}[AB])(?: ?/ ?10)? ?\](?!\])")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,8})?")
_FRACTION = re.compile(r"-?[0-9.]+ ?/ ?[0-9.]+")
_TWO = re.compile(r"([0-9.]+) ?, ?([0-9.]+)")
_LABEL = re.compile(r"[ABC]|[AB][<>=]{1,2}[AB]")
_LABELLED_QUOTE = re.compile(r"\W*[가-힣A-Za-z ]{0,24}[:은는이]?\W*\[\[[^\[\]]*\]\]\W*")


def said(text: str | None, keys: set[str], scale: Scale) -> Said | Unparsable:
    """The one thing a judge said in its text, whatever the form; `keys` are the JSON keys that were asked
    for.
    """
    if text is None or not text.strip():
        return Unparsable("empty")
    if text.strip() in FAILURE_TEXTS:
        return Unparsable("request_failed", text.strip())
    body = _THOUGHT_END.split(text)[-1].translate(_FULL_WIDTH).strip()
    if _THOUGHT.search(body):
        return Unparsable("unfinished", _cut(body))
    if not body:
        return Unparsable("empty")
    document = _json_text(body)
    said = _said_in_text(body, "score" in keys, scale) if document is None else _said_in_json(document, keys, scale)
    if isinstance(said, Unparsable):
        return _explained(said, body)
    if language.refuses(said.explanation):
        return Unparsable("refusal", _cut(said.explanation))
    if language.is_foreign(_BRACKETS.sub(" ", said.explanation)):
        return Unparsable("other_language", _cut(said.explanation))
    return said


def _explained(failure: Unparsable, body: str) -> Unparsable:
    """A text without a verdict may have a better name than that."""
    if failure.reason not in ("no_verdict", "malformed", "unfinished"):
        return failure
    if language.refuses(body):
        return Unparsable("refusal", _cut(body))
    if failure.reason == "no_verdict" and language.is_foreign(body):
        return Unparsable("other_language", _cut(body))
    return failure


def _json_text(body: str) -> str | None:
    """The JSON document in a reply that is one, bare or in a fence; None where the reply is prose."""
    if body.startswith("{"):
        return body
    fenced = re.fullmatch(r"```(?:json)?\s*(\{.*\})\s*```", body, re.DOTALL)
    return fenced[1] if fenced else None


def _said_in_json(document: str, keys: set[str], scale: Scale) -> Said | Unparsable:
    try:
        parsed = json.loads(document, object_pairs_hook=_no_twice)
    except (ValueError, RecursionError) as error:
        reason: Reason = "contradictory" if isinstance(error, _SaidTwiceError) else "malformed"
        if reason == "malformed" and not document.rstrip().endswith("}"):
            reason = "unfinished"
        return Unparsable(reason, _cut(document))
    explanation = parsed.get("reason", "")
    if not isinstance(explanation, str) or parsed.keys() - {"reason"} != keys:
        return Unparsable("wrong_form", _cut(document))
    values: list[float | str] = []
    for key in sorted(keys):
        value = _json_value(parsed[key], scale)
        if isinstance(value, Unparsable):
            return value
        if isinstance(value, float) == (key == "verdict"):
            return Unparsable("wrong_form", _cut(document))
        values.append(value)
    return Said(tuple(values), explanation, is_json=True)


def _json_value(value: Any, scale: Scale) -> float | str | Unparsable:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return Unparsable("malformed", _cut(repr(value)))
    return float(value) if scale.low <= value <= scale.high else Unparsable("out_of_range", _cut(str(value)))


class _SaidTwiceError(ValueError):
    """A key occurs twice in one JSON object."""


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _SaidTwiceError
    return dict(pairs)


@dataclass(frozen=True)
class _Attempt:
    content: str
    line: int
    quoted: bool


def _said_in_text(body: str, rates: bool, scale: Scale) -> Said | Unparsable:
    parts = body.split("```")
    prose = "\n".join(parts[::2])
    if len(_BRACKETS.findall(prose)) > MAX_ATTEMPTS:
        return Unparsable("contradictory", f"more than {MAX_ATTEMPTS} verdicts in brackets")
    lines = [line for line in prose.split("\n") if line.strip()]
    if not _BRACKETS.search(prose) and len(parts) == 3 and len(parts[1].strip()) <= 40:
        lines = [*lines, parts[1].strip()]
    attempts = [attempt for number, line in enumerate(lines) for attempt in _attempts(line, number, rates)]
    if not attempts:
        if single := _SINGLE.search(prose):
            return Unparsable("single_brackets", single[0])
        return Unparsable("no_verdict", _cut(body[-200:]))
    values = [_value(attempt.content, scale) for attempt in attempts]
    for value in values:
        if isinstance(value, Unparsable):
            return value
    said = [value for value in values if not isinstance(value, Unparsable)]
    if len(set(said)) > 1:
        return Unparsable("contradictory", _cut(" ".join(attempt.content for attempt in attempts)))
    aloud = [attempt for attempt in attempts if not attempt.quoted]
    if not aloud:
        return Unparsable("quoted", attempts[0].content)
    if not any(attempt.line in (0, len(lines) - 1) for attempt in aloud):
        return Unparsable("buried", lines[aloud[-1].line][:200])
    return Said(said[0], body)


def _attempts(line: str, number: int, rates: bool) -> list[_Attempt]:
    """Everything on one line that looks like a verdict, well formed or not; `점수:` only where a rating is
    due.
    """
    found = [
        _Attempt(match[1].strip(), number, _quoted(line, match.start(), match.end()))
        for match in _BRACKETS.finditer(line)
    ]
    for match in _SCORE_LINE.finditer(_BRACKETS.sub("", line)) if rates else ():
        content = match[1].strip(" *_`\"'.)").removesuffix("점").strip()
        if re.search(r"[0-9]", content):
            found.append(_Attempt(content, number, False))
    return found


def _quoted(line: str, start: int, end: int) -> bool:
    """Whether the judge only repeats it: inside quotation marks, in a line that says more than a label and
    this.
    """
    inside = any(line.count(mark, 0, start) % 2 and mark in line[end:] for mark in '"`')
    inside = inside or any(
        line.rfind(left, 0, start) > line.rfind(right, 0, start) and right in line[end:]
        for left, right in ("\u201c\u201d", "\u2018\u2019", "「」", "『』")
    )
    return inside and not (len(line) <= 60 and _LABELLED_QUOTE.fullmatch(line))


def _value(content: str, scale: Scale) -> tuple[float | str, ...] | Unparsable:
    if _LABEL.fullmatch(content):
        return (content,)
    if _FRACTION.search(content):
        return Unparsable("fraction", content)
    two = _TWO.fullmatch(content)
    values: list[float | str] = []
    for number in two.groups() if two else (content,):
        if not _NUMBER.fullmatch(number):
            return Unparsable("malformed", content)
        if not scale.low <= float(number) <= scale.high:
            return Unparsable("out_of_range", content)
        values.append(float(number))
    return tuple(values)


def _cut(text: str) -> str:
    return text[:200]
