"""What the sets share: checks of single fields, and tables of lettered options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runners.child.datasets import Doc, Part
from runners.child.tables import Row

LETTERS = "ABCDE"


def truth(label: str) -> int:
    """Releases spell one label in several ways within one file (True, TRUE)."""
    folded = label.strip().casefold()
    if folded not in ("true", "false"):
        raise ValueError(f"the label is {label!r}, not True or False")
    return int(folded == "true")


def whole(value: Any, low: int, high: int, what: str = "label") -> int:
    number = int(value)
    if not low <= number <= high:
        raise ValueError(f"the {what} is {number}, not {low} to {high}")
    return number


def text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"the {what} is empty")
    return value


def lettered(name: str, raw: Row, index: int, columns: Sequence[str]) -> Doc:
    """A row with a question, its options in the columns A.., and the 1-based number of the right one."""
    options = [str(raw[column]) for column in columns]
    gold = whole(raw["answer"], 1, len(options), "answer") - 1
    question = text(raw["question"], "question")
    fields = dict(zip(columns, options, strict=True))
    return {
        "item_id": f"{name}/{index}",
        "question": question,
        "stem": question.strip(),
        **fields,
        "answer": gold + 1,
        "options": options,
        "gold": gold,
    }


def table(hub: str, config: str, doc: Callable[[Row, int], Doc | None], **splits: str) -> Part:
    """A release that is a Hub repository itself; `splits` are its names for ours.

    Parquet first: KorMedMCQA's repository still holds the CSV files of an older version beside it.
    """
    forms = ("{c}/{s}-*.parquet", "data/{c}-{s}.csv", "{c}/{s}.csv", "{c}/{s}.jsonl", "data/{c}_{s}.csv")
    files = {ours: [form.format(c=config, s=theirs) for form in forms] for ours, theirs in splits.items()}
    return Part(files=files, doc=doc, hub=(hub, config), hub_splits=splits)
