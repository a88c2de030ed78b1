"""What the site holds as one long table per kind, streamed: `manage.py export` and whoever else writes files.

A kind is registered with its columns and a reader of rows; the three formats come from that. Nothing of a private
benchmark's items, of a hidden model, or of a withdrawn run leaves the site.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from leaderboard.tables import BOM, csv_line

Type = Literal["text", "integer", "number", "boolean", "time", "json"]
Row = Sequence[Any]
BATCH = 1_000


@dataclass(frozen=True)
class Column:
    """One column; `json` holds lists and objects, written as text where the format has none."""

    name: str
    type: Type = "text"


@dataclass(frozen=True)
class Kind:
    """One table. `rows` gets the slug of one suite, or of one source of votes, or nothing for all, and streams rows in
    the order of `columns`.
    """

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[str | None], Iterable[Row]]
    by: Literal["suite", "source"] = "suite"


KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Makes a kind known to `manage.py export`."""
    KINDS[kind.name] = kind
    return kind


def write(kind: Kind, file_format: str, path: Path, *, only: str | None = None) -> int:
    """Writes a file whole or not at all and gives its number of rows. `file_format`: csv, jsonl or parquet.

    Raises FileExistsError where `path` is a folder or a device: putting a file in its place would break others.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is not a file; name another one with --output.")
    draft = path.with_name(f"{path.name}.part")
    counted = _Counted(kind.rows(only))
    try:
        if file_format == "parquet":
            _parquet(kind, counted, draft)
        else:
            with draft.open("w", encoding="utf-8", newline="") as file:
                file.writelines(LINES[file_format](kind, counted))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return counted.n


def csv_lines(kind: Kind, rows: Iterable[Row]) -> Iterator[str]:
    """CSV as `leaderboard.tables` has it: a mark for Excel, no formulas, JSON columns as text."""
    yield BOM + csv_line([column.name for column in kind.columns])
    for row in rows:
        yield csv_line([_flat(value, column) for value, column in zip(row, kind.columns, strict=True)])


def json_lines(kind: Kind, rows: Iterable[Row]) -> Iterator[str]:
    """One JSON object a line, texts exactly as they are."""
    names = [column.name for column in kind.columns]
    for row in rows:
        record = dict(zip(names, (_plain(value) for value in row), strict=True))
        yield f"{json.dumps(record, ensure_ascii=False)}\n".encode(errors="replace").decode()


LINES: dict[str, Callable[[Kind, Iterable[Row]], Iterator[str]]] = {"csv": csv_lines, "jsonl": json_lines}
FORMATS = (*LINES, "parquet")


def _parquet(kind: Kind, rows: Iterable[Row], path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "text": pa.string(),
        "json": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema([(column.name, types[column.type]) for column in kind.columns])
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        rest = iter(rows)
        while batch := list(islice(rest, BATCH)):
            columns = [
                [_stored(value, column) for value in values]
                for column, values in zip(kind.columns, zip(*batch, strict=True), strict=True)
            ]
            arrays = [pa.array(values, types[c.type]) for values, c in zip(columns, kind.columns, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _stored(value: Any, column: Column) -> Any:
    flat = value if column.type == "time" else _flat(value, column)
    return flat.encode(errors="replace").decode() if isinstance(flat, str) else flat


def _flat(value: Any, column: Column) -> Any:
    """A cell that a table can hold."""
    if value is None:
        return None
    if column.type == "json":
        return json.dumps(value, ensure_ascii=False)
    return _plain(value)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows, self.n = rows, 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.n += 1
            yield row
