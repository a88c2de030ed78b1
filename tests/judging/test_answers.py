"""Multi-turn runs against a fake server: what is sent, what is stored, what counts as a failure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from judging import question_sets
from judging.models import Answer
from runners import supervise
from runners.models import EvaluationRun, Message, ModelRevision, Price
from tests.fake_openai import Behaviour, FakeOpenAI
from tests.judging.judged import answered, make_set, served

pytestmark = pytest.mark.django_db
KOREAN = "옛날 옛적에 호랑이가 살았습니다. 어느 날 산을 넘었습니다. 그리고 잘 살았습니다."


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(reply=lambda model, messages: KOREAN) as fake:
        yield fake


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runners.child.calling.BACKOFF_SECONDS", 0.001)


def sent(server: FakeOpenAI) -> list[dict[str, Any]]:
    return [call.body for call in server.calls if call.path.endswith("/chat/completions")]


def test_the_second_turn_is_asked_with_the_models_own_first_answer(server: FakeOpenAI) -> None:
    run = answered(served(server), make_set(1))
    first, second = sorted(sent(server), key=lambda body: len(body["messages"]))
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][:2] == [*first["messages"], {"role": "assistant", "content": KOREAN}]
    assert (run.status, run.lane, run.attempt) == ("judging", "judge", 0)
    assert run.environment["engine"] == "chat" and run.environment["versions"]["openai"]
    assert Message.objects.filter(role="assistant").count() == 2


def test_the_temperature_is_that_of_the_category(server: FakeOpenAI) -> None:
    answered(served(server), make_set(2))
    told = {body["messages"][0]["content"][:2]: (body["temperature"], body["max_tokens"]) for body in sent(server)}
    assert told == {"0번": (0.7, 1024), "1번": (0.0, 1024)}


def test_tokens_time_cost_and_the_figures_of_language_are_stored(server: FakeOpenAI) -> None:
    Price.objects.create(
        served_name="candidate", valid_from=timezone.localdate(), input_usd=1, output_usd=10, krw_per_usd=1400
    )
    answered(served(server), make_set(1))
    message = Message.objects.filter(role="assistant", turn=1).get()
    assert message.finish_reason == "stop" and message.seconds is not None and message.seconds > 0
    assert message.prompt_tokens is not None and message.completion_tokens is not None
    want = Decimal(message.prompt_tokens + 10 * message.completion_tokens) / 1_000_000
    assert message.cost_usd == pytest.approx(want)
    measured = Answer.objects.get().fidelity
    assert [turn["hangul_share"] for turn in measured] == [1.0, 1.0]
    assert measured[0]["register"] == "hapsyo" and not measured[0]["not_korean"]


def test_truncated_and_empty_answers_are_told_apart(server: FakeOpenAI) -> None:
    for name, status in (("long-length", "truncated"), ("silent-null", "empty")):
        run = answered(served(server, name), make_set(1, slug=name))
        assert set(
            Message.objects.filter(conversation__run=run, role="assistant").values_list("status", flat=True)
        ) == {status}


def test_a_failed_request_is_a_failure_and_its_second_turn_is_never_asked(server: FakeOpenAI) -> None:
    server.behaviours["candidate"] = Behaviour("404", only="3번")
    run = answered(served(server), make_set(10))
    assert run.status == "judging"
    failed = Message.objects.filter(status="error").order_by("turn").values_list("turn", "error_kind")
    assert list(failed) == [(1, "model_not_found"), (2, "no_first_turn")]
    assert Message.objects.filter(role="assistant").exclude(status="error").count() == 18


def test_a_server_that_fails_everything_fails_the_attempt_with_its_kind(server: FakeOpenAI) -> None:
    run = answered(served(server, "closed-401"), make_set(10))
    assert (run.status, run.error_kind) == ("failed", "auth")
    assert "check the environment variable" in run.error_text


def test_the_next_attempt_asks_only_for_the_turns_without_an_answer(server: FakeOpenAI) -> None:
    server.behaviours["candidate"] = Behaviour("500", only="한 문장으로")
    run = answered(served(server), make_set(30))
    assert (run.status, run.error_kind) == ("queued", "endpoint_error")
    kept = Message.objects.filter(role="assistant", status="ok").count()
    assert 20 <= kept <= 30
    server.behaviours.clear()
    server.calls.clear()
    EvaluationRun.objects.update(not_before=None)
    supervise.execute(run.pk)
    run.refresh_from_db()
    assert run.status == "judging"
    assert len(sent(server)) == 60 - kept
    assert Message.objects.filter(role="assistant", status="ok").count() == 60


def test_a_reference_player_answers_what_it_has_recorded_and_nothing_else() -> None:
    question_sets.synchronise()
    from judging.apps import _synchronise

    _synchronise()
    suite_set = question_sets.QuestionSet.objects.current("ko-mt")
    assert suite_set is not None
    run = answered(ModelRevision.objects.get(slug="reference/terse"), suite_set)
    assert run.status == "judging"
    assert Answer.objects.filter(run=run, quality="terse").count() == 24
    assert not Message.objects.filter(status="error").exists()
