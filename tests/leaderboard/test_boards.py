"""Which runs stand on a board, and what their numbers become."""

from __future__ import annotations

import pytest

from leaderboard import boards
from leaderboard.published import publisher
from runners.models import Sample
from tests.factories import make_result, make_revision, make_run, make_samples, make_suite

pytestmark = pytest.mark.django_db

GOOD, BAD = (1.0,) * 19 + (0.0,), (0.0,) * 19 + (1.0,)


def board_of(suite):
    return boards.build(suite)


def finished(suite, scores, revision=None, tasks=None, **fields):
    run = make_run(revision or make_revision(), suite, "finished", **fields)
    for task in tasks if tasks is not None else suite.tasks.all():
        make_result(run, task, scores)
    return run


def test_the_average_is_the_plain_mean_with_its_own_error():
    suite = make_suite(tasks=2)
    run = make_run(suite=suite, status="finished")
    first, second = suite.tasks.all()
    make_result(run, first, (1.0, 1.0, 0.0, 0.0))
    make_result(run, second, (1.0, 1.0, 1.0, 1.0))
    (row,) = board_of(suite).rows
    assert row.average == pytest.approx(0.75)
    assert row.stderr == pytest.approx((row.cells[first.pk].stderr or 0) / 2)


def test_a_model_that_lacks_a_task_has_no_average_and_no_rank():
    suite = make_suite(tasks=2)
    finished(suite, GOOD)
    run = make_run(suite=suite, status="running")
    make_result(run, suite.tasks.first(), GOOD)
    whole, partial = board_of(suite).rows
    assert (whole.rank_low, partial.rank_low, partial.average, partial.n_present) == (1, None, None, 1)


def test_models_that_differ_surely_have_ranks_of_their_own_and_twins_share_them():
    suite = make_suite(tasks=1)
    for scores in (GOOD, GOOD, BAD):
        finished(suite, scores)
    assert [(row.rank_low, row.rank_high) for row in board_of(suite).rows] == [(1, 2), (1, 2), (3, 3)]


def test_the_newest_finished_run_stands_on_the_board():
    suite, revision = make_suite(tasks=1), make_revision()
    finished(suite, BAD, revision)
    newest = finished(suite, GOOD, revision)
    make_run(revision, suite, "running")
    make_run(revision, suite, "failed")
    assert [row.run_id for row in board_of(suite).rows] == [newest.pk]


def test_an_import_of_a_few_tasks_does_not_push_a_whole_run_off_the_board():
    suite, revision = make_suite(tasks=2), make_revision()
    whole = finished(suite, GOOD, revision)
    finished(suite, BAD, revision, tasks=[suite.tasks.first()], is_imported=True)
    assert [row.run_id for row in board_of(suite).rows] == [whole.pk]


def test_a_trial_of_a_few_items_stays_off_the_board():
    suite = make_suite(tasks=1)
    finished(suite, GOOD, settings={"limit": 5})
    assert board_of(suite).rows == []


def test_shots_are_a_board_of_their_own_beside_the_zero_shot_one(client):
    suite, revision = make_suite("shown", tasks=1), make_revision()
    plain = finished(suite, BAD, revision)
    assert "shots=" not in client.get("/en/boards/shown/").content.decode()
    few = finished(suite, GOOD, revision, settings={"shots": 5})
    board = board_of(suite)
    assert [row.run_id for row in board.rows] == [plain.pk]
    assert [row.run_id for row in board.by_shots[5].rows] == [few.pk]
    publisher.clear()
    assert "?shots=5" in client.get("/en/boards/shown/").content.decode()
    page = client.get("/en/boards/shown/?shots=5").content.decode()
    assert "95.0" in page
    assert f"/runs/{plain.pk}/" not in page


def test_withdrawn_cancelled_and_hidden_ones_are_not_shown():
    from django.utils import timezone

    suite = make_suite(tasks=1)
    finished(suite, GOOD, withdrawn_at=timezone.now())
    make_run(suite=suite, status="cancelled")
    hidden = finished(suite, GOOD)
    type(hidden.revision.language_model).objects.filter(pk=hidden.revision.language_model_id).update(hidden_reason="x")
    assert board_of(suite).rows == []


def test_a_task_of_which_nothing_was_scored_has_no_value_and_says_how_many_failed():
    suite = make_suite(tasks=1)
    run = make_run(suite=suite, status="finished")
    make_result(run, suite.tasks.first(), (None, None))
    (row,) = board_of(suite).rows
    (cell,) = row.cells.values()
    assert (cell.value, cell.n_scored, cell.n_failed, row.average) == (None, 0, 2, None)


@pytest.mark.postgres
def test_a_model_that_writes_nul_is_stored_all_the_same():
    suite = make_suite(tasks=1)
    run = make_run(suite=suite, status="finished")
    make_result(run, suite.tasks.first(), samples=make_samples((1.0,), extracted="A\0B"))
    assert Sample.objects.get().extracted == "A\ufffdB"
