"""Errors of the evaluation child: what went wrong, whether a retry can help, and what to change."""

from __future__ import annotations

import errno
import sqlite3
from typing import Literal

ErrorKind = Literal[
    "bad_spec",
    "config_changed",
    "dataset_missing",
    "dataset_changed",
    "unsupported_task",
    "missing_dependency",
    "unsafe_model",
    "model_missing",
    "unsupported_model",
    "does_not_fit",
    "no_chat_template",
    "endpoint_down",
    "endpoint_slow",
    "endpoint_html",
    "endpoint_error",
    "auth",
    "model_not_found",
    "rate_limited",
    "no_answers",
    "other_question",
    "disk_full",
    "internal",
]


class ChildError(Exception):
    """A run that cannot go on. `permanent`: another attempt with the same spec would end the same way."""

    def __init__(self, kind: ErrorKind, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind
        self.message = message
        self.permanent = permanent


class TryAgain(Exception):
    """A model asks for the requests still unanswered once more; it has changed something that may help."""


class Cancelled(BaseException):
    """The run was asked to stop. Not an Exception, so that no retry loop in between can swallow it."""


def disk_full(where: object) -> ChildError:
    return ChildError(
        "disk_full",
        f"No space left while writing {where}. Free some space on that disk and run again; "
        "the answers stored so far are kept.",
        permanent=False,
    )


def is_disk_full(error: BaseException) -> bool:
    """Whether an OSError or a SQLite error says that the disk or the quota is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
    return False
