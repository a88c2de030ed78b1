"""HRM8K (Ko et al. 2025, arXiv 2501.02448): mathematics problems with a number or a formula as answer."""

from __future__ import annotations

from runners.child.datasets import Doc, Part
from runners.child.sets.rows import table, text
from runners.child.tables import Row


def parts(subset: str) -> list[Part]:
    """One set of problems."""

    def doc(raw: Row, index: int) -> Doc:
        question = text(raw["question"], "question")
        return {
            "item_id": f"{subset}/{index}",
            "question": question,
            "stem": question.strip(),
            "options": [],
            "gold": None,
            "answer": str(raw["answer"]).strip(),
        }

    return [table("HAERAE-HUB/HRM8K", subset, doc, test="test")]
