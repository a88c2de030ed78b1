"""The durable log of answers in one SQLite file, and the names of requests in it.

Append-only (WAL): the last row of a key counts, and a failed request is a row without a value.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from runners.child.errors import disk_full, is_disk_full
from runners.child.markers import FAILED

SETTINGS_MOST = 1024
SCHEMA = """
CREATE TABLE IF NOT EXISTS answer (
    namespace TEXT NOT NULL, key BLOB NOT NULL, occurrence INTEGER NOT NULL,
    failed INTEGER NOT NULL, text TEXT, loglikelihood REAL, greedy INTEGER, meta TEXT
);
CREATE INDEX IF NOT EXISTS answer_namespace ON answer (namespace);
"""
INSERT = "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
COLUMNS = "key, occurrence, failed, text, loglikelihood, greedy, meta"
SELECT = f"SELECT {COLUMNS} FROM answer WHERE namespace = ? ORDER BY rowid"  # noqa: S608

Key = tuple[bytes, int]
Meta = dict[str, Any]


class Answer(NamedTuple):
    """What came back for one request: a text, a (natural log-likelihood, greedy) pair, or FAILED.

    meta: finish_reason, prompt_tokens, completion_tokens, seconds, error; absent where unknown.
    """

    value: Any
    meta: Meta | None


class AnswerLog:
    """The durable log in one file; every call may come from any thread.

    Raises ChildError("disk_full") when SQLite cannot write; rows committed before stay readable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with _writing(self.path):
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=20000"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.executescript(SCHEMA)

    def known(self, namespace: str) -> dict[Key, Answer]:
        """All answers stored under `namespace` but the failed requests, which are to be asked again."""
        found: dict[Key, Answer] = {}
        with self._lock:
            rows = self._connection.execute(SELECT, (namespace,)).fetchall()
        for key, occurrence, failed, text, loglikelihood, greedy, meta in rows:
            if not failed:
                value = text if text is not None else _score(loglikelihood, greedy)
                found[key, occurrence] = Answer(value, json.loads(meta) if meta else None)
        return found

    def append(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Store rows in one transaction."""
        with self._lock, _writing(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(INSERT, rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        if is_disk_full(error):
            raise disk_full(path) from error
        raise


def _score(loglikelihood: float | None, greedy: int | None) -> Any:
    """A stored likelihood as lm-eval gave it: SQLite keeps NaN as NULL, and a rolling likelihood has no
    greedy.
    """
    number = math.nan if loglikelihood is None else loglikelihood
    return number if greedy is None else (number, bool(greedy))


def row_of(namespace: str, key: Key, answer: Answer) -> tuple[Any, ...]:
    value, meta = answer
    failed, text, loglikelihood, greedy = value is FAILED, None, None, None
    if failed:
        pass
    elif isinstance(value, str):
        text = value
    elif isinstance(value, tuple | list):
        loglikelihood, greedy = float(value[0]), int(value[1])
    else:
        loglikelihood = float(value)
    return (
        namespace,
        *key,
        failed,
        text,
        loglikelihood,
        greedy,
        json.dumps(meta, ensure_ascii=False) if meta else None,
    )


_texts: dict[str, str] = {}


def _text_of(settings: Any) -> str:
    """Canonical JSON of generation settings, made once for all that look the same."""
    shown = repr(settings)
    if shown not in _texts:
        if len(_texts) >= SETTINGS_MOST:
            _texts.clear()
        _texts[shown] = json.dumps(settings, sort_keys=True, default=str)
    return _texts[shown]


def key_of(kind: str, args: Iterable[Any]) -> bytes:
    """16 bytes that name a request: its kind, its prompt and its continuation or generation settings."""
    parts = [kind, *(a if isinstance(a, str) else _text_of(a) for a in args)]
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
