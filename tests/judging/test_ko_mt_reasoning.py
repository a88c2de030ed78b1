"""Every answer a reasoning reference of `ko-mt` states is worked out again here."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from itertools import combinations, permutations, product

import pytest

from tests.judging.ko_mt import Stated, assert_stated, rows


def round_table() -> Stated:
    def seatings(with_pair: bool) -> list[tuple[str, ...]]:
        found = []
        for rest in permutations(["나래", "다온", "라온", "마루", "바다"]):
            seats = ("가람", *rest)
            at = seats.index
            facing = at("라온") == 3
            pair = (at("나래") + 1) % 6 == at("마루")
            apart = at("바다") not in (1, 5) and (at("라온") + 1) % 6 != at("바다")
            if facing and apart and (pair or not with_pair):
                found.append(seats)
        return found

    (only,) = seatings(with_pair=True)
    free = seatings(with_pair=False)
    return [f"{i}번 {name}" for i, name in enumerate(only, 1)], [f"{len(free)}가지", f"{len(free) - 1}가지"]


def cake() -> Stated:
    suspects = ["은지", "도현", "세라", "민호"]

    def truths(culprit: str) -> list[bool]:
        return [culprit == "도현", culprit != "도현", culprit != "세라", culprit in ("세라", "은지")]

    (liar_once,) = [s for s in suspects if truths(s).count(False) == 1]
    two_true = [s for s in suspects if sum(truths(s)) == 2]
    said = [
        words
        for words in product((False, True), repeat=4)
        if [s for s, w in zip(suspects, words, strict=True) if sum(truths(s)[:3]) + w == 2] == ["세라"]
    ]
    assert said == [(True, True, True, True)]
    return [liar_once], two_true


def ages() -> Stated:
    born = {"서연": date(1999, 11, 20), "하준": date(2000, 1, 15), "지호": date(2000, 3, 2)}

    def age(name: str, day: date) -> int:
        birth = born[name]
        return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))

    day = date(2025, 5, 10)
    now = [age(name, day) for name in born]
    assert len(set(now)) == 1
    years = [day.year - birth.year for birth in born.values()]
    last = day
    while [age(name, last + timedelta(1)) for name in born] == now:
        last += timedelta(1)
    days = [date(2025, 1, 1) + timedelta(i) for i in range(365)]
    differ = sum(age("하준", d) != age("지호", d) for d in days)
    first = [f"만 {now[0]}세", ", ".join(map(str, years)), ", ".join(str(y + 1) for y in years)]
    return first, [f"{last.month}월 {last.day}일까지", f"{differ}일"]


def kimchi() -> Stated:
    sauce = max(60, 20) + 30 + 60
    full = max(60 + 300 + 40 + 90, sauce) + 60
    short = max(90, sauce) + 60

    def clock(minutes: int) -> str:
        hour, minute = divmod(8 * 60 + minutes, 60)
        return f"오후 {hour - 12}시 {minute}분" if hour > 12 else f"오전 {hour}시 {minute}분"

    return [f"{full}분", clock(full)], [f"{short}분", clock(short), f"{full - short}분"]


def driving() -> Stated:
    a, b = [Fraction(14, 20), Fraction(72, 80)], [Fraction(60, 80), Fraction(19, 20)]
    percent = [f"{int(x * 100)}%" for x in (*a, *b)]
    tie = next(k for k in range(20) if Fraction(19 - k, 20) == a[1])
    flip = next(k for k in range(20) if Fraction(19 - k, 20) < a[1])
    return percent, [f"{flip}명 더", f"{tie}명이면", *(f"{int(sum(x) * 50)}%" for x in (a, b))]


def leap_days() -> Stated:
    days = [date(y, 2, 29) for y in range(2024, 2150, 4) if y != 2100]
    thursdays = [d.year for d in days if d.weekday() == 3]
    weekday = "월화수목금토일"[date(2108, 2, 29).weekday()]
    return [f"{thursdays[1]}년"], [f"2108년은 {weekday}요일", f"{thursdays[thursdays.index(2080) + 1]}년"]


def kinship() -> Stated:
    parent = {"아들": "나", "나": "아버지", "아버지": "할아버지", "할아버지": "증조", "큰할아버지": "증조"}
    parent |= {"딸": "영수", "영수": "당숙", "당숙": "큰할아버지"}

    def line(person: str) -> list[str]:
        return [person, *line(parent[person])] if person in parent else [person]

    def degree(a: str, b: str) -> int:
        return min(i + j for i, x in enumerate(line(a)) for j, y in enumerate(line(b)) if x == y)

    return [f"{degree('나', '영수')}촌"], [f"{degree('나', '당숙')}촌", f"{degree('아들', '딸')}촌"]


def bridge() -> Stated:
    def fastest(apart: tuple[int, ...] = ()) -> int:
        everyone = frozenset((2, 3, 6, 9, 12))
        queue, seen = [(0, sorted(everyone), True)], set()
        while True:
            spent, here, lit = heapq.heappop(queue)
            if not here:
                return spent
            if (state := (frozenset(here), lit)) in seen:
                continue
            seen.add(state)
            crowd = frozenset(here) if lit else everyone - frozenset(here)
            for group in (g for n in (1, 2) for g in combinations(sorted(crowd), n) if g != apart):
                left = frozenset(here) - set(group) if lit else frozenset(here) | set(group)
                heapq.heappush(queue, (spent + max(group), sorted(left), not lit))

    return [f"{fastest()}분"], [f"{fastest((9, 12))}분"]


def scholarship() -> Stated:
    people = {
        "은수": (15, 3.48, 2, None),
        "태경": (18, 3.92, 8, "B0"),
        "유나": (14, 3.80, 5, None),
        "민재": (12, 3.10, 3, "C+"),
        "서현": (15, 3.50, 9, None),
        "도윤": (12, 2.99, 1, None),
    }
    marks = ["C+", "B0", "B+"]

    def able(bracket: int, mark: str) -> list[str]:
        return [
            name
            for name, (credits, grade, income, retaken) in people.items()
            if ((credits >= 15 and grade >= 3.5) or (income <= bracket and credits >= 12 and grade >= 3.0))
            and (retaken is None or marks.index(retaken) >= marks.index(mark))
        ]

    return [", ".join(able(3, "B0"))], [", ".join(able(5, "B+"))]


PAIRS = list(combinations(range(4), 2))


def league() -> Stated:
    def points(marks: tuple[int, ...]) -> list[int]:
        total = [0] * 4
        for (i, j), mark in zip(PAIRS, marks, strict=True):
            total[i] += (0, 1, 3)[mark + 1]
            total[j] += (3, 1, 0)[mark + 1]
        return total

    (marks,) = [m for m in product((-1, 0, 1), repeat=6) if points(m) == [5, 4, 3, 2]]
    goals = [(a, b) for a in range(4) for b in range(4)]
    options = [[g for g in goals if (g[0] > g[1]) - (g[0] < g[1]) == mark] for mark in marks]

    def balance(scores: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
        total = [[0, 0] for _ in range(4)]
        for (i, j), (a, b) in zip(PAIRS, scores, strict=True):
            total[i] = [total[i][0] + a, total[i][1] + b]
            total[j] = [total[j][0] + b, total[j][1] + a]
        return [(a, b) for a, b in total]

    (scores,) = [s for s in product(*options) if balance(s) == [(1, 0), (3, 3), (1, 1), (3, 4)]]
    names = [f"{'가나다라'[i]}–{'가나다라'[j]}" for i, j in PAIRS]
    winners = {0: "무"}
    first = [f"{n} {winners.get(m, n[0] + ' 승')}" for n, m in zip(names, marks, strict=True)]
    return first, [f"{n} {a}:{b}" for n, (a, b) in zip(names, scores, strict=True)]


REASONING = [round_table, cake, ages, kimchi, driving, leap_days, kinship, bridge, scholarship, league]
CHECKS: dict[str, Callable[[], Stated]] = {f"reasoning-{n:02}": check for n, check in enumerate(REASONING, 1)}


@pytest.mark.parametrize("question_id", CHECKS)
def test_a_reference_states_what_the_computation_gives(question_id: str) -> None:
    assert_stated(question_id, CHECKS[question_id]())


def test_every_reasoning_question_is_worked_out() -> None:
    assert {row["id"] for row in rows("questions") if row["category"] == "reasoning"} <= CHECKS.keys()
