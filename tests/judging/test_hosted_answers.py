"""Multi-turn runs of weights without a server: the attempt serves them itself and talks through the chat door."""

from __future__ import annotations

import dataclasses
import json
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from judging import answers
from judging.models import Answer
from judging.question_sets import protocol_of
from runners import catalog, runs, supervise
from runners.adapters.harness import Child
from runners.models import EvaluationRun, Message, ModelRevision, Suite
from tests import tiny_model
from tests.factories import make_revision
from tests.judging.judged import answered, make_set
from tests.runners.child.test_hf import fake_folder

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
SHA = "1" * 40
# `vllm serve` as it behaves, with a name of its own for what it was told; the model says KOREAN or dies.
PROGRAM = """#!{python}
import asyncio, json, os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.fake_answers import Behaviour
from tests.fake_openai import FakeOpenAI
Path({told!r}).write_text(json.dumps({{"argv": sys.argv[1:], "pid": os.getpid()}}))
port = int(sys.argv[sys.argv.index("--port") + 1])
def reply(model, messages):
    if {dies!r} and len(messages) > 1:
        os._exit(1)
    return "호랑이가 고개를 넘었습니다."
asyncio.run(FakeOpenAI(port=port, reply=reply).serve())
"""


@pytest.fixture(autouse=True)
def quick(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.HOME = tmp_path / "home"
    settings.HOME.mkdir()
    settings.BEAT_SECONDS = 0.2
    monkeypatch.setattr("runners.child.calling.BACKOFF_SECONDS", 0.01)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[Child]:
    made: list[Child] = []
    monkeypatch.setattr(supervise, "Child", lambda spec: made.append(Child(spec)) or made[-1])
    return made


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A Python environment beside this one, as vLLM has it, without the program."""
    folder = tmp_path / "venv"
    venv.create(folder, symlinks=True, with_pip=False)
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "base.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")) + "\n")
    return folder


def put_vllm(environment: Path, told: Path, *, dies: bool = False) -> None:
    program = environment / "bin" / "vllm"
    text = PROGRAM.format(python=environment / "bin" / "python", root=str(ROOT), told=str(told), dies=dies)
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)


def put_weights(settings: Any, *, template: bool = True) -> Path:
    folder = fake_folder(Path(settings.HOME) / "models" / "maker" / f"tiny@{SHA}")
    if template:
        (folder / "chat_template.jinja").write_text("{{messages}}", encoding="utf-8")
    return folder


def revision(**fields: Any) -> ModelRevision:
    return make_revision("maker/tiny", commit_sha=SHA, **{"dtype": "", "backend": "vllm", **fields})


def test_a_vllm_model_is_served_for_the_run_and_then_no_more(
    settings: Any, environment: Path, tmp_path: Path, children: list[Child]
) -> None:
    settings.VLLM_PYTHON = str(environment / "bin" / "python")
    told = tmp_path / "told.json"
    put_vllm(environment, told)
    put_weights(settings)
    run = answered(revision(), make_set(3))
    assert (run.status, run.lane, run.error_text) == ("judging", "judge", "")
    said = Message.objects.filter(conversation__run=run, role="assistant")
    assert set(said.values_list("status", "finish_reason")) == {("ok", "stop")} and said.count() == 6
    assert all(count and count > 0 for count in said.values_list("completion_tokens", flat=True))
    assert Answer.objects.filter(run=run).count() == 3
    assert run.environment["engine"] == "vllm serve"
    start = json.loads(told.read_text())
    assert start["argv"][:1] == ["serve"] and "127.0.0.1" in start["argv"]
    assert children[0].process.poll() is not None
    assert gone(start["pid"])


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie that init has not yet read counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_server_that_dies_fails_the_attempt_and_the_next_one_asks_only_what_is_open(
    settings: Any, environment: Path, tmp_path: Path
) -> None:
    settings.VLLM_PYTHON = str(environment / "bin" / "python")
    put_vllm(environment, tmp_path / "told.json", dies=True)
    put_weights(settings)
    run = answered(revision(), make_set(3), max_concurrency=1)
    assert (run.status, run.error_kind) == ("queued", "endpoint_down")
    kept = Message.objects.filter(role="assistant", status="ok").count()
    assert 0 < kept < 6 and not Message.objects.filter(status="error").exists()
    assert "has gone" in run.error_text or "vLLM ended with code 1 while serving" in run.error_text
    put_vllm(environment, tmp_path / "told.json")
    EvaluationRun.objects.update(not_before=None)
    supervise.execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error_text) == ("judging", "")
    assert Message.objects.filter(role="assistant", status="ok").count() == 6
    assert not Message.objects.filter(status="error").exists()


def test_without_vllm_the_environment_to_install_is_named(settings: Any, environment: Path) -> None:
    settings.VLLM_PYTHON = str(environment / "bin" / "python")
    put_weights(settings)
    run = answered(revision(), make_set(1))
    assert (run.status, run.error_kind) == ("failed", "missing_dependency")
    assert "vllm extra" in run.error_text


@pytest.mark.parametrize("known", [False, None])
def test_a_model_without_a_chat_template_is_refused_before_anything_is_asked(
    settings: Any, environment: Path, tmp_path: Path, known: bool | None
) -> None:
    settings.VLLM_PYTHON = str(environment / "bin" / "python")
    put_vllm(environment, tmp_path / "told.json")
    put_weights(settings, template=False)
    run = answered(revision(has_chat_template=known), make_set(1))
    assert (run.status, run.error_kind) == ("failed", "no_chat_template")
    assert "chat_template" in run.error_text and not Message.objects.exists()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> int:
    """Answers of at most so many tokens: random weights never end by themselves."""
    monkeypatch.setattr(answers, "protocol_of", lambda one: dataclasses.replace(protocol_of(one), max_tokens=24))
    return 24


def put_tiny(settings: Any) -> ModelRevision:
    tiny_model.build(Path(settings.HOME) / "models" / "maker" / f"tiny@{SHA}")
    return revision(backend="hf", dtype="float32")


def texts(run: EvaluationRun) -> list[str]:
    said = Message.objects.filter(conversation__run=run, role="assistant").order_by("conversation__item", "turn")
    return list(said.values_list("text", flat=True))


@pytest.mark.torch
def test_a_transformers_model_answers_turn_by_turn_with_real_counts(settings: Any, short: int) -> None:
    own = put_tiny(settings)
    run = answered(own, make_set(3), seed=7, batch_size=2)
    assert (run.status, run.error_text) == ("judging", "")
    said = Message.objects.filter(conversation__run=run, role="assistant").order_by("conversation__item", "turn")
    assert said.count() == 6
    for message in said:
        assert message.prompt_tokens and message.seconds
        assert (message.finish_reason, message.status, message.completion_tokens) == ("length", "truncated", short)
    first, second = said[:2]
    assert second.prompt_tokens > first.prompt_tokens + short
    assert (run.environment["engine"], run.environment["batch_size"]) == ("transformers", 2)
    # Writing is sampled, math is greedy: what is drawn belongs to the request, not to the batch that it was in.
    again = answered(own, make_set(3, slug="again"), seed=7, batch_size=1)
    other = answered(own, make_set(3, slug="other"), seed=8, batch_size=1)
    assert texts(again) == texts(run)
    assert texts(other)[:2] != texts(run)[:2] and texts(other)[2:4] == texts(run)[2:4]


@pytest.mark.torch
def test_a_model_is_loaded_once_for_conversations_and_tasks(settings: Any, children: list[Child], short: int) -> None:
    catalog.synchronise()
    own = put_tiny(settings)
    talk = runs.request(own, make_set(1).suite)
    tasks = runs.request(own, Suite.objects.get(slug="ko-basic"), run_settings={"limit": 2})
    supervise.execute(talk.pk, worker="gpu-1")
    for run in (talk, tasks):
        run.refresh_from_db()
    assert (talk.status, tasks.status, tasks.error_text) == ("judging", "finished", "")
    assert len(children) == 1
