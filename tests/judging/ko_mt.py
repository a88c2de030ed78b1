"""The bundled set `ko-mt` as tests read it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

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


def code_blocks(text: str) -> list[str]:
    """The fenced Python and SQL blocks of an answer, in their order."""
    return re.findall(r"^```(?:python|sql)\n(.*?)^```", text, flags=re.M | re.S)
