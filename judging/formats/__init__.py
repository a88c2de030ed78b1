"""Public formats of multi-turn benchmarks: streaming readers and the protocols as they were published."""

from judging.formats.answers import read_answers
from judging.formats.intake import Intake, Kind, Problem
from judging.formats.judgments import read_judgments
from judging.formats.protocols import PROTOCOLS, Protocol
from judging.formats.questions import attach_references, read_questions, read_references
from judging.formats.rows import (
    Answer,
    Format,
    Game,
    PairJudgment,
    Place,
    Question,
    Reference,
    SingleJudgment,
)

__all__ = [
    "PROTOCOLS",
    "Answer",
    "Format",
    "Game",
    "Intake",
    "Kind",
    "PairJudgment",
    "Place",
    "Problem",
    "Protocol",
    "Question",
    "Reference",
    "SingleJudgment",
    "attach_references",
    "read_answers",
    "read_judgments",
    "read_questions",
    "read_references",
]
