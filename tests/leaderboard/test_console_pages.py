"""What operators see in the console."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from judging.models import Budget
from leaderboard.console import queries
from leaderboard.console.filters import RunFilter
from leaderboard.models import SavedView
from tests import factories

pytestmark = pytest.mark.django_db
PAGES = ["", "failures/", "fleet/", "suites/", "audit/"]


@pytest.fixture
def operator(client: Client) -> Client:
    """Staff with the console's permissions, and nothing else."""
    user = User.objects.create_user("operator", password="x", is_staff=True)
    names = ["operate_runs", "hide_models", "drain_workers"]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    return client


def _text(client: Client, address: str = "") -> str:
    response = client.get(f"/en/console/{address}")
    assert response.status_code == 200, address
    assert "no-store" in response["Cache-Control"]
    return response.content.decode()


@pytest.mark.parametrize("address", PAGES)
def test_an_empty_console_opens_in_both_languages(operator: Client, address: str) -> None:
    assert 'aria-current="page"' in _text(operator, address)
    assert operator.get(f"/ko/console/{address}").status_code == 200


def test_the_table_is_filtered_by_what_stands_in_the_address(operator: Client) -> None:
    suite = factories.make_suite("kobest")
    good = factories.make_run(factories.make_revision("a/good"), suite, "finished")
    bad = factories.make_run(factories.make_revision("b/bad"), suite, "failed", worker="g2", error_kind="does_not_fit")
    old = factories.make_run(created_at=timezone.now() - timedelta(days=40))
    both = {good.pk, bad.pk}
    for query, expected in {
        "": {*both, old.pk}, "status=failed": {bad.pk}, "suite=kobest": both, "suite=kobest@1": both,
        "suite=kobest@2": set(), "model=a/go": {good.pk}, "worker=g2": {bad.pk}, "error=does_not_fit": {bad.pk},
        "age=7d": both, "age=nonsense&status=nonsense": {*both, old.pk}, "status=failed&model=good": set(),
    }.items():  # fmt: skip
        text = _text(operator, f"?{query}")
        found = {run.pk for run in (good, bad, old) if f'data-run="{run.pk}"' in text}
        assert found == expected, query


def test_a_view_is_kept_under_its_name_and_is_its_owners_alone(operator: Client) -> None:
    operator.post("/en/console/views/", {"name": "GPU trouble", "query": "status=failed&worker=g2"})
    assert '?status=failed&amp;worker=g2">★ GPU trouble' in _text(operator)
    other = SavedView.objects.create(owner=User.objects.create_user("other", is_staff=True), name="x", query="a=1")
    assert operator.post(f"/en/console/views/{other.pk}/delete/").status_code == 404
    assert "★ x" not in _text(operator)
    own = SavedView.objects.get(name="GPU trouble")
    operator.post(f"/en/console/views/{own.pk}/delete/")
    assert "GPU trouble" not in _text(operator)


def test_failures_of_one_cause_stand_in_one_group_with_one_button(operator: Client) -> None:
    for _ in range(3):
        factories.make_run(status="failed", error_kind="does_not_fit", worker="g2", error_text="CUDA out of memory")
    factories.make_run(status="failed", error_kind="auth", worker="g2")
    asked = factories.make_run(status="failed", error_kind="does_not_fit", worker="g2")
    factories.make_run(rerun_of=asked)
    groups = queries.failure_groups()
    assert [(group.error_kind, group.worker, group.n) for group in groups] == [
        ("does_not_fit", "g2", 3), ("auth", "g2", 1),
    ]  # fmt: skip
    text = _text(operator, "failures/")
    assert "3 runs</a>: The model does not fit into the machine" in text
    assert "CUDA out of memory" in text
    assert "Re-run all 3" in text


def test_a_quarantined_run_stands_among_the_dead_letters(operator: Client) -> None:
    dead = factories.make_run(status="failed", error_kind="poison", worker="g7", error_text="It died thrice.")
    text = _text(operator, "failures/").split("Taken out of the line")[1]
    assert f">{dead.pk}</a>" in text
    assert "It died thrice." in text


def test_the_log_drawer_follows_a_running_run_and_stops_with_it(operator: Client) -> None:
    run = factories.make_run(status="running", log_tail="loading weights\nshard 1 of 4")
    fragment = operator.get(f"/en/console/runs/{run.pk}/log/", headers={"hx-request": "true"}).content.decode()
    assert "shard 1 of 4" in fragment
    assert 'hx-trigger="every 2s"' in fragment
    assert "<html" not in fragment
    ended = factories.make_run(status="failed", log_tail="Traceback <b>")
    whole = _text(operator, f"runs/{ended.pk}/log/")
    assert "Traceback &lt;b&gt;" in whole
    assert "hx-trigger" not in whole.split('class="drawn"')[1]


def test_the_log_of_a_private_suite_stays_closed_for_staff_too(operator: Client) -> None:
    suite = factories.make_suite(tasks=[factories.make_task(benchmark=factories.make_benchmark(is_private=True))])
    run = factories.make_run(suite=suite, status="failed", log_tail="a private question")
    text = _text(operator, f"runs/{run.pk}/log/")
    assert "a private question" not in text
    assert "private suite is not shown" in text


def test_workers_show_gpu_note_run_and_age_and_whether_they_are_drained(operator: Client) -> None:
    run = factories.make_run(status="running")
    factories.make_worker("gpu-h-1", lane="gpu", gpu="H100 80GB", note="62 of 80 GB used", current_run=run)
    factories.make_worker("eval-h-2", is_draining=True, heartbeat_at=timezone.now() - timedelta(minutes=3))
    text = _text(operator, "fleet/")
    for told in ("H100 80GB", "62 of 80 GB used", f"/en/runs/{run.pk}/", "drained", "3 min ago", "Resume", "Drain"):
        assert told in text


def test_a_gpu_shows_how_busy_and_how_full_it_is_while_its_worker_lives(operator: Client) -> None:
    full = {
        "index": "3",
        "name": "NVIDIA H100",
        "utilisation": 0.87,
        "memory_used": 62 * 2**30,
        "memory_total": 80 * 2**30,
    }
    quiet = {"index": "4", "name": "NVIDIA A30", "utilisation": None, "memory_used": None, "memory_total": 24 * 2**30}
    factories.make_worker("gpu-h-1", lane="gpu", gpus=[full, quiet])
    long_ago = timezone.now() - timedelta(hours=1)
    factories.make_worker("gpu-h-2", lane="gpu", gpu="L40S", gpus=[{**full, "name": "gone"}], heartbeat_at=long_ago)
    text = _text(operator, "fleet/")
    assert "NVIDIA H100 #3" in text and "busy 87.0&nbsp;% · memory 62.0 / 80.0&nbsp;GB" in text
    assert "NVIDIA A30 #4" in text and "busy – · memory – / 24.0&nbsp;GB" in text
    assert "L40S" in text and "gone" not in text


def test_money_is_shown_against_its_cap(operator: Client) -> None:
    Budget.objects.create(name="global", cap_usd=Decimal(20), spent_usd=Decimal("4.5"), is_stopped=True)
    text = _text(operator, "fleet/")
    assert "$4.5000" in text
    assert "$20.00" in text
    assert "stopped" in text


def test_a_new_version_asks_which_models_to_repeat(operator: Client) -> None:
    task = factories.make_task()
    old = factories.make_suite("kobest", [task], version=1, retired_at=timezone.now())
    new = factories.make_suite("kobest", [task], version=2)
    left, there = factories.make_revision("a/left"), factories.make_revision("a/there")
    for revision in (left, there):
        factories.make_run(revision, old, "finished")
    factories.make_run(there, new)
    factories.make_run(factories.make_revision("a/trial"), old, "finished", settings={"limit": 3})
    assert f"/en/console/suites/{new.pk}/" in _text(operator, "suites/")
    assert [entry.run.revision for entry in queries.bumps(new)] == [left]
    assert "a/left" in _text(operator, f"suites/{new.pk}/")


def test_a_page_costs_the_same_queries_whatever_the_number_of_runs(
    operator: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        status = ("failed", "finished", "queued", "running")[number % 4]
        factories.make_run(status=status, worker=f"w{number % 7}")
        factories.make_worker()
    for address in PAGES:
        with django_assert_max_num_queries(12):
            _text(operator, address)


def test_every_page_of_the_table_follows_on_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE", 3)
    suite, revision = factories.make_suite(), factories.make_revision()
    made = [factories.make_run(revision, suite).pk for _ in range(11)]
    found = [[run.pk for run in queries.runs_page(RunFilter(), str(page)).rows] for page in (1, 2, 3, 4)]
    newest = made[::-1]
    assert found == [newest[:3], newest[3:6], newest[6:9], newest[9:]]
    assert [run.pk for run in queries.runs_page(RunFilter(), "99").rows] == newest[9:]


def test_staff_without_permissions_may_look_and_see_no_buttons(client: Client) -> None:
    client.force_login(User.objects.create_user("looker", is_staff=True))
    factories.make_run(status="failed")
    factories.make_worker()
    assert "You may look" in _text(client)
    for address in PAGES:
        assert 'name="reason"' not in _text(client, address)


@pytest.mark.parametrize("page", ["console/fleet/", "queue/"])
def test_a_worker_of_another_version_says_that_it_takes_no_run_and_why(operator: Client, page: str) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    from runners import schema

    MigrationRecorder.Migration.objects.create(app="runners", name="9999_newer")
    factories.make_worker("gpu-h-1", lane="gpu", note=schema.mismatch())
    factories.make_worker("gpu-h-2", lane="gpu")
    text = operator.get(f"/en/{page}").content.decode()
    assert text.count("takes no run: another version") == 1
    assert "the database is newer than this worker (it has runners.9999_newer): install the new version" in text
    factories.make_run(factories.make_revision(), status="queued", lane="gpu")
    (lane,) = queries.fleet_page().lanes
    assert lane.n_workers == 1
