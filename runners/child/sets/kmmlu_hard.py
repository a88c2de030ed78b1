"""KMMLU-HARD (Son et al. 2024): hard items of KMMLU in the same four groups."""

from __future__ import annotations

from runners.child.datasets import Part
from runners.child.sets.kmmlu import GROUPS, subjects


def parts(subset: str) -> list[Part]:
    configs = [subject.lower().replace("-", "_") for subject in GROUPS[subset].split()]
    return subjects("HAERAE-HUB/KMMLU-HARD", configs)
