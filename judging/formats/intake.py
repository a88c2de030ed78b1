"""Reading JSON Lines from outside: one object a line, every fault named with its file and line, nothing half
read.

Lines end with LF alone: U+2028 and its kind occur inside strings. Plain and gzip files are told apart by
their first bytes. A faulty line is skipped and named; whether to go on is the caller's decision.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, cast

from judging.formats.rows import Place

Kind = Literal[
    "byte_order_mark",
    "not_utf8",
    "broken_gzip",
    "half_file",
    "half_line",
    "line_too_long",
    "not_json",
    "not_an_object",
    "missing_field",
    "wrong_type",
    "unknown_format",
    "control_character",
    "duplicate",
    "missing_second_turn",
    "missing_turn",
    "extra_turn",
    "orphan_reference",
    "unknown_question",
    "failed_answer",
    "failed_judgment",
    "out_of_range",
    "unknown_label",
    "missing_game",
    "empty_file",
]
WARNINGS: frozenset[Kind] = frozenset(
    {
        "byte_order_mark",
        "control_character",
        "duplicate",
        "missing_turn",
        "extra_turn",
        "orphan_reference",
        "failed_answer",
        "failed_judgment",
        "out_of_range",
        "unknown_label",
        "missing_game",
    }
)
MAX_LINE_BYTES = 16 * 2**20
MAX_KEPT = 1000
_BOM = b"\xef\xbb\xbf"
# Databases refuse NUL, and a lone surrogate cannot be encoded at all.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Problem:
    """One fault: an error (the row or file is not usable) or a warning (it is, with this said)."""

    kind: Kind
    message: str
    file: str
    line: int | None = None

    @property
    def severity(self) -> Literal["error", "warning"]:
        return "warning" if self.kind in WARNINGS else "error"

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.message}"


@dataclass
class Intake:
    """One import: which questions are known (id to number of turns; None: any), and what has been met so far.

    The first 1,000 problems are kept, all are counted by kind.
    """

    known: Mapping[str, int] | None = None
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[Kind] = field(default_factory=Counter)
    _seen: dict[tuple[object, ...], Place] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        return sum(count for kind, count in self.counts.items() if kind not in WARNINGS)

    def report(self, kind: Kind, message: str, file: str, line: int | None = None) -> None:
        self.counts[kind] += 1
        if len(self.problems) < MAX_KEPT:
            self.problems.append(Problem(kind, message, file, line))

    def at(self, place: Place, kind: Kind, message: str) -> None:
        self.report(kind, message, place.file, place.line)

    def is_duplicate(self, place: Place, what: str, *key: object) -> bool:
        """Whether this key was met before; the first row stands, this one is named."""
        first = self._seen.get((what, *key))
        if first is None:
            self._seen[what, *key] = place
            return False
        told = ", ".join(str(part) for part in key)
        self.at(place, "duplicate", f"{what} {told} is already in {first.file}:{first.line}; the first one counts")
        return True

    def is_unknown(self, place: Place, question_id: str) -> bool:
        if self.known is None or question_id in self.known:
            return False
        self.at(place, "unknown_question", f"question {question_id} is not in this question set")
        return True


class RowError(Exception):
    """A row that cannot be used, with the kind of its fault."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind


def read_objects(path: Path, intake: Intake) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The JSON objects of a .jsonl or .jsonl.gz file with their places; faults go to the intake.

    Raises OSError when the file cannot be opened.
    """
    count = 0
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        # A GzipFile is a binary stream in all but its declared type.
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw
        for line_number, line in _lines(stream, path, intake):
            place = Place(path.name, line_number)
            parsed = _object(line, place, intake)
            if parsed is not None:
                count += 1
                yield place, parsed
    if not count and not intake.errors:
        intake.report("empty_file", "no rows: one JSON object a line is expected", path.name)


def _lines(stream: IO[bytes], path: Path, intake: Intake) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                intake.report("line_too_long", f"longer than {MAX_LINE_BYTES >> 20} MiB", path.name, number)
                return
            yield number, line
    except EOFError:
        intake.report("half_file", "the compressed file ends in the middle; copy it again", path.name, number + 1)
    except (gzip.BadGzipFile, zlib.error) as error:
        intake.report("broken_gzip", f"the compressed file is damaged: {error}", path.name, number + 1)


def _object(line: bytes, place: Place, intake: Intake) -> dict[str, Any] | None:
    if line.startswith(_BOM):
        line = line.removeprefix(_BOM)
        intake.at(place, "byte_order_mark", "starts with a byte order mark, which is ignored")
    if not line.strip():
        return None
    try:
        parsed = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        intake.at(place, "not_utf8", f"not UTF-8 at byte {error.start}; save the file as UTF-8")
    except (ValueError, RecursionError) as error:
        if line.endswith(b"\n"):
            intake.at(place, "not_json", f"not one JSON object: {error}")
        else:
            intake.at(place, "half_line", f"the file ends in the middle of a row: {error}")
    else:
        if isinstance(parsed, dict):
            return parsed
        intake.at(place, "not_an_object", f"a JSON {type(parsed).__name__} where an object is expected")
    return None


def text(row: Mapping[str, Any], key: str, place: Place, intake: Intake) -> str:
    """A required text field. Raises RowError when it is missing or empty or not text."""
    value = row.get(key)
    if value is None or value == "":
        raise RowError("missing_field", f'"{key}" is missing or empty')
    if not isinstance(value, str):
        raise RowError("wrong_type", f'"{key}" is {type(value).__name__}, expected text')
    return storable(value, place, intake)


def identifier(row: Mapping[str, Any], *keys: str) -> str:
    """A question id under the first key that is there, number or text, as text. Raises RowError."""
    value = next((row[key] for key in keys if row.get(key) is not None), None)
    if value is None or value == "":
        raise RowError("missing_field", f'"{keys[0]}" is missing')
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise RowError("wrong_type", f'"{keys[0]}" is {type(value).__name__}, expected a number or text')
    return str(value)


def items(row: Mapping[str, Any], key: str) -> list[Any]:
    """A required list that is not empty. Raises RowError."""
    value = row.get(key)
    if not isinstance(value, list) or not value:
        raise RowError("missing_field" if value in (None, []) else "wrong_type", f'"{key}" must be a list with items')
    return value


def number(value: object) -> float | None:
    """A finite JSON number, else None (also for true, NaN and -1, which FastChat writes for "no rating")."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9 or value == -1:
        return None
    return float(value)


def storable(value: str, place: Place, intake: Intake) -> str:
    """The text with NUL and lone surrogates replaced by U+FFFD, said once per row where it happens."""
    if not _UNSTORABLE.search(value):
        return value
    intake.at(place, "control_character", "contains NUL or half a character; shown as U+FFFD")
    return _UNSTORABLE.sub("\ufffd", value)
