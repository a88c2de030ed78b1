"""The bundled set `ko-mt` as tests read it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

Stated = tuple[list[str], list[str]]
"""What the conclusions of the first and the second reference must contain."""

FOLDER = Path(__file__).resolve().parents[2] / "judging" / "data" / "ko-mt"


@cache
def rows(name: str) -> tuple[dict[str, Any], ...]:
    """The rows of `name`.jsonl; the file ends with a newline and has no blank line."""
    text = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8")
    assert text.endswith("\n")
    return tuple(json.loads(line) for line in text[:-1].split("\n"))


def question(question_id: str) -> dict[str, Any]:
    return next(row for row in rows("questions") if row["id"] == question_id)


def conclusion(question_id: str, turn: int) -> str:
    """What a reference states as its answer: the text after its last 정답:, thousands without commas."""
    stated = question(question_id)["references"][turn - 1].rsplit("정답: ", 1)[1]
    return re.sub(r"(?<=\d),(?=\d{3})", "", stated)


def assert_stated(question_id: str, stated: Stated) -> None:
    """Each text stands in the conclusion of its turn, not as a part of a longer number."""
    for turn, expected in enumerate(stated, 1):
        for text in expected:
            whole = rf"(?<![\d.]){re.escape(text)}(?!\d)"
            assert re.search(whole, conclusion(question_id, turn)), (turn, text)


def code_blocks(text: str) -> list[str]:
    """The fenced Python and SQL blocks of an answer, in their order."""
    return re.findall(r"^```(?:python|sql)\n(.*?)^```", text, flags=re.M | re.S)
