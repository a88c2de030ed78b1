"""The door to the Hugging Face Hub: names to commits, facts of a model at its commit, and its files.

Honours HF_ENDPOINT and HF_TOKEN; on an air-gapped network a folder `<GYEORU_HOME>/models/<owner>/<name>@<sha>` that
somebody carried in is used as it is, and its revision is that sha.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from django.conf import settings

from runners.adapters import model_store
from runners.adapters.hub_model import (
    SHA,
    HubError,
    HubModel,
    carried,
    check_name,
    check_revision,
    folder,
    is_carried,
    read_folder,
)

__all__ = [
    "FILES_LIMIT",
    "HubError",
    "HubModel",
    "carried",
    "check_config",
    "check_files",
    "check_name",
    "check_revision",
    "dataset_sha",
    "download",
    "folder",
    "read_folder",
    "resolve",
]

ALLOWED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "tokenizer*")
CONFIG_LIMIT = 2 * 1024**2
CONFIGS_LIMIT = 40
FILES_LIMIT = 2000
# Tables that loaders read as data alone; nothing in them can name a class.
TABLES = ("tokenizer.json", "vocab.json", "added_tokens.json", "special_tokens_map.json", ".index.json")
TIMEOUT = 10.0


def resolve(hub_id: str, revision: str = "main") -> HubModel:
    """The model at the commit that `revision` names now; a folder carried in is read instead. Raises HubError."""
    hub_id, revision = check_name(hub_id), check_revision(revision)
    if SHA.fullmatch(revision) and is_carried(folder(hub_id, revision)):
        return read_folder(folder(hub_id, revision), hub_id, revision)
    with _asking(hub_id, revision):
        info = _api().model_info(hub_id, revision=revision, files_metadata=True, timeout=TIMEOUT)
    return _facts(hub_id, info)


@contextmanager
def _asking(hub_id: str, revision: str) -> Iterator[None]:
    """Whatever the client raises, as a HubError."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except HubError:
        raise
    except GatedRepoError as error:
        raise HubError("gated", f"{hub_id} is gated on the Hub; this site has not been given access.") from error
    except RevisionNotFoundError as error:
        raise HubError("bad_revision", f"{hub_id} has no revision “{revision}”.", detail=revision) from error
    except RepositoryNotFoundError as error:
        raise HubError("missing", f"{hub_id} does not exist on the Hub, or is private.") from error
    except HfHubHTTPError as error:
        code, status = error.response.status_code, f"HTTP {error.response.status_code}"
        if code in (401, 403, 404, 410) and "credentials" not in error.response.headers.get("X-Error-Message", ""):
            # The client tells a missing repository by its address, which it knows of the public Hub alone.
            raise HubError("missing", f"{hub_id} does not exist on the Hub, or is private.", True, status) from error
        raise HubError("unreachable", f"The Hub answered {status}.", False, status) from error
    except Exception as error:
        name = type(error).__name__
        raise HubError("unreachable", f"The Hub cannot be reached ({name}).", False, name) from error


def _facts(asked: str, info: Any) -> HubModel:
    if not SHA.fullmatch(info.sha or ""):
        raise HubError("unreachable", f"The Hub names no commit for {asked}.", False, "no commit")
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
        licence=(licence if isinstance(licence, str) else ", ".join(map(str, licence)))[:100],
        gated=bool(info.gated),
        has_chat_template=bool(template) or "chat_template.jinja" in files,
        files=tuple(sorted(files)),
        moved_from=asked if info.id.lower() != asked.lower() else None,
        last_modified=info.last_modified.isoformat() if info.last_modified else None,
        sizes=files,
    )


def check_files(model: HubModel) -> None:
    """Refuses what could run code or can't be loaded: HubError pickle_only, remote_code, too_large, no_config."""
    if code := [name for name in model.files if name.endswith((".py", ".so", ".dll"))]:
        raise HubError(
            "remote_code",
            f"{model.hub_id} carries code ({code[0]}); only models of stable transformers classes are run.",
            detail=code[0],
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
            detail=f"{model.weights / 1024**3:.0f} GB",
        )


def check_config(model: HubModel) -> None:
    """Reads every configuration file of the pinned commit, those in sub-folders too, and refuses code of its own.

    Raises HubError remote_code for `auto_map` or `custom_pipelines` at any depth, too_large, no_config, gated.
    """
    names = [name for name in model.files if name.endswith(".json") and not name.endswith(TABLES)]
    if len(names) > CONFIGS_LIMIT:
        raise HubError("too_large", f"{model.hub_id} has {len(names)} JSON files; {CONFIGS_LIMIT} are read at most.")
    for name in names:
        try:
            content = json.loads(read_file(model, name))
        except (ValueError, RecursionError) as error:
            raise HubError(
                "no_config", f"{name} of {model.hub_id} is not JSON: {type(error).__name__}.", detail=name
            ) from error
        if key := next((key for key in ("auto_map", "custom_pipelines") if _has_key(content, key)), None):
            raise HubError(
                "remote_code",
                f"{name} of {model.hub_id} asks for code of its own ({key}); only models of stable transformers "
                "classes are run.",
                detail=f"{name}: {key}",
            )


def read_file(model: HubModel, name: str) -> bytes:
    """One small file at the pinned commit, from its folder or the Hub. Raises HubError, too_large above the limit."""
    too_large = HubError(
        "too_large", f"{name} of {model.hub_id} is larger than {CONFIG_LIMIT // 1024**2} MB.", detail=name
    )
    if model.sizes.get(name, 0) > CONFIG_LIMIT:
        raise too_large
    if model.folder is not None:
        return (model.folder / name).read_bytes()
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils._headers import build_hf_headers
    from huggingface_hub.utils._http import hf_raise_for_status

    url = hf_hub_url(model.hub_id, name, revision=model.sha, endpoint=os.environ.get("HF_ENDPOINT"))
    content = b""
    with (
        _asking(model.hub_id, model.sha),
        get_session().stream("GET", url, headers=build_hf_headers(token=_token()), timeout=TIMEOUT) as response,
    ):
        hf_raise_for_status(response)
        for block in response.iter_bytes():
            content += block
            if len(content) > CONFIG_LIMIT:
                raise too_large
    return content


def download(hub_id: str, sha: str, say: Callable[[str], None] = lambda text: None) -> Path:
    """The folder with the allowed files at the commit; goes on with a download that was cut. Raises HubError."""
    target = folder(hub_id, sha)
    if is_carried(target):
        model_store.use(target)
        if is_carried(target):  # not dropped in between
            return target
    from huggingface_hub import snapshot_download

    sizes = resolve(hub_id, sha).sizes
    size = sum(size for name, size in sizes.items() if any(fnmatch(name, pattern) for pattern in ALLOWED))
    with model_store.reserved(target, size), _asking(hub_id, sha):
        if not is_carried(target):  # somebody else may have downloaded it while we waited
            say(f"downloading {hub_id}@{sha[:12]}")
            snapshot_download(
                hub_id, revision=sha, local_dir=target, allow_patterns=list(ALLOWED), etag_timeout=TIMEOUT,
                endpoint=os.environ.get("HF_ENDPOINT"), token=_token(),
            )  # fmt: skip
        (target / ".complete").touch()
        model_store.use(target)
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

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=_token())


def _token() -> str | bool:
    """The site's own token; never one that happens to lie in the home directory."""
    return os.environ.get(settings.HF_TOKEN_ENV) or False


def _has_key(content: object, key: str) -> bool:
    if isinstance(content, dict):
        return key in content or any(_has_key(value, key) for value in content.values())
    return isinstance(content, list) and any(_has_key(value, key) for value in content)
