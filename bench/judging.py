"""Judge calls a second at 50 ms and 32 at a time, beside thread pools and the limit; import of recorded judgments.

`python -m bench.judging [--questions 400] [--rounds 3] [--import-from FOLDER]`. Our figure is the whole engine:
prompts, claims and money in the database before each call, parse, and every verdict stored. The thread pools only
ask, and keep the texts in memory. All ask the same fake server, in turns. FOLDER holds LogicKor's `questions.jsonl`
and `answers_*.jsonl.gz`; without it the import is measured on rows of the same size made here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

LATENCY, CONCURRENCY = 0.05, 32
ROOT = Path(__file__).resolve().parent.parent
KOREAN = "판정은 답변이 질문에서 요구한 조건을 모두 지켰는지, 내용이 사실과 맞는지를 살펴서 정합니다. " * 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--import-from", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gyeoru-bench-") as home, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        os.environ |= {"GYEORU_HOME": home, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ.pop("DATABASE_URL", None)
        command = [sys.executable, "-m", "tests.fake_openai", "--port", str(port), "--latency", str(LATENCY)]
        server = subprocess.Popen(command, cwd=ROOT)
        try:
            _wait_for(port)
            calls(port, args.questions, args.rounds)
        finally:
            server.kill()
        imports(Path(home), args.import_from)


def calls(port: int, questions: int, rounds: int) -> None:
    """The table of clients: calls a second, share of the limit, CPU per call."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    url = f"http://127.0.0.1:{port}/v1"
    clients: dict[str, Callable[[int], int]] = {
        "gyeoru, whole engine": lambda round_: engine(url, questions, round_),
        "thread pool, one client": lambda _: pool(url, 2 * questions, shared=True),
        "thread pool, a client per call": lambda _: pool(url, min(200, 2 * questions), shared=False),
    }
    best: dict[str, tuple[float, float]] = {}
    for round_ in range(rounds):
        for name, ask in clients.items():
            prepared = time.perf_counter(), time.process_time()
            made = ask(round_)
            seconds, cpu = (
                SPAN.pop() if SPAN else (time.perf_counter() - prepared[0], time.process_time() - prepared[1])
            )
            best[name] = max(best.get(name, (0.0, 0.0)), (made / seconds, cpu / made * 1e3))
    limit = CONCURRENCY / LATENCY
    print(f"{CONCURRENCY} calls at a time, {LATENCY * 1e3:.0f} ms; limit {limit:.0f}/s")
    print("| client | calls/s | of the limit | CPU ms/call |\n|---|---|---|---|")
    for name, (rate, cpu) in best.items():
        print(f"| {name} | {rate:.0f} | {rate / limit:.2f} | {cpu:.2f} |")
    ours = best["gyeoru, whole engine"][0]
    for name, (rate, _) in list(best.items())[1:]:
        print(f"ours / {name}: {ours / rate:.2f}")


SPAN: list[tuple[float, float]] = []


def engine(url: str, questions: int, round_: int) -> int:
    """Judges a run of recorded two-turn answers; notes the span of the judging alone. How many calls it made."""
    from judging import jobs, judges, plan, question_sets
    from judging.formats import Place, Question
    from judging.models import Answer, Judgment
    from runners.catalog import register_endpoint
    from runners.models import Conversation, EvaluationRun, Message

    rows = [
        Question(f"{n}", "writing", (f"{round_}-{n}번 질문. {KOREAN}", "이어서 답하세요."), (None, None), Place("", n))
        for n in range(questions)
    ]
    made, _ = question_sets.publish(f"bench-{round_}", "rows", rows, question_sets.KNOWN["mt-bench"])
    endpoint = register_endpoint("judge", base_url=url, served_name="fake-model").endpoint
    assert endpoint is not None
    judge = judges.add("judge", endpoint)
    revision = register_endpoint("candidate", base_url=url, served_name="candidate")
    run = EvaluationRun.objects.create(
        revision=revision, suite=made.suite, status="judging", lane="judge", fingerprint=f"bench-{round_}"
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
    SPAN.append((time.perf_counter() - started, time.process_time() - cpu))
    judged = Judgment.objects.filter(run=run).exclude(status="pending")
    return sum(judged.values_list("calls", flat=True))


def pool(url: str, n: int, *, shared: bool) -> int:
    """The way of public judge scripts: a pool of 32 threads and the SDK's blocking client."""
    import openai

    def client() -> openai.OpenAI:
        return openai.OpenAI(base_url=url, api_key="none", max_retries=0)

    one = client()
    messages: Any = [{"role": "system", "content": KOREAN}, {"role": "user", "content": KOREAN * 3}]

    def ask(number: int) -> str:
        used = one if shared else client()
        reply = used.chat.completions.create(model="fake-model", messages=messages, temperature=0, max_tokens=2048)
        return reply.choices[0].message.content or ""

    with ThreadPoolExecutor(CONCURRENCY) as executor:
        return len(list(executor.map(ask, range(n))))


def imports(home: Path, source: Path | None) -> None:
    """Seconds and peak memory of importing 16,380 answers with their judgments, each command a process."""
    folder = source or _made_up(home / "rows")
    environment = {**os.environ, "GYEORU_HOME": str(home / "imports")}
    files = [str(path) for path in sorted(folder.glob("answers_*.jsonl*"))]

    def manage(*words: str) -> float:
        started = time.perf_counter()
        done = [sys.executable, "manage.py", *words]
        subprocess.run(done, cwd=ROOT, env=environment, check=True, capture_output=True)
        return time.perf_counter() - started

    manage("migrate", "-v0")
    manage("load_question_set", str(folder / "questions.jsonl"), "--slug", "logickor", "--format", "logickor")
    common = (*files, "--set", "logickor", "--format", "rows")
    seconds = manage("import_answers", *common), manage("import_judgments", *common, "--judge", "gpt-4")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    told = "as given" if source else "16,380 answers and judgments of 65 models"
    print(f"import ({told}): answers {seconds[0]:.1f} s, judgments {seconds[1]:.1f} s, peak {peak:.0f} MB")


def _made_up(folder: Path) -> Path:
    """Rows of LogicKor's shape and size: 65 models, three modes, 42 questions of two turns."""
    folder.mkdir()
    questions = [
        {"id": n, "category": "글쓰기(Writing)", "questions": ["질문입니다.", "이어서요."], "references": [None, None]}
        for n in range(1, 43)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    for mode in ("default", "1-shot", "cot-1-shot"):
        with (folder / f"answers_{mode}.jsonl").open("w") as file:
            for number in range(65 * 42):
                model, question = divmod(number, 42)
                judge = [{"turn": turn, "score": float((number * turn) % 11), "message": KOREAN} for turn in (1, 2)]
                row = {"model": f"maker/model-{model}", "mode": mode, "question_id": question + 1}
                file.write(json.dumps({**row, "outputs": [KOREAN * 2, KOREAN], "judge": judge}) + "\n")
    return folder


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
