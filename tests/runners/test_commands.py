"""The operator's commands: evaluate and add_endpoint."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from runners import catalog
from runners.models import Endpoint, EvaluationRun, TaskResult
from tests import factories
from tests.fake_openai import FakeOpenAI, fake_openai

__all__ = ["fake_openai"]
pytestmark = pytest.mark.django_db


def _call(*args: Any, **options: Any) -> str:
    out = StringIO()
    call_command(*args, stdout=out, stderr=out, **options)
    return out.getvalue()


def test_a_run_is_asked_for_with_its_settings() -> None:
    catalog.register_reference_players()
    factories.make_suite("ko-basic")
    _call("evaluate", "reference/random", "ko-basic", "--limit", "5", "--seed", "7", "--no-apply-chat-template")
    run = EvaluationRun.objects.get()
    assert (run.status, run.lane) == ("queued", "eval")
    assert run.settings == {"limit": 5, "seed": 7, "apply_chat_template": False}
    assert "no second one" in _call(
        "evaluate", "reference/random", "ko-basic", "--limit", "5", "--seed", "7", "--no-apply-chat-template"
    )
    assert EvaluationRun.objects.count() == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [(("reference/nobody", "ko-basic"), "reference/random"), (("reference/random", "kobasic"), "ko-basic"),
     (("reference/random", "ko-basic", "--limit", "0"), "above zero")],
)  # fmt: skip
def test_what_is_wrong_is_named(words: tuple[str, ...], said: str, fake_openai: FakeOpenAI, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_ENDPOINT", fake_openai.base_url)
    catalog.register_reference_players()
    factories.make_suite("ko-basic")
    with pytest.raises(CommandError, match=said):
        _call("evaluate", *words)
    assert not EvaluationRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_now_runs_it_to_the_end_and_tells_the_numbers() -> None:
    catalog.synchronise()
    catalog.register_reference_players()
    told = _call("evaluate", "reference/constant", "ko-basic", "--now", "--limit", "2")
    run = EvaluationRun.objects.get()
    assert run.status == "finished"
    assert TaskResult.objects.filter(run=run).count() == run.suite.tasks.count()
    assert "n=2/2" in told
    assert "ko_basic_grammar" in told


def test_an_endpoint_is_registered_for_its_purposes(fake_openai: FakeOpenAI) -> None:
    told = _call(
        "add_endpoint", "mine", base_url=fake_openai.base_url, served_name="fake-model", purpose="arena,judge",
        likelihood=True,
    )  # fmt: skip
    endpoint = Endpoint.objects.get()
    assert (endpoint.purposes, endpoint.supports_likelihood) == (["arena", "judge"], True)
    assert "not answer" not in told


def test_a_server_that_is_down_is_registered_and_said_to_be(fake_openai: FakeOpenAI) -> None:
    assert "does not answer yet" in _call("add_endpoint", "down", base_url="http://127.0.0.1:9/v1", served_name="x")


@pytest.mark.parametrize(
    "wrong",
    [{"base_url": "ftp://x"}, {"purpose": "harness,tea"}, {"key_env": "sk-123456"}, {"purpose": ","}],
)
def test_a_wrong_endpoint_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(CommandError):
        _call("add_endpoint", "mine", **{"base_url": "http://127.0.0.1:9/v1", "served_name": "x", **wrong})
    assert not Endpoint.objects.exists()
