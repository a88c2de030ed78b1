"""What operators do: one transaction with its audit, nothing without a reason, and never the same twice."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from leaderboard import boards
from leaderboard.console import actions
from leaderboard.console.actions import Press
from leaderboard.models import AuditEntry
from runners import runs
from runners.models import EvaluationRun, LanguageModel, Suite, Worker
from tests import factories

pytestmark = pytest.mark.django_db
ACT = "/en/console/act/"


@pytest.fixture
def chief() -> User:
    return User.objects.create_superuser("chief", password="x")


@pytest.fixture
def desk(client: Client, chief: User) -> Client:
    client.force_login(chief)
    return client


def _press(desk: Client, action: str, *runs: EvaluationRun, **values: Any) -> str:
    """What the operator reads after a press."""
    data = {"action": action, "ids": [run.pk for run in runs], "reason": "the driver was old", **values}
    response = desk.post(ACT, data, follow=True)
    assert response.status_code == 200, response.content.decode()[-3000:]
    return response.content.decode()


def _failed(n: int = 1, **fields: Any) -> list[EvaluationRun]:
    return [factories.make_run(status="failed", error_kind="does_not_fit", worker="g2", **fields) for _ in range(n)]


def test_a_rerun_is_a_new_run_linked_to_its_parent_with_who_and_why(desk: Client) -> None:
    (run,) = _failed(settings={"batch_size": 4})
    text = _press(desk, "rerun", run)
    made = EvaluationRun.objects.get(rerun_of=run)
    assert (made.status, made.requested_by, made.reason) == ("queued", "chief", "the driver was old")
    assert made.settings == {"batch_size": 4}
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action, entry.run, entry.made) == ("chief", "rerun", run, made)
    assert "This table follows the runs by itself." in text
    assert f'data-run="{made.pk}"' in text
    assert f'data-run="{run.pk}"' not in text


def test_a_group_is_asked_again_with_one_press(desk: Client) -> None:
    runs = _failed(30)
    other = factories.make_run(status="failed", error_kind="auth", worker="g2")
    matching = "status=failed&error=does_not_fit&worker=g2&open=1"
    _press(desk, "rerun", everything="1", matching=matching)
    assert EvaluationRun.objects.filter(rerun_of__in=runs).count() == 30
    assert not other.reruns.exists()
    assert AuditEntry.objects.values("batch").distinct().count() == 1
    assert "30 runs" not in desk.get("/en/console/failures/").content.decode()


@pytest.mark.parametrize("reason", ["", "   "])
@pytest.mark.parametrize("action", sorted(actions.VERBS))
def test_nothing_is_done_without_a_reason(desk: Client, action: str, reason: str) -> None:
    (run,) = _failed()
    values = {"suite": run.suite_id, "revision": run.revision.slug, "priority": 3}
    response = desk.post(ACT, {"action": action, "ids": [run.pk], "reason": reason, **values})
    assert response.status_code == 422
    assert "Nothing was done." in response.content.decode()
    assert f'name="ids" value="{run.pk}"' in response.content.decode()
    assert EvaluationRun.objects.values("pk", "status", "withdrawn_at").get() == {
        "pk": run.pk, "status": "failed", "withdrawn_at": None,
    }  # fmt: skip
    assert not AuditEntry.objects.exists()


def test_a_press_without_a_reason_cannot_even_be_made(chief: User) -> None:
    with pytest.raises(ValueError, match="reason"):
        Press(chief, "rerun", " ")


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_run_under_way_is_not_asked_again(desk: Client, status: str) -> None:
    run = factories.make_run(status=status)
    assert "cancel it first or wait for its end" in _press(desk, "rerun", run)
    assert EvaluationRun.objects.count() == 1
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("status", ["finished", "failed", "cancelled"])
def test_an_ended_run_is_not_cancelled(desk: Client, status: str) -> None:
    run = factories.make_run(status=status)
    assert f"It has ended already ({status})." in _press(desk, "cancel", run)
    run.refresh_from_db()
    assert run.status == status
    assert not AuditEntry.objects.exists()


def test_waiting_runs_are_cancelled_at_once_and_running_ones_asked_to_stop(desk: Client) -> None:
    waiting, running = factories.make_run(), factories.make_run(status="running")
    _press(desk, "cancel", waiting, running)
    waiting.refresh_from_db()
    running.refresh_from_db()
    assert waiting.status == "cancelled"
    assert running.cancel_requested_at is not None
    assert AuditEntry.objects.filter(action="cancel").count() == 2


def test_a_withdrawn_run_leaves_the_board_with_its_reason_and_can_come_back(desk: Client) -> None:
    run = factories.make_finished_run()
    assert [row.pk for row in boards.listed_runs(run.suite)] == [run.pk]
    _press(desk, "withdraw", run)
    assert boards.listed_runs(run.suite) == []
    assert "the driver was old" in desk.get(f"/en/runs/{run.pk}/").content.decode()
    assert "It is withdrawn already." in _press(desk, "withdraw", run)
    _press(desk, "reinstate", run)
    assert [row.pk for row in boards.listed_runs(run.suite)] == [run.pk]
    assert AuditEntry.objects.get(action="reinstate").details == {"was": "the driver was old"}


def test_only_waiting_runs_change_their_place_in_the_line(desk: Client) -> None:
    waiting, running = factories.make_run(), factories.make_run(status="running")
    text = _press(desk, "priority", waiting, running, priority="7")
    waiting.refresh_from_db()
    assert waiting.priority == 7
    assert "It does not wait any more (running)." in text
    assert AuditEntry.objects.get().details == {"was": 0, "is": 7}
    outside = desk.post(ACT, {"action": "priority", "ids": [waiting.pk], "reason": "x", "priority": "101"})
    assert outside.status_code == 422


def test_a_hidden_model_leaves_the_boards_until_it_is_shown_again(desk: Client) -> None:
    run = factories.make_finished_run()
    _press(desk, "hide", run)
    assert LanguageModel.objects.get(pk=run.revision.language_model_id).hidden_reason == "the driver was old"
    assert boards.listed_runs(run.suite) == []
    assert "the driver was old" in desk.get("/en/console/suites/").content.decode()
    _press(desk, "show", run)
    assert len(boards.listed_runs(run.suite)) == 1
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["hide", "show"]


def test_the_chosen_models_are_repeated_on_the_new_version(desk: Client) -> None:
    task = factories.make_task()
    old = factories.make_suite("kobest", [task], version=1, retired_at=timezone.now())
    new = factories.make_suite("kobest", [task], version=2)
    chosen, left = factories.make_run(suite=old, status="finished"), factories.make_run(suite=old, status="finished")
    _press(desk, "repeat", chosen, suite=new.pk)
    made = EvaluationRun.objects.get(suite=new)
    assert (made.revision, made.rerun_of) == (chosen.revision, chosen)
    assert not left.reruns.exists()
    assert "Choose another version of the same suite." in _press(
        desk, "repeat", factories.make_run(status="finished"), suite=new.pk
    )


def _versions(asked: str = "a" * 64) -> tuple[Suite, Suite]:
    """A suite whose second version reads the answers otherwise, and asks as `asked`."""
    old = factories.make_task("kobest_gen", asked_sha="a" * 64)
    new = factories.make_task("kobest_gen", asked_sha=asked)
    return (
        factories.make_suite("kobest", [old], version=1, retired_at=timezone.now()),
        factories.make_suite("kobest", [new], version=2),
    )


def test_stored_answers_are_extracted_again_in_a_new_run_that_asks_nobody(desk: Client) -> None:
    old, new = _versions()
    run = factories.make_finished_run(suite=old, settings={"batch_size": 4})
    _press(desk, "reextract", run)
    made = EvaluationRun.objects.get(rerun_of=run)
    assert (made.suite, made.answers_of, made.lane) == (new, run.pk, "eval")
    assert (made.requested_by, made.reason) == ("chief", "the driver was old")
    assert AuditEntry.objects.get().action == "reextract"
    assert "does the same and is waiting" in _press(desk, "reextract", run)
    text = desk.get(f"/en/runs/{made.pk}/").content.decode()
    assert f'The answers are those of <a href="../{run.pk}/">run {run.pk}</a>, scored anew as kobest v2 does.' in text
    assert f"manage.py reextract {run.pk} --now" in text
    assert desk.get(f"/en/runs/{made.pk}/proof/").status_code == 200


def test_answers_that_cannot_be_extracted_again_are_left_out_with_the_reason(desk: Client) -> None:
    likelihood = factories.make_finished_run(suite=factories.make_suite(tasks=[factories.make_task(mode="likelihood")]))
    judged = factories.make_run(suite=factories.make_suite(kind="multi_turn"), status="finished")
    text = _press(desk, "reextract", likelihood, judged, factories.make_run(status="running"))
    assert "scored by likelihood" in text
    assert "Judge it again instead." in text
    assert "Only a finished run has all its answers" in text
    assert not AuditEntry.objects.exists()


def test_a_repeat_of_extracted_answers_asks_the_model(desk: Client) -> None:
    old, new = _versions()
    run = factories.make_finished_run(suite=old, settings={"answers_of": 1, "seed": 7})
    _press(desk, "repeat", run, suite=new.pk)
    assert EvaluationRun.objects.get(suite=new).settings == {"seed": 7}


def test_one_press_says_what_becomes_of_each_run_of_the_older_version(desk: Client) -> None:
    old, new = _versions()
    extract, repeat, leave = (factories.make_finished_run(suite=old) for _ in range(3))
    address = f"/en/console/suites/{new.pk}/"
    choices = {f"choice-{extract.pk}": "reextract", f"choice-{repeat.pk}": "repeat", f"choice-{leave.pk}": "leave"}
    refused = desk.post(f"{address}bump/", choices)
    assert refused.status_code == 422
    assert f'name="choice-{extract.pk}" value="reextract"' in refused.content.decode()
    assert not EvaluationRun.objects.filter(suite=new).exists()
    told = desk.post(f"{address}bump/", {**choices, "reason": "extractor 2"}, follow=True)
    assert told.redirect_chain[0][0].startswith("/en/console/?batch=")
    made = {run.rerun_of_id: run.answers_of for run in EvaluationRun.objects.filter(suite=new)}
    assert made == {extract.pk: extract.pk, repeat.pk: None}
    assert AuditEntry.objects.values("batch").distinct().count() == 1
    assert desk.get(address).content.decode().count("<select") == 1


def test_a_version_that_asks_otherwise_offers_no_extraction(desk: Client) -> None:
    old, new = _versions(asked="b" * 64)
    run = factories.make_finished_run(suite=old)
    text = desk.get(f"/en/console/suites/{new.pk}/").content.decode()
    assert '<option value="reextract" disabled>' in text
    assert "put otherwise now" in text
    _press(desk, "reextract", run)
    assert not EvaluationRun.objects.filter(suite=new).exists()


def test_a_worker_is_drained_and_resumed_with_a_reason(desk: Client) -> None:
    worker = factories.make_worker("g2")
    address = f"/en/console/workers/{worker.pk}/"
    assert desk.post(address, {"action": "drain"}).status_code == 422
    assert not Worker.objects.get().is_draining
    for action, drained in (("drain", True), ("resume", False)):
        desk.post(address, {"action": action, "reason": "new driver"})
        assert Worker.objects.get().is_draining is drained
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["drain", "resume"]


def test_the_same_job_is_asked_of_another_revision_of_the_model(desk: Client) -> None:
    run = factories.make_finished_run()
    other = factories.make_revision(run.revision.language_model, backend="vllm", slug="x/vllm")
    assert "<option>x/vllm</option>" in desk.get(f"/en/console/runs/{run.pk}/log/").content.decode()
    _press(desk, "parity", run, revision="x/vllm")
    made = EvaluationRun.objects.get(rerun_of=run)
    assert (made.revision, made.suite) == (other, run.suite)
    assert desk.get(f"/en/runs/{made.pk}/proof/").status_code == 200
    assert "the same job again is a re-run" in _press(desk, "parity", run, revision=run.revision.slug)


def test_parity_sends_the_job_to_a_machine_of_the_form(desk: Client) -> None:
    run = factories.make_finished_run()
    gpu = {"index": "0", "name": "NVIDIA H200", "utilisation": None, "memory_used": None, "memory_total": None}
    factories.make_worker(lane=run.revision.lane, host="far", gpus=[gpu])
    factories.make_worker(lane=run.revision.lane, host="late", heartbeat_at=timezone.now() - timedelta(minutes=5))
    form = desk.get(f"/en/console/runs/{run.pk}/log/").content.decode()
    assert '<option value="far">far · NVIDIA H200</option>' in form
    assert "late" not in form
    told = _press(desk, "parity", run, revision="", host="late")
    assert "late has no live worker of the lane gpu; there is one on: far." in told
    assert not EvaluationRun.objects.filter(rerun_of=run).exists()
    _press(desk, "parity", run, revision="", host="far")
    made = EvaluationRun.objects.get(rerun_of=run)
    assert (made.only_host, made.revision, made.fingerprint) == ("far", run.revision, _mark(run))
    assert AuditEntry.objects.get(made=made).details == {"host": "far"}
    assert f"Run {made.pk} does the same" in _press(desk, "parity", run, host="far")


def _mark(run: EvaluationRun) -> str:
    return runs.fingerprint(run.revision, run.suite, run.settings)


def test_the_machine_that_a_run_was_made_on_is_no_other(desk: Client) -> None:
    run = factories.make_finished_run()
    EvaluationRun.objects.filter(pk=run.pk).update(environment={"host": "far"})
    factories.make_worker(lane=run.revision.lane, host="far")
    assert "the same job again is a re-run" in _press(desk, "parity", run, host="far")


def test_a_run_whose_machine_is_gone_may_go_to_any(desk: Client) -> None:
    run = factories.make_run(only_host="far", hinted_at=timezone.now())
    assert "where no worker of its lane is" in desk.get(f"/en/runs/{run.pk}/").content.decode()
    lost = timezone.now() - timedelta(minutes=5)
    factories.make_worker(lane=run.lane, host="far", heartbeat_at=lost)
    page = desk.get(f"/en/runs/{run.pk}/").content.decode()
    assert "It waits for the machine far, which has been silent since" in page
    assert "bound to the machine far" in page
    twin = factories.make_run(run.revision, run.suite, fingerprint=run.fingerprint)
    assert f"Run {twin.pk} does the same" in _press(desk, "unbind", run)
    EvaluationRun.objects.filter(pk=twin.pk).update(status="cancelled")
    _press(desk, "unbind", run)
    run.refresh_from_db()
    assert (run.only_host, run.hinted_at) == ("", None)
    assert AuditEntry.objects.get(action="unbind").details == {"was": "far"}
    assert "It does not wait for a machine of its own." in _press(desk, "unbind", run)


def test_an_imported_model_has_nobody_to_ask(desk: Client) -> None:
    run = factories.make_run(factories.make_revision(backend="api", api_name="x"), status="finished", is_imported=True)
    assert "nothing here answers for its model" in _press(desk, "rerun", run)


def test_a_press_leads_nowhere_but_to_this_site(desk: Client) -> None:
    run = factories.make_run()
    for place in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        response = desk.post(ACT, {"action": "cancel", "ids": [run.pk], "reason": "x", "next": place})
        assert response["Location"] == "/en/console/"


def test_no_run_chosen_is_told(desk: Client) -> None:
    response = desk.post(ACT, {"action": "rerun", "reason": "x"})
    assert response.status_code == 422
    assert "Choose at least one run." in response.content.decode()


def test_what_was_done_stands_in_the_audit(desk: Client) -> None:
    (run,) = _failed()
    _press(desk, "rerun", run)
    text = desk.get(f"/en/console/audit/?q=run {run.pk}").content.decode()
    assert "the driver was old" in text
    assert "chief" in text
    assert "Nothing was done yet." in desk.get("/en/console/audit/?q=run 0").content.decode()


def _at_once(action: str, runs: list[EvaluationRun], presses: int) -> list[actions.Outcome]:
    """So many people take the action on the same runs in the same moment; what came of each press."""
    people = [User.objects.create_superuser(f"person-{n}") for n in range(presses)]
    ready, outcomes = threading.Barrier(presses), []

    def press(person: User) -> None:
        try:
            ready.wait()
            outcomes.append(actions.on_runs(Press(person, action, "at once"), [run.pk for run in runs]))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=press, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


@pytest.mark.parametrize("presses", [2, 8])
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_people_who_press_rerun_at_once_make_one_run_of_each(presses: int) -> None:
    runs = _failed(120)
    outcomes = _at_once("rerun", runs, presses)
    assert len(outcomes) == presses
    assert EvaluationRun.objects.filter(rerun_of__in=runs, status="queued").count() == len(runs)
    assert sum(outcome.done for outcome in outcomes) == len(runs)
    assert sum(len(outcome.refused) for outcome in outcomes) == len(runs) * (presses - 1)
    assert AuditEntry.objects.count() == len(runs)
    assert connection.vendor in ("sqlite", "postgresql")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_people_who_extract_again_at_once_make_one_run_of_each() -> None:
    old, new = _versions()
    runs = [factories.make_finished_run(suite=old) for _ in range(12)]
    outcomes = _at_once("reextract", runs, 4)
    assert sum(outcome.made for outcome in outcomes) == len(runs)
    assert EvaluationRun.objects.filter(suite=new).count() == AuditEntry.objects.count() == len(runs)
