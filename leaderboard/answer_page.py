"""One question as several models answered it and several judges graded it; what the answer and question pages show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

from django.db.models import QuerySet

from judging.models import Answer, Judge, Judgment, Question
from runners.models import Message

MAX_BESIDE = 3
MAX_NEIGHBOURS = 300
# A vote's judges agree when they are no further apart than this, in points.
NEAR = 1.0


@dataclass(frozen=True)
class Opinion:
    """One judge on one turn (0: the whole conversation): every repeat, and their mean where any was read."""

    judge: Judge
    turn: int
    judgments: list[Judgment]

    @property
    def score(self) -> float | None:
        return mean_of(judgment.score for judgment in self.judgments if judgment.rival_id is None)


@dataclass(frozen=True)
class Vote:
    """What two or more judges make of one turn: their median, how far they are apart, and whether that is near."""

    judges: int
    score: float
    apart: float

    @property
    def agree(self) -> bool:
        return self.apart <= NEAR


@dataclass(frozen=True)
class Turn:
    """A turn as it was asked, answered and judged. `fidelity` is null where nothing could be measured."""

    number: int
    asked: str
    reference: str | None
    said: Message | None
    fidelity: Mapping[str, Any] | None
    opinions: list[Opinion]

    @property
    def vote(self) -> Vote | None:
        # The built-in rule counts and reads nothing: it has no vote beside judges that read.
        return vote([one.score for one in self.opinions if one.judge.kind != Judge.Kind.BUILTIN])


@dataclass(frozen=True)
class Spoken:
    """An answer with all that was said; `whole` are the opinions on the conversation as one."""

    answer: Answer
    turns: list[Turn]
    whole: list[Opinion]


@dataclass
class Neighbour:
    """Another model's answer to the same question: mean score, or share of pairs won, per (judge, turn)."""

    answer: Answer
    scores: dict[tuple[int, int], float | None] = field(default_factory=dict)
    best: float | None = None


@dataclass(frozen=True)
class AnswerPage:
    """An answer, the ones shown beside it, and every other one to the same question in the same mode."""

    spoken: Spoken
    beside: list[Spoken]
    neighbours: list[Neighbour]
    columns: list[tuple[Judge, int]]

    @property
    def sides(self) -> list[Spoken]:
        return [self.spoken, *self.beside]


def find(pk: int) -> Answer | None:
    """The answer, unless its run was withdrawn or its model is hidden."""
    return _public().select_related("question__question_set__suite").filter(pk=pk).first()


def read(answer: Answer, beside: Sequence[int] = ()) -> AnswerPage:
    """The page of an answer. Six queries however many neighbours there are."""
    question = answer.question
    neighbours, columns = neighbours_of(question, answer.mode)
    chosen = [one.answer for one in neighbours if one.answer.pk in beside and one.answer.pk != answer.pk]
    if not beside:
        others = [one.answer for one in neighbours if one.answer.revision_id != answer.revision_id]
        chosen = others[:1]
    spoken = _spoken([answer, *chosen[:MAX_BESIDE]], question)
    return AnswerPage(spoken[0], spoken[1:], neighbours, columns)


def neighbours_of(question: Question, mode: str | None = None) -> tuple[list[Neighbour], list[tuple[Judge, int]]]:
    """Every answer to a question with its scores, best first by the first judge; and the (judge, turn) columns."""
    answers = _public().filter(question=question)
    if mode is not None:
        answers = answers.filter(mode=mode)
    found = {answer.conversation_id: Neighbour(answer) for answer in answers.order_by("-run_id")[:MAX_NEIGHBOURS]}
    told = Judgment.objects.filter(subject__in=list(found), canary="").exclude(status="pending")
    scores: dict[tuple[int, int, int], list[float | None]] = defaultdict(list)
    for subject, judge, turn, score, verdict in told.values_list("subject_id", "judge_id", "turn", "score", "verdict"):
        scores[subject, judge, turn].append(points(verdict) if verdict else score)
    judges = Judge.objects.in_bulk({judge for _, judge, _ in scores})
    for (subject, judge, turn), values in scores.items():
        found[subject].scores[judge, turn] = mean_of(values)
    columns = sorted({(judge, turn) for _, judge, turn in scores}, key=lambda key: (judges[key[0]].pk, key[1]))
    for one in found.values():
        one.best = mean_of(one.scores.get(key) for key in columns if key[0] == columns[0][0])
    rows = sorted(found.values(), key=lambda one: (one.best is None, -(one.best or 0.0), one.answer.revision.slug))
    return rows, [(judges[judge], turn) for judge, turn in columns]


def points(verdict: str) -> float:
    """What a verdict on a pair is worth to its subject: a win 1, a tie a half, a loss 0."""
    return 0.5 if verdict == "A=B" else float(verdict.startswith("A"))


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def vote(scores: Iterable[float | None]) -> Vote | None:
    """The vote of two or more judges that gave a score."""
    known = [score for score in scores if score is not None]
    return Vote(len(known), median(known), max(known) - min(known)) if len(known) > 1 else None


def _public() -> QuerySet[Answer]:
    return Answer.objects.filter(run__withdrawn_at=None, revision__language_model__hidden_reason="").select_related(
        "revision__language_model", "run"
    )


def _spoken(answers: Sequence[Answer], question: Question) -> list[Spoken]:
    """The texts and judgments of a few answers; two queries."""
    ids = [answer.conversation_id for answer in answers]
    said: dict[tuple[int, int], Message] = {}
    for message in Message.objects.filter(conversation__in=ids, role=Message.Role.ASSISTANT).order_by("position"):
        said[message.conversation_id, message.turn] = message
    opinions: dict[tuple[int, int, int], list[Judgment]] = defaultdict(list)
    judged = Judgment.objects.filter(subject__in=ids, canary="").select_related(
        "judge", "rival__revision__language_model"
    )
    for judgment in judged.order_by("judge_id", "repeat", "swapped"):
        opinions[judgment.subject_id, judgment.turn, judgment.judge_id].append(judgment)
    grouped: dict[tuple[int, int], list[Opinion]] = defaultdict(list)
    for (subject, turn, _judge), told in sorted(opinions.items()):
        grouped[subject, turn].append(Opinion(told[0].judge, turn, told))
    return [
        Spoken(
            answer,
            [_turn(answer, question, index, said, grouped) for index in range(len(question.turns))],
            grouped.get((answer.conversation_id, 0), []),
        )
        for answer in answers
    ]


def _turn(
    answer: Answer,
    question: Question,
    index: int,
    said: Mapping[tuple[int, int], Message],
    grouped: Mapping[tuple[int, int], list[Opinion]],
) -> Turn:
    key = answer.conversation_id, index + 1
    references = question.references or []
    return Turn(
        index + 1,
        question.turns[index],
        references[index] if index < len(references) else None,
        said.get(key),
        answer.fidelity[index] if index < len(answer.fidelity) else None,
        grouped.get(key, []),
    )
