"""A judged multi-turn set for page tests: questions, answers, judgments and the numbers that are stored of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from judging.bias import penalised
from judging.formats.protocols import Penalty
from judging.models import Answer, Judge, JudgedRun, JudgeTrial, Judgment, Question, QuestionSet
from judging.packing import multi_turn_to_json
from judging.scores import Failed, Rated, multi_turn
from runners.models import Conversation, EvaluationRun, Message, Suite
from tests import factories

CATEGORIES = ("writing", "math", "reasoning")
_numbers = itertools.count(1)
# Two scores per question, None for a verdict that could not be read.
Scores = Sequence[tuple[float | None, float | None]]
NOISE = {"deviation": 0.5, "turns": 12, "repeats": 2.0, "agreement": {"hits": 9, "n": 12, "value": 0.75}}
REPORT: dict[str, Any] = {
    "noise": NOISE,
    "known_order": {
        "hits": {"hits": 20, "n": 24, "value": 0.8333, "low": 0.64, "high": 0.93},
        "ties": 2,
        "missing": 1,
        "pairs": [
            {"better": "complete", "worse": "wrong", "share": {"hits": 6, "n": 6, "value": 1.0, "low": 0.6, "high": 1}}
        ],
    },
    "canaries": {
        "is_red": False,
        "beaten": [],
        "missing": [],
        "rows": [{"canary": "colon", "mean": 1.0, "n": 6, "failed": 0, "duels": {"hits": 0, "n": 0, "value": None}}],
    },
    "position": None,
    "length": {"longer_wins": {"hits": 5, "n": 8, "value": 0.625, "low": 0.3, "high": 0.86}, "equal_length": 0,
               "correlation": 0.21},
    "self_preference": None,
    "counts": {"done": 23, "unparsable": 1},
    "failures": {"no rating": 1},
    "repaired": 1,
}  # fmt: skip


@dataclass
class Judged:
    """What was made: one run and its answers per model, in the order given."""

    suite: Suite
    question_set: QuestionSet
    questions: list[Question]
    judge: Judge
    runs: list[EvaluationRun]
    answers: list[list[Answer]]


def make_judge(slug: str = "", **fields: Any) -> Judge:
    slug = slug or f"judge-{next(_numbers)}"
    defaults: dict[str, Any] = {"name": slug, "kind": Judge.Kind.LLM, "prompts": {"single": "질문: {question}\n[[n]]"}}
    return Judge.objects.create(slug=slug, **{**defaults, "prompts_sha": "a" * 64, **fields})


def make_judged(
    models: Mapping[str, Scores],
    slug: str = "ko-talk",
    *,
    english: Sequence[str] = (),
    texts: Mapping[str, str] | None = None,
    report: dict[str, Any] | None = None,
) -> Judged:
    """Models by slug with two scores per question; those in `english` answer in English."""
    suite = factories.make_suite(slug, 0, kind=Suite.Kind.MULTI_TURN, differences_en="It is shorter.")
    count = len(next(iter(models.values())))
    question_set = QuestionSet.objects.create(slug=slug, suite=suite, format="rows", protocol="ko-mt", sha256="0" * 64)
    questions = [_question(question_set, number) for number in range(count)]
    judge = make_judge()
    runs, answers = [], []
    for name, scores in models.items():
        run = factories.make_run(factories.make_revision(name), suite, "finished")
        text = (texts or {}).get(name, "This is an answer in English." if name in english else "한국어 **답변**입니다.")
        runs.append(run)
        answers.append([_answer(run, question, text) for question in questions])
        judge_answers(judge, answers[-1], scores)
    JudgeTrial.objects.create(
        judge=judge, question_set=question_set, report=report or REPORT, known_order=0.8333, noise=0.5, repeats=2.0,
        is_red=bool((report or REPORT)["canaries"]["is_red"]), n_judgments=24,
    )  # fmt: skip
    return Judged(suite, question_set, questions, judge, runs, answers)


def judge_answers(judge: Judge, answers: Sequence[Answer], scores: Scores) -> JudgedRun:
    """The judge's verdicts on one run's answers and the row of numbers made of them."""
    for answer, told in zip(answers, scores, strict=True):
        for turn, score in enumerate(told, start=1):
            make_judgment(judge, answer, turn, score)
    run, question_set = answers[0].run, answers[0].question.question_set
    numbers = {
        f"{failed}/{penalty}": multi_turn_to_json(multi_turn(_rated(answers, scores, penalty), failed=failed))
        for failed in get_args(Failed)
        for penalty in get_args(Penalty)
    }
    unread = sum(score is None for told in scores for score in told)
    return JudgedRun.objects.create(
        run=run, judge=judge, question_set=question_set, numbers=numbers, n_questions=len(answers),
        n_turns=2 * len(answers), n_judgments=2 * len(answers), n_done=2 * len(answers) - unread, n_unparsable=unread,
        is_invalid=unread / (2 * len(answers)) > 0.005, completion_tokens=1_234, answer_cost_usd="0.5",
        krw_per_usd="1400", fidelity={"hangul_share": 0.9, "register_share": 1.0, "not_korean": 0, "leaking": 0,
                                      "measured": 2 * len(answers)},
    )  # fmt: skip


def make_judgment(judge: Judge, answer: Answer, turn: int, score: float | None, **fields: Any) -> Judgment:
    """One verdict on one turn; None is one that could not be read."""
    defaults: dict[str, Any] = {
        "status": "done" if score is not None else "unparsable",
        "reason": "근거가 **분명**합니다." if score is not None else "",
        "failure": "" if score is not None else "no rating",
        "call_key": f"{next(_numbers):064x}",
    }
    return Judgment.objects.create(
        judge=judge, run=answer.run, subject=answer.conversation, turn=turn, score=score, **{**defaults, **fields}
    )


def _question(question_set: QuestionSet, number: int) -> Question:
    return Question.objects.create(
        question_set=question_set, key=f"q-{number + 1}", position=number, category=CATEGORIES[number % 3],
        turns=[f"첫 질문 {number + 1}입니다.", f"이어지는 질문 {number + 1}입니다."], references=["참고 답안", None],
    )  # fmt: skip


def _answer(run: EvaluationRun, question: Question, text: str) -> Answer:
    conversation = Conversation.objects.create(revision=run.revision, run=run, is_recorded=True, item=question.key)
    for turn, asked in enumerate(question.turns, start=1):
        for place, (role, words) in enumerate((("user", asked), ("assistant", text))):
            Message.objects.create(
                conversation=conversation, position=2 * (turn - 1) + place, turn=turn, role=role, text=words,
                completion_tokens=20 if role == "assistant" else None,
            )  # fmt: skip
    is_korean = "This" not in text
    turn_fidelity = {"hangul_share": 1.0 if is_korean else 0.0, "not_korean": not is_korean, "leak": 0,
                     "register": "formal", "register_share": 1.0}  # fmt: skip
    return Answer.objects.create(
        question=question, revision=run.revision, conversation=conversation, run=run,
        fidelity=[turn_fidelity, turn_fidelity],
    )  # fmt: skip


def _rated(answers: Sequence[Answer], scores: Scores, penalty: Penalty) -> list[Rated]:
    return [
        Rated(
            answer.question.key,
            answer.question.category,
            turn,
            penalised(score, not answer.fidelity[turn - 1]["not_korean"], penalty),
        )
        for answer, told in zip(answers, scores, strict=True)
        for turn, score in enumerate(told, start=1)
    ]
