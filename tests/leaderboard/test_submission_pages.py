"""The form tells what stands in the way, keeps what was typed, and leads to a receipt that tells how it goes."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from leaderboard import precheck
from leaderboard.models import Submission
from runners.adapters import served
from runners.models import EvaluationRun, LanguageModel, ModelRevision, Price, Suite, Task
from tests import factories
from tests.fake_hub import FakeHub, fake_hub
from tests.fake_openai import Behaviour, FakeOpenAI, fake_openai

__all__ = ["fake_hub", "fake_openai"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def suite() -> Suite:
    return factories.make_suite("ko-small", tasks=[factories.make_task(n_docs=40)], title_ko="작은 모음")


def _form(suite: Suite, **values: Any) -> dict[str, Any]:
    return {
        "form_key": "key", "source": "hub", "hub_id": "maker/sound", "revision": "main", "dtype": "bfloat16",
        "backend": "hf", "suites": [suite.slug], "submitter": "홍길동", "note": "메모", "action": "send", **values,
    }  # fmt: skip


def _states(page: str) -> dict[str, str]:
    return {key: state for state, key in re.findall(r'<li class="(\w+)" data-check="(\w+)"', page)}


def _endpoint(server: FakeOpenAI | None, name: str, **fields: Any) -> ModelRevision:
    url = server.base_url if server else "http://127.0.0.1:9/v1"
    endpoint = factories.make_endpoint(f"e-{name}", base_url=url, served_name=name, **fields)
    model = factories.make_language_model(f"api/{name}", kind="api")
    return factories.make_revision(model, slug=f"api/{name}", backend="api", endpoint=endpoint, api_name=name)


@pytest.mark.parametrize(("language", "word"), [("ko", "작은 모음"), ("en", "ko-small suite")])
def test_the_form_offers_suites_with_their_size(client: Client, suite: Suite, language: str, word: str) -> None:
    page = client.get(f"/{language}/submit/?suite=ko-small").content.decode()
    assert word in page
    assert re.search(r'value="ko-small" checked', page)
    assert "40" in page


def test_a_sound_model_passes_every_check_and_gets_a_receipt(client: Client, suite: Suite, fake_hub: FakeHub) -> None:
    repo = fake_hub.add("maker/sound")
    response = client.post("/ko/submit/", _form(suite))
    made = Submission.objects.get()
    assert response.status_code == 302
    assert response["Location"] == f"/ko/submissions/{made.receipt}/"
    assert (made.revision.commit_sha, made.revision.dtype, made.submitter) == (repo.sha, "bfloat16", "홍길동")
    assert {check["key"] for check in made.checks} >= {
        "exists", "revision", "size", "licence", "gated", "template", "weights", "code", "duplicate", "suites", "quota",
    }  # fmt: skip
    assert client.get(response["Location"]).status_code == 200


def test_checking_first_writes_nothing(client: Client, suite: Suite, fake_hub: FakeHub) -> None:
    fake_hub.add("maker/sound")
    page = client.post("/en/submit/", _form(suite, action="check")).content.decode()
    assert _states(page)["code"] == "ok"
    assert not Submission.objects.exists()
    assert not LanguageModel.objects.exists()


@pytest.mark.parametrize(
    "name", ["../etc", "a/..", "a,b/c", "bare", "한글/모델", "m" * 300, "a/b\nc", "", "x/y,trust_remote_code=True"]
)
def test_a_bad_name_is_told_beside_the_field_and_nothing_is_lost(client: Client, suite: Suite, name: str) -> None:
    response = client.post("/en/submit/", _form(suite, hub_id=name))
    page = response.content.decode()
    assert response.status_code == 422
    assert "owner/name" in page.split('id="hub_id_error">')[1].split("</div>")[0]
    assert "메모" in page
    assert "홍길동" in page
    assert not Submission.objects.exists()
    assert not LanguageModel.objects.exists()


@pytest.mark.parametrize(
    ("change", "key", "state"),
    [
        ({"hub_id": "maker/none"}, "exists", "bad"),
        ({"hub_id": "maker/gated"}, "gated", "bad"),
        ({"hub_id": "maker/pickle"}, "weights", "bad"),
        ({"hub_id": "maker/code"}, "code", "bad"),
        ({"hub_id": "maker/auto"}, "code", "bad"),
        ({"hub_id": "maker/sound", "revision": "nowhere"}, "revision", "bad"),
        ({"hub_id": "maker/sound", "revision": "main,evil=1"}, "revision", "bad"),
    ],
)
def test_what_the_hub_tells_against_a_model_refuses_it(
    client: Client, suite: Suite, fake_hub: FakeHub, change: dict[str, str], key: str, state: str
) -> None:
    fake_hub.add("maker/sound")
    fake_hub.add("maker/gated", gated="auto")
    fake_hub.add("maker/pickle", {"model.safetensors": None, "pytorch_model.bin": b"\x80"})
    fake_hub.add("maker/code", {"sub/x.py": b""})
    fake_hub.add("maker/auto", {"config.json": {"text_config": {"auto_map": {"AutoModel": "x.Y"}}}})
    response = client.post("/ko/submit/", _form(suite, **change))
    assert response.status_code == 422
    assert _states(response.content.decode())[key] == state
    assert not Submission.objects.exists()


def test_a_moved_model_is_taken_under_its_new_name(client: Client, suite: Suite, fake_hub: FakeHub) -> None:
    fake_hub.add("maker/new", licence=None)
    fake_hub.renamed["maker/old"] = "maker/new"
    client.post("/ko/submit/", _form(suite, hub_id="maker/old"))
    made = Submission.objects.get()
    assert made.revision.hub_id == "maker/new"
    assert {"exists": "warning", "licence": "warning"}.items() <= {c["key"]: c["state"] for c in made.checks}.items()


def test_a_hub_that_is_away_or_hangs_does_not_hang_the_page(
    client: Client, suite: Suite, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_hub.add("maker/sound")
    fake_hub.drip = 0.05
    monkeypatch.setattr(precheck, "HUB_SECONDS", 0.5)
    started = time.monotonic()
    page = client.post("/en/submit/", _form(suite)).content.decode()
    assert time.monotonic() - started < 9
    assert _states(page)["exists"] == "unknown"
    assert "models/maker/sound@" in page
    assert not Submission.objects.exists()


def test_a_suite_the_api_cannot_run_is_refused_by_name(client: Client, fake_openai: FakeOpenAI) -> None:
    _endpoint(fake_openai, "fake-model")
    only = factories.make_suite(tasks=[factories.make_task(mode=Task.Mode.LIKELIHOOD)], title_en="Likelihood alone")
    response = client.post("/en/submit/", _form(only, source="served", served="api/fake-model"))
    page = response.content.decode()
    assert response.status_code == 422
    assert "Likelihood alone" in page.split('id="suites_error">')[1].split("</div>")[0]
    assert not Submission.objects.exists()


@pytest.mark.parametrize(
    ("name", "key", "state"),
    [("m-html", "reply", "bad"), ("m-null", "reply", "bad"), ("m-401", "reply", "bad"), ("m-429", "reply", "warning"),
     ("m-500", "reply", "bad"), ("fake-model", "reply", "ok"), ("slow", "reply", "warning")],
)  # fmt: skip
def test_a_served_model_is_asked_before_it_is_taken(
    client: Client, suite: Suite, fake_openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch,
    name: str, key: str, state: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(served, "TIMEOUT", 0.5)
    fake_openai.behaviours["slow"] = Behaviour("slow", slow=5)
    _endpoint(fake_openai, name)
    response = client.post("/ko/submit/", _form(suite, source="served", served=f"api/{name}"))
    assert Submission.objects.exists() == (state != "bad")
    if state == "bad":
        assert response.status_code == 422
        assert _states(response.content.decode())[key] == state
    else:
        assert {c["key"]: c["state"] for c in Submission.objects.get().checks}[key] == state


def test_a_server_that_is_down_is_refused(client: Client, suite: Suite) -> None:
    _endpoint(None, "gone")
    page = client.post("/en/submit/", _form(suite, source="served", served="api/gone")).content.decode()
    assert _states(page)["endpoint"] == "bad"
    assert not Submission.objects.exists()


def test_the_fragment_checks_what_is_there_so_far(client: Client, suite: Suite, fake_hub: FakeHub) -> None:
    fake_hub.add("maker/sound")
    page = client.post("/ko/submit/checks/", _form(suite, email="no", suites=[])).content.decode()
    states = _states(page)
    assert (states["exists"], states["suites"]) == ("ok", "bad")
    assert "<html" not in page


def test_the_cost_comes_from_earlier_runs_and_the_price(client: Client, suite: Suite, fake_openai: FakeOpenAI) -> None:
    asked = _form(suite, source="served", served="api/fake-model")
    revision = _endpoint(fake_openai, "fake-model")
    assert "not known yet" in client.post("/en/submit/checks/", asked).content.decode()
    earlier = factories.make_revision(backend="api", endpoint=factories.make_endpoint(), api_name="earlier")
    run = factories.make_run(earlier, suite, "finished")
    factories.make_result(run, suite.tasks.get(), [1.0] * 20)
    Price.objects.create(
        served_name=revision.api_name, valid_from="2020-01-01", input_usd=1000, output_usd=2000, krw_per_usd=1000
    )
    page = client.post("/en/submit/checks/", asked).content.decode()
    assert "about 400 in, 120 out" in page
    assert "about 20 s" in page
    assert f"₩{round((400 * 1000 + 120 * 2000) / 1e6 * 1000):,}" in page


def test_the_quota_is_told_and_kept(client: Client, suite: Suite, fake_hub: FakeHub, settings: Any) -> None:
    settings.SUBMISSIONS_OPEN = 1
    fake_hub.add("maker/sound")
    client.post("/ko/submit/", _form(suite))
    response = client.post("/en/submit/", _form(suite, form_key="other", dtype=""))
    assert response.status_code == 422
    assert "still under way" in response.content.decode()
    assert Submission.objects.count() == 1


def test_posted_twice_leads_to_the_same_receipt(client: Client, suite: Suite, fake_hub: FakeHub, settings: Any) -> None:
    settings.SUBMISSIONS_OPEN = 1
    fake_hub.add("maker/sound")
    first, second = (client.post("/ko/submit/", _form(suite)) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert EvaluationRun.objects.count() == 1


@pytest.mark.parametrize("path", ["/ko/submit/", "/ko/submit/checks/", "/ko/submissions/x/runs/1/cancel/"])
def test_a_post_from_elsewhere_is_refused(path: str, suite: Suite) -> None:
    assert Client(enforce_csrf_checks=True).post(path, _form(suite)).status_code == 403


def _receipt(suite: Suite, status: str, **fields: Any) -> Submission:
    revision = factories.make_revision()
    submission = Submission.objects.create(form_key="k", revision=revision, network_hash="h")
    mark = f"submission:{submission.pk}"
    submission.runs.add(factories.make_run(revision, suite, status, requested_by=mark, **fields))
    return submission


def test_a_waiting_run_shows_its_place_and_asks_again(client: Client, suite: Suite) -> None:
    factories.make_run(factories.make_revision(), suite)
    submission = _receipt(suite, "queued")
    page = client.get(f"/en/submissions/{submission.receipt}/").content.decode()
    assert "Place 2 in line" in page
    assert "No worker of the lane gpu is connected" in page
    assert 'hx-trigger="every 3s"' in page


def test_a_running_run_shows_progress_and_its_last_sign_of_life(client: Client, suite: Suite) -> None:
    submission = _receipt(suite, "running", heartbeat_at=timezone.now() - timedelta(seconds=7))
    page = client.get(f"/en/submissions/{submission.receipt}/status/").content.decode()
    assert 'value="10" max="40"' in page
    assert "7 s ago" in page


def test_a_failed_run_says_why_and_can_be_tried_again(client: Client, suite: Suite) -> None:
    submission = _receipt(suite, "failed")
    path = f"/en/submissions/{submission.receipt}/"
    page = client.get(path).content.decode()
    assert "cannot be reached" in page
    assert "hx-trigger" not in page.split('id="status"')[1].split(">")[0]
    run = submission.runs.get()
    page = client.post(f"{path}runs/{run.pk}/retry/", follow=True).content.decode()
    assert "in line again" in page
    assert submission.runs.count() == 2


def test_a_run_can_be_cancelled_from_its_receipt_alone(client: Client, suite: Suite) -> None:
    submission, other = _receipt(suite, "queued"), factories.make_run()
    path = f"/ko/submissions/{submission.receipt}/runs"
    assert client.post(f"{path}/{other.pk}/cancel/").status_code == 404
    assert client.get(f"{path}/{submission.runs.get().pk}/cancel/").status_code == 405
    client.post(f"{path}/{submission.runs.get().pk}/cancel/")
    assert submission.runs.get().status == "cancelled"


def test_a_finished_run_leads_to_the_board(client: Client, suite: Suite) -> None:
    submission = _receipt(suite, "finished")
    factories.make_result(submission.runs.get(), suite.tasks.get())
    response = client.get(f"/ko/submissions/{submission.receipt}/")
    assert "/ko/boards/ko-small/" in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert response["X-Robots-Tag"] == "noindex"


def test_a_receipt_nobody_has_is_not_there(client: Client) -> None:
    assert client.get("/ko/submissions/nothing/").status_code == 404


def test_the_receipt_costs_few_queries(client: Client, django_assert_max_num_queries: Any) -> None:
    revision = factories.make_revision()
    submission = Submission.objects.create(form_key="k", revision=revision, network_hash="h")
    for _ in range(6):
        submission.runs.add(factories.make_run(revision, factories.make_suite(tasks=3), "finished"))
    with django_assert_max_num_queries(8):
        client.get(f"/ko/submissions/{submission.receipt}/")


def test_a_suite_whose_items_are_not_here_is_refused(client: Client, fake_hub: FakeHub, settings: Any) -> None:
    fake_hub.add("maker/sound")
    settings.DATASETS_ROOT = None
    private = factories.make_suite(tasks=[factories.make_task(dataset_source="local", dataset_name="own-set")])
    page = client.post("/en/submit/", _form(private)).content.decode()
    assert "own-set" in page.split('id="suites_error">')[1].split("</div>")[0]
    assert not Submission.objects.exists()
