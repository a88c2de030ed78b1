"""Question sets: FastChat (MT-Bench and its Korean kin), LogicKor, Arena-Hard (v0.1 and v2), LLMBar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from judging.formats import llmbar
from judging.formats.intake import Intake, RowError, identifier, items, read_objects, storable, text
from judging.formats.rows import Format, Place, Question, Reference


def read_questions(path: Path, form: Format, intake: Intake) -> Iterator[Question]:
    """The questions of one file. FastChat and LogicKor questions have two turns, Arena-Hard's and LLMBar's one.

    A question without its second turn, or an id that was there before, is named and left out.
    """
    for place, row in read_objects(path, intake):
        try:
            question = _question(row, form, place, intake)
        except RowError as error:
            intake.at(place, error.kind, str(error))
            continue
        if not intake.is_duplicate(place, "question", question.id):
            yield question


def _question(row: dict[str, Any], form: Format, place: Place, intake: Intake) -> Question:
    if form == "llmbar":
        return llmbar.question_of(row, place, intake)
    question_id = identifier(row, "question_id", "uid", "id")
    category = text(row, "category", place, intake)
    if form == "arena-hard":
        turns: list[Any] = [row["prompt"]] if "prompt" in row else [_content(turn) for turn in items(row, "turns")]
        return Question(question_id, category, _texts(turns, place, intake), (None,) * len(turns), place)
    key = "questions" if "questions" in row else "turns"
    turns = items(row, key)
    if len(turns) < 2 or not turns[1]:
        raise RowError("missing_second_turn", f"question {question_id} has no second turn; add it or leave it out")
    if len(turns) > 2:
        intake.at(place, "extra_turn", f"question {question_id} has {len(turns)} turns; the first two are asked")
        turns = turns[:2]
    listed = row.get("references") or row.get("reference") or []
    if not isinstance(listed, list):
        raise RowError("wrong_type", f"the references of question {question_id} are not a list")
    references = [storable(one, place, intake) if isinstance(one, str) and one else None for one in listed]
    references += [None] * (len(turns) - len(references))
    return Question(question_id, category, _texts(turns, place, intake), tuple(references[: len(turns)]), place)


def _content(turn: Any) -> Any:
    return turn.get("content") if isinstance(turn, dict) else turn


def _texts(turns: list[Any], place: Place, intake: Intake) -> tuple[str, ...]:
    if not all(isinstance(turn, str) and turn for turn in turns):
        raise RowError("wrong_type", "every turn must be a text that is not empty")
    return tuple(storable(turn, place, intake) for turn in turns)


def read_references(path: Path, intake: Intake) -> Iterator[Reference]:
    """FastChat's reference answers: the first choice of each row, with its author."""
    for place, row in read_objects(path, intake):
        try:
            choice = items(row, "choices")[0]
            turns = _texts(items(choice if isinstance(choice, dict) else {}, "turns"), place, intake)
            reference = Reference(identifier(row, "question_id"), turns, str(row.get("model_id", "")), place)
        except RowError as error:
            intake.at(place, error.kind, str(error))
            continue
        if not intake.is_duplicate(place, "reference of question", reference.question_id):
            yield reference


def attach_references(questions: Iterable[Question], references: Iterable[Reference], intake: Intake) -> list[Question]:
    """The questions with the references of a file of their own; a reference for no question is named."""
    by_id = {question.id: question for question in questions}
    for reference in references:
        question = by_id.get(reference.question_id)
        if question is None:
            what = f"a reference for question {reference.question_id}, which is not in this set"
            intake.at(reference.place, "orphan_reference", what)
            continue
        turns: list[str | None] = [*reference.turns, *[None] * len(question.turns)]
        by_id[question.id] = replace(question, references=tuple(turns[: len(question.turns)]))
    return list(by_id.values())
