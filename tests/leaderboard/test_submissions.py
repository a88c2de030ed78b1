"""A submission is taken whole or not at all, once, and only from those who may."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import RequestFactory

from leaderboard import quota, submissions
from leaderboard.models import Submission
from leaderboard.submissions import Wanted
from runners import runs
from runners.adapters.hub import HubModel
from runners.models import EvaluationRun, LanguageModel, ModelRevision, Suite, Task
from tests import factories

pytestmark = pytest.mark.django_db
SHA = "a" * 40


def _model(**facts: Any) -> HubModel:
    values: dict[str, Any] = {
        "hub_id": "maker/model", "sha": SHA, "size": 10, "weights": 10, "n_parameters": 5, "licence": "mit",
        "gated": False, "has_chat_template": True, "files": ("config.json", "model.safetensors"),
    }  # fmt: skip
    return HubModel(**{**values, **facts})


def _wanted(*suites: Suite, key: str = "key", **values: Any) -> Wanted:
    fields: dict[str, Any] = {"form_key": key, "network": "192.0.2.1", "model": _model(), "suites": suites, **values}
    return Wanted(**fields)


def _chat_revision() -> ModelRevision:
    return factories.make_revision(backend="api", endpoint=factories.make_endpoint(), api_name="served")


def test_one_press_makes_a_revision_a_receipt_and_a_run_per_suite() -> None:
    first, second = factories.make_suite(), factories.make_suite()
    made = submissions.accept(_wanted(first, second, submitter="가나"))
    assert made.revision.commit_sha == SHA
    assert {run.suite for run in made.runs.all()} == {first, second}
    assert {(run.status, run.lane) for run in made.runs.all()} == {("queued", "gpu")}
    assert ModelRevision.objects.get(pk=made.revision_id).frozen_at is not None


def test_posted_twice_it_is_found_again() -> None:
    suite = factories.make_suite()
    assert submissions.accept(_wanted(suite)) == submissions.accept(_wanted(suite))
    assert (Submission.objects.count(), EvaluationRun.objects.count()) == (1, 1)


def test_a_twin_that_is_under_way_is_followed_and_not_doubled() -> None:
    suite = factories.make_suite()
    first = submissions.accept(_wanted(suite))
    second = submissions.accept(_wanted(suite, key="other", network="192.0.2.2"))
    assert first != second
    assert list(first.runs.all()) == list(second.runs.all())
    assert EvaluationRun.objects.count() == 1


def test_a_suite_that_the_backend_cannot_run_is_refused_by_name_and_nothing_is_written() -> None:
    good = factories.make_suite()
    bad = factories.make_suite(tasks=[factories.make_task(mode=Task.Mode.LIKELIHOOD)], title_ko="likelihood only")
    with pytest.raises(submissions.CannotRunSuite, match="likelihood only"):
        submissions.accept(_wanted(good, bad, model=_chat_revision()))
    assert (Submission.objects.count(), EvaluationRun.objects.count()) == (0, 0)


@pytest.mark.parametrize("facts", [{"hub_id": "../x"}, {"files": ("config.json", "x.py")}, {"weights": 0}])
def test_there_is_no_way_around_the_checks(facts: dict[str, Any]) -> None:
    with pytest.raises(submissions.Unsafe):
        submissions.accept(_wanted(factories.make_suite(), model=_model(**facts)))
    assert not LanguageModel.objects.exists()


def test_nothing_chosen_and_a_retired_suite_are_refused() -> None:
    with pytest.raises(submissions.NothingChosen):
        submissions.accept(_wanted())
    with pytest.raises(submissions.CannotRunSuite):
        submissions.accept(_wanted(factories.make_suite(published_at=None)))


def test_a_network_may_have_so_many_under_way_and_so_many_a_week() -> None:
    suite = factories.make_suite()
    for n in range(settings.SUBMISSIONS_OPEN):
        submissions.accept(_wanted(suite, key=f"k{n}", model=_model(sha=f"{n:040x}")))
    one_more = _wanted(suite, key="more", model=_model(sha="b" * 40))
    with pytest.raises(submissions.OverQuota):
        submissions.accept(one_more)
    assert submissions.accept(replace(one_more, network="192.0.2.9"))
    EvaluationRun.objects.update(status="finished")
    for n in range(settings.SUBMISSIONS_OPEN, settings.SUBMISSIONS_WEEK):
        submissions.accept(_wanted(suite, key=f"k{n}", model=_model(sha=f"{n:040x}")))
        EvaluationRun.objects.update(status="finished")
    with pytest.raises(submissions.OverQuota):
        submissions.accept(_wanted(suite, key="last", model=_model(sha="c" * 40)))
    assert submissions.accept(_wanted(suite, key="staff", model=_model(sha="c" * 40), is_staff=True))


def test_the_address_is_kept_as_a_hash_that_changes_every_day() -> None:
    from datetime import date

    made = submissions.accept(_wanted(factories.make_suite()))
    assert "192.0.2.1" not in made.network_hash
    days = {quota.network_hash("192.0.2.1", date(2026, 1, day)) for day in (1, 2, 3)}
    assert len(days) == 3


@pytest.mark.parametrize(
    ("proxies", "forwarded", "network"),
    [(0, "203.0.113.7", "192.0.2.1"), (1, "10.9.9.9, 203.0.113.7", "203.0.113.7"), (2, "203.0.113.7", "192.0.2.1")],
)
def test_a_forwarded_address_is_believed_from_our_own_proxies_alone(
    proxies: int, forwarded: str, network: str, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert quota.network_of(request) == network


def test_a_whole_ipv6_prefix_is_one_network() -> None:
    addresses = ("2001:db8:0:1::1", "2001:db8:0:ff:2::9", "::ffff:192.0.2.1", "nonsense")
    networks = [quota.network_of(RequestFactory().get("/", REMOTE_ADDR=address)) for address in addresses]
    assert networks == ["2001:db8::/56", "2001:db8::/56", "192.0.2.1", "unknown"]


def test_a_failed_run_is_tried_again_once_however_often_it_is_pressed() -> None:
    made = submissions.accept(_wanted(factories.make_suite()))
    run = made.runs.get()
    EvaluationRun.objects.filter(pk=run.pk).update(status="failed", error_kind="killed")
    again = submissions.retry(made, run)
    assert again.rerun_of == run
    assert submissions.retry(made, run) == again
    assert made.runs.count() == 2


def test_a_run_is_not_tried_for_ever() -> None:
    made = submissions.accept(_wanted(factories.make_suite()))
    run = made.runs.get()
    for _ in range(submissions.MAX_RETRIES):
        EvaluationRun.objects.filter(pk=run.pk).update(status="failed", error_kind="killed")
        run = submissions.retry(made, run)
    EvaluationRun.objects.filter(pk=run.pk).update(status="failed", error_kind="killed")
    with pytest.raises(submissions.NotNow):
        submissions.retry(made, run)


def test_a_finished_run_and_a_foreign_run_are_not_tried_again() -> None:
    made = submissions.accept(_wanted(factories.make_suite()))
    EvaluationRun.objects.update(status="finished")
    with pytest.raises(submissions.NotNow):
        submissions.retry(made, made.runs.get())
    with pytest.raises(submissions.NotYours):
        submissions.retry(made, factories.make_run(status="failed"))


def test_the_holder_stops_an_own_run_and_no_other() -> None:
    suite = factories.make_suite()
    made = submissions.accept(_wanted(suite))
    assert submissions.cancel(made, made.runs.get()).status == "cancelled"
    with pytest.raises(submissions.NotNow):
        submissions.cancel(made, made.runs.get())
    with pytest.raises(submissions.NotYours):
        submissions.cancel(made, factories.make_run())


def test_a_run_that_others_wait_for_goes_on() -> None:
    suite = factories.make_suite()
    owner = submissions.accept(_wanted(suite))
    guest = submissions.accept(_wanted(suite, key="guest"))
    for submission in (owner, guest):
        with pytest.raises(submissions.NotYours):
            submissions.cancel(submission, submission.runs.get())


def test_a_guest_of_a_run_that_staff_asked_for_cannot_stop_it() -> None:
    suite, revision = factories.make_suite(), _chat_revision()
    run = runs.request(revision, suite, requested_by="staff")
    guest = submissions.accept(_wanted(suite, model=revision))
    assert guest.runs.get() == run
    with pytest.raises(submissions.NotYours):
        submissions.cancel(guest, run)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same_key", [True, False])
def test_twenty_presses_at_once_stay_within_the_quota(same_key: bool) -> None:
    suite = factories.make_suite()
    start, outcomes = threading.Barrier(20), []

    def press(number: int) -> None:
        key = "same" if same_key else f"key-{number}"
        model = _model() if same_key else _model(sha=f"{number:040x}")
        try:
            start.wait(10)
            outcomes.append(submissions.accept(_wanted(suite, key=key, model=model)).pk)
        except submissions.OverQuota:
            outcomes.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    connections.close_all()
    taken = 1 if same_key else settings.SUBMISSIONS_OPEN
    assert len(outcomes) == 20
    assert Submission.objects.count() == EvaluationRun.objects.count() == taken
    assert len({pk for pk in outcomes if pk}) == taken


def test_a_trial_does_not_stand_on_the_board() -> None:
    from leaderboard import boards

    suite, revision = factories.make_suite(), factories.make_revision()
    whole = factories.make_finished_run(revision, suite)
    factories.make_finished_run(revision, suite, settings={"limit": 2})
    assert [run.pk for run in boards.listed_runs(suite)] == [whole.pk]


@pytest.mark.parametrize("backend", ["hf", "vllm"])
def test_weights_are_taken_for_conversations_where_they_have_a_chat_template(backend: str) -> None:
    suite = factories.make_suite("talks", tasks=0, kind="multi_turn")
    submissions.check_suite(factories.make_revision(backend=backend), suite)
    base = factories.make_revision(backend=backend, has_chat_template=False)
    with pytest.raises(submissions.CannotRunSuite, match="talks"):
        submissions.check_suite(base, suite)
