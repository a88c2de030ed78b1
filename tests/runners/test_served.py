"""What is said of a model server that answers, or does not."""

from __future__ import annotations

import pytest

from runners.adapters import served
from tests.fake_openai import Behaviour, FakeOpenAI, fake_openai

__all__ = ["fake_openai"]


def test_a_server_lists_its_models_and_answers(fake_openai: FakeOpenAI) -> None:
    assert served.list_models(fake_openai.base_url) == ["fake-model"]
    assert served.ask(fake_openai.base_url, "fake-model").startswith("정답은")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("m-429", "busy"), ("m-500", "broken"), ("m-401", "refused"), ("m-404", "missing"), ("m-html", "strange"),
     ("m-null", "empty"), ("m-nochoices", "strange"), ("m-cut", "down")],
)  # fmt: skip
def test_what_came_instead_of_an_answer_is_told_apart(name: str, kind: str, fake_openai: FakeOpenAI) -> None:
    with pytest.raises(served.ServerError) as caught:
        served.ask(fake_openai.base_url, name)
    assert caught.value.kind == kind, caught.value


def test_a_slow_server_is_not_waited_for(fake_openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "TIMEOUT", 0.2)
    fake_openai.behaviours["slow"] = Behaviour("slow", slow=3)
    with pytest.raises(served.ServerError) as caught:
        served.ask(fake_openai.base_url, "slow")
    assert caught.value.kind == "slow"


def test_an_answer_that_was_all_reasoning_is_no_fault(fake_openai: FakeOpenAI) -> None:
    fake_openai.behaviours["thinker"] = Behaviour("length", reply="")
    assert served.ask(fake_openai.base_url, "thinker") == ""


def test_a_server_that_is_down_is_said_to_be(fake_openai: FakeOpenAI) -> None:
    with pytest.raises(served.ServerError) as caught:
        served.list_models("http://127.0.0.1:9/v1")
    assert caught.value.kind == "down"
