"""KorMedMCQA (Kweon et al. 2024, arXiv 2403.01469): licensing examinations of health professions."""

from __future__ import annotations

from runners.child.datasets import Doc, Part
from runners.child.sets.rows import LETTERS, lettered, table
from runners.child.tables import Row


def parts(subset: str) -> list[Part]:
    """One licensing examination."""

    def doc(raw: Row, index: int) -> Doc:
        return lettered(subset, raw, index, LETTERS)

    return [table("sean0042/KorMedMCQA", subset, doc, test="test", dev="fewshot")]
