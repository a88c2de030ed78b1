"""What the verbs of the arena raise instead of doing."""

from __future__ import annotations


class Refused(Exception):
    """A wish that cannot be met; the message says what to do. `status` is the HTTP status that fits."""

    def __init__(self, kind: str, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.kind, self.message, self.status = kind, message, status
