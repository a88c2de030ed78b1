"""One button where a model server is attached: a served model answers the questions, another one judges the answers.

Offered until a language model judges the set, on a local site to its reader and elsewhere to staff who may operate
runs: a judge may cost money, and it is the site's owner who says yes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction

from judging import forecast, plan
from judging.canaries import CANARIES
from judging.models import Judge, QuestionSet
from leaderboard import submissions
from leaderboard.models import Submission
from leaderboard.submissions import Wanted
from runners import judging_phase
from runners.models import ModelRevision, Suite

SET = "ko-mt"


@dataclass(frozen=True)
class Offer:
    """What the button may start, and with what it does so unless the reader chooses. `calls` are the judge's."""

    suite: Suite
    models: Sequence[ModelRevision]
    judges: Sequence[Judge]
    model: ModelRevision
    judge: Judge
    turns: int
    calls: int


def offer(user: AbstractBaseUser | AnonymousUser, served: Sequence[ModelRevision]) -> Offer | None:
    """The button, where there is something to start and `user` may."""
    questions = QuestionSet.objects.current(SET)
    if questions is None or not served or not may_start(user):
        return None
    if any(judge.kind == Judge.Kind.LLM for judge in plan.active_judges(questions)):
        return None
    judges = waiting_judges()
    if not judges:
        return None
    model = served[0]
    judge = next((one for one in judges if one.endpoint_id != model.endpoint_id), judges[0])
    turns = sum(len(question.turns) for question in questions.questions.all())
    calls = turns * (judge.repeats or questions.repeats) + plan.CANARY_ANSWERS * len(CANARIES)
    return Offer(questions.suite, served, judges, model, judge, turns, calls + forecast.of(judge).calls)


def may_start(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether `user` may let a judge begin."""
    return not settings.PRODUCTION or user.has_perm("leaderboard.operate_runs")  # type: ignore[union-attr]


def waiting_judges() -> list[Judge]:
    """Served models that could judge and do not: the newest version of each."""
    offered = Judge.objects.filter(kind=Judge.Kind.LLM, mode=Judge.Mode.SINGLE, is_active=False)
    found = {judge.slug: judge for judge in offered.select_related("endpoint").order_by("slug", "version")}
    return [
        one for one in found.values() if one.endpoint and one.endpoint.is_active and "judge" in one.endpoint.purposes
    ]


@transaction.atomic
def start(wanted: Wanted, judge: Judge) -> Submission:
    """Lets the judge begin, takes the submission, and puts the judge on trial on what was answered before.

    Raises SubmissionError.
    """
    made = submissions.accept(wanted)
    Judge.objects.filter(pk=judge.pk).update(is_active=True)
    for run in forecast.finished_runs(judge):
        if run.suite_id in {suite.pk for suite in wanted.suites}:
            judging_phase.judge_again(run)
    return made
