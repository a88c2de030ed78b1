"""Logs that never carry a secret."""

from __future__ import annotations

import logging
import os
import re

_SHAPES = re.compile(r"hf_[A-Za-z0-9]{10,}|sk-[A-Za-z0-9_-]{10,}|(?<=Bearer )\S+|(?<=://)[^/@\s:]*:[^/@\s]+(?=@)")
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


def for_the_public(text: str) -> str:
    """`text` as a page may show it: without secrets, and with this machine's folders by the names of their settings."""
    from django.conf import settings

    folders = {"GYEORU_DATASETS": settings.DATASETS_ROOT, "GYEORU_HOME": str(settings.HOME)}
    for name, folder in folders.items():
        if folder:
            text = text.replace(str(folder).rstrip("/"), name)
    return without_secrets(text)
