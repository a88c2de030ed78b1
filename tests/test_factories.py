"""The factories write what the product can read."""

from __future__ import annotations

import pytest

from leaderboard.ranking import item_scores
from runners.record import full_sample
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_result_of_the_factory_reads_like_one_of_the_product() -> None:
    suite = factories.make_suite(tasks=2)
    run = factories.make_finished_run(suite=suite)
    result = run.results.first()
    assert result is not None
    assert (result.value, result.n_scored, result.n_no_answer) == (0.5, 4, 1)
    sample = result.samples.get(doc_id=3)
    assert full_sample(sample).reply == "잘 모르겠습니다."
    assert item_scores([result.pk])[result.pk].tolist() == [1.0, 0.0, 1.0, 0.0]


def test_a_result_without_any_score_has_no_value() -> None:
    run = factories.make_run(status="running")
    result = factories.make_result(run, run.suite.tasks.get(), [None, None])
    assert (result.value, result.n_failed) == (None, 2)


@pytest.mark.parametrize("status", ["queued", "running", "judging", "finished", "failed", "cancelled"])
def test_a_run_of_any_status_is_a_lawful_row(status: str) -> None:
    assert factories.make_run(status=status).status == status
