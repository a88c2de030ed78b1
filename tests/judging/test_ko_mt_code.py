"""The coding references of `ko-mt` run and do what is asked; so do its good answers, not its wrong ones."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tests.judging.ko_mt import code_blocks, question, rows

Names = dict[str, Any]


def phone(run: Names) -> None:
    f = run["normalize_phone"]
    good = ["010-1234-5678", "010 1234 5678", "010.1234.5678", "01012345678", "(010)1234-5678"]
    assert {f(text) for text in good} == {"010-1234-5678"}
    bad = ["010-1234-567a", "011-123-4567", "010-1234-567", "0101234567890", "", "번호 01012345678"]
    assert {f(text) for text in bad} == {None}


def phone_abroad(run: Names) -> None:
    phone(run)
    f = run["normalize_phone"]
    full_width = "".join(chr(ord(c) + 0xFEE0) for c in "01012345678")
    good = ["+82 10-1234-5678", "0082-10-1234-5678", "+82 010-1234-5678", full_width]
    assert {f(text) for text in good} == {"010-1234-5678"}
    assert f("+81 10-1234-5678") is None
    assert f("010+1234-5678") is None


def initials(run: Names) -> None:
    f = run["chosung"]
    assert f("김밥천국") == "ㄱㅂㅊㄱ"
    assert f("떡볶이 2인분!") == "ㄸㅂㅇ 2ㅇㅂ!"
    assert (f("가힣ㄱa"), f("")) == ("ㄱㅎㄱa", "")


def initials_search(run: Names) -> None:
    f = run["search"]
    names = ["김하늘", "홍길동", "홍길순", "남궁홍"]
    assert f("ㅎ길", names) == ["홍길동", "홍길순"]
    assert (f("길ㄷ", names), f("홍ㄴ", names)) == (["홍길동"], [])
    assert f("ㅎ", names) == names
    assert f("홍", names) == ["홍길동", "홍길순", "남궁홍"]


def amount(run: Names) -> None:
    f = run["to_hangul"]
    assert f(2_305_000) == "일금 이백삼십만오천원정"
    assert (f(110_000), f(0)) == ("일금 일십일만원정", "일금 영원정")
    assert f(1_0000_0001) == "일금 일억일원정"
    assert f(1234_0000_0000_1010) == "일금 일천이백삼십사조일천일십원정"


def amount_back(run: Names) -> None:
    f = run["parse_hangul"]
    run["test_round_trip"]()
    assert f("일금 이백삼십만오천원정") == f("이백삼십만오천") == 2_305_000
    assert (f("십일만"), f("천만")) == (110_000, 10_000_000)
    with pytest.raises(ValueError, match="달"):
        f("일금 이백달러")


def particle(run: Names) -> None:
    f = run["josa"]
    assert [f(w, "을/를") for w in ("사과", "귤")] == ["사과를", "귤을"]
    assert [f(w, "으로/로") for w in ("서울", "부산", "제주")] == ["서울로", "부산으로", "제주로"]
    assert [f("물", p) for p in ("이/가", "은/는", "과/와")] == ["물이", "물은", "물과"]
    assert [f("차", p) for p in ("이/가", "은/는", "과/와")] == ["차가", "차는", "차와"]


def particle_digits(run: Names) -> None:
    particle(run)
    f = run["josa"]
    assert f("갤럭시 25", "을/를") == "갤럭시 25를"
    assert f("3번 출구 7", "으로/로") == "3번 출구 7로"
    assert f("아이폰 10", "으로/로") == "아이폰 10으로"
    assert f("귤(제주)", "을/를") == "귤(제주)을"
    ends = [f(str(digit), "이/가")[-1] for digit in range(10)]
    assert ends == list("이이가이가가이이이가")


def distinct(run: Names) -> None:
    f = run["dedupe"]
    assert (f([3, "a", 3, 1, "a"]), f([3, "a"])) == ([3, "a", 1], [3, "a"])
    begin = time.process_time()
    assert len(f(list(range(20_000)))) == 20_000
    assert time.process_time() - begin < 0.5


def distinct_unhashable(run: Names) -> None:
    f = run["dedupe"]
    assert [repr(x) for x in f([1, True, [1, 2], [1, 2], 1, True])] == ["1", "True", "[1, 2]"]
    distinct(run)


ORDERS = [
    (1, 1, "2024-12-30", 500, "done"),
    (2, 1, "2025-01-03", 1000, "done"),
    (3, 2, "2025-01-09", 400, "cancelled"),
    (4, 2, "2025-03-02", 700, "done"),
    (5, 3, "2025-03-20", 800, "done"),
    (6, 3, "2025-05-01", 900, "cancelled"),
]


def ask(sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE orders (id, customer_id, ordered_on, amount, status)")
        db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", ORDERS)
        return db.execute(sql).fetchall()


def monthly(run: Names) -> None:
    assert ask(run["sql"]) == [
        ("2024-12", 500, None, 500),
        ("2025-01", 1000, 500, 1000),
        ("2025-03", 1500, 500, 2500),
    ]


def monthly_calendar(run: Names) -> None:
    assert ask(run["sql"]) == [
        ("2025-01", 1000, None, 1000),
        ("2025-02", 0, -1000, 1000),
        ("2025-03", 1500, 1500, 2500),
        ("2025-04", 0, -1500, 2500),
        ("2025-05", 0, 0, 2500),
        ("2025-06", 0, 0, 2500),
    ]


def cache_expires(run: Names) -> None:
    now = [0.0]
    box = run["TTLCache"](2, 10, clock=lambda: now[0])
    box.put("a", 1)
    box.put("b", 2)
    assert box.get("a") == 1
    box.put("c", 3)
    assert (box.get("b"), box.get("a"), box.get("c")) == (None, 1, 3)
    now[0] = 9.0
    assert box.get("a") == 1
    now[0] = 10.0
    assert box.get("a") is None


def cache_computes_once(run: Names) -> None:
    box = run["SafeTTLCache"](8, 60)
    calls: list[str] = []
    both = threading.Barrier(2, timeout=2)
    seen: list[object] = []

    def slow(key: str) -> str:
        calls.append(key)
        both.wait()
        return key * 2

    def use(key: str) -> None:
        seen.append(box.get_or_compute(key, lambda: slow(key)))

    threads = [threading.Thread(target=use, args=(key,)) for key in "aaabbb"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3)
    assert sorted(calls) == ["a", "b"]
    assert sorted(map(str, seen)) == ["aa"] * 3 + ["bb"] * 3
    with pytest.raises(ZeroDivisionError):
        box.get_or_compute("x", lambda: 1 // 0)
    assert box.get_or_compute("x", lambda: 7) == 7


def session_ends(run: Names) -> None:
    f = run["sessions"]
    lines = ["0 a", "100 b", "1800 a", "1901 c", "3601 b"]
    first, *rest = f(lines)
    assert first == ("b", 100, 100, 1)
    assert rest == [("a", 0, 1800, 2), ("c", 1901, 1901, 1), ("b", 3601, 3601, 1)]
    early = f(iter(["0 a", "1801 b"]))
    assert next(early) == ("a", 0, 0, 1)


def lines_in_order(run: Names) -> None:
    f = run["reorder"]
    lines = ["10 a", "12 b", "8 c", "12 d", "20 e", "14 z", "15 f"]
    assert list(f(lines)) == ["8 c", "10 a", "12 b", "12 d", "15 f", "20 e"]
    assert next(f(iter(["1 a", "2 b", "9 c"]))) == "1 a"


HOLIDAYS = {date(2025, 5, 5), date(2025, 5, 6), date(2025, 8, 15)}


def business_days(run: Names) -> None:
    f = run["add_business_days"]
    assert f(date(2025, 5, 2), 1, HOLIDAYS) == date(2025, 5, 7)
    assert f(date(2025, 5, 3), 0, HOLIDAYS) == date(2025, 5, 7)
    assert f(date(2025, 5, 3), 1, HOLIDAYS) == date(2025, 5, 7)
    assert f(date(2025, 8, 14), 0, HOLIDAYS) == date(2025, 8, 14)
    assert f(date(2025, 8, 14), 6, HOLIDAYS) == date(2025, 8, 25)


def business_days_back(run: Names) -> None:
    business_days(run)
    assert run["add_business_days"](date(2025, 5, 7), -1, HOLIDAYS) == date(2025, 5, 2)
    chuseok = {date(2025, 10, d) for d in (3, 5, 6, 7, 9)}
    assert run["with_substitutes"](chuseok) == chuseok | {date(2025, 10, 8)}
    pair = {date(2027, 8, 14), date(2027, 8, 15)}
    assert run["with_substitutes"](pair) == pair | {date(2027, 8, 16), date(2027, 8, 17)}


def fetches(run: Names) -> None:
    active = peak = 0
    tries: dict[int, int] = {}

    async def fetch(url: int) -> int:
        nonlocal active, peak
        active += 1
        peak = max(peak, active)
        tries[url] = tries.get(url, 0) + 1
        await asyncio.sleep(0.001)
        active -= 1
        if url == 3 or (url == 4 and tries[url] < 3):
            raise OSError(url)
        return url * 10

    got = asyncio.run(run["fetch_all"](range(6), fetch, limit=2))
    assert [x for x in got if not isinstance(x, OSError)] == [0, 10, 20, 40, 50]
    assert isinstance(got[3], OSError)
    assert (peak, tries[3], tries[4]) == (2, 3, 3)


def fetches_until(run: Names) -> None:
    fetches(run)
    ended: list[int] = []

    async def fetch(url: int) -> int:
        try:
            await asyncio.sleep(0 if url < 2 else 30)
        finally:
            ended.append(url)
        return url

    async def main() -> list[object]:
        got: list[object] = await run["fetch_all"](range(4), fetch, deadline=0.02)
        assert len(asyncio.all_tasks()) == 1
        return got

    assert asyncio.run(main()) == [0, 1, None, None]
    assert sorted(ended) == [0, 1, 2, 3]


Check = Callable[[Names], None]
CHECKS: dict[str, tuple[Check, Check]] = {
    "coding-01": (phone, phone_abroad),
    "coding-02": (initials, initials_search),
    "coding-03": (amount, amount_back),
    "coding-04": (particle, particle_digits),
    "coding-05": (distinct, distinct_unhashable),
    "coding-06": (monthly, monthly_calendar),
    "coding-07": (cache_expires, cache_computes_once),
    "coding-08": (session_ends, lines_in_order),
    "coding-09": (business_days, business_days_back),
    "coding-10": (fetches, fetches_until),
}


def run_answer(question_id: str, texts: list[str]) -> None:
    """Both turns of an answer, checked one after the other in one namespace."""
    names: Names = {}
    for text, check in zip(texts, CHECKS[question_id], strict=True):
        (code,) = code_blocks(text)
        if code.startswith(("WITH", "SELECT")):
            names["sql"] = code
        else:
            exec(code, names)
        check(names)


@pytest.mark.parametrize("question_id", CHECKS)
def test_a_coding_reference_does_what_its_question_asks(question_id: str) -> None:
    run_answer(question_id, question(question_id)["references"])


KNOWN = [row for row in rows("known_quality") if row["question_id"] in CHECKS]


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: f"{row['question_id']}-{row['quality']}")
def test_a_known_coding_answer_passes_unless_it_is_the_wrong_one(row: dict[str, Any]) -> None:
    if row["quality"] == "wrong":
        with pytest.raises((AssertionError, TypeError)):
            run_answer(row["question_id"], row["outputs"])
    else:
        run_answer(row["question_id"], row["outputs"])
