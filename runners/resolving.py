"""The resolved configuration of a harness task, and its hash, without lm-eval.

Reads the same YAML as lm-eval (`include`, local keys win, `!function module.name` kept as text) and the source text
of the functions it names with everything of the project that these use (prompts, rows, scoring, the extractor), so
that a change of what is asked or of how it is scored changes the hash, and a change of anything else does not.
"""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent
TASKS = ROOT / "tasks"
FUNCTION = "!function "
# What reads files and carries results is no part of a task: the items are pinned by the dataset's fingerprint.
MACHINERY = ("runners.child.datasets.", "runners.child.tables.", "runners.reports.")
# What is done with an answer once it is there; everything else of a task decides the answer itself.
SCORING = ("filter_list", "process_results", "metric_list", "metadata")


class DefinitionError(Exception):
    """A suite or task definition that can't be used; the message names the file and what to change."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    pass


_Loader.add_constructor("!function", lambda loader, node: FUNCTION + loader.construct_scalar(node))


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping with its `!function` tags as text.

    Raises:
        DefinitionError: no such file, not YAML, or not a mapping.
    """
    try:
        loaded = yaml.load(path.read_bytes(), _Loader)  # noqa: S506 - a subclass of the safe loader
    except FileNotFoundError as error:
        raise DefinitionError(f"{path} is not there: add it, or mend the line that names it.") from error
    except yaml.YAMLError as error:
        raise DefinitionError(f"{path} is not YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise DefinitionError(f"{path} must be a mapping.")
    return loaded


@lru_cache(maxsize=512)
def _merged(path: Path) -> dict[str, Any]:
    own = dict(read_yaml(path))
    include = own.pop("include", None)
    base = _merged((path.parent / include).resolve()) if include else {}
    return {**base, **own}


@lru_cache(maxsize=1)
def _paths() -> dict[str, Path]:
    return {path.stem: path for path in TASKS.glob("*/*.yaml")}


def resolved(name: str) -> dict[str, Any]:
    """A task's configuration with its includes merged.

    Raises:
        DefinitionError: no task of that name below `runners/tasks`.
    """
    path = _paths().get(name)
    if path is None:
        raise DefinitionError(f"No task {name!r} below {TASKS}: add {name}.yaml, or mend the suite that names it.")
    config = _merged(path)
    if config.get("task") != name:
        raise DefinitionError(f"{path}: `task` must be {name!r}, as the file is called.")
    return config


@lru_cache(maxsize=512)
def config_sha(name: str) -> str:
    """sha256 (64 hex) over a task's resolved configuration, its functions' text and, if bundled, its data file."""
    return _sha(resolved(name))


@lru_cache(maxsize=512)
def asked_sha(name: str) -> str:
    """sha256 (64 hex) over what decides a task's answers: items, prompt, generation settings; not how they are scored.

    Two versions of a task with the same one ask the same, so that answers of the one can be scored as the other does.
    """
    return _sha({key: value for key, value in resolved(name).items() if key not in SCORING})


def _sha(config: dict[str, Any]) -> str:
    release, subset = config["dataset_kwargs"]["release"], config["dataset_kwargs"]["subset"]
    functions = {value for value in _strings(config) if value.startswith(FUNCTION)}
    names = {value.removeprefix(FUNCTION) for value in functions}
    names.add(f"runners.child.sets.{release.replace('-', '_')}.parts")
    parts: dict[str, Any] = {"config": config, "functions": {name: _source(name) for name in sorted(names)}}
    if (bundled := bundled_file(release, subset)) is not None:
        parts["data"] = hashlib.sha256(bundled.read_bytes()).hexdigest()
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def bundled_file(release: str, subset: str) -> Path | None:
    """The file of a bundled set's subset; None for the sets that are not bundled."""
    folder = ROOT / "data" / release
    if not folder.is_dir():
        return None
    path = folder / f"{subset}.jsonl"
    if not path.is_file():
        raise DefinitionError(f"{path} is not there: a bundled set must hold every subset that a task names.")
    return path


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [value] if isinstance(value, str) else []


@dataclass(frozen=True)
class _Module:
    """Per top-level name of a module: its source text, the names it uses, and where an imported name comes from."""

    texts: dict[str, str]
    uses: dict[str, frozenset[str]]
    imports: dict[str, str]


@lru_cache(maxsize=64)
def _module(name: str) -> _Module:
    path = ROOT.parent / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DefinitionError(f"{path} is not there, but a task names a function in it.") from error
    lines = source.splitlines(keepends=True)
    module = _Module({}, {}, {})
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("runners."):
            module.imports.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
        for top in _names(node):
            module.texts[top] = "".join(lines[node.lineno - 1 : node.end_lineno])
            module.uses[top] = frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    return module


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


@lru_cache(maxsize=1024)
def _needs(qualified: str) -> tuple[str | None, frozenset[str]]:
    """The text of a top-level name (None where it is only imported there) and the qualified names it uses."""
    module, _, name = qualified.rpartition(".")
    found = _module(module)
    if name in found.imports:
        return None, frozenset({found.imports[name]})
    if name not in found.texts:
        raise DefinitionError(f"{module} has no {name}, but a task names it.")
    uses = found.uses[name]
    own = {f"{module}.{used}" for used in uses if used in found.texts}
    return found.texts[name], frozenset(own | {found.imports[used] for used in uses if used in found.imports})


@lru_cache(maxsize=256)
def _source(qualified: str) -> str:
    """The text of a function with everything of the project that it uses, in order of name."""
    wanted: dict[str, str | None] = {}
    queue = [qualified]
    while queue:
        current = queue.pop()
        if current not in wanted and not current.startswith(MACHINERY):
            wanted[current], needed = _needs(current)
            queue += needed
    return "".join(text for _, text in sorted(wanted.items()) if text)
