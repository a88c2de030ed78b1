"""CLIcK (Kim et al. 2024, arXiv 2403.06412): eleven categories of questions on Korean culture and language."""

from __future__ import annotations

import hashlib

from runners.child.datasets import Doc, Part
from runners.child.sets.rows import text
from runners.child.tables import Row

_CATEGORIES = {
    "economy": "Korean Economy",
    "geography": "Korean Geography",
    "history": "Korean History",
    "law": "Korean Law",
    "politics": "Korean Politics",
    "popular": "Korean Popular",
    "society": "Korean Society",
    "tradition": "Korean Tradition",
    "functional": "Functional",
    "grammar": "Grammar",
    "textual": "Textual",
}
_MARKS = {"Korean History": ("khb",), "Korean Law": ("psat",)}


def category_of(item: str, question: str) -> str:
    """The category of an item by its id: the Hub's table has no such column.

    Agrees with the folders of the repository on all of the 1,320 items at hand.
    """
    for name, category in _CATEGORIES.items():
        if name in item.lower() or any(mark in item.lower() for mark in _MARKS.get(category, ())):
            return category
    parts = item.split("_")
    if parts[0] == "TK":
        return "Grammar" if int(parts[-1]) <= 4 else "Textual"
    if parts[0] == "PSE":
        return "Functional"
    if parts[0] == "Kedu":
        spoken = parts[1] == "16" and any(word in question for word in ("대화", "발화", "질의"))
        return "Functional" if spoken else "Grammar"
    year, number = int(parts[2]), int(parts[3])
    if year < 21:
        return "Functional" if number < 11 or item == "CSAT_korean_13_11" else "Grammar"
    return "Functional" if year > 22 and number > 34 else "Textual"


def parts(subset: str) -> list[Part]:
    """CLIcK, one category: all options of an item are asked, four or five.

    Eight ids of the release stand for two items each, so the question's hash belongs to `item_id`.
    """
    category = _CATEGORIES[subset]

    def doc(raw: Row, _: int) -> Doc | None:
        question, paragraph, choices = (
            text(raw["question"], "question"),
            raw.get("paragraph") or "",
            raw["choices"],
        )
        if (raw.get("category") or category_of(raw["id"], question)) != category:
            return None
        if raw["answer"] not in choices:
            raise ValueError(f"the answer {raw['answer']!r} is none of the choices")
        mark = hashlib.sha256((paragraph + question).encode()).hexdigest()[:6]
        stem = f"{paragraph}\n\n{question}" if paragraph else question
        return {
            "item_id": f"{raw['id']}#{mark}",
            "paragraph": paragraph,
            "question": question,
            "stem": stem,
            "options": list(choices),
            "gold": choices.index(raw["answer"]),
        }

    folder = f"Dataset/{'Culture' if category.startswith('Korean') else 'Language'}/{category}"
    places = ["click.jsonl.gz", "click.jsonl", f"{folder}/*.json"]
    return [Part(files={"test": places}, doc=doc, hub=("EunsuKim/CLIcK", None), hub_splits={"test": "train"})]
