"""What an attempt that ended badly leaves in its run's row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings

from runners import clock
from runners.models import EvaluationRun

# Characters of the child's last words that stay with the run.
LOG_TAIL = 20_000


def values(
    run: EvaluationRun, kind: str, text: str, *, ended: bool, log: str = "", pause: float | None = None
) -> dict[str, Any]:
    """Columns and their new values: back in line with a pause, or at its end with the reason."""
    now = clock.now()
    entry = {
        "attempt": run.attempt,
        "at": now.isoformat(),
        "worker": run.worker,
        "kind": kind,
        "text": text[:500],
    }
    judged = run.status == "judging"
    # What was finished before it was judged again stays finished; error_kind says how the new judging ended.
    last = "finished" if judged and run.finished_at is not None else "failed"
    columns: dict[str, Any] = {
        "status": last if ended else "judging" if judged else "queued",
        "token": "",
        "lease_until": None,
        "hinted_at": None,
        "error_kind": kind[:40],
        "error_text": text,
        "attempts_log": [*run.attempts_log, entry],
        "stage": "",
    }
    if log:
        columns["log_tail"] = log[-LOG_TAIL:]
    if ended:
        columns["finished_at"] = run.finished_at or now
    else:
        wait = settings.RETRY_SECONDS * 4 ** max(run.attempt - 1, 0) if pause is None else pause
        columns["not_before"] = now + timedelta(seconds=wait)
    return columns
