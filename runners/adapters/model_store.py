"""Room for models on this machine's disk: reserved before a download, made by dropping the longest unused ones.

Reservations and uses are files below GYEORU_HOME/models, since a disk is one machine's and not the database's. What
somebody carried in, or pinned with a file `.pinned` in its folder, is never dropped, nor is what a process uses.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings

from runners.adapters.hub_model import HubError

log = logging.getLogger(__name__)
# Parts of a download lie twice on the disk for a moment, and file systems take some for themselves.
MARGIN = 1.1
_uses: dict[Path, IO[str]] = {}


@contextmanager
def reserved(target: Path, n_bytes: int) -> Iterator[None]:
    """Room for `n_bytes` in the folder `target`, and nobody else downloading into it. Raises HubError("no_disk")."""
    wanted = int(n_bytes * MARGIN)
    with _locked(f"{target.parent.name}-{target.name}"), _room(target, wanted):
        for part in (target / ".cache").rglob("*.incomplete"):
            part.unlink(missing_ok=True)  # of a process that died; the client begins a file that was cut anew
        yield


@contextmanager
def _room(target: Path, wanted: int) -> Iterator[None]:
    with _locked("room"):
        missing = wanted - size(target) - _available()
        for folder in _droppable():
            if missing <= 0:
                break
            missing -= _drop(folder)
        if missing > 0:
            raise HubError(
                "no_disk",
                f"{wanted / 1024**3:.1f} GB are needed for this model and {max(0, wanted - missing) / 1024**3:.1f} GB "
                "are free on the worker's disk. Free some space there; the run will be tried again.",
                False,
                f"{missing} bytes",
            )
        mark = _marks() / f"{os.getpid()}-{target.name}"
        mark.write_text(f"{wanted} {target}")
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def use(target: Path) -> None:
    """This process uses the model until it ends: nobody drops it, and it counts as used just now."""
    if target.is_symlink() or target in _uses:
        return
    try:
        file = (target / ".used").open("a")
        fcntl.flock(file, fcntl.LOCK_SH)
        os.utime(file.fileno())
    except OSError:
        return  # carried in on a read-only disk: never dropped anyhow
    _uses[target] = file


def _available() -> int:
    """Bytes free beyond the floor that runs need and what other downloads still have to come, maybe negative."""
    pending = 0
    for mark in _marks().iterdir():
        try:
            wanted, folder = mark.read_text().split(" ", 1)
        except (OSError, ValueError):
            continue
        if not Path(f"/proc/{mark.name.split('-', 1)[0]}").exists():
            mark.unlink(missing_ok=True)  # its download died with its process
            continue
        pending += max(0, int(wanted) - size(Path(folder)))
    return shutil.disk_usage(settings.HOME).free - settings.MIN_FREE_BYTES - pending


def _droppable() -> list[Path]:
    """Models that were downloaded here, are not pinned and not in use, the longest unused first."""
    found = []
    for mark in (settings.HOME / "models").glob("*/*@*/.complete"):
        folder = mark.parent
        if not folder.is_symlink() and not (folder / ".pinned").exists() and not _in_use(folder):
            used = folder / ".used"
            found.append(((used if used.exists() else mark).stat().st_mtime, folder))
    return [folder for _, folder in sorted(found)]


def _in_use(folder: Path) -> bool:
    try:
        with (folder / ".used").open("r") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _drop(folder: Path) -> int:
    """Removes a model and says how many bytes that freed; under another name first, so that nobody takes half of it."""
    freed = size(folder)
    gone = settings.HOME / "models" / f".dropped-{os.getpid()}-{folder.name}"
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    log.warning("dropped the model %s to make room: %.1f GB", folder.name, freed / 1024**3)
    return freed


def size(folder: Path) -> int:
    """Bytes on the disk below a folder, the parts of a download that was cut included; 0 where there is none."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512 if path.is_file() else 0
        except OSError:
            continue  # renamed under our eyes by the download
    return total


def _marks() -> Path:
    folder: Path = settings.HOME / "models" / ".reserved"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _locked(what: str) -> Iterator[None]:
    """One process of this machine at a time."""
    locks: Path = settings.HOME / "models" / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / what).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
