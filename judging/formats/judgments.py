"""Recorded judgments: FastChat single and pairwise, LogicKor, Arena-Hard (v0.1, v2, packed), LLMBar, and `rows`.

Every judgment carries two readings: ours, strict, and the one its own program counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from judging.formats import llmbar
from judging.formats.answers import named
from judging.formats.intake import Intake, RowError, identifier, items, number, read_objects, storable, text
from judging.formats.rows import Format, Game, PairJudgment, Place, SingleJudgment
from judging.verdicts import (
    FAILURE_TEXTS,
    ONE_TO_TEN,
    SWAPPED,
    Label,
    Scale,
    Unparsable,
    Verdict,
    parse_five,
    parse_pair,
    parse_score,
)

ZERO_TO_TEN = Scale(0.0, 10.0)
LABELS: frozenset[str] = frozenset(get_args(Label))


def read_judgments(
    path: Path,
    form: Format,
    intake: Intake,
    *,
    judge: str = "",
    model: str | None = None,
    mode: str = "default",
    scale: Scale | None = None,
) -> Iterator[SingleJudgment | PairJudgment]:
    """The judgments of one file; `judge`, `model` and `mode` where its rows do not say.

    `scale` is what counts as a rating: 1 to 10 for FastChat, 0 to 10 for LogicKor and rows, unless given. Of
    several rows for the same judgment the first one counts (as FastChat's `clean_judgment.py`).
    """
    scale = scale or (ONE_TO_TEN if form == "fastchat" else ZERO_TO_TEN)
    name = named(path, model, mode)
    for place, row in read_objects(path, intake):
        try:
            found = _judgments(row, form, place, intake, name, judge, scale)
        except RowError as error:
            intake.at(place, error.kind, str(error))
            continue
        for one in found:
            if not intake.is_unknown(place, one.question_id) and not _is_duplicate(one, intake):
                yield one


def _judgments(
    row: dict[str, Any],
    form: Format,
    place: Place,
    intake: Intake,
    name: tuple[str, str],
    judge: str,
    scale: Scale,
) -> list[SingleJudgment] | list[PairJudgment]:
    if form == "fastchat":
        return [_fastchat_pair(row, place, intake)] if "model_1" in row else [_fastchat(row, place, intake, scale)]
    if form == "llmbar":
        return [llmbar.judgment_of(row, place, intake)]
    if form == "arena-hard":
        return [_arena_hard(row, place, intake, judge)]
    return _logickor(row, form, place, intake, name, judge, scale)


def _is_duplicate(one: SingleJudgment | PairJudgment, intake: Intake) -> bool:
    who = (one.judge, one.prompt)
    if isinstance(one, SingleJudgment):
        key: tuple[object, ...] = (*who, one.model, one.mode, one.question_id, one.turn)
    else:
        key = (*who, one.left, one.right, one.question_id, one.turn)
    return intake.is_duplicate(one.place, "judgment", *key)


def _fastchat(row: dict[str, Any], place: Place, intake: Intake, scale: Scale) -> SingleJudgment:
    judge, prompt = _judge(row)
    turn = _turn(row)
    told = row.get("judgment")
    score, reason = _score(told, row.get("score"), scale, place, intake)
    return SingleJudgment(
        text(row, "model", place, intake),
        "default",
        identifier(row, "question_id"),
        turn,
        judge,
        prompt,
        score,
        number(row.get("score")),
        reason,
        storable(told, place, intake) if isinstance(told, str) else "",
        place,
    )


def _turn(row: dict[str, Any]) -> int:
    turn = row.get("turn", 1)
    if isinstance(turn, bool) or not isinstance(turn, int) or turn not in (1, 2):
        raise RowError("wrong_type", f'"turn" is {turn!r}, expected 1 or 2')
    return turn


def _score(told: Any, recorded: Any, scale: Scale, place: Place, intake: Intake) -> tuple[float | None, str | None]:
    """Our reading of a rating: of the judge's text where it is there, else of the number that was stored."""
    if isinstance(told, str) and told:
        found = parse_score(told, scale)
        if not isinstance(found, Unparsable):
            return found.value, None
        intake.at(place, "failed_judgment", f"no rating can be read: {found.reason}")
        return None, found.reason
    return _recorded(recorded, scale, place, intake)


def _recorded(recorded: Any, scale: Scale, place: Place, intake: Intake) -> tuple[float | None, str | None]:
    value = number(recorded)
    if value is None:
        intake.at(place, "failed_judgment", "no rating is stored")
        return None, "no_verdict"
    if not scale.low <= value <= scale.high:
        intake.at(place, "out_of_range", f"rating {value:g} is outside {scale.low:g} to {scale.high:g}")
        return None, "out_of_range"
    return value, None


def _judge(row: dict[str, Any]) -> tuple[str, str]:
    judge = row.get("judge")
    if isinstance(judge, list) and len(judge) == 2 and all(isinstance(part, str) for part in judge):
        return judge[0], judge[1]
    if isinstance(judge, str) and judge:
        return judge, ""
    raise RowError("missing_field", '"judge" must be a name or [name, prompt]')


def _logickor(
    row: dict[str, Any],
    form: Format,
    place: Place,
    intake: Intake,
    name: tuple[str, str],
    judge: str,
    scale: Scale,
) -> list[SingleJudgment]:
    question_id = identifier(row, "question_id", "id")
    model = text(row, "model", place, intake) if form == "rows" or "model" in row else name[0]
    mode = row.get("mode") or name[1]
    if not isinstance(mode, str):
        raise RowError("wrong_type", '"mode" must be text')
    read = []
    reason: str | None
    for turn, message, recorded in _rated_turns(row):
        if message.strip() in FAILURE_TEXTS:
            intake.at(place, "failed_judgment", f"turn {turn}: {message}")
            score, reason = None, "request_failed"
        else:
            score, reason = _recorded(recorded, scale, place, intake)
        kept = storable(message, place, intake)
        published = number(recorded)
        read.append(SingleJudgment(model, mode, question_id, turn, judge, "", score, published, reason, kept, place))
    return read


def _rated_turns(row: dict[str, Any]) -> list[tuple[int, str, Any]]:
    """(turn, message, rating) of LogicKor's own rows and of the `rows` interchange."""
    if "query_single" in row:
        message, score = "judge_message", "judge_score"
        found: list[tuple[Any, Any]] = [(1, row["query_single"]), (2, row.get("query_multi"))]
    else:
        message, score = "message", "score"
        found = [(one.get("turn") if isinstance(one, dict) else 0, one) for one in items(row, "judge")]
    read = []
    for turn, told in found:
        if not isinstance(told, dict) or turn not in (1, 2) or not isinstance(told.get(message, ""), str):
            raise RowError("wrong_type", "a judgment needs turn (1 or 2), message (text) and score")
        read.append((turn, told.get(message, ""), told.get(score)))
    return read


def _fastchat_pair(row: dict[str, Any], place: Place, intake: Intake) -> PairJudgment:
    judge, prompt = _judge(row)
    recorded: dict[str, Label] = {"model_1": "A>B", "model_2": "B>A", "tie": "A=B"}
    games = []
    for game, first in (("g1", "left"), ("g2", "right")):
        label = recorded.get(str(row.get(f"{game}_winner")))
        if label and first == "right":
            label = SWAPPED[label]
        games.append(_game(first, row.get(f"{game}_judgment"), label, place, intake, five=False))
    return PairJudgment(
        identifier(row, "question_id"),
        _turn(row),
        text(row, "model_1", place, intake),
        text(row, "model_2", place, intake),
        judge,
        prompt,
        tuple(games),
        place,
    )


def _arena_hard(row: dict[str, Any], place: Place, intake: Intake, judge: str) -> PairJudgment:
    listed = row.get("games") if isinstance(row.get("games"), list) else [row.get("game1"), row.get("game2")]
    games = []
    for first, told in zip(("left", "right"), [*(listed or []), None, None], strict=False):
        game = told if isinstance(told, dict) else {"score": told}
        message = game.get("judgment")
        if isinstance(message, dict):
            message = message.get("answer")
        label: Any = game.get("score")
        if label is not None and not (isinstance(label, str) and label in LABELS):
            intake.at(place, "unknown_label", f"{str(label)[:40]!r} is none of the five labels")
            label = None
        games.append(_game(first, message, label, place, intake, five=True))
    if listed == [games[0].published, None] or (len(listed or []) == 1 and games[1].published is None):
        # Ko-Arena-Hard's own program counts the first label once more for a missing second game.
        games[1] = replace(games[1], published=games[0].published)
    name, _ = _judge(row) if row.get("judge") else (judge, "")
    model = text(row, "model", place, intake)
    baseline = text(row, "baseline", place, intake) if row.get("baseline") else "baseline"
    return PairJudgment(identifier(row, "question_id", "uid"), 1, baseline, model, name, "", tuple(games), place)


def _game(first: Any, told: Any, recorded: Label | None, place: Place, intake: Intake, *, five: bool) -> Game:
    """One game: our reading of the judge's text where it is there, else of the label that was stored."""
    if not isinstance(told, str) or not told:
        if recorded is None:
            intake.at(place, "missing_game", "a game without a verdict; the pair has no result")
        return Game(first, recorded, recorded, None if recorded else "no_verdict", "")
    found = parse_five(told) if five else parse_pair(told)
    kept = storable(told, place, intake)
    if isinstance(found, Verdict):
        return Game(first, found.label, recorded, None, kept)
    intake.at(place, "failed_judgment", f"no verdict can be read: {found.reason}")
    return Game(first, None, recorded, found.reason, kept)
