"""Numbers of boards and trials as they are stored in JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from judging.bias import Share
from judging.scores import Mean, MultiTurn

Json = dict[str, Any]


def multi_turn_to_json(row: MultiTurn) -> Json:
    """`{overall, turns: {"1": …}, categories: {name: …}, cells: {"name|1": …}, questions}`.

    Every mean is `[value, low, high, n, failed]`, values with six decimals.
    """
    return {
        "overall": _mean(row.overall),
        "turns": {str(turn): _mean(mean) for turn, mean in row.turns.items()},
        "categories": {name: _mean(mean) for name, mean in row.categories.items()},
        "cells": {f"{name}|{turn}": _mean(mean) for (name, turn), mean in row.cells.items()},
        "questions": row.questions,
    }


def multi_turn_from_json(stored: Mapping[str, Any]) -> MultiTurn:
    """The row that `multi_turn_to_json` stored."""
    return MultiTurn(
        Mean(*stored["overall"]),
        {int(turn): Mean(*mean) for turn, mean in stored["turns"].items()},
        {name: Mean(*mean) for name, mean in stored["categories"].items()},
        {_cell(key): Mean(*mean) for key, mean in stored["cells"].items()},
        stored["questions"],
    )


def share_to_json(share: Share) -> Json:
    """`{hits, n, value, low, high}`; value and interval are null when n is 0."""
    low, high = share.interval or (None, None)
    return {"hits": share.hits, "n": share.n, "value": share.value, "low": low, "high": high}


def _mean(mean: Mean) -> list[float | int | None]:
    value, low, high, n, failed = astuple(mean)
    # Six decimals: the published averages are compared to that precision.
    return [*(None if part is None else round(part, 6) for part in (value, low, high)), n, failed]


def _cell(key: str) -> tuple[str, int]:
    name, _, turn = key.rpartition("|")
    return name, int(turn)
