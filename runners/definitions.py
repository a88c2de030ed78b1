"""The suites that the project ships: reviewed YAML in `runners/suites`, checked, expanded and frozen by hashes.

One entry of a suite's `items` stands for one set of items and becomes one task per mode: `<name>` by likelihood,
`<name>_gen` by generation and match. No lm-eval here, so that the web side can import it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from runners.reports import Mode
from runners.resolving import ROOT, DefinitionError, bundled_file, config_sha, read_yaml, resolved

__all__ = ["DefinitionError", "Phrase", "SuiteDefinition", "TaskDefinition", "hub_id_of", "load_suites"]

SUITES = ROOT / "suites"
Source = Literal["bundled", "local", "hub"]


@dataclass(frozen=True)
class Phrase:
    """A text in both languages of the site."""

    ko: str
    en: str


@dataclass(frozen=True)
class TaskDefinition:
    """One column of a suite.

    `items` names the set of items: tasks with the same `items` ask the same questions, with the same `item_id`s, in
    another mode. `chance` is the value that guessing among the options gives (0..1); None where it is not known.
    `n_docs` is the size of the public test set; `size` is the same where it was published elsewhere and entered after
    the suite, and is no part of the suite's hash: what is asked does not follow from it. `dataset` is the release's
    folder below GYEORU_DATASETS, `hub_id` its repository on the Hub; `revision` None means: pinned by the first run
    that resolves it.
    """

    name: str
    items: str
    mode: Mode
    title: Phrase
    group: Phrase
    category: str
    order: int
    metric: str
    higher_is_better: bool
    chance: float | None
    num_fewshot: int
    n_docs: int | None
    in_headline: bool
    private: bool
    source: Source
    dataset: str
    hub_id: str | None
    revision: str | None
    config_sha: str
    size: int | None = None


@dataclass(frozen=True)
class SuiteDefinition:
    """A version of a suite. Its headline is the plain mean of the tasks with `in_headline`."""

    slug: str
    version: int
    kind: str
    order: int
    title: Phrase
    description: Phrase
    differences: Phrase
    headline: Phrase
    source: str
    licence: str
    tasks: tuple[TaskDefinition, ...]
    sha: str


GROUPS: Mapping[Mode, Phrase] = {
    "generate": Phrase("생성 후 대조", "Generation"),
    "likelihood": Phrase("우도", "Likelihood"),
}
_SUITE_KEYS = {
    "slug",
    "version",
    "kind",
    "order",
    "title",
    "description",
    "differences",
    "headline",
    "source",
    "licence",
    "dataset",
    "hub",
    "revision",
    "modes",
    "headline_mode",
    "shots",
    "private",
    "items",
}
_ITEM_KEYS = {"name", "title", "group", "category", "chance", "n_docs", "size", "dataset", "hub", "modes", "shots"}
_REQUIRED = _SUITE_KEYS - {"dataset", "hub", "revision", "shots", "private"}
_NAMES: Mapping[Mode, str] = {"generate": "{}_gen", "likelihood": "{}"}


@lru_cache(maxsize=1)
def load_suites() -> list[SuiteDefinition]:
    """Every suite the project ships, in the order of their boards.

    Raises:
        DefinitionError: an unknown or missing key, a missing translation, an unknown task; it names file and key.
    """
    suites = [load_suite(path) for path in sorted(SUITES.glob("*.yaml"))]
    return sorted(suites, key=lambda suite: (suite.order, suite.slug))


def load_suite(path: Path) -> SuiteDefinition:
    """One suite's file. Raises DefinitionError."""
    raw = read_yaml(path)
    _check_keys(raw, _SUITE_KEYS, _REQUIRED, str(path))
    if raw["slug"] != path.stem:
        raise DefinitionError(f"{path}: slug is {raw['slug']!r}, but the file is called {path.name}: make them equal.")
    tasks = tuple(_tasks(raw, path))
    if not any(task.in_headline for task in tasks):
        raise DefinitionError(f"{path}: no task has the mode of headline_mode, {raw['headline_mode']!r}.")
    suite = SuiteDefinition(
        slug=raw["slug"],
        version=raw["version"],
        kind=raw["kind"],
        order=raw["order"],
        title=_phrase(raw["title"], path, "title"),
        description=_phrase(raw["description"], path, "description"),
        differences=_phrase(raw["differences"], path, "differences"),
        headline=_phrase(raw["headline"], path, "headline"),
        source=raw["source"],
        licence=raw["licence"],
        tasks=tasks,
        sha="",
    )
    return dataclasses.replace(suite, sha=_sha(suite))


def _sha(suite: SuiteDefinition) -> str:
    """sha256 over everything but the sizes that were entered later."""
    content = dataclasses.asdict(suite)
    for task in content["tasks"]:
        del task["size"]
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def hub_id_of(dataset: str) -> str:
    """The Hub repository of a release. Raises DefinitionError where it has none."""
    for suite in load_suites():
        for task in suite.tasks:
            if task.dataset == dataset and task.hub_id:
                return task.hub_id
    raise DefinitionError(f"The data set {dataset} is not on the Hub: put its files below GYEORU_DATASETS.")


def _tasks(raw: dict[str, Any], path: Path) -> Iterable[TaskDefinition]:
    entries: list[tuple[Mode, dict[str, Any]]] = []
    for number, item in enumerate(raw["items"], start=1):
        where = f"{path}, item {number} ({item.get('name')})"
        _check_keys(item, _ITEM_KEYS, {"name", "title", "category"}, where)
        modes = item.get("modes", raw["modes"])
        if unknown := set(modes) - set(GROUPS):
            raise DefinitionError(f"{where}: unknown modes {sorted(unknown)}; there are generate and likelihood.")
        entries += [(mode, item) for mode in modes]
    entries.sort(key=lambda entry: raw["modes"].index(entry[0]))
    seen: set[str] = set()
    for order, (mode, item) in enumerate(entries):
        task = _task(raw, item, mode, order, path)
        if task.name in seen:
            raise DefinitionError(f"{path}: the task {task.name} stands there twice.")
        seen.add(task.name)
        yield task


def _task(raw: dict[str, Any], item: dict[str, Any], mode: Mode, order: int, path: Path) -> TaskDefinition:
    name = _NAMES[mode].format(item["name"])
    config = resolved(name)
    release, subset = config["dataset_kwargs"]["release"], config["dataset_kwargs"]["subset"]
    if (expected := item.get("dataset", raw.get("dataset"))) != release:
        raise DefinitionError(f"{path}: {name} reads {release!r}, but the suite says dataset {expected!r}.")
    bundled = bundled_file(release, subset)
    n_docs, chance = item.get("n_docs"), item.get("chance")
    if bundled is not None:
        n_docs, chance = _count(bundled, mode)
    metric = config["metric_list"][0]
    hub = item.get("hub", raw.get("hub"))
    return TaskDefinition(
        name=name,
        items=f"{release}/{subset}",
        mode=mode,
        title=_phrase(item["title"], path, f"the title of {name}"),
        group=_phrase(item["group"], path, f"the group of {name}") if "group" in item else GROUPS[mode],
        category=item["category"],
        order=order,
        metric=metric["metric"],
        higher_is_better=metric["higher_is_better"],
        chance=chance,
        num_fewshot=item.get("shots", raw.get("shots", 0)),
        n_docs=n_docs,
        in_headline=mode == raw["headline_mode"],
        private=bool(raw.get("private", False)),
        source="bundled" if bundled else "hub" if hub else "local",
        dataset=release,
        hub_id=hub,
        revision=raw.get("revision"),
        config_sha=config_sha(name),
        size=n_docs if n_docs is not None else item.get("size"),
    )


@lru_cache(maxsize=64)
def _count(path: Path, mode: Mode) -> tuple[int, float]:
    """Items of a bundled file and what guessing gives: nothing where a short answer is asked without options."""
    odds = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.strip():
            row = json.loads(line)
            options = row["choices"] or ([] if mode == "generate" else [None, *row["distractors"]])
            odds.append(1 / len(options) if options else 0.0)
    return len(odds), round(sum(odds) / len(odds), 4)


def _check_keys(raw: dict[str, Any], known: set[str], required: set[str], where: str) -> None:
    if unknown := set(raw) - known:
        raise DefinitionError(f"{where}: unknown keys {sorted(unknown)}. Known are {sorted(known)}.")
    if missing := required - set(raw):
        raise DefinitionError(f"{where}: the keys {sorted(missing)} are missing.")


def _phrase(value: Any, path: Path, what: str) -> Phrase:
    texts = value if isinstance(value, dict) else {}
    if set(texts) != {"ko", "en"} or not all(isinstance(text, str) and text.strip() for text in texts.values()):
        raise DefinitionError(f"{path}: {what} needs a Korean and an English text (ko, en), and nothing else.")
    return Phrase(texts["ko"].strip(), texts["en"].strip())
