"""A model as the Hub or a folder on this machine tells it: its name, its commit, its files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,99}", re.ASCII)
SHA = re.compile(r"[0-9a-f]{40}")


@dataclass
class HubError(Exception):
    """The Hub said no or nothing. kind: bad_name, bad_revision, missing, gated, unreachable, pickle_only,
    remote_code, too_large, no_config. `permanent` answers whether trying again later can help; `detail` is the file
    or the status that it is about."""

    kind: str
    message: str
    permanent: bool = True
    detail: str = ""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class HubModel:
    """A model at one commit, as the Hub tells it. Sizes in bytes; None where the Hub does not say."""

    hub_id: str
    sha: str
    size: int
    weights: int
    n_parameters: int | None
    licence: str
    gated: bool
    has_chat_template: bool
    files: tuple[str, ...]
    moved_from: str | None = None
    last_modified: str | None = None
    sizes: Mapping[str, int] = field(default_factory=dict, compare=False)
    folder: Path | None = None


def check_name(hub_id: str) -> str:
    """`owner/name`, or HubError("bad_name"). A bare name could be a local folder to transformers."""
    hub_id = hub_id.strip()
    if not NAME.fullmatch(hub_id) or ".." in hub_id or "--" in hub_id or hub_id.endswith((".git", ".ipynb")):
        raise HubError("bad_name", f"“{hub_id[:120]}” is not a model name of the form owner/name.")
    return hub_id


def check_revision(revision: str) -> str:
    """A branch, tag or commit, or HubError("bad_revision")."""
    revision = revision.strip() or "main"
    if not REVISION.fullmatch(revision) or ".." in revision:
        raise HubError("bad_revision", f"“{revision[:120]}” is not a branch, a tag or a commit.")
    return revision


def folder(hub_id: str, sha: str) -> Path:
    """Where the files of a model at a commit lie on this machine."""
    if not SHA.fullmatch(sha):
        raise HubError("bad_revision", f"{hub_id} is not pinned to a commit.")
    owner, name = check_name(hub_id).split("/")
    return Path(settings.HOME) / "models" / owner / f"{name}@{sha}"


def is_carried(target: Path) -> bool:
    """Whether a folder was put (or linked) there whole by somebody, or downloaded to its end."""
    whole = target.is_symlink() or (target / ".complete").exists() or not (target / ".cache").exists()
    return target.is_dir() and whole


def carried(hub_id: str) -> list[str]:
    """The commits of a model whose folders lie on this machine."""
    owner, name = check_name(hub_id).split("/")
    found = (path for path in (Path(settings.HOME) / "models" / owner).glob(f"{name}@*") if is_carried(path))
    return sorted(sha for path in found if SHA.fullmatch(sha := path.name.rpartition("@")[2]))


def read_folder(path: Path, hub_id: str, sha: str) -> HubModel:
    """A model folder on this machine, told as the Hub would. Raises HubError."""
    parts = (file.relative_to(path) for file in sorted(path.rglob("*")) if file.is_file())
    names = [part for part in parts if not part.parts[0].startswith(".")]
    sizes = {part.as_posix(): (path / part).stat().st_size for part in names}
    tokenizer = _local_json(path / "tokenizer_config.json")
    return HubModel(
        hub_id=hub_id,
        sha=sha,
        size=sum(sizes.values()),
        weights=sum(size for name, size in sizes.items() if name.endswith(".safetensors")),
        n_parameters=None,
        licence="",
        gated=False,
        has_chat_template="chat_template.jinja" in sizes or bool(tokenizer.get("chat_template")),
        files=tuple(sizes),
        sizes=sizes,
        folder=path,
    )


def _local_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
