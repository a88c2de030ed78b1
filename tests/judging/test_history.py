"""What each judging says of its judge, kept so that a drift is seen."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from judging import alarms, history, judges, question_sets
from judging.bias import Share
from judging.models import Answer, Judge, QuestionSet, TrialPoint
from runners import catalog, runs, supervise
from runners.models import EvaluationRun, ModelRevision
from tests import factories
from tests.judging.judged import judged

pytestmark = pytest.mark.django_db


def points(*shares: tuple[int, int]) -> list[TrialPoint]:
    return [TrialPoint(hits=hits, n=n, kinds={"canary": [hits, n]}) for hits, n in shares]


def test_a_fall_is_shown_only_where_its_interval_lies_below_nothing() -> None:
    steady = [(45, 50)] * 4
    assert history.fall(points(*steady, *steady)) is None
    found = history.fall(points(*steady, (30, 50), (28, 50), (29, 50)))
    assert found is not None
    assert (found.before, found.now) == (0.9, Share(87, 150))
    assert found.low < 87 / 150 - 0.9 < found.high < 0


def test_harder_pairs_than_before_are_no_fall() -> None:
    """The same judge, now on the kind it always found hard."""
    easy, hard = ({"complete>english": [50, 50]}, {"complete>wrong": [20, 50]})
    past = [TrialPoint(hits=1, n=1, kinds=kinds) for kinds in (easy, easy, hard, easy, hard)]
    assert history.fall([*past, *[TrialPoint(hits=1, n=1, kinds=hard) for _ in range(3)]]) is None
    harder = {"complete>wrong": [5, 50]}
    found = history.fall([*past, *[TrialPoint(hits=1, n=1, kinds=harder) for _ in range(3)]])
    assert found is not None and found.before == pytest.approx(0.4)


def test_a_rise_few_pairs_and_judgings_without_pairs_are_no_fall() -> None:
    assert history.fall(points(*[(25, 50)] * 4, *[(48, 50)] * 3)) is None
    assert history.fall(points((5, 5), (0, 5), (0, 5), (0, 5))) is None
    assert history.fall(points(*[(45, 50)] * 3)) is None
    assert history.fall([]) is None
    fallen = points(*[(45, 50)] * 4, (0, 0), (28, 50), (0, 0), (28, 50), (28, 50))
    found = history.fall(fallen)
    assert found is not None and found.now.n == 150


def _answered(quality: str) -> EvaluationRun:
    suite = QuestionSet.objects.get(slug="ko-mt").suite
    revision = ModelRevision.objects.get(slug=f"reference/{quality}")
    run = runs.request(revision, suite, run_settings={"limit": 12})
    supervise.execute(run.pk)
    return run


def test_each_judging_leaves_a_point_with_the_pairs_it_had_a_part_in(settings: Any) -> None:
    question_sets.synchronise()
    judge = judges.register_rule()
    for quality in ("complete", "wrong"):
        catalog.register_player(quality, quality)
    first, second = judged(_answered("complete")), judged(_answered("wrong"))
    before, after = TrialPoint.objects.order_by("pk")
    assert (before.run, after.run, before.judge) == (first, second, judge)
    # The first has its canaries below its own complete answers; the second also complete answers over its wrong ones.
    assert before.n > 0 and before.n_canaries == before.n
    turns = 2 * Answer.objects.filter(run=second).count()
    assert turns >= 4 and after.n == after.n_canaries + turns
    assert set(after.kinds) == {"canary", "complete>wrong"} and after.kinds["complete>wrong"][1] == turns
    assert before.hits <= before.n and before.canary_mean is not None and before.canary_mean < 6
    at = before.at
    again = history.note(first, judge, QuestionSet.objects.get(slug="ko-mt"))
    assert again is not None and again.at == at


def test_the_alarm_tells_of_a_judge_that_errs_more_than_before() -> None:
    suite = factories.make_suite("talk", 0, kind="multi_turn")
    found = QuestionSet.objects.create(slug="talk", suite=suite, format="rows", protocol="ko-mt", sha256="0" * 64)
    judge = Judge.objects.create(slug="j", name="j", kind="llm")
    revision = factories.make_revision("maker/one")
    for hits in (48, 47, 48, 49, 30, 31, 29):
        run = factories.make_run(revision, suite, "finished")
        TrialPoint.objects.create(
            judge=judge,
            question_set=found,
            run=run,
            at=timezone.now(),
            hits=hits,
            n=50,
            n_judgments=60,
            kinds={"canary": [hits, 50]},
        )
    (trouble,) = alarms.check()
    assert trouble.kind == "judge_drift"
    assert "60% of 150 in its newest 3 judgings, 96% of the same kinds until then" in str(trouble)
    Judge.objects.update(is_active=False)
    assert not list(alarms.check())
