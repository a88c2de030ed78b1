from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runners.child.answers import AnswerLog
from runners.child.errors import Cancelled, ChildError
from runners.child.markers import FAILED
from runners.child.storing import COMMIT_EVERY, StoringLM


@dataclass
class Request:
    args: tuple[Any, ...]
    doc_id: int = 0
    idx: int = 0


class Model:
    """Answers `reply(n)` to its n-th request; tells the hook unless it is a `silent` engine."""

    def __init__(self, *, silent: bool = False, stop_at: int | None = None) -> None:
        self.silent, self.stop_at = silent, stop_at
        self.seen: list[Any] = []
        self.calls: list[int] = []
        self.name = "inner"

    def set_cache_hook(self, hook: Any) -> None:
        self.hook = hook

    def generate_until(self, requests: list[Request]) -> list[str]:
        self.calls.append(len(requests))
        return [self._one("generate_until", r, f"{r.args[0]}!{len(self.seen)}") for r in requests]

    def loglikelihood(self, requests: list[Request]) -> list[tuple[float, bool]]:
        return [self._one("loglikelihood", r, (-len(self.seen) / 7, len(self.seen) % 2 == 0)) for r in requests]

    def _one(self, kind: str, request: Request, value: Any) -> Any:
        if self.stop_at is not None and len(self.seen) >= self.stop_at:
            raise Cancelled
        self.seen.append(request.args)
        if not self.silent:
            self.hook.add_partial(kind, request.args, value)
        return value


def requests(n: int) -> list[Request]:
    return [Request((f"prompt {i}", {"until": ["\n"]}), doc_id=i) for i in range(n)]


def storing(path: Path, model: Any, namespace: str = "task", **more: Any) -> StoringLM:
    lm = StoringLM(model, AnswerLog(path / "answers.sqlite3"), **more)
    lm.begin(namespace)
    return lm


@pytest.mark.parametrize(("silent", "chunk"), [(False, None), (True, None), (True, 10), (False, 10)])
def test_a_second_run_asks_nothing_and_gives_the_same(tmp_path: Path, silent: bool, chunk: int | None) -> None:
    first = storing(tmp_path, Model(silent=silent), chunk=chunk).generate_until(requests(150))
    again = Model(silent=silent)
    lm = storing(tmp_path, again, chunk=chunk)
    assert lm.generate_until(requests(150)) == first
    assert (lm.asked, lm.reused, again.seen) == (0, 150, [])


def test_answers_come_back_in_the_order_of_the_requests_when_chunks_are_sorted_by_length(
    tmp_path: Path,
) -> None:
    asked = requests(30)
    answers = storing(tmp_path, Model(silent=True), chunk=7).generate_until(asked)
    assert [answer.split("!")[0] for answer in answers] == [request.args[0] for request in asked]


def test_a_chunk_is_at_most_as_long_as_asked_for(tmp_path: Path) -> None:
    model = Model(silent=True)
    storing(tmp_path, model, chunk=512).generate_until(requests(1100))
    assert model.calls == [512, 512, 76]


def test_repeats_of_one_request_keep_their_own_answers_after_a_rerun(tmp_path: Path) -> None:
    request = Request(("same", {"do_sample": True, "temperature": 0.7}))
    first = storing(tmp_path, Model()).generate_until([request] * 3)
    assert len(set(first)) == 3
    assert storing(tmp_path, Model()).generate_until([request] * 3) == first


def test_repeats_survive_a_stop_in_the_middle(tmp_path: Path) -> None:
    request = Request(("same", {}))
    with pytest.raises(Cancelled):
        storing(tmp_path, Model(stop_at=2)).generate_until([request] * 3)
    model = Model()
    answers = storing(tmp_path, model).generate_until([request] * 3)
    assert answers == ["same!0", "same!1", "same!0"]
    assert len(model.seen) == 1


def test_cancelling_keeps_every_answer_that_had_come(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        storing(tmp_path, Model(stop_at=77)).generate_until(requests(100))
    model = Model()
    storing(tmp_path, model).generate_until(requests(100))
    assert len(model.seen) == 23


def test_other_tasks_settings_and_prompts_share_no_answer(tmp_path: Path) -> None:
    storing(tmp_path, Model()).generate_until(requests(5))
    model = Model()
    storing(tmp_path, model, namespace="another model").generate_until(requests(5))
    other = storing(tmp_path, model)
    other.generate_until([Request((f"prompt {i}", {"until": ["\n"], "temperature": 1})) for i in range(5)])
    other.loglikelihood([Request(("prompt 0", "x"))])
    assert len(model.seen) == 11


def test_likelihoods_come_back_bit_for_bit(tmp_path: Path) -> None:
    asked = [Request(("context", f"option {i}")) for i in range(9)]
    first = storing(tmp_path, Model()).loglikelihood(asked)
    again = storing(tmp_path, Model()).loglikelihood(asked)
    assert again == first
    assert [type(greedy) for _, greedy in again] == [bool] * 9


def test_infinite_and_undefined_likelihoods_survive(tmp_path: Path) -> None:
    class Odd(Model):
        def loglikelihood(self, requests: list[Request]) -> list[tuple[float, bool]]:
            return [(-math.inf, False), (math.nan, True)]

    asked = [Request(("c", "a")), Request(("c", "b"))]
    storing(tmp_path, Odd()).loglikelihood(asked)
    (low, _), (undefined, greedy) = storing(tmp_path, Model()).loglikelihood(asked)
    assert low == -math.inf
    assert math.isnan(undefined)
    assert greedy is True


def test_a_failed_request_is_kept_as_a_failure_and_asked_again(tmp_path: Path) -> None:
    class Failing(Model):
        def generate_until(self, requests: list[Request]) -> list[str]:
            for request in requests:
                self.hook.add_partial("generate_until", request.args, FAILED, {"error": "timeout"})
            return [FAILED] * len(requests)

    lm = storing(tmp_path, Failing())
    assert lm.generate_until(requests(2)) == [FAILED, FAILED]
    assert lm.metas[0, 0] == [{"error": "timeout"}]
    rows = sqlite3.connect(tmp_path / "answers.sqlite3").execute("SELECT failed, text, meta FROM answer")
    assert rows.fetchall() == [(1, None, '{"error": "timeout"}')] * 2
    assert storing(tmp_path, Model()).generate_until(requests(2)) == ["prompt 0!0", "prompt 1!1"]
    assert storing(tmp_path, Failing()).generate_until(requests(2)) == ["prompt 0!0", "prompt 1!1"]


def test_finish_reason_and_tokens_are_kept_with_the_answer(tmp_path: Path) -> None:
    class Telling(Model):
        def generate_until(self, requests: list[Request]) -> list[str]:
            for request in requests:
                self.hook.add_partial("generate_until", request.args, "yes", {"finish_reason": "length"})
            return ["yes"] * len(requests)

    storing(tmp_path, Telling()).generate_until(requests(1))
    lm = storing(tmp_path, Model())
    lm.generate_until(requests(1))
    assert lm.metas == {(0, 0): [{"finish_reason": "length"}]}


def test_answers_are_committed_every_64_while_the_model_is_still_answering(tmp_path: Path) -> None:
    counts = []

    class Watched(Model):
        def _one(self, kind: str, request: Request, value: Any) -> Any:
            result = super()._one(kind, request, value)
            if len(self.seen) % COMMIT_EVERY == 0:
                other = sqlite3.connect(tmp_path / "answers.sqlite3")
                counts.append(other.execute("SELECT count(*) FROM answer").fetchone()[0])
                other.close()
            return result

    storing(tmp_path, Watched()).generate_until(requests(200))
    assert counts == [64, 128, 192]


def test_a_full_disk_is_a_typed_error_and_leaves_what_was_stored(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "answers.sqlite3")
    log._connection.execute("PRAGMA max_page_count = 60")
    lm = StoringLM(Model(), log)
    lm.begin("task")
    with pytest.raises(ChildError, match="No space left") as caught:
        lm.generate_until([Request(("x" * 500 + str(i), {})) for i in range(2000)])
    assert (caught.value.kind, caught.value.permanent) == ("disk_full", False)
    log.close()
    kept = sqlite3.connect(tmp_path / "answers.sqlite3")
    assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    stored = kept.execute("SELECT count(*) FROM answer").fetchone()[0]
    assert stored > 0
    assert stored % COMMIT_EVERY == 0


def test_progress_ends_at_all_of_them(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    storing(tmp_path, Model(), progress=lambda *now: told.append(now)).generate_until(requests(10))
    assert told[-1] == (10, 10)


def test_what_the_wrapper_lacks_is_the_models(tmp_path: Path) -> None:
    assert storing(tmp_path, Model()).name == "inner"
