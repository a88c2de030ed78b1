"""LLMBar (Zeng et al. 2024, arXiv 2310.07641): pairs of outputs with a gold preference, and recorded verdicts on them.

The set puts judges on trial, not models: the two outputs of an instance stand as answers of `llmbar/output-1` and
`llmbar/output-2`, and which of them is the better one is kept with each answer as its known quality.
"""

from __future__ import annotations

import re
from typing import Any, Literal, cast

from judging import published
from judging.formats.intake import Intake, RowError, storable, text
from judging.formats.protocols import Note, Protocol
from judging.formats.rows import Answer, Game, PairJudgment, Place, Question
from judging.verdicts import SWAPPED, Label

Number = Literal["1", "2"]
OUTPUTS: dict[Number, str] = {"1": "llmbar/output-1", "2": "llmbar/output-2"}
LABELS: dict[Number, Label] = {"1": "A>B", "2": "B>A"}

LLMBAR = Protocol(
    slug="llmbar",
    title="LLMBar",
    source="princeton-nlp/LLMBar",
    language="en",
    form="pair",
    questions=526,
    turns=1,
    categories=("Natural", "Neighbor", "GPTInst", "MT-Bench"),
    max_tokens=1024,
    judge="GPT-4",
    judge_temperature=0.0,
    judge_max_tokens=None,
    aggregate="battles",
    failures="dropped",
    baseline=OUTPUTS["1"],
    notes=(
        Note(
            "The rows of this board are no models: they are the first and the second output of each instance. What "
            "counts is how often a judge prefers the better one, which stands on the judge's page.",
            "이 순위표의 행은 모델이 아니라 문항마다 주어진 첫째와 둘째 출력입니다. 중요한 것은 심판이 더 나은 쪽을 "
            "얼마나 자주 고르는지이며, 심판 페이지에 나옵니다.",
        ),
        Note(
            "Equal ratings are a tie and unreadable ones no verdict. The original's Rating always names a winner, "
            "which is half right whatever the label.",
            "점수가 같으면 무승부, 읽을 수 없으면 판정 없음입니다. 원본의 Rating은 언제나 승자를 정하므로 정답이 "
            "무엇이든 절반은 맞습니다.",
        ),
    ),
)  # fmt: skip


def question_of(row: dict[str, Any], place: Place, intake: Intake) -> Question:
    """An instance as a question of one turn; its category is the subset. Raises RowError."""
    return Question(
        key_of(row), text(row, "subset", place, intake), (text(row, "input", place, intake),), (None,), place
    )


def answers_of(row: dict[str, Any], place: Place, intake: Intake) -> list[Answer]:
    """Both outputs of an instance, with which of them is the better one. Raises RowError."""
    gold = str(row.get("label"))
    if gold not in OUTPUTS:
        raise RowError("wrong_type", f'"label" is {row.get("label")!r}, expected 1 or 2')
    found = []
    for number, model in OUTPUTS.items():
        said = row.get(f"output_{number}")
        if not isinstance(said, str):
            raise RowError("missing_field", f'"output_{number}" is missing or not text')
        quality = "better" if number == gold else "worse"
        kept = storable(said, place, intake)
        found.append(Answer(model, "default", key_of(row), row.get("subset"), (kept,), place, quality))
    return found


def judgment_of(row: dict[str, Any], place: Place, intake: Intake) -> PairJudgment:
    """Both orders of one verdict; its judge is the evaluator with its strategy, as in `gpt-4-cot`. Raises RowError."""
    evaluator, strategy = (text(row, key, place, intake) for key in ("evaluator", "strategy"))
    judge = re.sub(r"[^a-z0-9]+", "-", f"{evaluator}-{strategy}".lower()).strip("-")
    games = []
    for order, first in (("original", "1"), ("swapped", "2")):
        told = row.get(order)
        if not isinstance(told, dict):
            raise RowError("missing_field", f'"{order}" is missing or no object')
        games.append(_game(row, told, cast(Number, first), place, intake))
    return PairJudgment(key_of(row), 1, OUTPUTS["1"], OUTPUTS["2"], judge, strategy, tuple(games), place)


def key_of(row: dict[str, Any]) -> str:
    """`subset-idx`, which is unique in the set. Raises RowError."""
    subset, index = row.get("subset"), row.get("idx")
    if not isinstance(subset, str) or not subset or isinstance(index, bool) or not isinstance(index, int):
        raise RowError("missing_field", '"subset" (text) and "idx" (number) name an instance; one is missing')
    return f"{subset}-{index}"


def _game(row: dict[str, Any], told: dict[str, Any], first: Number, place: Place, intake: Intake) -> Game:
    """One order. The file's winner is numbered as in the original order; a label tells it as shown."""
    said = told.get("completion")
    kept = storable(said, place, intake) if isinstance(said, str) else ""
    label, reason = _rated(row) if row["strategy"] == "Rating" else _read(kept, row, first)
    if label is None:
        intake.at(place, "failed_judgment", f"no verdict can be read: {reason}")
    winner = told.get("winner")
    recorded = LABELS[cast(Number, winner)] if winner in LABELS else None
    if first == "2":
        label, recorded = (None if one is None else SWAPPED[one] for one in (label, recorded))
    return Game("left" if first == "1" else "right", label, recorded, reason, kept)


def _read(said: str, row: dict[str, Any], first: Number) -> tuple[Label | None, str | None]:
    """What a completion says, told for output 1 as A whichever was shown first."""
    found = published.llmbar(said, row["strategy"], row["evaluator"])
    if found is None:
        return None, "no_verdict"
    label = LABELS[found]
    return (label if first == "1" else SWAPPED[label]), None


def _rated(row: dict[str, Any]) -> tuple[Label | None, str | None]:
    """Two single ratings as a verdict for output 1 as A; the same for both orders."""
    try:
        first, second = int(row["score_1"]), int(row["score_2"])
    except (KeyError, TypeError, ValueError):
        return None, "no_verdict"
    return ("A=B" if first == second else "A>B" if first > second else "B>A"), None
