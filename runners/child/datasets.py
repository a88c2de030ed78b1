"""The items of a task, by name: bundled with the project, from a local public release, or from the Hub at a commit.

All three give the same documents. Every document has `item_id` (stable, and the same in every mode of a set),
`stem` (what is asked), `options` (what can be chosen), `gold` (index of the right option, 0-based) and, for short
answers, `accepted`; the fields that the set's own prompt needs stand beside them. `sets/` says what a row of each
release becomes. Source of the layouts: the sets' public repositories (docs/datasets.md).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, overload

from runners.child.tables import DatasetError, Row, bad_row, read_bytes, rows, sha256

__all__ = ["DatasetError", "Docs", "Part", "Splits", "load"]

BUNDLED = Path(__file__).parents[1] / "data"
COMMIT = re.compile(r"[0-9a-f]{40}")
Doc = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One table of a release: where it lies locally and on the Hub, and what its rows become.

    files: per split the places, relative to the set's folder, where the release keeps it (globs, first match wins).
    hub: `(id, config)`; None for a set that is never on the Hub. hub_splits: our split -> the Hub's.
    row: a row of the local file -> the Hub's row (ValueError, KeyError or IndexError: a bad row).
    doc: `(hub_row, index) -> document`, or None where the row belongs to another task.
    """

    files: Mapping[str, Sequence[str]]
    doc: Callable[[Row, int], Doc | None]
    row: Callable[[Row], Row] = dict
    hub: tuple[str, str | None] | None = None
    hub_splits: Mapping[str, str] = field(default_factory=dict)


class Docs(Sequence[Doc]):
    """Documents as lm-eval wants them: a sequence with `features`, without the copying of an Arrow table."""

    def __init__(self, docs: list[Doc]) -> None:
        self._docs = docs
        self.features: dict[str, None] = dict.fromkeys(docs[0]) if docs else {}

    @overload
    def __getitem__(self, index: int) -> Doc: ...
    @overload
    def __getitem__(self, index: slice) -> list[Doc]: ...
    def __getitem__(self, index: int | slice) -> Doc | list[Doc]:
        return self._docs[index]

    def __len__(self) -> int:
        return len(self._docs)

    def __iter__(self) -> Iterator[Doc]:
        return iter(self._docs)


class Splits(Mapping[str, Docs]):
    """The splits of one task, each read when it is first asked for.

    `fingerprint` covers what has been read so far: sha256 over the sorted (name, sha256) of the local files, or
    `id@commit` on the Hub.
    """

    def __init__(self, parts: Sequence[Part], source: str, root: Path, revision: str | None, shots: int | None) -> None:
        self._parts, self._source, self._root, self._revision = parts, source, root, revision
        self._shots = shots
        self._splits: dict[str, Docs] = {}
        self._hashes: dict[str, str] = {}

    @property
    def fingerprint(self) -> str:
        if self._source == "hub":
            return f"{self._parts[0].hub[0]}@{self._revision}" if self._parts[0].hub else ""
        listing = "\n".join(f"{name} {digest}" for name, digest in sorted(self._hashes.items()))
        return sha256(listing.encode())

    def __getitem__(self, split: str) -> Docs:
        if split not in self._splits:
            if split != "test" and self._shots == 0:
                return Docs([])
            try:
                self._splits[split] = Docs(list(self._read(split)))
            except DatasetError as error:
                # Unknown shots (lm-eval's own command line): the examples' file is needed only where shots are asked.
                if split == "test" or self._shots is not None or error.kind != "missing_file":
                    raise
                self._splits[split] = Docs([])
        return self._splits[split]

    def __iter__(self) -> Iterator[str]:
        return iter(self._splits)

    def __len__(self) -> int:
        return len(self._splits)

    def _read(self, split: str) -> Iterator[Doc]:
        seen: set[str] = set()
        for part in self._parts:
            read = self._hub(part, split) if self._source == "hub" else self._local(part, split)
            for where, line, doc in read:
                if doc["item_id"] in seen:
                    raise bad_row(where, line, f"the item {doc['item_id']} occurs twice")
                seen.add(doc["item_id"])
                yield doc
        if not seen:
            raise DatasetError(
                "changed_file", f"No item for this task in {self._root}, split {split}.", path=str(self._root)
            )

    def _local(self, part: Part, split: str) -> Iterator[tuple[str, int, Doc]]:
        index = 0
        for path in _find(self._root, part.files.get(split, ())):
            raw = read_bytes(path)
            self._hashes[path.relative_to(self._root).as_posix()] = sha256(raw)
            for line, row in rows(path, raw):
                doc = _shape(part, part.row, row, index, str(path), line)
                index += 1
                if doc is not None:
                    yield str(path), line, doc

    def _hub(self, part: Part, split: str) -> Iterator[tuple[str, int, Doc]]:
        if part.hub is None:
            raise DatasetError("missing_file", "This set is read from a local folder only: set GYEORU_DATASETS.")
        where = f"{part.hub[0]}@{self._revision}"
        for index, row in enumerate(_from_hub(part.hub, part.hub_splits.get(split, split), self._revision)):
            doc = _shape(part, dict, row, index, where, index + 1)
            if doc is not None:
                yield where, index + 1, doc


def _shape(part: Part, to_row: Callable[[Row], Row], raw: Row, index: int, where: str, line: int) -> Doc | None:
    try:
        return part.doc(to_row(raw), index)
    except KeyError as error:
        raise bad_row(where, line, f"the field {error} is missing") from error
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise bad_row(where, line, str(error)) from error


def _find(root: Path, places: Sequence[str]) -> list[Path]:
    """The files of the first place that has any."""
    for place in places:
        if found := sorted(p for p in root.glob(place) if p.is_file()):
            return found
    wanted = " or ".join(str(root / place) for place in places) or f"a file for this split in {root}"
    raise DatasetError(
        "missing_file",
        f"{wanted} is not there. Put the release's files below {root} (docs/datasets.md has the layout of each set).",
        path=str(root),
    )


def _from_hub(hub: tuple[str, str | None], split: str, revision: str | None) -> Iterator[Row]:
    from datasets import load_dataset

    name, config = hub
    try:
        table = load_dataset(name, config, split=split, revision=revision)
    except (OSError, ValueError) as error:
        message = (
            f"{name} at commit {revision} (config {config}, split {split}) could not be read from the Hub: "
            f"{error}. Check the network and HF_TOKEN, or put the release below GYEORU_DATASETS."
        )
        raise DatasetError("hub_unreachable", message, path=name) from error
    yield from table


def load(
    release: str,
    subset: str,
    source: str | None = None,
    root: str | None = None,
    revision: str | None = None,
    shots: int | None = None,
    **_: Any,
) -> Splits:
    """The documents of one subset of one set; lm-eval calls this as a task's `custom_dataset`.

    Args:
        release, subset: as the task's YAML names them, e.g. "kobest", "boolq".
        source: "bundled", "local" or "hub"; by default bundled for our own sets and local for all others.
        root: the folder that holds the sets' folders; by default GYEORU_DATASETS.
        revision: the 40-hex commit on the Hub; for local files the pinned fingerprint, checked in `tasks.load_task`.
        shots: 0 reads no other split than test.
    Raises:
        DatasetError: at once where the source itself is wrong, else when a split is first asked for.
    """
    parts: list[Part] = import_module(f"runners.child.sets.{release.replace('-', '_')}").parts(subset)
    source = source or ("bundled" if (BUNDLED / release).is_dir() else "local")
    if source == "hub" and not COMMIT.fullmatch(revision or ""):
        message = f"{release} needs a pinned commit of 40 hexadecimal digits, not {revision!r}: resolve it first."
        raise DatasetError("unpinned", message, path=release)
    base = BUNDLED if source == "bundled" else Path(root or os.environ.get("GYEORU_DATASETS") or "")
    if source == "local" and not str(root or os.environ.get("GYEORU_DATASETS") or ""):
        message = f"{release} is read from a local folder, but GYEORU_DATASETS is not set. Set it to the folder."
        raise DatasetError("missing_file", message, path=release)
    return Splits(parts, source, base / release, revision, shots)


def local_folder(release: str, root: Path) -> Path | None:
    """The folder of a release below a datasets root, where there is one."""
    folder = root / release
    return folder if folder.is_dir() else None
