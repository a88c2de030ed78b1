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


def by_turns(model: str, messages: list[dict[str, Any]]) -> str:
    """The judge: good, unreadable until asked again, unreadable for ever, or refusing, by the text it reads."""
    if model == "candidate":
        return (
            "호랑이가 고개를 넘어 마을로 내려왔습니다. 사람들은 떡을 나누어 주었습니다. " + messages[-1]["content"][:40]
        )
    # The mark of a call is drawn anew, so it must not decide.
    answer = "".join(messages[1]["content"].split(">>>")[1:])[:400].split("<<<")[0]
    kind = hashlib.sha256(answer.encode()).digest()[0] % 8
    if kind == 0:
        return "잘 모르겠습니다." if len(messages) == 2 else "이제 알겠습니다.\n\n[[6]]"
    if kind == 1:
        return "글쎄요, 점수를 정하기가 어렵네요."
    if kind == 2:
        return "죄송합니다. 저는 이 답변을 평가할 수 없습니다."
    return "질문에 맞게 답했습니다.\n\n[[8]]"


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(reply=by_turns) as fake:
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


def keys(server: FakeOpenAI) -> Counter[str]:
    """How often the judge answered each call; failed requests are not paid."""
    return Counter(
        call.headers["idempotency-key"]
        for call in server.calls
        if "idempotency-key" in call.headers
        and call.body["model"] == "judge"
        and FAILING not in str(call.body["messages"])
    )


def judgments(site: Site, where: str) -> int:
    found = site.sql(f"select count(*) from judging_judgment m join judging_judge j on j.id = m.judge_id "
                     f"where j.slug = 'judge' and {where}")  # fmt: skip
    return int(found[0][0]) if found else 0


def test_killed_in_the_middle_no_verdict_is_lost_and_none_is_paid_twice(site: Site, server: FakeOpenAI) -> None:
    server.behaviours["candidate"] = Behaviour("404", only="윗집에 붙일 쪽지")
    site.manage("evaluate", "api/candidate", "ko-mt")
    site.start("work", "--queue", "eval")
    worker = site.start("work", "--queue", "judge")
    site.wait_for("judgments are coming", lambda: judgments(site, "m.status = 'done'") >= 40, 60)
    for pid in [*children_of(worker.pid), worker.pid]:
        os.kill(pid, signal.SIGKILL)
    stored = {key for (key,) in site.sql("select call_key from judging_judgment where status <> 'pending'")}
    site.start("work", "--queue", "judge")
    done = "select status, error_kind from runners_evaluationrun where status = 'finished'"
    assert site.wait_for("the run finishes", lambda: site.sql(done), 90) == [("finished", "")]

    asked = keys(server)
    again = {key: times for key, times in asked.items() if times > 1}
    # What was stored is never asked again; only calls that were on the wire when the worker died are.
    assert not set(again) & stored
    assert len(again) <= 2 * CONCURRENCY and set(again.values()) <= {2}

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
