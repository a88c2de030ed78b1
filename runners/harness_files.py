"""lm-eval's own output folder, read and checked: `results_<date>.json` and `samples_<task>_<date>.jsonl`.

Formats as `EvaluationTracker` of lm-eval 0.4 writes them. Nothing is guessed: what does not fit is a `Problem` with its
file, its line where there is one, and what to change; a reader gets all of them at once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runners.child.samples import number

DATE = r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d+)?"
_DATED = re.compile(rf"_({DATE})$")
# Facts of lm-eval's `config`; its model_args are left out, they may hold keys and addresses.
FACTS = ("model", "model_num_parameters", "model_dtype", "model_revision", "model_sha", "batch_size", "device",
         "random_seed", "numpy_seed", "torch_seed", "fewshot_seed")  # fmt: skip
# What a column of counts holds.
MOST = 2**31 - 1
TOLD = ("model_name", "chat_template_sha", "system_instruction", "git_hash")


@dataclass(frozen=True)
class Problem:
    """What stands in the way; `line` counts from 1."""

    path: Path
    line: int | None
    text: str

    def __str__(self) -> str:
        where = f"{self.path}, line {self.line}" if self.line is not None else str(self.path)
        return f"{where}: {self.text}"


@dataclass(frozen=True)
class ResultsFile:
    """One results file as it was read; `sha256` is over its bytes."""

    path: Path
    sha256: str
    raw: dict[str, Any]

    @property
    def date(self) -> str:
        """The date in its name, as lm-eval's sample files carry it; empty where the file was renamed."""
        match = _DATED.search(self.path.stem)
        return match[1] if match else ""

    def facts(self) -> dict[str, Any]:
        """What the evaluation was made with, as far as the file tells."""
        config = _part(self, "config")
        facts = {name: config[name] for name in FACTS if config.get(name) is not None}
        versions = {name: self.raw.get(f"{name}_version") for name in ("lm_eval", "transformers")}
        told = {name: self.raw[name] for name in TOLD if self.raw.get(name)}
        return {
            **facts,
            **told,
            "versions": {name: version for name, version in versions.items() if version not in (None, "N/A")},
        }

    def times(self) -> tuple[datetime | None, datetime | None]:
        """When the evaluation began and ended; None where the file does not say it."""
        date, length = number(self.raw.get("date")), self.raw.get("total_evaluation_time_seconds")
        try:
            begun = None if date is None else datetime.fromtimestamp(date, UTC)
            return begun, begun + timedelta(seconds=float(length or 0.0)) if begun else None
        except (OverflowError, OSError, TypeError, ValueError):
            return None, None


@dataclass(frozen=True)
class TaskOutput:
    """One task of a results file. Counts are None where the file does not tell them.

    `row` holds lm-eval's `{"acc,none": …, "acc_stderr,none": …}`; `n_original` is the size of the whole set,
    `n_effective` how many of it were asked; `is_ours`: evaluated by this project's definition and not by lm-eval's own
    of the same name; `samples` is None where no file of the task's items lies beside.
    """

    name: str
    file: ResultsFile
    row: dict[str, Any]
    n_original: int | None
    n_effective: int | None
    shots: int | None
    output_type: str
    is_ours: bool
    samples: Path | None

    @property
    def filter(self) -> str | None:
        """The first filter: the one whose numbers have plain names here."""
        return next((key.partition(",")[2] for key in self.row if "," in key), None)

    def rows(self) -> Iterator[tuple[int, dict[str, Any] | ValueError]]:
        """(line, row) of the first filter's samples; a line that is no JSON object comes as its error."""
        assert self.samples is not None
        with self.samples.open("rb") as lines:
            for line, text in enumerate(lines, start=1):
                if not text.strip():
                    continue
                try:
                    row = json.loads(text)
                except ValueError as error:
                    yield line, error
                    continue
                if not isinstance(row, dict):
                    yield line, ValueError("not a JSON object")
                elif row.get("filter", self.filter) == self.filter:
                    yield line, row


def read(path: Path) -> tuple[list[TaskOutput], list[Problem]]:
    """Every task of a results file, or of all of them in a folder and below it, and what is wrong with them."""
    problems: list[Problem] = []
    files = [file for file in (_results_file(one, problems) for one in _paths(path, problems)) if file is not None]
    names = {str(file.raw["model_name"]) for file in files if file.raw.get("model_name")}
    if len(names) > 1:
        problems.append(
            Problem(path, None, f"holds results of several models ({', '.join(sorted(names))}): give one's folder.")
        )
    tasks: dict[str, TaskOutput] = {}
    for file in files:
        for task in _tasks(file, problems):
            if task.name in tasks:
                other = tasks[task.name].file.path
                problems.append(
                    Problem(file.path, None, f"has {task.name}, and so has {other}: give the path of one of them.")
                )
            tasks[task.name] = task
    return list(tasks.values()), problems


def _paths(path: Path, problems: list[Problem]) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(path.rglob("results_*.json")) if path.is_dir() else []
    if not found:
        what = "holds no results_*.json" if path.is_dir() else "does not exist"
        problems.append(Problem(path, None, f"{what}: give the folder of lm-eval's --output_path, or a results file."))
    return found


def _results_file(path: Path, problems: list[Problem]) -> ResultsFile | None:
    try:
        body = path.read_bytes()
        raw = json.loads(body)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(path, None, f"can't be read: {error}."))
        return None
    except json.JSONDecodeError as error:
        text = f"is not whole JSON ({error.msg}): copy the file again, it may be cut off."
        problems.append(Problem(path, error.lineno, text))
        return None
    if not isinstance(raw, dict) or not isinstance(raw.get("results"), dict) or not raw["results"]:
        problems.append(Problem(path, None, 'has no "results" of tasks: it is not a results file of lm-eval.'))
        return None
    return ResultsFile(path, hashlib.sha256(body).hexdigest(), raw)


def _tasks(file: ResultsFile, problems: list[Problem]) -> Iterator[TaskOutput]:
    """The tasks of a file; groups are left out, they are means of tasks."""
    groups = {name for name, members in _part(file, "group_subtasks").items() if members} | set(_part(file, "groups"))
    for name, row in file.raw["results"].items():
        if name in groups:
            continue
        if not isinstance(row, dict):
            problems.append(Problem(file.path, None, f"{name} has no metrics: it is not a results file of lm-eval."))
            continue
        counts = _part(file, "n-samples").get(name)
        counts = counts if isinstance(counts, dict) else {}
        config = _part(file, "configs").get(name)
        config = config if isinstance(config, dict) else {}
        source = config.get("dataset_kwargs")
        yield TaskOutput(
            name=name,
            file=file,
            row=row,
            n_original=_count(counts.get("original")),
            n_effective=_count(counts.get("effective", row.get("sample_len"))),
            shots=_count(_part(file, "n-shot").get(name)),
            output_type=str(config.get("output_type", "")),
            is_ours=isinstance(source, dict) and "release" in source,
            samples=_samples(file, name, problems),
        )


def _samples(file: ResultsFile, task: str, problems: list[Problem]) -> Path | None:
    """The task's sample file of the same date; where the results file lost its date, the only one there is."""
    if file.date:
        path = file.path.with_name(f"samples_{task}_{file.date}.jsonl")
        return path if path.is_file() else None
    named = re.compile(rf"samples_{re.escape(task)}(?:_{DATE})?\.jsonl")
    found = sorted(path for path in file.path.parent.iterdir() if named.fullmatch(path.name))
    if len(found) > 1:
        text = f"has lost the date in its name and {len(found)} sample files of {task} lie beside it: name it again."
        problems.append(Problem(file.path, None, text))
    return found[0] if len(found) == 1 else None


def _part(file: ResultsFile, name: str) -> dict[str, Any]:
    part = file.raw.get(name)
    return part if isinstance(part, dict) else {}


def _count(value: Any) -> int | None:
    whole = number(value)
    return int(whole) if whole is not None and 0 <= whole <= MOST and whole == int(whole) else None
