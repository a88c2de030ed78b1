"""Requests a second through an API model at 50 ms latency: ours beside lm-eval's local-chat-completions.

`python -m bench.api_throughput [--requests 2000] [--concurrency 32] [--rounds 5]`. Both ask the same fake
server, in turns; ours stores every answer on disk meanwhile. The limit is concurrency / latency. Best round
counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lanes import free_port, wait_for

LATENCY = 0.05


@dataclass
class Request:
    args: tuple[str, dict[str, Any]]
    doc_id: int
    idx: int = 0


def requests_of(n: int) -> list[Request]:
    """Korean chat prompts of about 300 characters, all different."""
    prompts = [f"문제 {i}: 다음 보기에서 알맞은 것을 고르세요. " + "가나다라 마바사 " * 30 for i in range(n)]
    chats = [json.dumps([{"role": "user", "content": prompt}], ensure_ascii=False) for prompt in prompts]
    return [Request((chat, {"until": ["\n\n"], "max_gen_toks": 64}), i) for i, chat in enumerate(chats)]


def ours(url: str, concurrency: int) -> Callable[[list[Request]], list[str]]:
    from runners.child.answers import AnswerLog
    from runners.child.api import load
    from runners.child.storing import StoringLM
    from runners.reports import ModelSpec, RunSpec

    model = ModelSpec("api", "bench", base_url=url, served_name="fake-model")
    loaded = load(RunSpec(1, 1, "", model, [], max_concurrency=concurrency))

    def ask(requests: list[Request]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            lm = StoringLM(loaded.models["generate"], AnswerLog(Path(folder) / "answers.sqlite3"))
            lm.begin("bench")
            return lm.generate_until(requests)

    return ask


def theirs(url: str, concurrency: int) -> Callable[[list[Request]], list[str]]:
    from lm_eval.models.api_models import JsonChatStr
    from lm_eval.models.openai_completions import LocalChatCompletion

    lm = LocalChatCompletion(
        base_url=f"{url}/chat/completions", model="fake-model", num_concurrent=concurrency, eos_string="</s>"
    )

    def ask(requests: list[Request]) -> list[str]:
        theirs = [Request((JsonChatStr(r.args[0]), r.args[1]), r.doc_id) for r in requests]
        answers: list[str] = lm.generate_until(theirs, disable_tqdm=True)
        return answers

    return ask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    port = free_port()
    command = [sys.executable, "-m", "tests.fake_openai", "--port", str(port), "--latency", str(LATENCY)]
    server = subprocess.Popen(command)
    try:
        wait_for(port)
        os.environ.setdefault("OPENAI_API_KEY", "none")
        compare(f"http://127.0.0.1:{port}/v1", args.requests, args.concurrency, args.rounds)
    finally:
        server.kill()


def compare(url: str, n: int, concurrency: int, rounds: int) -> None:
    clients = {"ours, storing": ours(url, concurrency)}
    try:
        clients = {"lm-eval local-chat-completions": theirs(url, concurrency), **clients}
    except ModuleNotFoundError as error:
        sys.stdout.write(f"lm-eval's client is left out: {error}\n")
    requests, limit = requests_of(n), concurrency / LATENCY
    best: dict[str, tuple[float, float]] = {}
    answers = {}
    for _ in range(rounds):
        for name, ask in clients.items():
            started, cpu = time.perf_counter(), time.process_time()
            answers[name] = ask(requests)
            rate = n / (time.perf_counter() - started)
            best[name] = max(best.get(name, (0.0, 0.0)), (rate, (time.process_time() - cpu) / n * 1e3))
    sys.stdout.write(f"{n} requests, {concurrency} at a time, {LATENCY * 1e3:.0f} ms; limit {limit:.0f}/s\n")
    sys.stdout.write("| client | requests/s | of the limit | CPU ms/request |\n|---|---|---|---|\n")
    for name, (rate, cpu) in best.items():
        sys.stdout.write(f"| {name} | {rate:.0f} | {rate / limit:.3f} | {cpu:.2f} |\n")
    sys.stdout.write(f"same answers: {len({tuple(found) for found in answers.values()}) == 1}\n")


if __name__ == "__main__":
    main()
