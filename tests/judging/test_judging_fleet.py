"""Real Redis, real workers, a server that plays candidate and judge and misbehaves: killed in the middle, the run ends
with every verdict once.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import redis_server
from tests.fake_openai import Behaviour, FakeOpenAI
from tests.site import Site, children_of

pytestmark = [pytest.mark.workers, pytest.mark.django_db(transaction=True)]
CONCURRENCY = 8
FAILING = "할머니 팔순"


def kind_of(messages: list[dict[str, Any]]) -> int:
    """0 to 7, by the text that the judge reads; the mark of a call is drawn anew, so it must not decide."""
    answer = "".join(messages[1]["content"].split(">>>")[1:])[:400].split("<<<")[0]
    return hashlib.sha256(answer.encode()).digest()[0] % 8


def slowly(model: str, messages: list[dict[str, Any]]) -> float:
    """Some judgments take their time: they are still out when the worker is killed."""
    return 2.0 if model == "judge" and kind_of(messages) == 3 else 0.0


def by_turns(model: str, messages: list[dict[str, Any]]) -> str:
    """The judge: good, unreadable until asked again, unreadable for ever, or refusing, by the text it reads."""
    if model == "candidate":
        return (
            "호랑이가 고개를 넘어 마을로 내려왔습니다. 사람들은 떡을 나누어 주었습니다. " + messages[-1]["content"][:40]
        )
    kind = kind_of(messages)
    if kind == 0:
        return "잘 모르겠습니다." if len(messages) == 2 else "이제 알겠습니다.\n\n[[6]]"
    if kind == 1:
        return "글쎄요, 점수를 정하기가 어렵네요."
    if kind == 2:
        return "죄송합니다. 저는 이 답변을 평가할 수 없습니다."
    return "질문에 맞게 답했습니다.\n\n[[8]]"


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(reply=by_turns, pause=slowly) as fake:
        fake.behaviours["judge"] = Behaviour("500", latency=0.15, only=FAILING)
        yield fake


@pytest.fixture
def site(tmp_path: Path, server: FakeOpenAI) -> Iterator[Site]:
    own = Site(tmp_path, GYEORU_JUDGE_CONCURRENCY=str(CONCURRENCY))
    own.manage("migrate", "-v0")
    own.manage("sync_catalogue")
    for name in ("candidate", "judge"):
        own.manage("add_endpoint", name, "--base-url", server.base_url, "--served-name", name)
    own.manage("add_judge", "judge", "--endpoint", "judge", "--repeats", "2")
    redis = subprocess.Popen(redis_server.command(own.home), stdout=subprocess.DEVNULL, start_new_session=True)
    own.processes.insert(0, redis)
    redis_server.wait_until_ready(redis, redis_server.socket(own.home))
    own.start("reconcile")
    yield own
    own.stop()


def keys(server: FakeOpenAI, model: str = "judge", failing: str = FAILING) -> Counter[str]:
    """How often a model answered each call; failed requests are not paid."""
    return Counter(
        call.headers["idempotency-key"]
        for call in server.calls
        if "idempotency-key" in call.headers
        and call.body["model"] == model
        and failing not in str(call.body["messages"])
    )


def kill(pid: int) -> None:
    """kill -9 of a worker and everything it started."""
    for one in [*children_of(pid), pid]:
        os.kill(one, signal.SIGKILL)


def answered_turns(site: Site) -> set[str]:
    """The keys of the candidate's calls whose answers are stored."""
    rows = site.sql(
        "select a.run_id, a.question_id, m.turn from runners_message m join judging_answer a "
        "on a.conversation_id = m.conversation_id where m.role = 'assistant' and m.status = 'ok'"
    )
    return {f"answer-{run}-{question}-{turn}" for run, question, turn in rows}


def judgments(site: Site, where: str) -> int:
    found = site.sql(f"select count(*) from judging_judgment m join judging_judge j on j.id = m.judge_id "
                     f"where j.slug = 'judge' and {where}")  # fmt: skip
    return int(found[0][0]) if found else 0


def test_killed_in_the_middle_no_verdict_is_lost_and_none_is_paid_twice(site: Site, server: FakeOpenAI) -> None:
    broken = "윗집에 붙일 쪽지"
    server.behaviours["candidate"] = Behaviour("404", only=broken, latency=0.2)
    site.manage("evaluate", "api/candidate", "ko-mt")
    worker = site.start("work", "--queue", "eval")
    site.wait_for("answers are coming", lambda: len(answered_turns(site)) >= 30, 60)
    kill(worker.pid)
    kept = answered_turns(site)
    site.start("work", "--queue", "eval")
    worker = site.start("work", "--queue", "judge")
    site.wait_for("judgments are coming", lambda: judgments(site, "m.status = 'done'") >= 40, 90)
    again = {key for key, times in keys(server, "candidate", broken).items() if times > 1}
    assert len(kept) < 158 and not again & kept and len(again) <= 2 * 32
    assert len(answered_turns(site)) == 158
    kill(worker.pid)
    stored = {key for (key,) in site.sql("select call_key from judging_judgment where status <> 'pending'")}
    site.start("work", "--queue", "judge")
    done = "select status, error_kind from runners_evaluationrun where status = 'finished'"
    assert site.wait_for("the run finishes", lambda: site.sql(done), 90) == [("finished", "")]

    asked = keys(server)
    twice = {key: times for key, times in asked.items() if times > 1}
    # What was stored is never asked again; only calls that were on the wire when the worker died are.
    assert not set(twice) & stored
    assert len(twice) <= 2 * CONCURRENCY and set(twice.values()) <= {2}

    graded = 2 * (79 * 2)  # one question's answer failed; k = 2
    assert judgments(site, "m.canary = ''") == graded
    assert judgments(site, "m.status = 'pending'") == 0
    counts = dict(site.sql(
        "select m.status, count(*) from judging_judgment m join judging_judge j on j.id = m.judge_id "
        "where j.slug = 'judge' and m.canary = '' group by m.status"
    ))  # fmt: skip
    assert counts["error"] == 4 and {"done", "unparsable", "refused"} <= set(counts)
    (row,) = site.sql(
        "select r.n_done, r.n_unparsable, r.n_refused, r.n_failed, r.is_complete, r.is_invalid "
        "from judging_judgedrun r join judging_judge j on j.id = r.judge_id where j.slug = 'judge'"
    )
    assert row == (counts["done"], counts["unparsable"], counts["refused"], 2, 1, 1)
    repaired = judgments(site, "m.status = 'done' and m.calls = 2 and m.score = 6.0")
    assert repaired > 0
    repairs = [key for key in asked if key.endswith("-repair")]
    assert len(repairs) == judgments(site, "m.calls = 2")
