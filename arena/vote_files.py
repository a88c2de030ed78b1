"""Files of pairwise verdicts from outside: CSV, JSON Lines or Parquet, plain or gzip, read row by row.

No Django here. Every fault names its line; a file that is cut off, is not UTF-8 throughout or lacks a column is refused
whole, a faulty row only where the caller does not skip such rows.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

from arena.style import Turns, turns_of

REQUIRED: Final = ("model_a", "model_b", "winner")
# The names that a field goes by in common files, first match; `--map` overrides.
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "model_a": ("model_a", "left"),
    "model_b": ("model_b", "right"),
    "winner": ("winner",),
    "id": ("id",),
    "prompt": ("prompt", "question_id", "item"),
    "turn": ("turn",),
    "voter": ("voter", "worker", "judge", "user"),
    "language": ("language",),
    "category": ("category",),
    "tstamp": ("tstamp", "timestamp"),
    "answer_a": ("answer_a", "response_a", "conversation_a"),
    "answer_b": ("answer_b", "response_b", "conversation_b"),
}
WINNERS: Final = {
    **dict.fromkeys(("model_a", "a", "left", "1", "leftvote"), "a"),
    **dict.fromkeys(("model_b", "b", "right", "2", "rightvote"), "b"),
    **dict.fromkeys(("tie", "tievote", "tie (inconsistent)"), "tie"),
    **dict.fromkeys(("tie (bothbad)", "bothbad", "bothbad_vote"), "bothbad"),
}
INCONSISTENT: Final = "tie (inconsistent)"
LINE_LIMIT: Final = 16 * 1024**2
NAME_LIMIT: Final = 190


class Refused(ValueError):
    """The file cannot be taken; the message names the line and what to change."""


class RawVote(NamedTuple):
    """One verdict as the file has it; empty texts and None where it says nothing. `cast_at` is seconds since 1970.

    `answers`: both sides' texts where the file has them; their style is counted and the texts are not kept.
    """

    line: int
    model_a: str
    model_b: str
    winner: str
    id: str
    prompt: str
    turn: int | None
    voter: str
    language: str
    category: str
    cast_at: float | None
    is_inconsistent: bool
    answers: tuple[Turns, Turns] | None = None


class Fault(NamedTuple):
    """A row that says nothing usable, and why."""

    line: int
    message: str


@dataclass
class VoteFile:
    """A file and how its columns are called. `sha256` is known once `rows` has been read to the end."""

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""

    def rows(self) -> Iterator[RawVote | Fault]:
        """Every row in order. Raises Refused for what is wrong with the file as a whole."""
        unknown = set(self.columns) - set(ALIASES)
        if unknown:
            raise Refused(f"There is no field “{min(unknown)}”. The fields are {', '.join(ALIASES)}.")
        self.sha256 = _sha256(self.path)
        with self.path.open("rb") as file:
            start = file.read(4)
        if start == b"PAR1" or self.path.suffix == ".parquet":
            yield from self._parquet()
            return
        yield from self._text(start[:2] == b"\x1f\x8b")

    def _text(self, zipped: bool) -> Iterator[RawVote | Fault]:
        lines = _Lines(self.path, zipped)
        name = self.path.name.removesuffix(".gz").lower()
        is_json = name.endswith((".jsonl", ".ndjson", ".json"))
        try:
            yield from self._jsonl(lines) if is_json or lines.starts_with(b"{") else self._csv(lines)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Refused(
                f"The gzip file breaks off after line {lines.number}. Fetch it again; nothing was taken."
            ) from error

    def _csv(self, lines: _Lines) -> Iterator[RawVote | Fault]:
        csv.field_size_limit(LINE_LIMIT)
        reader = csv.reader(lines.texts(), delimiter="\t" if ".tsv" in self.path.name.lower() else ",")
        try:
            head = next(reader, None)
            if head is None:
                raise Refused("The file is empty. It needs a line of column names and one line per vote.")
            places = {name: head.index(column) for name, column in self._found(head, 1).items()}
            for row in reader:
                if len(row) == len(head):
                    yield _vote(reader.line_num, {name: row[place] for name, place in places.items()})
                elif row:
                    yield Fault(reader.line_num, f"{len(row)} fields where the first line names {len(head)}")
        except csv.Error as error:
            raise Refused(f"Line {reader.line_num} is not CSV: {error}.") from error

    def _jsonl(self, lines: _Lines) -> Iterator[RawVote | Fault]:
        places: dict[str, str] | None = None
        for text in lines.texts():
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except (ValueError, RecursionError):
                yield Fault(lines.number, "not a JSON object")
                continue
            if not isinstance(row, dict):
                yield Fault(lines.number, "not a JSON object")
                continue
            if places is None:
                places = self._found(list(row), lines.number)
            missing = [places[name] for name in REQUIRED if row.get(places[name]) is None]
            if missing:
                yield Fault(lines.number, f"no “{missing[0]}”")
                continue
            yield _vote(lines.number, {name: row.get(column) for name, column in places.items()})
        if places is None and not lines.number:
            raise Refused("The file is empty. It needs one JSON object per vote.")

    def _parquet(self) -> Iterator[RawVote | Fault]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        number = 0
        try:
            with pq.ParquetFile(self.path) as file:
                places = self._found(list(file.schema_arrow.names), 1)
                for batch in file.iter_batches(batch_size=20_000, columns=sorted(set(places.values()))):
                    columns = batch.to_pydict()
                    for values in zip(*(columns[column] for column in places.values()), strict=True):
                        number += 1
                        yield _vote(number, dict(zip(places, values, strict=True)))
        except (pa.ArrowException, OSError) as error:
            why = str(error).splitlines()[0][:200]
            raise Refused(f"The Parquet file cannot be read beyond row {number}: {why}. Fetch it again.") from error

    def _found(self, head: Sequence[str], line: int) -> dict[str, str]:
        """Field → the column of this file. Raises Refused where one is missing that must be there."""
        chosen = {}
        for name, aliases in ALIASES.items():
            wanted = self.columns.get(name)
            if wanted is not None and wanted not in head:
                raise Refused(f"Line {line}: there is no column “{wanted}” for {name}; the file has {_list(head)}.")
            column = wanted or next((alias for alias in aliases if alias in head), None)
            if column is not None:
                chosen[name] = column
            elif name in REQUIRED:
                raise Refused(
                    f"Line {line}: there is no column “{name}”; the file has {_list(head)}. "
                    f"Name the right one with --map {name}=COLUMN."
                )
        return chosen


class _Lines:
    """The lines of a file with their number, decoded; split at LF alone."""

    def __init__(self, path: Path, zipped: bool) -> None:
        self.path, self.zipped, self.number = path, zipped, 0

    def _open(self) -> IO[bytes]:
        if self.zipped:
            return cast(IO[bytes], gzip.open(self.path, "rb"))
        return self.path.open("rb")

    def starts_with(self, mark: bytes) -> bool:
        with self._open() as file:
            return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(mark)

    def texts(self) -> Iterator[str]:
        with self._open() as file:
            while line := file.readline(LINE_LIMIT):
                self.number += 1
                if len(line) == LINE_LIMIT:
                    raise Refused(f"Line {self.number} is longer than {LINE_LIMIT // 1024**2} MB.")
                try:
                    yield line.decode("utf-8-sig" if self.number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise Refused(
                        f"Line {self.number} is not UTF-8 (byte {error.start + 1}). Save the file as UTF-8 first."
                    ) from error


def _vote(line: int, row: Mapping[str, Any]) -> RawVote | Fault:
    """A row's values as a vote, or what is wrong with them."""
    model_a, model_b, said = (_text(row[name]) for name in REQUIRED)
    winner = WINNERS.get(said.lower())
    if winner is None:
        return Fault(line, f"unknown winner “{said[:40]}”; use model_a, model_b, tie or tie (bothbad)")
    if not model_a or not model_b:
        return Fault(line, "a model without a name")
    if model_a == model_b:
        return Fault(line, f"“{model_a[:80]}” against itself")
    if not _is_name(model_a) or not _is_name(model_b):
        return Fault(line, f"a model's name that is longer than {NAME_LIMIT} characters or not printable")
    try:
        turn, cast_at = _turn(row.get("turn")), _seconds(row.get("tstamp"))
    except ValueError as error:
        return Fault(line, str(error))
    category, language = _text(row.get("category")), _text(row.get("language"))
    if len(category) > 80 or len(language) > 8:
        return Fault(line, "a category longer than 80 characters or a language longer than 8 (use ko, en, …)")
    known = (_text(row.get("id")), _text(row.get("prompt")), turn, _text(row.get("voter")))
    answers = (
        (turns_of(row["answer_a"]), turns_of(row["answer_b"])) if "answer_a" in row and "answer_b" in row else None
    )
    return RawVote(
        line, model_a, model_b, winner, *known, language, category, cast_at, said.lower() == INCONSISTENT, answers
    )  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None or value != value:  # a missing number in a Parquet column is NaN
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_name(text: str) -> bool:
    return len(text) <= NAME_LIMIT and text.isprintable()


def _turn(value: Any) -> int | None:
    text = _text(value)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= 1000):
        raise ValueError(f"turn “{text[:20]}” is not a whole number from 1")
    return int(text)


def _seconds(value: Any) -> float | None:
    """Seconds since 1970 from a number of seconds or milliseconds, a date, or ISO 8601 (UTC where it has no zone)."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    text = _text(value)
    if not text:
        return None
    try:
        number = float(text)
        number = number / 1000 if number > 1e11 else number
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"time “{text[:40]}” is neither seconds since 1970 nor ISO 8601") from error
        number = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not 0 <= number < 1e11:
        raise ValueError(f"time “{text[:40]}” is out of range")
    return number


def _list(head: Sequence[str]) -> str:
    return ", ".join(str(column)[:40] for column in head[:30])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
