"""The language of an answer, counted by a program and never left to the judge (docs/judging.md). No Django."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runners.korean import foreign_leak, hangul_share, is_not_korean, register_consistency

Fidelity = dict[str, Any]


def of_answer(text: str, prompt: str) -> Fidelity:
    """`{hangul_share, not_korean, leak, register, register_share}` of one answer; null where not measurable.

    Shares are 0..1, `leak` counts foreign-script characters that are neither in the prompt nor a gloss.
    """
    register = register_consistency(text)
    share = hangul_share(text)
    return {
        "hangul_share": None if share is None else round(share, 4),
        "not_korean": is_not_korean(text),
        "leak": foreign_leak(text, prompt),
        "register": register and register.dominant,
        "register_share": register and round(register.share, 4),
    }


def summary(turns: Iterable[Mapping[str, Any] | None]) -> Fidelity:
    """Means of the shares over the turns that have one; counts of turns not in Korean, leaking, and measured."""
    rows = [turn for turn in turns if turn]
    return {
        "hangul_share": _mean(row["hangul_share"] for row in rows),
        "register_share": _mean(row["register_share"] for row in rows),
        "not_korean": sum(bool(row["not_korean"]) for row in rows),
        "leaking": sum(row["leak"] > 0 for row in rows),
        "measured": len(rows),
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None
