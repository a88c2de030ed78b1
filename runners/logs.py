"""Logs that never carry a secret."""

from __future__ import annotations

import json
import logging
import os
import re
from datetime import UTC, datetime
from typing import Any

_SHAPES = re.compile(r"hf_[A-Za-z0-9]{10,}|sk-[A-Za-z0-9_-]{10,}|(?<=Bearer )\S+|(?<=://)[^/@\s:]*:[^/@\s]+(?=@)")
_RUN = re.compile(r"\brun (\d+)\b")
_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """`text` with tokens by their shape, and the values of secret environment variables, replaced by ***."""
    for name, value in os.environ.items():
        if len(value) >= 8 and _NAMES.search(name):
            text = text.replace(value, "***")
    return _SHAPES.sub("***", text)


class SecretFilter(logging.Filter):
    """Rewrites each record's message through `without_secrets`."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_secrets(record.getMessage()), None
        return True


class LineFormatter(logging.Formatter):
    """Lines for people; tracebacks are freed of secrets too."""

    def formatException(self, exc_info: Any) -> str:
        return without_secrets(super().formatException(exc_info))


class JSONFormatter(LineFormatter):
    """One JSON object a line: at, level, logger, message, pid; run, worker and error (a traceback) where known."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        run = _RUN.search(message)
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            "run": int(run[1]) if run else None,
            "worker": os.environ.get("GYEORU_WORKER"),
            "pid": record.process,
            "error": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({key: value for key, value in line.items() if value is not None}, ensure_ascii=False)


def for_the_public(text: str) -> str:
    """`text` as a page may show it: without secrets, and with this machine's folders by the names of their settings."""
    from django.conf import settings

    folders = {"GYEORU_DATASETS": settings.DATASETS_ROOT, "GYEORU_HOME": str(settings.HOME)}
    for name, folder in folders.items():
        if folder:
            text = text.replace(str(folder).rstrip("/"), name)
    return without_secrets(text)
