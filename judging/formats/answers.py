"""Recorded answers: FastChat, LogicKor, Arena-Hard (v0.1 and v2), LLMBar, and `rows`, our own interchange."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from judging.formats import llmbar
from judging.formats.intake import Intake, RowError, identifier, items, read_objects, storable, text
from judging.formats.rows import Answer, Format, Place

# FastChat stores this text, and grades it, when sixteen requests have failed.
FAILED_REQUEST = "$ERROR$"
LOGICKOR_MODES = ("default", "1-shot", "cot-1-shot")


def read_answers(
    path: Path, form: Format, intake: Intake, *, model: str | None = None, mode: str = "default"
) -> Iterator[Answer]:
    """The answers of one file. `model` and `mode` are for files whose rows do not say (LogicKor's own).

    Failed requests become None turns. Unknown questions and unusable rows are named and left out.
    """
    for place, row in read_objects(path, intake):
        try:
            if form == "llmbar":
                found = llmbar.answers_of(row, place, intake)
            else:
                found = [_answer(row, form, place, intake, named(path, model, mode))]
        except RowError as error:
            intake.at(place, error.kind, str(error))
            continue
        if intake.is_unknown(place, found[0].question_id):
            continue
        for answer in found:
            if not intake.is_duplicate(place, "answer", answer.model, answer.mode, answer.question_id):
                yield answer


def named(path: Path, model: str | None, mode: str) -> tuple[str, str]:
    """Model and mode of a file: as given, else from a name like `org__model__mode.jsonl` or `model.jsonl`."""
    if model is not None:
        return model, mode
    parts = path.name.removesuffix(".gz").removesuffix(".jsonl").split("__")
    if len(parts) > 1 and parts[-1] in LOGICKOR_MODES:
        mode = parts.pop()
    return "/".join(parts), mode


def _answer(row: dict[str, Any], form: Format, place: Place, intake: Intake, name: tuple[str, str]) -> Answer:
    question_id = identifier(row, "question_id", "uid", "id")
    category = row.get("category")
    model, mode = name
    if form in ("logickor", "rows"):
        model = text(row, "model", place, intake) if form == "rows" or "model" in row else model
        mode = row.get("mode") or mode
        turns = items(row, "outputs")
    else:
        model = text(row, "model_id" if "model_id" in row else "model", place, intake)
        turns = _fastchat_turns(row)
    if not isinstance(mode, str) or not (category is None or isinstance(category, str)):
        raise RowError("wrong_type", '"mode" and "category" must be texts')
    expected = (intake.known or {}).get(question_id, len(turns))
    if len(turns) < expected:
        what = f"answer to question {question_id} has {len(turns)} of {expected} turns"
        intake.at(place, "missing_turn", what)
        turns = [*turns, *[None] * (expected - len(turns))]
    return Answer(model, mode, question_id, category, _texts(turns, place, intake), place)


def _fastchat_turns(row: dict[str, Any]) -> list[Any]:
    if "messages" in row:
        content = _mapping(items(row, "messages")[-1]).get("content")
        return [content.get("answer") if isinstance(content, dict) else content]
    turns = items(_mapping(items(row, "choices")[0]), "turns")
    return [turn.get("content") if isinstance(turn, dict) else turn for turn in turns]


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RowError("wrong_type", f"{type(value).__name__} where an object is expected")
    return value


def _texts(turns: list[Any], place: Place, intake: Intake) -> tuple[str | None, ...]:
    read: list[str | None] = []
    for number, turn in enumerate(turns, start=1):
        if turn is not None and not isinstance(turn, str):
            raise RowError("wrong_type", f"turn {number} is {type(turn).__name__}, expected text")
        if turn is None or turn.strip() == FAILED_REQUEST:
            intake.at(place, "failed_answer", f"turn {number} holds no answer: the request failed")
            read.append(None)
        else:
            read.append(storable(turn, place, intake))
    return tuple(read)
