"""What an operator calls a thing to be measured, on a command line: a slug, a name on the Hub, or a folder."""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from runners import catalog
from runners.adapters import hub
from runners.catalog import CatalogueError
from runners.models import ModelRevision, Suite

BLOCK = 1 << 20


@dataclass(frozen=True)
class Load:
    """How weights are run: backend hf or vllm, and the precision ("" for the repository's own)."""

    backend: str = ModelRevision.Backend.HF
    dtype: str = ""


def find_suite(slug: str) -> Suite:
    """The newest published version of a suite. Raises CatalogueError, naming those there are."""
    suites = Suite.objects.filter(published_at__isnull=False).order_by("-version")
    if (found := suites.filter(slug=slug).first()) is not None:
        return found
    known = sorted(set(suites.values_list("slug", flat=True)))
    raise CatalogueError(f"There is no suite {slug!r}. {_known('suites', slug, known)}")


def find_revision(name: str, load: Load | None = None) -> ModelRevision:
    """The revision called `name`: its slug, a language model's slug (its newest revision), a served model's slug with
    or without `api/`, a folder with a transformers model, or `owner/name[@revision]` on the Hub.

    Raises:
        CatalogueError: nothing is called so; the message names what is.
        HubError: the Hub does not have it, or it is refused (pickled weights, code of its own …).
    """
    load = load or Load()
    if (known := _known_revision(name)) is not None:
        return known
    path = Path(name).expanduser()
    if path.is_dir():
        return register_folder(path, load)
    hub_id, _, revision = name.partition("@")
    if "/" not in hub_id or name.startswith(("/", ".", "~", "reference/", "api/", "local/")):
        slugs = list(ModelRevision.objects.order_by("slug").values_list("slug", flat=True))
        raise CatalogueError(
            f"There is no revision and no folder {name!r}. {_known('revisions', name, slugs)} "
            "A model of the Hub is owner/name or owner/name@revision."
        )
    model = hub.resolve(hub_id, revision or "main")
    hub.check_files(model)
    hub.check_config(model)
    return catalog.register_revision(model, backend=load.backend, dtype=load.dtype)


def register_folder(path: Path, load: Load | None = None) -> ModelRevision:
    """A transformers model in a folder of this machine, as `local/<folder's name>`; its commit is made of its files.

    Raises CatalogueError or HubError where the folder holds no model that may be run.
    """
    load, path = load or Load(), path.resolve()
    if not (path / "config.json").is_file():
        raise CatalogueError(f"{path} has no config.json; it is not the folder of a transformers model.")
    name = re.sub(r"[-.]{2,}", "-", re.sub(r"[^A-Za-z0-9._-]+", "-", path.name)).strip("-._")[:90] or "model"
    hub_id, sha = f"local/{name}", folder_sha(path)
    model = hub.read_folder(path, hub_id, sha)
    hub.check_files(model)
    hub.check_config(model)
    target = hub.folder(hub_id, sha)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(path, target_is_directory=True)
    revision = catalog.register_revision(model, backend=load.backend, dtype=load.dtype, organization="local")
    if revision.language_model.url:
        revision.language_model.url = ""  # it has no page on the Hub
        revision.language_model.save(update_fields=["url"])
    return revision


def folder_sha(path: Path) -> str:
    """40 hexadecimal digits: the beginning of sha256 over the sorted names and contents of a folder's files."""
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path)
        if not file.is_file() or any(part.startswith(".") for part in relative.parts):
            continue
        content = hashlib.sha256()
        with file.open("rb") as source:
            while block := source.read(BLOCK):
                content.update(block)
        total.update(f"{relative.as_posix()}\0{content.hexdigest()}\n".encode())
    return total.hexdigest()[:40]


def _known_revision(name: str) -> ModelRevision | None:
    for slug in (name, f"api/{name}"):
        if (found := ModelRevision.objects.filter(slug=slug).first()) is not None:
            return found
    # A Hub model is resolved anew, as its main may have moved; others have no newer state elsewhere.
    local = ModelRevision.objects.filter(language_model__slug=name)
    if name.startswith("local/") or not local.exclude(hub_id="").exists():
        return local.order_by("-pk").first()
    return None


def _known(what: str, asked: str, known: list[str]) -> str:
    if not known:
        return f"There are no {what} yet; `manage.py sync_catalogue` brings those that come with Gyeoru."
    close = difflib.get_close_matches(asked, known, 3, 0.5)
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    more = f" and {len(known) - 20} more" if len(known) > 20 else ""
    return f"{hint}There are: {', '.join(known[:20])}{more}."
