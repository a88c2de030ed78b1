"""Bringing a model's files to this machine while the attempt keeps its lease: a download may take an hour."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.conf import settings

from runners.adapters import hub, model_store
from runners.models import ModelRevision
from runners.specify import CannotRun


def fetch(revision: ModelRevision, pulse: Callable[[int, int | None, str], None]) -> None:
    """Returns when the files are here. Calls `pulse` all the while and lets pass what it raises.

    Raises CannotRun: model_<what the Hub said>, or no_disk, which another attempt may find otherwise.
    """
    if not revision.hub_id or revision.endpoint_id:
        return
    ended: list[BaseException] = []
    # A daemon: an attempt that is stopped leaves at once, and what came so far stays for the next one.
    thread = threading.Thread(target=_download, args=(revision.hub_id, revision.commit_sha, ended), daemon=True)
    thread.start()
    target = hub.folder(revision.hub_id, revision.commit_sha)
    while thread.is_alive():
        thread.join(settings.BEAT_SECONDS / 2)
        if thread.is_alive():
            pulse(0, None, f"downloading, {model_store.size(target) / 1024**3:.1f} GB")
    for error in ended:
        if isinstance(error, hub.HubError):
            kind = error.kind if error.kind == "no_disk" else f"model_{error.kind}"
            raise CannotRun(kind, error.message, error.permanent) from error
        raise error


def _download(hub_id: str, sha: str, ended: list[BaseException]) -> None:
    try:
        hub.download(hub_id, sha)
    except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
        ended.append(error)
