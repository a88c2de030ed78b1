"""A rerun is held against its parent item by item, and the badge says what the items say."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import translation

from leaderboard import proof
from leaderboard.aggregate import paired_difference
from runners.models import EvaluationRun
from tests import factories

pytestmark = pytest.mark.django_db
PARENT = [1.0, 0.0] * 20


def _pair(scores: list[Any], parent: list[Any] = PARENT, **fields: Any) -> tuple[EvaluationRun, EvaluationRun]:
    """(parent, rerun) of a suite with one task."""
    task = factories.make_task("copa_gen")
    before = factories.make_run(suite=factories.make_suite("kobest", [task]), status="finished")
    factories.make_result(before, task, parent)
    after = factories.make_run(
        before.revision, before.suite, "finished", rerun_of=before, requested_by="chief", reason="new driver", **fields
    )
    factories.make_result(after, task, scores)
    return before, after


def _page(client: Client, run: EvaluationRun, query: str = "") -> str:
    response = client.get(f"/en/runs/{run.pk}/proof/{query}")
    assert response.status_code == 200
    assert client.get(f"/ko/runs/{run.pk}/proof/{query}").status_code == 200
    return response.content.decode()


def test_the_same_on_every_item_is_reproduced(client: Client) -> None:
    before, after = _pair(PARENT)
    found = proof.prove(after, before)
    assert (found.verdict, found.n_flips, found.difference, found.low, found.high) == ("identical", 0, 0.0, 0.0, 0.0)
    text = _page(client, after)
    assert 'class="pill identical">reproduced' in text
    assert "No item flipped." in text
    assert "asked for by chief" in text
    assert "new driver" in text


def test_balanced_flips_are_within_noise(client: Client) -> None:
    scores = [0.0, 1.0, *PARENT[2:]]
    before, after = _pair(scores)
    found = proof.prove(after, before)
    assert (found.verdict, found.n_flips, found.difference) == ("within", 2, 0.0)
    text = _page(client, after)
    assert text.count("data-flip") == 2
    assert f"/en/runs/{before.pk}/samples/copa_gen/0/" in text
    assert f"/en/runs/{after.pk}/samples/copa_gen/1/" in text


def test_flips_to_one_side_are_different_and_the_settings_that_differ_are_named(client: Client) -> None:
    before, after = _pair([0.0] * 40, environment={"gpus": ["H100"], "versions": {"torch": "2.9"}})
    EvaluationRun.objects.filter(pk=before.pk).update(
        environment={"gpus": ["A100"], "versions": {"torch": "2.8"}}, worker="g1"
    )
    before.refresh_from_db()
    with translation.override("en"):
        found = proof.prove(after, before)
        told = {str(change.name): (change.other, change.run) for change in found.changes}
    assert found.verdict == "different"
    assert told == {"GPU": ("A100", "H100"), "torch": ("2.8", "2.9"), "worker": ("g1", "worker-1")}
    text = _page(client, after)
    assert "A100" in text
    assert "−50.0" in text


def test_the_difference_is_the_paired_one_of_the_items_both_have() -> None:
    import numpy as np

    first, second = [1.0, 0.0, None, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, None, 0.0, 0.0]
    before, after = _pair(second, first)
    found = proof.prove(after, before)
    as_array = [np.array([np.nan if s is None else s for s in scores]) for scores in (second, first)]
    expected = paired_difference(*as_array)
    assert (found.difference, found.low, found.high, found.p) == (
        expected.difference, expected.low, expected.high, expected.p,
    )  # fmt: skip
    assert (found.n_shared, found.n_flips, found.n_lost) == (4, 2, 2)


def test_an_item_that_only_one_run_has_a_score_for_keeps_it_from_being_identical() -> None:
    before, after = _pair([None, *PARENT[1:]])
    found = proof.prove(after, before)
    assert (found.verdict, found.n_flips, found.n_lost) == ("within", 0, 1)


def test_another_data_set_is_not_paired(client: Client) -> None:
    before, after = _pair(PARENT)
    after.results.update(dataset_fingerprint="other")
    assert proof.prove(after, before).verdict == "unknown"
    assert "another state of the data set" in _page(client, after)


def test_a_parent_that_left_nothing_proves_nothing(client: Client) -> None:
    before = factories.make_run(status="failed")
    after = factories.make_finished_run(before.revision, before.suite, rerun_of=before)
    assert proof.prove(after, before).verdict == "unknown"
    assert "1 task has a result on one side alone" in _page(client, after)


def test_a_run_under_way_is_not_judged_yet(client: Client) -> None:
    before = factories.make_finished_run()
    after = factories.make_run(before.revision, before.suite, "running", rerun_of=before)
    assert "not yet" in _page(client, after)


def test_one_task_that_surely_moved_makes_the_run_different_though_the_mean_did_not() -> None:
    tasks = [factories.make_task(f"t{n}_gen") for n in range(2)]
    before = factories.make_run(suite=factories.make_suite(tasks=tasks), status="finished")
    after = factories.make_run(before.revision, before.suite, "finished", rerun_of=before)
    for task, worse, better in ((tasks[0], 0.0, 1.0), (tasks[1], 1.0, 0.0)):
        factories.make_result(before, task, [worse] * 20)
        factories.make_result(after, task, [better] * 10 + [worse] * 10)
    found = proof.prove(after, before)
    assert found.difference == 0.0
    assert found.verdict == "different"


def test_nothing_of_a_private_set_is_shown_but_counts(client: Client) -> None:
    task = factories.make_task("secret_gen", factories.make_benchmark(is_private=True))
    before = factories.make_run(suite=factories.make_suite(tasks=[task]), status="finished")
    after = factories.make_run(before.revision, before.suite, "finished", rerun_of=before)
    factories.make_result(before, task, [1.0, 0.0, 1.0])
    factories.make_result(after, task, [0.0, 1.0, 1.0])
    text = _page(client, after)
    assert "item-0" not in text
    assert "질문" not in text
    assert "The items of a private set are not shown" in text
    assert "flipped, of 3 items" in text


def test_any_two_runs_of_a_suite_can_be_held_against_each_other(client: Client) -> None:
    before, _after = _pair(PARENT)
    other = factories.make_finished_run(suite=before.suite, scores={"copa_gen": PARENT})
    text = _page(client, other, f"?against={before.pk}")
    assert "Parity check" in text
    foreign = factories.make_finished_run()
    assert client.get(f"/en/runs/{other.pk}/proof/").status_code == 404
    for wrong in (foreign.pk, other.pk, 10**12, "x"):
        assert client.get(f"/en/runs/{other.pk}/proof/?against={wrong}").status_code == 404


def test_hundreds_of_flips_come_page_by_page_in_few_queries(client: Client, django_assert_max_num_queries: Any) -> None:
    _before, after = _pair([1.0 - score for score in PARENT * 4], PARENT * 4)
    with django_assert_max_num_queries(14):
        first = client.get(f"/en/runs/{after.pk}/proof/").content.decode()
    assert first.count("data-flip") == 50
    assert _page(client, after, "?page=4").count("data-flip") == 10


def test_the_run_page_leads_to_the_proof_from_both_sides(client: Client) -> None:
    before, after = _pair(PARENT)
    assert 'href="proof/"' in client.get(f"/en/runs/{after.pk}/").content.decode()
    assert f"/en/runs/{after.pk}/proof/" in client.get(f"/en/runs/{before.pk}/").content.decode()


def _command(*words: object) -> str:
    out = StringIO()
    call_command("parity", *map(str, words), stdout=out)
    return out.getvalue()


def test_parity_asks_the_same_job_of_another_revision() -> None:
    before, _after = _pair(PARENT)
    other = factories.make_revision(before.revision.language_model, backend="vllm", slug="x/vllm")
    told = _command(before.pk, "--revision", "x/vllm")
    made = EvaluationRun.objects.get(revision=other)
    assert (made.suite, made.rerun_of, made.status) == (before.suite, before, "queued")
    assert f"/runs/{made.pk}/proof/?against={before.pk}" in told
    assert _command(before.pk, "--revision", "x/vllm").startswith(f"run {made.pk} ")


def test_parity_asks_again_with_another_batch_size_and_not_with_the_same() -> None:
    before, _after = _pair(PARENT)
    _command(before.pk, "--batch-size", 1)
    assert EvaluationRun.objects.get(status="queued").settings == {"batch_size": 1}
    with pytest.raises(CommandError, match="--batch-size"):
        _command(before.pk)


def test_parity_asks_the_same_job_of_another_machine() -> None:
    before, _after = _pair(PARENT)
    factories.make_worker(lane=before.lane, host="far")
    with pytest.raises(CommandError, match="leave out --now or --host"):
        _command(before.pk, "--host", "far", "--now")
    _command(before.pk, "--host", "far")
    made = EvaluationRun.objects.get(status="queued")
    assert (made.only_host, made.settings, made.rerun_of) == ("far", before.settings, before)


def test_two_machines_that_agree_on_every_item_are_told_to_be_identical_and_named(client: Client) -> None:
    before, after = _pair(PARENT, only_host="b", environment={"host": "b", "gpus": ["NVIDIA B200"]})
    EvaluationRun.objects.filter(pk=before.pk).update(environment={"host": "a", "gpus": ["NVIDIA H100"]})
    before.refresh_from_db()
    with translation.override("en"):
        found = proof.prove(after, before)
        told = {str(change.name): (change.other, change.run) for change in found.changes}
    assert (found.verdict, found.n_flips) == ("identical", 0)
    assert told == {"Machine": ("a", "b"), "GPU": ("NVIDIA H100", "NVIDIA B200")}
    text = _page(client, after)
    assert "Parity check" in text
    assert 'class="pill identical">reproduced' in text


def test_parity_shows_two_runs_that_are_there() -> None:
    before, after = _pair([0.0, 1.0, *PARENT[2:]])
    told = _command(before.pk, "--against", after.pk)
    assert "within: 2 of 40 items flipped, 0 lost" in told
    assert "copa_gen" in told
    with pytest.raises(CommandError, match="nothing is shared"):
        _command(before.pk, "--against", factories.make_finished_run().pk)
