"""The multi-turn board of 65 models: seconds and memory of importing it, and how it is served.

`python -m bench.multi_turn [--import-from FOLDER]`. FOLDER holds LogicKor's `questions.jsonl` and
`answers_*.jsonl.gz`; without it, rows of the same size are made here: 65 models, three modes, 42 questions of two turns
with GPT-4's words. The board is served as `bench.board` serves the first one: queries on a hit, requests a second
against a bare WSGI callable of the same gunicorn that sends the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.board import ROOT, get, gunicorn, wrk

SLUG, MODELS, MODES = "logickor", 65, ("default", "1-shot", "cot-1-shot")
PATH = f"/ko/boards/{SLUG}/"
CATEGORIES = (
    "추론(Reasoning)",
    "수학(Math)",
    "글쓰기(Writing)",
    "코딩(Coding)",
    "이해(Understanding)",
    "문법(Grammar)",
)
KOREAN = "판정은 답변이 질문에서 요구한 조건을 모두 지켰는지, 내용이 사실과 맞는지를 살펴서 정합니다. " * 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--import-from", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gyeoru-bench-") as home:
        os.environ |= {"GYEORU_HOME": home, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ.pop("DATABASE_URL", None)
        imports(args.import_from or made_up(Path(home) / "rows"))
        if shutil.which("wrk"):
            served(Path(home))
        else:
            print("multi-turn board: not served, wrk is not installed (apt-get install wrk)")


def imports(folder: Path) -> None:
    """Seconds and peak memory of importing the answers with their judgments, each command a process."""
    files = [str(path) for path in sorted(folder.glob("answers_*.jsonl*"))]

    def manage(*words: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - started

    manage("migrate", "-v0")
    manage("load_question_set", str(folder / "questions.jsonl"), "--slug", SLUG, "--format", "logickor")
    common = (*files, "--set", SLUG, "--format", "rows")
    answers, judgments = manage("import_answers", *common), manage("import_judgments", *common, "--judge", "gpt-4")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"import of {folder.name}: answers {answers:.1f} s + judgments {judgments:.1f} s = {answers + judgments:.1f} s "
        f"(goal ≤ 30; CPU of all commands {usage.ru_utime + usage.ru_stime:.1f} s), "
        f"peak {usage.ru_maxrss / 1024:.0f} MB (goal ≤ 400)"
    )


def made_up(folder: Path) -> Path:
    """Rows of LogicKor's shape and size."""
    folder.mkdir()
    draw = random.Random(1)
    questions = [
        {
            "id": n + 1,
            "category": CATEGORIES[n // 7],
            "questions": ["질문입니다.", "이어서요."],
            "references": [None, None],
        }
        for n in range(42)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    for mode in MODES:
        with (folder / f"answers_{mode}.jsonl").open("w") as file:
            for model in range(MODELS):
                skill = draw.uniform(2, 9)
                for question in range(42):
                    said = [min(10, max(0, round(draw.gauss(skill, 2)))) for _ in range(2)]
                    judge = [{"turn": t, "score": float(s), "message": KOREAN} for t, s in enumerate(said, 1)]
                    row = {"model": f"maker/model-{model}", "mode": mode, "question_id": question + 1}
                    file.write(json.dumps({**row, "outputs": [KOREAN * 2, KOREAN], "judge": judge}) + "\n")
    return folder


def served(home: Path) -> None:
    """What the board of the imported models weighs, asks of the database, and how many readers it takes."""
    import django

    django.setup()
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from tests.lanes import free_port

    client = Client()
    client.get(PATH)
    with CaptureQueriesContext(connection) as queries:
        client.get(PATH)
    ours_port, bare_port = free_port(), free_port()
    web = ("-k", "asgi", "--asgi-lifespan", "off", "config.asgi:application")
    ours = gunicorn(ours_port, *web, ready=PATH, GYEORU_WEB="1")
    sizes = {name: len(get(ours_port, PATH, name)[0]) for name in ("br", "gzip", "identity")}
    body = home / "page.gz"
    body.write_bytes(get(ours_port, PATH, "gzip")[0])
    bare = gunicorn(
        bare_port, "-k", "gthread", "--threads", "4", "bench.bare:application", ready=PATH, BENCH_BODY=str(body)
    )
    try:
        pairs = [(wrk(ours_port, PATH), wrk(bare_port, PATH)) for _ in range(3)]
    finally:
        for process in (ours, bare):
            process.send_signal(signal.SIGTERM)
            process.wait()
    kilobytes = ", ".join(f"{size / 1000:.0f} kB {name}" for name, size in sizes.items())
    print(f"multi-turn board: {kilobytes}; {len(queries)} queries on a hit (goal 0)")
    for (rate, slow), (bare_rate, bare_slow) in pairs:
        print(f"  ours {rate:7.0f}/s (p99 {slow})   bare WSGI {bare_rate:7.0f}/s (p99 {bare_slow})")
    ratio = statistics.median(a[0] / b[0] for a, b in pairs)
    print(f"  ratio {ratio:.2f} (goal ≥ 0.45)")


if __name__ == "__main__":
    main()
