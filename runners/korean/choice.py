"""Which option did the reply choose? One extractor for every multiple-choice suite.

Published extractors fail on Korean in known ways: a word boundary between B and 입니다, the first letter
A-E anywhere (so "Answer: B" becomes A), exact match only (so "정답은 A입니다" is wrong). Here the last
explicit cue wins, then a line that is only a label, then weaker signs; anything ambiguous is None, which is
counted apart from a wrong answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runners.korean.labels import family_of
from runners.korean.normalise import normalise
from runners.korean.patterns import CUE, Patterns, patterns_for
from runners.korean.words import extract_label, normalise_short_answer

_WINDOW = 240  # characters after a cue in which its answer must stand
_MAX_CUES = 100  # cues looked at, from the end of the reply
_MAX_LINES = 400

_SENTENCE = re.compile(r"(?<=[.!?])\s")
_IS_RIGHT = re.compile(r"(?:이|가)\s?(?:정답|답|맞|옳|적절)(?:입니다|이다|습니다|다|합니다|하다)?[.!]?\Z")

_NONE = object()  # a cue that says nothing, so that an earlier one may still speak


def _after_cue(patterns: Patterns, cue: str, window: str) -> int | object | None:
    """The option named after a cue: an index, None (out of range, several named), or _NONE (no label)."""
    match = patterns.direct.match(window)
    if match is None:
        return _further_on(patterns, window)
    if not match["link"].strip(" ") and not cue.startswith("\\"):
        line = window.lstrip(" ").partition("\n")[0]
        return patterns.index(match) if patterns.alone.match(line) else _NONE
    while match is not None:
        end = match.end()
        if patterns.negated.match(window, end):
            match = _next_token(patterns, window, end)
            continue
        listed = patterns.listed.match(window, end)
        if listed is None or (listed["sign"].strip() == "," and listed["clause"]):
            return patterns.index(match)
        if patterns.labels.index(listed, "second_") == patterns.index(match):
            return patterns.index(match)
        if not listed["among"]:
            return None
        match = _next_token(patterns, window, listed.end())
    return _NONE


def _further_on(patterns: Patterns, window: str) -> int | object | None:
    """A label later in the cue's line that can be nothing else: "세종대왕(B)", "B입니다"."""
    line = window.lstrip(" :\n").partition("\n")[0]
    line = re.split(r"아니라|아니고|말고", line, maxsplit=1)[-1]
    if re.search(r"아[니닌님닙닐]|없|않|(?<![A-Za-z])(?:not|none)(?![A-Za-z])", line):
        return _NONE
    found = {patterns.index(m) for m in patterns.explicit.finditer(line)}
    return found.pop() if len(found) == 1 else _NONE


def _next_token(patterns: Patterns, line: str, start: int) -> re.Match[str] | None:
    stop = line.find("\n", start)
    return patterns.free.search(line, start, len(line) if stop < 0 else stop)


def _by_cue(patterns: Patterns, text: str, options: Sequence[str] | None) -> int | object | None:
    """The last cue that names a label or an option's text; "X가 정답" is a cue, too."""
    places = [(m.end(), 1, m) for m in CUE.finditer(text)]
    places += [(m.end(), 0, m) for m in patterns.reverse.finditer(text)]
    for end, forward, match in sorted(places, key=lambda place: place[:2])[: -_MAX_CUES - 1 : -1]:
        if not forward:
            return patterns.index(match)
        window = text[end : end + _WINDOW]
        found = _after_cue(patterns, match[0], window)
        if found is _NONE and options:
            named = _option_named(window.lstrip(" 은는이:=→\n").partition("\n")[0], options)
            found = _NONE if named is None else named
        if found is not _NONE:
            return found
    return _NONE


def _only(found: set[int | None]) -> int | None:
    return found.pop() if len(found) == 1 else None


def _by_line(patterns: Patterns, text: str, options: Sequence[str] | None) -> int | None:
    """A line that is only a label, then weaker phrases, "B. text", an option's text, "text (B)"."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    ends = (lines[-1], lines[0])
    alone = [patterns.alone.match(line) for line in ends]
    if all(alone) and len(lines) <= _MAX_LINES and all(map(patterns.alone.match, lines)):
        return _only({patterns.index(m) for line in lines if (m := patterns.alone.match(line))})
    for match in (*alone, patterns.alone.match(_SENTENCE.split(lines[-1][-200:])[-1])):
        if match:
            return patterns.index(match)
    weak = {patterns.index(m) for m in patterns.weak.finditer(text)}
    if len(weak) == 1:
        return weak.pop()
    leading = {patterns.index(m) for line in lines[-_MAX_LINES:] if (m := patterns.leading.match(line))}
    for line in ends:
        if (match := patterns.leading.match(line)) and not _several(patterns, line, match):
            return _only(leading)
    for line in ends if options else ():
        if (named := _option_named(line, options or ())) is not None:
            return named
        first = patterns.first.match(line)
        if first and (named := _option_named(line[first.end() :], options or ())) is not None:
            return named if named == patterns.index(first) else None
    trailing = {patterns.index(m) for line in ends if (m := patterns.trailing.search(line[-40:]))}
    return _only(trailing)


def _several(patterns: Patterns, line: str, first: re.Match[str]) -> bool:
    """Whether the line lists options ("A: …, B: …") instead of naming one."""
    others = patterns.listing.finditer(line, first.end(), first.end() + 2000)
    return any(m.lastgroup == first.lastgroup and patterns.index(m) != patterns.index(first) for m in others)


def _option_named(line: str, options: Sequence[str]) -> int | None:
    """The only option whose text the line is, written as a short answer; None where none or several are."""
    wanted = normalise_short_answer(_IS_RIGHT.sub("", line))
    same = [i for i, option in enumerate(options) if wanted and normalise_short_answer(option) == wanted]
    return same[0] if len(same) == 1 else None


def extract_choice(
    reply: str,
    n_options: int,
    *,
    labels: Sequence[str] | None = None,
    options: Sequence[str] | None = None,
) -> int | None:
    """Index (0-based) of the option the reply chose, or None: none named, several, or out of range.

    `labels` are those shown beside the options (A-E, 1-5, 0-3, 가-마, ㄱ-ㅁ); without them every family is
    read. `options` are the options' texts, so that a reply that writes out one of them counts. Never
    raises; a reply of 100 kB takes milliseconds. Rules: the last cue ("정답은", "Answer:", "\\boxed{") that
    names a label wins; else a line that is only a label; else "B가 맞다", "B. text", an option's text.
    """
    if labels is not None and len(reply) == 1 and reply in labels:
        index = labels.index(reply)
        return index if index < n_options else None
    family = None
    if labels is not None:
        family = family_of(labels)
        if family is None:
            word = extract_label(reply, labels)
            return None if word is None else list(labels).index(word)
    text = _tidy(normalise(reply))
    if not text or n_options < 1:
        return None
    patterns = patterns_for(family, n_options)
    found = _by_cue(patterns, text, options)
    if found is not _NONE:
        return found if isinstance(found, int) else None
    return _by_line(patterns, text, options)


def _tidy(text: str) -> str:
    """Runs of blanks and empty lines become one, which also bounds every `\\s?` above."""
    return re.sub(r" ?\n[ \n]*", "\n", re.sub(r"[^\S\n]+", " ", text))
