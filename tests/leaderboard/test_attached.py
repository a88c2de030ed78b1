"""One button: a served model answers ko-mt, another one judges it, and is put on trial with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from judging import judges, question_sets
from judging.apps import _synchronise
from judging.models import Judge
from leaderboard.models import Submission
from runners.models import EvaluationRun, ModelRevision
from tests.fake_openai import Behaviour, FakeOpenAI
from tests.judging.judged import answered, judged, served

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(reply=lambda model, messages: "네.\n\n[[7]]") as fake:
        yield fake


@pytest.fixture
def attached(server: FakeOpenAI) -> list[ModelRevision]:
    """Two served models, offered as judges; the reference answers are judged by the rule already."""
    _synchronise()
    found = [served(server, name, purposes=("harness", "arena", "judge")) for name in ("answerer", "grader")]
    for one in found:
        assert one.endpoint is not None
        judges.offer(one.endpoint)
    questions = question_sets.QuestionSet.objects.current("ko-mt")
    assert questions is not None
    judged(answered(ModelRevision.objects.get(slug="reference/terse"), questions, limit=3))
    return found


def press(client: Client, **values: Any) -> Any:
    page = client.get("/en/submit/").content.decode()
    form = re.search(r'action="/en/submit/start/".*?</form>', page, re.DOTALL)
    assert form is not None
    fields = dict(re.findall(r'name="(form_key)" value="([^"]+)"', form[0]))
    for name in ("model", "judge"):
        select = re.search(rf'name="{name}">(.*?)</select>', form[0])
        assert select is not None
        fields[name] = re.findall(r'value="([^"]+)" selected', select[1])[0]
    return client.post("/en/submit/start/", {**fields, **values})


def test_one_press_starts_the_run_and_the_judge_and_its_trial(client: Client, attached: list[ModelRevision]) -> None:
    response = press(client)
    made = Submission.objects.get()
    assert response.status_code == 302 and response["Location"] == f"/en/submissions/{made.receipt}/"
    (run,) = made.runs.all()
    assert (run.revision.slug, run.suite.slug, run.status) == ("api/answerer", "ko-mt", "queued")
    assert Judge.objects.get(slug="grader").is_active and not Judge.objects.get(slug="answerer").is_active
    # Answers of known quality wait for the new judge: that is its trial.
    assert EvaluationRun.objects.filter(revision__slug="reference/terse", status="judging").exists()
    assert 'action="/en/submit/start/"' not in client.get("/en/submit/").content.decode()


def test_pressed_twice_it_is_one(client: Client, attached: list[ModelRevision]) -> None:
    first = press(client, form_key="same")
    judge = Judge.objects.get(slug="grader")
    again = client.post("/en/submit/start/", {"form_key": "same", "model": "api/answerer", "judge": judge.pk})
    assert first["Location"] == again["Location"] and Submission.objects.count() == 1


def test_what_stands_in_the_way_is_said_and_nothing_starts(
    client: Client, attached: list[ModelRevision], server: FakeOpenAI
) -> None:
    server.behaviours["grader"] = Behaviour("401")
    response = press(client)
    assert response.status_code == 422 and b"grader:" in response.content
    assert not Submission.objects.exists() and not Judge.objects.get(slug="grader").is_active
    response = press(client, model="api/gone")
    assert response.status_code == 422 and b"no longer offered" in response.content


def test_on_a_public_site_only_those_who_operate_runs_have_the_button(
    client: Client, attached: list[ModelRevision], settings: Any
) -> None:
    settings.PRODUCTION = True
    assert "submit/start" not in client.get("/en/submit/").content.decode()
    judge = Judge.objects.get(slug="grader")
    refused = client.post("/en/submit/start/", {"form_key": "k", "model": "api/answerer", "judge": judge.pk})
    assert refused.status_code == 403 and not Submission.objects.exists()
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="operate_runs"))
    client.force_login(user)
    assert "submit/start" in client.get("/en/submit/").content.decode()
