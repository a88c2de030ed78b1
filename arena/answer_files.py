"""The answers that imported votes are about, read for their style alone: no text of them is kept. No Django here.

A file of JSON Lines, plain or gzip: `question_id` (or prompt, item, id), `model`, and `turns` (a list of texts or
messages) or `answer`, `response`, `text`.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from arena.style import StyleCounts, Turns, count_style, turns_of
from arena.vote_files import LINE_LIMIT, Refused

QUESTION: Final = ("question_id", "prompt", "item", "id")
TEXT: Final = ("turns", "answer", "response", "text", "result")
Counted = tuple[StyleCounts, ...]


class Styles:
    """Style counts per question, model and turn. `of` gives what a vote keeps."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Counted] = {}

    def add(self, question: str, model: str, turns: Turns) -> None:
        self._counts[question, model] = tuple(count_style(text) for text in turns)

    def of(self, question: str, models: tuple[str, str], turn: int | None) -> str | None:
        """Both sides as JSON, turns up to the one voted on added up; None where one is not known."""
        left, right = (self._counts.get((question, model)) for model in models)
        return _json(left, right, turn) if left and right else None


def read(path: Path) -> Styles:
    """The style of every answer of a file. Raises Refused, naming the line."""
    found = Styles()
    with path.open("rb") as file:
        is_zipped = file.read(2) == b"\x1f\x8b"
    number = 0
    try:
        with gzip.open(path, "rb") if is_zipped else path.open("rb") as lines:
            while line := lines.readline(LINE_LIMIT):
                number += 1
                if line.strip():
                    found.add(*_row(line, number))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Refused(f"The gzip file {path.name} breaks off after line {number}. Fetch it again.") from error
    return found


def style(answers: tuple[Turns, Turns], turn: int | None) -> str:
    """Both sides of one vote as JSON."""
    left, right = (tuple(count_style(text) for text in side) for side in answers)
    return _json(left, right, turn)


def _row(line: bytes, number: int) -> tuple[str, str, Turns]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refused(f"Line {number} of the answers is not a JSON object in UTF-8.") from error
    question = _first(row, QUESTION) if isinstance(row, dict) else None
    text = _first(row, TEXT) if isinstance(row, dict) else None
    if question is None or text is None or row.get("model") is None:
        raise Refused(f"Line {number} of the answers needs question_id, model, and turns (or answer).")
    return str(question), str(row["model"]), turns_of(text)


def _first(row: dict[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _json(left: Counted, right: Counted, turn: int | None) -> str:
    return json.dumps({"left": _sums(left[:turn]), "right": _sums(right[:turn])})


def _sums(turns: Counted) -> dict[str, int]:
    return {
        "tokens": sum(one.length for one in turns),
        "headers": sum(one.headers for one in turns),
        "lists": sum(one.lists for one in turns),
        "bold": sum(one.bold for one in turns),
    }
