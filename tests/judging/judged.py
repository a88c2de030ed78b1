"""A small multi-turn set, a served candidate and judges for tests of the engine."""

from __future__ import annotations

from typing import Any

from judging import jobs, judges, question_sets
from judging.formats import Place, Question
from judging.models import Judge, QuestionSet
from runners import runs, supervise
from runners.catalog import register_endpoint
from runners.models import EvaluationRun, ModelRevision
from tests.fake_openai import FakeOpenAI

CATEGORIES = ("writing", "math")


def make_set(questions: int = 4, slug: str = "small", repeats: int = 1) -> QuestionSet:
    """Two-turn questions, alternately of a free and of a reference-guided category."""
    rows = [
        Question(
            f"q{number}",
            CATEGORIES[number % 2],
            (f"{number}번 이야기를 들려주세요.", f"{number}번 이야기를 한 문장으로 줄여 주세요."),
            ("정답: 하나", "정답: 둘") if number % 2 else (None, None),
            Place("test", number),
        )
        for number in range(questions)
    ]
    made, _ = question_sets.publish(slug, "rows", rows, question_sets.KNOWN["mt-bench"])
    made.repeats = repeats
    made.save()
    return made


def served(server: FakeOpenAI, name: str = "candidate", **options: Any) -> ModelRevision:
    """A model of the fake server as it is evaluated and may judge."""
    return register_endpoint(name, base_url=server.base_url, served_name=name, **options)


def make_judge(server: FakeOpenAI, name: str = "judge", **options: Any) -> Judge:
    endpoint = served(server, name).endpoint
    assert endpoint is not None
    return judges.add(name, endpoint, **options)


def answered(revision: ModelRevision, question_set: QuestionSet, **options: Any) -> EvaluationRun:
    """A run after one attempt at its answers."""
    run = runs.request(revision, question_set.suite, run_settings=options)
    supervise.execute(run.pk)
    run.refresh_from_db()
    return run


def judged(run: EvaluationRun) -> EvaluationRun:
    """The run after one attempt of its judges."""
    assert jobs.execute(run.pk)
    run.refresh_from_db()
    return run
