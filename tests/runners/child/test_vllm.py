"""vLLM's code path against a fake module and a fake server: no GPU and no vLLM needed."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from runners.child import vllm
from runners.child.errors import ChildError
from runners.child.evaluate import Child
from runners.reports import ModelSpec, TaskReport
from tests.runners.child import tiny
from tests.runners.child.test_hf import fake_folder

ROOT = Path(__file__).resolve().parents[3]


def run(folder: Path, model: ModelSpec, *tasks: Any) -> tiny.Events:
    events = tiny.Events()
    child = Child(events, tiny.load)
    try:
        child.run(tiny.run_spec(folder, *tasks, model=model))
    finally:
        child.close()
    return events


def model(tmp_path: Path, **args: Any) -> ModelSpec:
    weights = fake_folder(tmp_path / "weights")
    (weights / "chat_template.jinja").write_text("{{messages}}", encoding="utf-8")
    return ModelSpec("vllm", "acme/tiny", path=str(weights), commit_sha="c" * 40, args=args)


def put_program(tmp_path: Path, monkeypatch: Any, body: str) -> None:
    """A `vllm` beside a pretended interpreter."""
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n{body}", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(vllm.sys, "executable", str(program.with_name("python")))


SERVE = """
import asyncio, json
from pathlib import Path
from tests.fake_openai import FakeOpenAI
Path("arguments.json").write_text(json.dumps(sys.argv[1:]))
port = int(sys.argv[sys.argv.index("--port") + 1])
asyncio.run(FakeOpenAI(port=port).serve())
"""


def test_a_managed_server_answers_both_modes_and_ends_with_the_run(tmp_path: Path, monkeypatch: Any) -> None:
    put_program(tmp_path, monkeypatch, SERVE)
    monkeypatch.chdir(tmp_path)
    servers = []
    start = vllm.Server
    monkeypatch.setattr(vllm, "Server", lambda *args: servers.append(start(*args)) or servers[-1])
    events = run(tmp_path, model(tmp_path, max_num_seqs=64))
    reports = [TaskReport.from_json(path.read_bytes()) for path in tmp_path.glob("*.report.json")]
    assert sorted((r.task, r.n_scored) for r in reports) == [("tiny_generate", 20), ("tiny_likelihood", 20)]
    assert servers[0]._process.poll() is not None
    data = next(e.data for e in events if e.kind == "environment")
    assert (data["engine"], data["commit_sha"]) == ("vllm serve", "c" * 40)
    arguments = (tmp_path / "arguments.json").read_text()
    assert '"--host", "127.0.0.1"' in arguments
    assert '"--max-num-seqs", "64"' in arguments
    assert "trust" not in arguments


@pytest.mark.parametrize(
    ("says", "kind"),
    [("torch.OutOfMemoryError: CUDA out of memory", "does_not_fit"), ("no such thing", "unsupported_model")],
)
def test_a_server_that_ends_while_loading_says_why(tmp_path: Path, monkeypatch: Any, says: str, kind: str) -> None:
    put_program(tmp_path, monkeypatch, f"sys.exit({says!r})")
    with pytest.raises(ChildError, match=says) as caught:
        run(tmp_path, model(tmp_path))
    assert caught.value.kind == kind


def test_a_server_that_is_never_ready_is_ended(tmp_path: Path, monkeypatch: Any) -> None:
    put_program(tmp_path, monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(ChildError, match="not ready after") as caught:
        run(tmp_path, model(tmp_path, start_seconds=0.5))
    assert (caught.value.kind, caught.value.permanent) == ("endpoint_slow", False)


def test_without_vllm_the_extra_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(vllm.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ChildError, match="vllm extra") as caught:
        run(tmp_path, model(tmp_path))
    assert caught.value.kind == "missing_dependency"


@pytest.mark.parametrize("args", [{"trust_remote_code": True}, {"tokenizer": "evil/tok"}, {"engine": "magic"}])
def test_other_arguments_are_refused(tmp_path: Path, args: dict[str, Any]) -> None:
    with pytest.raises(ChildError) as caught:
        run(tmp_path, model(tmp_path, **args))
    assert caught.value.kind == "bad_spec"


class FakeVLLM:
    """lm-eval's vllm class as it behaves: every answer only at the end of a call, the hook under changed
    settings.
    """

    made: dict[str, Any]
    tokenizer_name = "fake"

    def __init__(self, **settings: Any) -> None:
        FakeVLLM.made = settings
        self.rank, self.world_size = 0, 1
        self.calls: list[int] = []

    def set_cache_hook(self, hook: Any) -> None:
        self.hook = hook

    def apply_chat_template(self, messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return str(messages[-1]["content"])

    def generate_until(self, requests: list[Any]) -> list[str]:
        self.calls.append(len(requests))
        for request in requests:
            self.hook.add_partial("generate_until", (request.args[0], {"until": ["changed"]}), "A")
        return ["A"] * len(requests)


def test_the_library_gets_at_most_512_requests_at_a_time(tmp_path: Path, monkeypatch: Any) -> None:
    module: Any = types.ModuleType("lm_eval.models.vllm_causallms")
    module.VLLM = FakeVLLM
    monkeypatch.setitem(sys.modules, "lm_eval.models.vllm_causallms", module)
    made = []
    init = FakeVLLM.__init__
    monkeypatch.setattr(FakeVLLM, "__init__", lambda self, **more: (init(self, **more), made.append(self))[0])
    run(tmp_path, model(tmp_path, engine="library"), tiny.spec("generate", 1100))
    assert made[0].calls == [512, 512, 76]
    assert (FakeVLLM.made["trust_remote_code"], FakeVLLM.made["batch_size"]) == (False, "auto")
