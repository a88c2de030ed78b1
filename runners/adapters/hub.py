"""The door to the Hugging Face Hub: names to commits, facts of a model at its commit, and its files.

Honours HF_ENDPOINT and HF_TOKEN; on an air-gapped network a folder `<GYEORU_HOME>/models/<owner>/<name>@<sha>` that
somebody carried in is used as it is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,99}", re.ASCII)
SHA = re.compile(r"[0-9a-f]{40}")
ALLOWED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "tokenizer*")
CONFIG_LIMIT = 2 * 1024**2
FILES_LIMIT = 2000
TIMEOUT = 10.0


@dataclass
class HubError(Exception):
    """The Hub said no or nothing. kind: bad_name, bad_revision, missing, gated, unreachable, pickle_only,
    remote_code, too_large, no_config. `permanent` answers whether trying again later can help."""

    kind: str
    message: str
    permanent: bool = True

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


def resolve(hub_id: str, revision: str = "main") -> HubModel:
    """The model at the commit that `revision` names now. Raises HubError."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    hub_id, revision = check_name(hub_id), check_revision(revision)
    try:
        info = _api().model_info(hub_id, revision=revision, files_metadata=True, timeout=TIMEOUT)
    except GatedRepoError as error:
        raise HubError("gated", f"{hub_id} is gated on the Hub; this site has not been given access.") from error
    except RevisionNotFoundError as error:
        raise HubError("bad_revision", f"{hub_id} has no revision “{revision}”.") from error
    except RepositoryNotFoundError as error:
        raise HubError("missing", f"{hub_id} does not exist on the Hub, or is private.") from error
    except Exception as error:
        raise HubError("unreachable", f"The Hub cannot be reached ({type(error).__name__}).", False) from error
    return _facts(hub_id, info)


def _facts(asked: str, info: Any) -> HubModel:
    files = {file.rfilename: file.size or 0 for file in info.siblings or []}
    weights = sum(size for name, size in files.items() if name.endswith(".safetensors"))
    config = info.config or {}
    template = (config.get("tokenizer_config") or {}).get("chat_template") or config.get("chat_template_jinja")
    card = info.card_data.to_dict() if info.card_data else {}
    licence = card.get("license") or next((t[8:] for t in info.tags or [] if t.startswith("license:")), "")
    safetensors = getattr(info, "safetensors", None)
    return HubModel(
        hub_id=info.id,
        sha=info.sha,
        size=sum(files.values()),
        weights=weights,
        n_parameters=getattr(safetensors, "total", None),
        licence=licence if isinstance(licence, str) else ", ".join(map(str, licence)),
        gated=bool(info.gated),
        has_chat_template=bool(template) or "chat_template.jinja" in files,
        files=tuple(sorted(files)),
        moved_from=asked if info.id.lower() != asked.lower() else None,
        last_modified=info.last_modified.isoformat() if info.last_modified else None,
    )


def check_files(model: HubModel) -> None:
    """Refuses what could run code or can't be loaded: HubError pickle_only, remote_code, too_large, no_config."""
    if code := [name for name in model.files if name.endswith((".py", ".so", ".dll"))]:
        raise HubError(
            "remote_code",
            f"{model.hub_id} carries code ({code[0]}); only models of stable transformers classes are run.",
        )
    if "config.json" not in model.files:
        raise HubError("no_config", f"{model.hub_id} has no config.json; it is not a transformers model.")
    if not model.weights:
        raise HubError(
            "pickle_only",
            f"{model.hub_id} has no .safetensors weights. Pickled weights can run code and are refused; "
            "convert them to safetensors and upload them again.",
        )
    if model.weights > settings.MAX_MODEL_BYTES or len(model.files) > FILES_LIMIT:
        raise HubError(
            "too_large",
            f"{model.hub_id} has {model.weights / 1024**3:.0f} GB of weights in {len(model.files)} files; this site "
            f"runs up to {settings.MAX_MODEL_BYTES / 1024**3:.0f} GB.",
        )


def check_config(model: HubModel) -> None:
    """Reads every small JSON file of the pinned commit and refuses `auto_map` at any depth (HubError)."""
    for name in model.files:
        if "/" in name or not name.endswith(".json") or name.endswith(".index.json") or name == "tokenizer.json":
            continue
        path = fetch_file(model, name)
        if path.stat().st_size > CONFIG_LIMIT:
            raise HubError("too_large", f"{name} of {model.hub_id} is larger than {CONFIG_LIMIT // 1024**2} MB.")
        try:
            content = json.loads(path.read_text())
        except ValueError as error:
            raise HubError("no_config", f"{name} of {model.hub_id} is not JSON: {error}.") from error
        if _has_key(content, "auto_map") or _has_key(content, "custom_pipelines"):
            raise HubError(
                "remote_code",
                f"{name} of {model.hub_id} asks for code of its own (auto_map); only models of stable transformers "
                "classes are run.",
            )


def fetch_file(model: HubModel, name: str) -> Path:
    """One file at the pinned commit, from the cache or the Hub. Raises HubError."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(
            hf_hub_download(
                model.hub_id, name, revision=model.sha, cache_dir=settings.HOME / "hub", etag_timeout=TIMEOUT,
                endpoint=os.environ.get("HF_ENDPOINT"),
            )
        )  # fmt: skip
    except Exception as error:
        raise HubError("unreachable", f"{name} of {model.hub_id} could not be read ({type(error).__name__}).", False) \
            from error  # fmt: skip


def folder(hub_id: str, sha: str) -> Path:
    """Where the files of a model at a commit lie on this machine."""
    if not SHA.fullmatch(sha):
        raise HubError("bad_revision", f"{hub_id} is not pinned to a commit.")
    owner, name = check_name(hub_id).split("/")
    return Path(settings.HOME) / "models" / owner / f"{name}@{sha}"


def download(hub_id: str, sha: str, say: Callable[[str], None] = lambda text: None) -> Path:
    """The folder with the allowed files at the commit; resumes a download that was cut. Raises HubError."""
    target = folder(hub_id, sha)
    if (target / ".complete").exists():
        return target
    if target.exists() and not (target / ".cache").exists():
        return target  # carried in by hand on an air-gapped network
    from huggingface_hub import snapshot_download

    say(f"downloading {hub_id}@{sha[:12]}")
    try:
        snapshot_download(
            hub_id, revision=sha, local_dir=target, allow_patterns=list(ALLOWED), etag_timeout=TIMEOUT,
            endpoint=os.environ.get("HF_ENDPOINT"),
        )  # fmt: skip
    except Exception as error:
        raise HubError("unreachable", f"{hub_id} could not be downloaded ({type(error).__name__}).", False) from error
    (target / ".complete").touch()
    return target


def dataset_sha(hub_id: str) -> str:
    """The commit that `main` of a data set names now. Raises HubError."""
    try:
        sha = _api().dataset_info(hub_id, timeout=TIMEOUT).sha
    except Exception as error:
        raise HubError(
            "unreachable",
            f"The data set {hub_id} cannot be reached on the Hub ({type(error).__name__}). Put its public release "
            "below GYEORU_DATASETS to run without the Hub (docs/datasets.md).",
            False,
        ) from error
    return str(sha)


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=os.environ.get(settings.HF_TOKEN_ENV) or False)


def _has_key(content: object, key: str) -> bool:
    if isinstance(content, dict):
        return key in content or any(_has_key(value, key) for value in content.values())
    return isinstance(content, list) and any(_has_key(value, key) for value in content)
