"""The child as a process: its events, its end on SIGTERM and SIGKILL, and what a killed run repeats."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.child.storing import COMMIT_EVERY
from runners.reports import Event, ModelSpec, RunSpec
from tests.fake_openai import FakeOpenAI
from tests.runners.child import tiny

ROOT = Path(__file__).resolve().parents[3]
Process = subprocess.Popen[bytes]


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def start(processes: list[Process], spec: RunSpec | None, pause: float = 0.0) -> Process:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.runners.child.trial_child", str(pause)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    processes.append(process)
    if spec is not None:
        assert process.stdin is not None
        process.stdin.write(spec.to_json().encode() + b"\n")
        process.stdin.flush()
    return process


def wait_for_answers(process: Process, n: int) -> None:
    assert process.stderr is not None
    seen = 0
    for line in process.stderr:
        seen += line == b"answered\n"
        if seen == n:
            return
    raise AssertionError("the child ended early")


def events_of(output: bytes) -> list[Event]:
    return [Event.from_dict(json.loads(line)) for line in output.splitlines()]


def stored(folder: Path) -> int:
    connection = sqlite3.connect(folder / "answers.sqlite3")
    count: int = connection.execute("SELECT count(*) FROM answer WHERE NOT failed").fetchone()[0]
    connection.close()
    return count


def slow_spec(folder: Path) -> RunSpec:
    return tiny.run_spec(folder, tiny.spec("generate", 150), name="reference/constant")


def test_several_runs_go_through_one_child_and_only_events_to_its_output(
    tmp_path: Path, processes: list[Process]
) -> None:
    process = start(processes, None)
    specs = [tiny.run_spec(tmp_path / name, name=f"reference/{name}") for name in ("random", "constant")]
    for spec in specs:
        Path(spec.workdir).mkdir()
    output, _ = process.communicate("".join(spec.to_json() + "\n" for spec in specs).encode())
    events = events_of(output)
    assert process.returncode == 0
    assert [e.kind for e in events].count("finished") == 2
    assert [e.task for e in events if e.kind == "task"] == ["tiny_likelihood", "tiny_generate"] * 2


def test_an_error_is_told_as_an_event_and_ends_with_1(tmp_path: Path, processes: list[Process]) -> None:
    process = start(processes, tiny.run_spec(tmp_path, name="reference/genius"))
    output, errors = process.communicate()
    last = events_of(output)[-1]
    assert (process.returncode, last.kind, last.error_kind, last.permanent) == (
        1,
        "failed",
        "model_missing",
        True,
    )
    assert "reference/random" in str(last.message)
    assert b"Traceback" in errors


def test_nonsense_on_the_input_is_an_event_too(processes: list[Process]) -> None:
    process = start(processes, None)
    output, _ = process.communicate(b'{"run_id": 1, "surprise": 2}\n')
    assert (process.returncode, events_of(output)[-1].error_kind) == (1, "bad_spec")


def test_sigterm_keeps_every_answer_and_exits_with_143(tmp_path: Path, processes: list[Process]) -> None:
    process = start(processes, slow_spec(tmp_path), pause=0.01)
    wait_for_answers(process, 50)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert time.monotonic() - started < 8
    assert process.returncode == 143
    assert stored(tmp_path) == 50 + errors.count(b"answered\n")


def test_a_killed_run_repeats_at_most_what_was_not_committed(tmp_path: Path, processes: list[Process]) -> None:
    first = start(processes, slow_spec(tmp_path), pause=0.005)
    wait_for_answers(first, 100)
    first.kill()
    _, rest = first.communicate()
    kept = stored(tmp_path)
    assert 100 + rest.count(b"answered\n") - kept <= COMMIT_EVERY
    second = start(processes, slow_spec(tmp_path), pause=0.005)
    output, errors = second.communicate()
    assert errors.count(b"answered\n") == 150 - kept
    assert events_of(output)[-1].kind == "finished"
    report = json.loads((tmp_path / "tiny_generate.report.json").read_bytes())
    assert (report["n_docs"], report["n_scored"]) == (150, 150)


def test_sigterm_while_requests_are_on_their_way_does_not_wait_for_them(
    tmp_path: Path, processes: list[Process]
) -> None:
    with FakeOpenAI(latency=30) as server:
        model = ModelSpec("api", "m", base_url=server.base_url, served_name="fake-model")
        process = start(processes, tiny.run_spec(tmp_path, tiny.spec("generate"), model=model))
        deadline = time.monotonic() + 20
        while server.inflight < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
        assert time.monotonic() - started < 8


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_the_child_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    spec = slow_spec(tmp_path)
    (tmp_path / "spec.json").write_text(spec.to_json() + "\n", encoding="utf-8")
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'tests.runners.child.trial_child', '0.05'],\n"
        f"    stdin=open({str(tmp_path / 'spec.json')!r}), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "while True: print(child.stdout.readline().decode(), end='', flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    while b'"environment"' not in parent.stdout.readline():
        continue
    parent.kill()
    parent.communicate()
    assert _gone(pid, within=2.0)


def _gone(pid: int, within: float) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if _is_zombie(pid):
            return True
        time.sleep(0.02)
    return False


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
