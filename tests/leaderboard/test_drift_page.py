"""What readers and staff see of a model that has changed behind its name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from leaderboard import drift_page
from leaderboard.models import AuditEntry
from leaderboard.published import publisher
from runners import alarms, canary
from runners.models import Alarm, ModelRevision
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def revision() -> ModelRevision:
    """A served model whose canary fell from 16 to 8 of 20 items on its ninth day, and that stands on a board."""
    model = factories.make_language_model("maker/served", kind="api")
    revision = factories.make_revision(model, backend="api", endpoint=factories.make_endpoint(), api_name="served")
    task = factories.make_task()
    suite = factories.make_suite(site.CANARY_SUITE, [task])
    start = timezone.now() - timedelta(days=12)
    for day in range(12):
        right = 16 if day < 8 else 8
        scores = {task.name: [1.0] * right + [0.0] * (20 - right)}
        at = start + timedelta(days=day)
        factories.make_finished_run(
            revision, suite, scores, requested_by=canary.BY, finished_at=at, settings={"limit": 20}
        )
    factories.make_finished_run(revision, suite, {task.name: [1.0, 0.0]})
    alarms.look()
    return revision


def _page(client: Client, address: str) -> str:
    publisher.refresh()
    answer = client.get(f"/en/{address}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_the_day_the_figure_the_curve_and_the_table(client: Client, revision: ModelRevision) -> None:
    text = _page(client, "models/maker/served/").split('id="drift"')[1]
    day = f"{timezone.localtime(Alarm.objects.get().about_at):%Y-%m-%d}"
    assert "-40.0 points (95% interval -" in text and f"on the canary items since {day}." in text
    chart = text.split("<svg")[1].split("</svg>")[0]
    assert chart.count("<circle") == 8 and chart.count("<polygon") == 4
    assert 'class="onset"' in chart and 'class="band"' in chart and "style=" not in chart
    assert text.count("counts as normal</td>") == 5 and text.count("after the change</b>") == 4
    assert "12 canary runs" in text and ">80.0 <i>±17.5</i>" in text
    runs = text.split("Runs</h2>")[1]
    assert "/en/runs/" in runs and runs.count("<tr>") == 2  # the head and the one run that is no canary
    assert "-40.0" in client.get("/ko/models/maker/served/").content.decode().split('id="drift"')[1]


def test_the_board_has_a_mark_that_goes_when_the_alarm_does(client: Client, revision: ModelRevision) -> None:
    board = f"boards/{site.CANARY_SUITE}/"
    text = _page(client, board)
    assert 'href="/en/models/maker/served/#drift" title="-40.0 points' in text and "△ model changed" in text
    row = client.get(f"/api/v1/boards/{site.CANARY_SUITE}").json()["rows"][0]
    assert row["changed_since"] is not None
    client.force_login(User.objects.create_superuser("chief"))
    alarm = Alarm.objects.get()
    _act(client, revision, alarm.pk)
    assert "model changed" not in _page(client, board)


def _act(client: Client, revision: ModelRevision, alarm: int, reason: str = "the maker announced it") -> Any:
    press = {"action": "rebase", "what": alarm, "reason": reason}
    return client.post(f"/en/console/registry/{revision.pk}/act/", press, follow=True)


def test_staff_accepts_the_new_level_with_a_reason_that_everybody_reads(
    client: Client, revision: ModelRevision
) -> None:
    client.force_login(User.objects.create_superuser("chief"))
    alarm = Alarm.objects.get()
    assert "Accept the new level</button>" in _page(client, f"console/registry/{revision.pk}/")
    assert _act(client, revision, alarm.pk, " ").status_code == 422
    _act(client, revision, alarm.pk)
    alarms.look()
    alarm = Alarm.objects.get()
    assert alarm.cleared_at and alarm.accepted_at
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.reason) == ("rebase", "the maker announced it")
    assert entry.details["size"] == pytest.approx(-0.4)
    text = _page(client, "models/maker/served/")
    assert "the new level counts as normal: the maker announced it" in text
    assert "This mark is closed already." in _act(client, revision, alarm.pk).content.decode()


def test_a_model_that_nobody_serves_has_no_drift_watch(client: Client) -> None:
    factories.make_revision("maker/open")
    assert 'id="drift"' not in _page(client, "models/maker/open/")


def test_a_mark_of_before_figures_were_kept_still_says_its_day() -> None:
    alarm = Alarm(about_at=timezone.now())
    assert "answered differently since" in drift_page.said(alarm)


def test_the_page_of_a_served_model_takes_a_bounded_number_of_queries(
    client: Client, revision: ModelRevision, django_assert_max_num_queries: Any
) -> None:
    client.get("/en/models/maker/served/")
    with django_assert_max_num_queries(12):
        client.get("/en/models/maker/served/")
