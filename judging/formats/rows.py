"""What public files of questions, answers and judgments say, in one shape each. Question ids are always
text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from judging.verdicts import SWAPPED, Label

Side = Literal["left", "right"]
Format = Literal["fastchat", "logickor", "arena-hard", "llmbar", "rows"]


@dataclass(frozen=True)
class Place:
    """Where a row was read: file name and line, counted from 1."""

    file: str
    line: int


@dataclass(frozen=True)
class Question:
    """One question with its turns; `references[i]` belongs to turn i and is None where there is none."""

    id: str
    category: str
    turns: tuple[str, ...]
    references: tuple[str | None, ...]
    place: Place


@dataclass(frozen=True)
class Reference:
    """A reference answer from a file of its own (FastChat), one text per turn."""

    question_id: str
    turns: tuple[str, ...]
    author: str
    place: Place


@dataclass(frozen=True)
class Answer:
    """A recorded answer, one text per turn: None where the request failed, "" where the model
    said nothing. `quality` where the file knows it.
    """

    model: str
    mode: str
    question_id: str
    category: str | None
    turns: tuple[str | None, ...]
    place: Place
    quality: str = ""


@dataclass(frozen=True)
class SingleJudgment:
    """One rating of one turn.

    `score` is what our strict reading finds, None with a `reason` where it finds nothing. `published` is the
    number the file's own program counted, None where that program left the row out.
    """

    model: str
    mode: str
    question_id: str
    turn: int
    judge: str
    prompt: str
    score: float | None
    published: float | None
    reason: str | None
    text: str
    place: Place


@dataclass(frozen=True)
class Game:
    """One showing of a pair. `label` is told for the answer shown first (A); `published` is the file's own
    label.
    """

    first: Side
    label: Label | None
    published: Label | None
    reason: str | None
    text: str

    @property
    def winner(self) -> Side | Literal["tie"] | None:
        return _winner(self.label, self.first)

    @property
    def published_winner(self) -> Side | Literal["tie"] | None:
        return _winner(self.published, self.first)


def _winner(label: Label | None, first: Side) -> Side | Literal["tie"] | None:
    if label is None or label == "A=B":
        return None if label is None else "tie"
    told = label if first == "left" else SWAPPED[label]
    return "left" if told.startswith("A") else "right"


@dataclass(frozen=True)
class PairJudgment:
    """One pair of answers to one question, shown in one order or both. In Arena-Hard left is the baseline."""

    question_id: str
    turn: int
    left: str
    right: str
    judge: str
    prompt: str
    games: tuple[Game, ...]
    place: Place

    @property
    def winner(self) -> Side | Literal["tie"] | None:
        """The winner both orders agree on, a tie where they do not, None where a game has no verdict."""
        winners = {game.winner for game in self.games}
        if None in winners or not winners:
            return None
        return winners.pop() if len(winners) == 1 else "tie"

    @property
    def consistent(self) -> bool | None:
        """Whether both orders have the same winner; None where there are not two verdicts."""
        winners = [game.winner for game in self.games]
        return None if len(winners) < 2 or None in winners else len(set(winners)) == 1
