"""Threads that call: how many calls they have in hand."""

from __future__ import annotations

import threading
import time

from runners.adapters.chat import Pool, Reply


def reply() -> Reply:
    return Reply("ok", "stop", None, None, 0.0)


def test_where_answers_come_one_by_one_few_calls_are_in_hand() -> None:
    pool: Pool[int] = Pool(8)
    assert pool.free == 8 + 8
    gates = [threading.Event() for _ in range(pool.free)]

    def wait(gate: threading.Event) -> Reply:
        gate.wait(5)
        return reply()

    for number, gate in enumerate(gates):
        pool.submit(number, lambda gate=gate: wait(gate))  # type: ignore[misc]
    gates[0].set()
    assert [key for key, _ in pool.collect(5)] == [0]
    # Fifteen are out, and a new call would only wait with its money reserved.
    assert pool.free == 0
    for gate in gates:
        gate.set()
    pool.close()


def test_where_answers_come_in_swarms_as_many_are_in_hand_as_run() -> None:
    pool: Pool[int] = Pool(8)
    for number in range(8):
        pool.submit(number, reply)
    time.sleep(0.02)
    assert len(pool.collect(1, together=0.05)) == 8
    assert pool.free == 16
    pool.close()
