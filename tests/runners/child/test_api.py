from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from runners.child import calling
from runners.child.errors import ChildError
from runners.child.evaluate import Child
from runners.child.likelihoods import Scorer
from runners.reports import ModelSpec, SampleReport, TaskReport
from tests.fake_openai import Behaviour, FakeOpenAI, fake_openai, logprob_of, tokens_of
from tests.runners.child import tiny

__all__ = ["fake_openai"]


def model(server: FakeOpenAI, name: str = "fake-model", **args: Any) -> ModelSpec:
    args = {"retries": 1, **args}
    return ModelSpec("api", "acme/model", base_url=server.base_url, served_name=name, args=args)


def run(
    folder: Path, spec: ModelSpec, mode: str = "generate", n: int = 20, **more: Any
) -> tuple[TaskReport, list[SampleReport]]:
    task = tiny.spec(mode, n)
    child = Child(tiny.Events(), tiny.load)
    try:
        child.run(tiny.run_spec(folder, task, model=spec, **more))
    finally:
        child.close()
    report = TaskReport.from_json((folder / f"{task.name}.report.json").read_bytes())
    lines = (folder / f"{task.name}.samples.jsonl").read_text(encoding="utf-8").splitlines()
    return report, [SampleReport.from_json(line) for line in lines]


def test_replies_tokens_and_finish_reasons_are_kept(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    report, samples = run(tmp_path, model(fake_openai))
    assert (report.n_docs, report.n_scored, report.n_failed) == (20, 20, 0)
    assert samples[3].reply.startswith("정답은 ")
    assert samples[3].finish_reason == "stop"
    assert report.prompt_tokens == sum(s.prompt_tokens or 0 for s in samples) > 0
    assert report.completion_tokens == sum(s.completion_tokens or 0 for s in samples) > 0


def test_the_request_is_a_chat_with_the_tasks_own_settings(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    run(
        tmp_path,
        model(fake_openai, request={"seed": None, "top_p": 0.5}),
        n=1,
        system_instruction="짧게 답하라.",
    )
    body = fake_openai.calls[0].body
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert (body["stop"], body["max_tokens"], body["temperature"]) == (["\n\n"], 16, 0)
    assert (body["top_p"], "seed" in body) == (0.5, False)


def test_concurrency_is_used_and_bounded(tmp_path: Path) -> None:
    with FakeOpenAI(latency=0.02) as server:
        run(tmp_path, model(server), n=60, max_concurrency=6)
        assert server.inflight_peak == 6


@pytest.mark.parametrize("ending", ["null", "empty"])
def test_an_empty_content_is_no_answer_and_not_a_failure(tmp_path: Path, fake_openai: FakeOpenAI, ending: str) -> None:
    report, samples = run(tmp_path, model(fake_openai, f"x-{ending}"))
    assert (report.n_scored, report.n_no_answer, report.n_failed) == (20, 20, 0)
    assert report.metrics["exact_match"].value == 0.0
    assert {s.status for s in samples} == {"no_answer"}


def test_a_reply_that_was_cut_is_counted(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    report, _ = run(tmp_path, model(fake_openai, "x-length"))
    assert report.n_truncated == 20


@pytest.mark.parametrize(
    ("ending", "kind", "permanent"),
    [
        ("500", "endpoint_error", False),
        ("429", "rate_limited", False),
        ("401", "auth", True),
        ("404", "model_not_found", True),
        ("html", "endpoint_html", False),
        ("cut", "endpoint_down", False),
        ("nochoices", "endpoint_error", False),
    ],
)
def test_a_useless_endpoint_ends_the_run_with_its_kind(
    tmp_path: Path, fake_openai: FakeOpenAI, ending: str, kind: str, permanent: bool
) -> None:
    with pytest.raises(ChildError) as caught:
        run(tmp_path, model(fake_openai, f"x-{ending}", retries=0))
    assert (caught.value.kind, caught.value.permanent) == (kind, permanent)
    assert "acme/model" in caught.value.message


def test_nobody_listening_is_endpoint_down(tmp_path: Path) -> None:
    spec = ModelSpec("api", "m", base_url="http://127.0.0.1:9/v1", args={"retries": 0})
    with pytest.raises(ChildError, match="cannot be reached") as caught:
        run(tmp_path, spec)
    assert caught.value.kind == "endpoint_down"


def test_an_endpoint_without_answers_in_time_is_slow(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    with pytest.raises(ChildError) as caught:
        run(tmp_path, model(fake_openai, "x-slow", retries=0), request_timeout=0.2)
    assert caught.value.kind == "endpoint_slow"


def test_one_bad_request_fails_alone_and_counts_in_no_value(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    fake_openai.behaviours["x"] = Behaviour("500", only="질문 7:")
    report, samples = run(tmp_path, model(fake_openai, "x", retries=0))
    assert (report.n_docs, report.n_scored, report.n_failed) == (20, 19, 1)
    bad = samples[7]
    assert (bad.status, bad.correct, bad.reply) == ("error", None, "")
    assert bad.error is not None
    assert bad.error.startswith("endpoint_error")
    right = sum(s.correct or 0 for s in samples if s.status == "scored")
    assert report.metrics["exact_match"].value == pytest.approx(right / 19)


def test_the_next_attempt_asks_the_failed_request_again_and_only_it(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    fake_openai.behaviours["x"] = Behaviour("500", only="질문 7:")
    run(tmp_path, model(fake_openai, "x", retries=0))
    del fake_openai.behaviours["x"]
    fake_openai.calls.clear()
    (tmp_path / "tiny_generate.report.json").unlink()
    report, _ = run(tmp_path, model(fake_openai, "x", retries=0))
    assert len(fake_openai.calls) == 1
    assert (report.n_scored, report.n_failed) == (20, 0)


def test_too_many_failures_end_the_run(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    fake_openai.behaviours["x"] = Behaviour("500", only="질문 1")
    with pytest.raises(ChildError, match=r"answers with errors.* requests failed"):
        run(tmp_path, model(fake_openai, "x", retries=0), n=120, max_concurrency=1)


def test_a_passing_fault_is_retried(tmp_path: Path, fake_openai: FakeOpenAI, monkeypatch: Any) -> None:
    monkeypatch.setattr(calling, "BACKOFF_SECONDS", 0.01)
    fake_openai.behaviours["x"] = Behaviour("500", times=3)
    report, _ = run(tmp_path, model(fake_openai, "x", retries=4), n=5, max_concurrency=1)
    assert (report.n_scored, len(fake_openai.calls)) == (5, 8)


def test_retry_after_is_obeyed(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    fake_openai.behaviours["x"] = Behaviour("429", times=1, retry_after=0.4)
    report, _ = run(tmp_path, model(fake_openai, "x"), n=1)
    first, second = fake_openai.calls
    assert report.n_scored == 1
    assert 0.39 <= second.at - first.at < 2


def test_the_key_comes_from_the_named_variable_and_goes_nowhere_else(
    tmp_path: Path, fake_openai: FakeOpenAI, monkeypatch: Any
) -> None:
    monkeypatch.setenv("ACME_KEY", "sk-canary-123456")
    spec = ModelSpec("api", "m", base_url=fake_openai.base_url, served_name="x", key_env="ACME_KEY")
    events = tiny.Events()
    child = Child(events, tiny.load)
    child.run(tiny.run_spec(tmp_path, tiny.spec("generate"), model=spec))
    child.close()
    assert fake_openai.calls[0].headers["authorization"] == "Bearer sk-canary-123456"
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary" not in written + "".join(event.to_json() for event in events).encode()


def test_a_key_that_the_server_echoes_is_struck_out(fake_openai: FakeOpenAI) -> None:
    endpoint = calling.Endpoint(fake_openai.base_url, "sk-canary", connections=1, timeout=1)
    assert endpoint._clean("Incorrect API key provided: sk-canary.") == "Incorrect API key provided: ***."


def test_a_missing_key_is_told_before_any_request(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    spec = ModelSpec("api", "m", base_url=fake_openai.base_url, key_env="NO_SUCH_KEY")
    with pytest.raises(ChildError, match="NO_SUCH_KEY") as caught:
        run(tmp_path, spec)
    assert (caught.value.kind, fake_openai.calls) == ("auth", [])


def test_likelihood_over_a_chat_endpoint_is_refused_before_any_request(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    with pytest.raises(ChildError, match="generation variant") as caught:
        run(tmp_path, model(fake_openai), "likelihood")
    assert (caught.value.kind, caught.value.permanent) == ("unsupported_task", True)
    assert fake_openai.calls == []


def expected_score(context: str, continuation: str) -> float:
    text, at, total = context + continuation, 0, 0.0
    for token in tokens_of(text):
        if at + len(token) > len(context):
            total += logprob_of(token, text[:at])
        at += len(token)
    return total


def test_likelihoods_are_the_sums_over_the_continuations_tokens(tmp_path: Path, fake_openai: FakeOpenAI) -> None:
    report, samples = run(tmp_path, model(fake_openai, loglikelihood=True), "likelihood")
    assert report.n_scored == 20
    for sample in samples:
        assert sample.choices is not None
        wanted = [expected_score(sample.prompt, f" {choice}") for choice in sample.choices]
        assert sample.logprobs == pytest.approx(wanted)


def answer(tokens: list[str], values: list[float | None], completion: int = 1) -> dict[str, Any]:
    tops = [None if value is None else {token: value} for token, value in zip(tokens, values, strict=True)]
    logprobs = {"tokens": tokens, "token_logprobs": values, "top_logprobs": tops}
    usage = {"prompt_tokens": 3, "completion_tokens": completion}
    return {"choices": [{"logprobs": logprobs}], "usage": usage}


def test_a_leading_special_token_and_the_generated_one_are_left_out() -> None:
    scorer = Scorer(lambda path, body: answer(["<s>", "가", " 나", "다", " 끝"], [None, -1, -2, -3, -9]), "m")
    assert scorer.score("가", " 나다")[0] == (-5.0, True)


def test_a_token_across_the_border_belongs_to_the_continuation() -> None:
    scorer = Scorer(lambda path, body: answer(["가", "나다", "라", "끝"], [None, -2, -3, -9]), "m")
    assert scorer.score("가나", "다라")[0] == (-5.0, True)


def test_tokens_that_cut_a_syllable_into_bytes_are_counted_instead() -> None:
    bodies = []

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        bodies.append(body)
        return answer(["<s>", "\ufffd", "\ufffd", "\ufffd", "\ufffd", "끝"], [None, -1, -2, -3, -4, -9])

    scorer = Scorer(post, "m")
    assert scorer.score("가", "나")[0] == (-7.0, True)
    assert [body["prompt"] for body in bodies] == ["가나", "가"]
    scorer.score("가", "나")
    assert len(bodies) == 3


def test_spaces_at_the_contexts_end_move_to_the_continuation() -> None:
    scorer = Scorer(lambda path, body: answer(["가", " 나", "끝"], [None, -2, -9]), "m")
    assert scorer.score("가 ", "나")[0] == (-2.0, True)


def test_a_refusal_is_told_in_the_servers_words_without_the_key() -> None:
    def refused(status: int, **content: Any) -> calling.CallFailed:
        endpoint = calling.Endpoint("http://127.0.0.1:9/v1", "sk-canary", connections=1, timeout=1)
        return endpoint._refused(httpx2.Response(status, **content))

    told = refused(400, json={"error": {"message": "no such field; key sk-canary"}})
    assert (told.kind, told.text) == ("bad_request", "Error code: 400 - no such field; key ***")
    spent = refused(429, json={"error": {"code": "insufficient_quota"}}, headers={"retry-after": "2"})
    assert (spent.kind, spent.retry_after, spent.final) == ("rate_limited", 2.0, True)
    assert refused(502, text="<html>bad gateway</html>").text == "Error code: 502 - <html>bad gateway</html>"
    assert refused(503).text == "Error code: 503"


def test_an_address_that_is_none_is_a_failure_with_a_kind() -> None:
    endpoint = calling.Endpoint("http://127.0.0.1:1/v1", None, connections=1, timeout=1)
    with pytest.raises(calling.CallFailed) as failed:
        endpoint.post("/chat/completions", {"messages": "반\ud800쪽"}, retries=0)
    assert failed.value.kind == "endpoint_down"
