"""Judge calls a second at 50 ms, 32 and 128 at a time, beside thread pools and the limit.

`python -m bench.judging [--questions 400] [--rounds 3]`. Our figure is the whole engine: prompts, claims and money in
the database before each call, parse, and every verdict stored; "with standings" goes on to the finished run. The
thread pools only ask, and keep the texts in memory. All ask the same fake server, in turns. At 32 the latency is the
limit and every client near it; at 128 server and client share the cores, and what a call costs decides.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.lanes import ROOT, free_port, wait_for

LATENCY = 0.05
KOREAN = "판정은 답변이 질문에서 요구한 조건을 모두 지켰는지, 내용이 사실과 맞는지를 살펴서 정합니다. " * 8
# (wall seconds, CPU seconds) of the calls of one judging alone, noted by `engine`.
CALLS: list[tuple[float, float]] = []
Measured = tuple[int, float, float]  # calls, wall seconds, CPU seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gyeoru-bench-") as home:
        port = free_port()
        os.environ |= {"GYEORU_HOME": home, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ.pop("DATABASE_URL", None)
        command = [sys.executable, "-m", "tests.fake_openai", "--port", str(port), "--latency", str(LATENCY)]
        server = subprocess.Popen(command, cwd=ROOT)
        try:
            wait_for(port)
            _prepare()
            for concurrency in (32, 128):
                calls(f"http://127.0.0.1:{port}/v1", concurrency, args.questions, args.rounds)
        finally:
            server.kill()


def _prepare() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from judging import judgments

    call_command("migrate", verbosity=0)
    go = judgments.Session.go

    def noted(self: judgments.Session) -> None:
        started = time.perf_counter(), time.process_time()
        go(self)
        CALLS.append((time.perf_counter() - started[0], time.process_time() - started[1]))

    judgments.Session.go = noted  # type: ignore[method-assign]


def calls(url: str, concurrency: int, questions: int, rounds: int) -> None:
    """The table of clients at one concurrency: calls a second, share of the limit, CPU per call."""
    from judging import judgments

    judgments.CONCURRENCY = concurrency
    whole: list[Measured] = []

    def ours(round_: int) -> Measured:
        made, seconds, cpu = engine(url, questions, f"{concurrency}-{round_}")
        whole.append((made, seconds, cpu))
        return made, *CALLS.pop()

    clients: dict[str, Callable[[int], Measured]] = {
        "gyeoru, every verdict stored": ours,
        "gyeoru, with standings": lambda _: whole.pop(),
        "thread pool, one client": lambda _: pool(url, 2 * questions, concurrency, shared=True),
        "thread pool, a client per call": lambda _: pool(url, 4 * concurrency, concurrency, shared=False),
    }
    best: dict[str, tuple[float, float]] = {}
    for round_ in range(rounds):
        for name, ask in clients.items():
            made, seconds, cpu = ask(round_)
            best[name] = max(best.get(name, (0.0, 0.0)), (made / seconds, cpu / made * 1e3))
    limit = concurrency / LATENCY
    print(f"{concurrency} calls at a time, {LATENCY * 1e3:.0f} ms; limit {limit:.0f}/s")
    print("| client | calls/s | of the limit | CPU ms/call |\n|---|---|---|---|")
    for name, (rate, cpu) in best.items():
        print(f"| {name} | {rate:.0f} | {rate / limit:.2f} | {cpu:.2f} |")
    (rate, cpu), *others = best.values()
    for name, (other, other_cpu) in list(zip(best, [(rate, cpu), *others], strict=True))[2:]:
        print(f"ours / {name}: {rate / other:.2f} in calls/s, {cpu / other_cpu:.2f} in CPU per call")
    print(flush=True)


def engine(url: str, questions: int, name: str) -> Measured:
    """Judges a run of recorded two-turn answers to its end, standings worked out."""
    from judging import jobs, judges, plan, question_sets
    from judging.formats import Place, Question
    from judging.models import Answer, Judgment
    from runners.catalog import register_endpoint
    from runners.models import Conversation, EvaluationRun, Message

    rows = [
        Question(f"{n}", "writing", (f"{name}-{n}번 질문. {KOREAN}", "이어서 답하세요."), (None, None), Place("", n))
        for n in range(questions)
    ]
    made, _ = question_sets.publish(f"bench-{name}", "rows", rows, question_sets.KNOWN["mt-bench"])
    endpoint = register_endpoint("judge", base_url=url, served_name="fake-model").endpoint
    assert endpoint is not None
    judge = judges.add("judge", endpoint)
    revision = register_endpoint("candidate", base_url=url, served_name="candidate")
    run = EvaluationRun.objects.create(
        revision=revision, suite=made.suite, status="judging", lane="judge", fingerprint=f"bench-{name}"
    )
    for question in made.questions.all():
        talk = Conversation.objects.create(revision=revision, run=run, is_recorded=True)
        Answer.objects.create(question=question, revision=revision, run=run, conversation=talk)
        Message.objects.bulk_create(
            Message(conversation=talk, position=2 * turn - 1, turn=turn, role="assistant", text=KOREAN)
            for turn in (1, 2)
        )
    plan.plan(run, judge, made)
    started, cpu = time.perf_counter(), time.process_time()
    jobs.execute(run.pk)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    judged = Judgment.objects.filter(run=run).exclude(status="pending")
    return sum(judged.values_list("calls", flat=True)), seconds, cpu


def pool(url: str, n: int, concurrency: int, *, shared: bool) -> Measured:
    """The way of public judge scripts: a pool of threads and the SDK's blocking client."""
    import openai

    def client() -> openai.OpenAI:
        return openai.OpenAI(base_url=url, api_key="none", max_retries=0)

    one = client()
    messages: Any = [{"role": "system", "content": KOREAN}, {"role": "user", "content": KOREAN * 3}]

    def ask(number: int) -> str:
        used = one if shared else client()
        reply = used.chat.completions.create(model="fake-model", messages=messages, temperature=0, max_tokens=2048)
        return reply.choices[0].message.content or ""

    started, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(concurrency) as executor:
        made = len(list(executor.map(ask, range(n))))
    return made, time.perf_counter() - started, time.process_time() - cpu


if __name__ == "__main__":
    main()
