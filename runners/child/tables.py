"""Rows out of the files of a public data release: TSV, CSV, JSON lines, JSON and Parquet, gzipped or not.

Every reader yields `(line, row)` with the line as an editor counts it, so that a bad row can be found and mended.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

Row = dict[str, Any]
ErrorKind = Literal["missing_file", "changed_file", "bad_row", "hub_unreachable", "unpinned"]


class DatasetError(Exception):
    """Items that can't be read. `path` and `line` say where, the message says what to change.

    kind: "missing_file" (not where the release's layout puts it), "changed_file" (cut short, or not the file that the
    task was pinned to), "bad_row" (one row does not have the release's form), "hub_unreachable" (no network, gated,
    or no such commit), "unpinned" (a Hub source without a full commit). `permanent` is False only where another
    attempt may succeed without a change.
    """

    def __init__(self, kind: ErrorKind, message: str, *, path: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind
        self.message = message
        self.path = path
        self.line = line
        self.permanent = kind != "hub_unreachable"


def bad_row(path: str, line: int, what: str) -> DatasetError:
    return DatasetError(
        "bad_row", f"{path}, line {line}: {what}. Restore the file from the release.", path=path, line=line
    )


def read_bytes(path: Path) -> bytes:
    """The file as it is on disk.

    Raises:
        DatasetError: missing_file.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DatasetError(
            "missing_file", f"{path} is not there. Put the release's file at that path.", path=str(path)
        ) from error
    except (PermissionError, IsADirectoryError) as error:
        raise DatasetError(
            "missing_file", f"{path} cannot be read ({error.strerror}). Make it a readable file.", path=str(path)
        ) from error


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def rows(path: Path, raw: bytes) -> Iterator[tuple[int, Row]]:
    """The rows of one file; `raw` are its bytes.

    Raises:
        DatasetError: changed_file (cut gzip, not UTF-8, not the format its name says) or bad_row.
    """
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        raw, suffixes = _gunzip(path, raw), suffixes[:-1]
    form = suffixes[-1] if suffixes else ""
    if form == ".parquet":
        yield from _parquet(path, raw)
    elif form in (".tsv", ".csv"):
        yield from _separated(path, _text(path, raw), "\t" if form == ".tsv" else ",")
    elif form == ".jsonl":
        yield from _json_lines(path, _text(path, raw))
    else:
        yield from _json(path, _text(path, raw))


def _gunzip(path: Path, raw: bytes) -> bytes:
    try:
        return gzip.decompress(raw)
    except (EOFError, OSError, zlib.error) as error:
        message = f"{path} is cut short or not gzip ({error}). Copy it again from the release."
        raise DatasetError("changed_file", message, path=str(path)) from error


def _text(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"{path}, line {line}: not UTF-8. Copy it again from the release."
        raise DatasetError("changed_file", message, path=str(path), line=line) from error


def _separated(path: Path, text: str, separator: str) -> Iterator[tuple[int, Row]]:
    """TSV releases use no quoting at all (texts hold plain double quotes); CSV releases quote as RFC 4180 says."""
    lines = io.StringIO(text, newline="")
    if separator == "\t":
        reader = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE, strict=True)
    else:
        reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        head = next(reader, None)
        if not head:
            raise DatasetError("changed_file", f"{path} is empty. Copy it again from the release.", path=str(path))
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(head):
                raise bad_row(str(path), reader.line_num, f"{len(cells)} columns where the head has {len(head)}")
            yield reader.line_num, dict(zip(head, cells, strict=True))
    except csv.Error as error:
        raise bad_row(str(path), reader.line_num, str(error)) from error


def _json_lines(path: Path, text: str) -> Iterator[tuple[int, Row]]:
    # Not splitlines(): U+2028 occurs inside strings of real releases.
    for line, record in enumerate(text.split("\n"), start=1):
        if record.strip():
            try:
                row = json.loads(record)
            except json.JSONDecodeError as error:
                raise bad_row(str(path), line, f"not JSON ({error.msg})") from error
            if not isinstance(row, dict):
                raise bad_row(str(path), line, "not a JSON object")
            yield line, row


def _json(path: Path, text: str) -> Iterator[tuple[int, Row]]:
    try:
        items = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"{path}, line {error.lineno}: not JSON ({error.msg}). Copy it again from the release."
        raise DatasetError("changed_file", message, path=str(path), line=error.lineno) from error
    for number, row in enumerate(items if isinstance(items, list) else [items], start=1):
        if not isinstance(row, dict):
            raise bad_row(str(path), number, "not a JSON object")
        yield number, row


def _parquet(path: Path, raw: bytes) -> Iterator[tuple[int, Row]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(raw))
    except (pyarrow.ArrowInvalid, OSError) as error:
        message = f"{path} is cut short or not Parquet ({error}). Copy it again from the release."
        raise DatasetError("changed_file", message, path=str(path)) from error
    yield from enumerate(table.to_pylist(), start=1)
