"""Every answer a math or extraction reference of `ko-mt` states is worked out again here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from itertools import product
from math import comb, factorial, isclose, sqrt

import pytest

from tests.judging.ko_mt import Stated, assert_stated, rows


def rice_cakes() -> Stated:
    boxes = [b for b in product(range(1, 7), repeat=5) if sum(b) == 10 and b[3] <= 3]
    equal = [b for b in boxes if b[1] == b[2]]
    return [f"{len(boxes)}가지"], [f"{len(equal)}가지", str(Fraction(len(equal), len(boxes)))]


def yut() -> Stated:
    flat = Fraction(3, 5)
    chance = [comb(4, k) * flat**k * (1 - flat) ** (4 - k) for k in range(5)]
    squares = [5, 1, 2, 3, 4]
    once = sum(c * s for c, s in zip(chance, squares, strict=True))
    turn = once / (1 - chance[0] - chance[4])
    names = ["모", "도", "개", "걸", "윷"]
    return [f"{n} {float(c):.4f}" for n, c in zip(names, chance, strict=True)], [f"{float(turn):.3f}칸"]


def rent() -> Stated:
    loan, interest, rent_paid = 20_000, Fraction(42, 1000), 80 * 12
    lease = loan * interest
    back = rent_paid * Fraction(85, 100)
    first = [f"{rent_paid - lease}만 원 적음", f"{float(Fraction(rent_paid, loan) * 100):g}%"]
    return first, [f"{lease - back}만 원 적음", f"{float(back / loan * 100):g}%"]


def triangle() -> Stated:
    area = sqrt(21 * 8 * 7 * 6)
    inner, outer = area / 21, Fraction(13 * 14 * 15, round(4 * area))
    corners = [(0, 0), (14, 0), (5, 12)]
    assert all(isclose((x - 7) ** 2 + (y - 33 / 8) ** 2, float(outer**2)) for x, y in corners)
    assert isclose((6 - 7) ** 2 + (4 - 33 / 8) ** 2, 65 / 64)
    assert isclose(float(outer) * (float(outer) - 2 * inner), 65 / 64)
    return [f"넓이 {area:.0f}", f"내접원 반지름 {inner:.0f}", f"외접원 반지름 {outer}"], ["√65/8"]


def zeros() -> Stated:
    def count(n: int) -> int:
        digits = str(factorial(n))
        return len(digits) - len(digits.rstrip("0"))

    counts = {n: count(n) for n in range(1, 430)}
    missing = set(range(1, 101)) - set(counts.values())
    return [", ".join(str(n) for n, c in counts.items() if c == 100)], [f"{len(missing)}개"]


def cubic() -> Stated:
    def value(x: float, k: float) -> float:
        return x**3 - 6 * x**2 + 9 * x + k

    assert (value(1, 0), value(3, 0)) == (4, 0)
    roots = [2 - sqrt(3), 2, 2 + sqrt(3)]
    assert all(isclose(value(x, -2), 0, abs_tol=1e-9) for x in roots)
    return ["-4 < k < 0"], [f"{sum(x * x for x in roots):.0f}", "-2뿐"]


def stairs() -> Stated:
    def ways(left: int, broken: int | None, after_three: bool = False) -> int:
        if left == 0:
            return 1
        steps = [s for s in (1, 2, 3) if s <= left and left - s != broken and not (s == 3 and after_three)]
        return sum(ways(left - s, broken, s == 3) for s in steps)

    return [f"{ways(10, None)}가지"], [f"{ways(10, 4)}가지"]


def screening() -> Stated:
    sick, well = Fraction(8, 1000) * Fraction(95, 100), Fraction(992, 1000) * Fraction(3, 100)
    again = sick * Fraction(95, 100)
    shares = [sick / (sick + well), again / (again + well * Fraction(3, 100)), again / (again + well / 2)]
    texts = [f"약 {float(share * 100):.1f}%" for share in shares]
    return texts[:1], [f"(1) {texts[1]}", f"(2) {texts[2]}"]


def electricity() -> Stated:
    def bill(kwh: int) -> int:
        base = 910 if kwh <= 200 else 1600 if kwh <= 400 else 7300
        return base + 120 * min(kwh, 200) + 215 * min(max(kwh - 200, 0), 200) + 308 * max(kwh - 400, 0)

    (used,) = [kwh for kwh in range(1000) if bill(kwh) == 80_460]
    target = max(kwh for kwh in range(used) if bill(kwh) < 70_000)
    return [f"{bill(350)}원"], [f"{used}kWh", f"{used - target}kWh를 덜"]


def savings() -> Stated:
    before = sum(300_000 * Fraction(36, 12_000) * months for months in range(1, 25))
    after = 24 * 300_000 + before * (1 - Fraction(154, 1000))
    return [f"{int(after)}원"], [f"{float(before / (7_200_000 * 2) * 100):g}%"]


def lease() -> Stated:
    interest = 550_000 * Fraction(12, 100) * Fraction(73, 365)
    return [], ["2026년 6월 10일", f"{interest}원"]


def card() -> Stated:
    spent = {"식비": 8500 + 4800 - 4800 + 5300, "의료": 12_300, "생활": 46_700 - 6700}
    total = sum(spent.values())
    abroad = int(20 * 1400 * Fraction(101, 100))
    spent["문화"] = abroad
    second = [f"{k} {v}원" for k, v in spent.items()]
    return [f"{total}원"], [*second, f"총 {total + abroad}원", f"{abroad}원 많음"]


def career() -> Stated:
    def months(*span: int) -> set[int]:
        y1, m1, y2, m2 = span
        return set(range(y1 * 12 + m1, y2 * 12 + m2 + 1))

    intern, free = months(2019, 7, 2019, 12), months(2022, 7, 2023, 6)
    regular = months(2020, 4, 2022, 9) | months(2023, 10, 2025, 3)
    idle = months(2020, 4, 2025, 3) - regular - free
    return [f"{len(intern | free | regular)}개월"], [f"정규직 {len(regular)}개월", f"공백은 {len(idle)}개월"]


def recipe() -> Stated:
    soy, paste = 6 * Fraction(3, 2) * Fraction(2, 3), 2 * Fraction(3, 2) * Fraction(2, 3)
    return [], [f"간장 {soy}큰술({soy * 15}mL)", f"고추장 {paste}큰술({paste * 15}mL)"]


def bus() -> Stated:
    def departures(first: int, last: int, every: int) -> list[int]:
        return list(range(first, last + 1, every))

    weekday, saturday = departures(360, 1320, 20), departures(390, 1260, 30)
    sunday = departures(390, 1230, 40)
    assert date(2025, 5, 5).weekday() == 0
    through = [t for t in sunday if not 720 <= t <= 780]
    after = min(t for t in through if t >= 780)
    clock = [f"{t // 60:02}:{t % 60:02}" for t in (weekday[-1], saturday[-1], sunday[-1], after)]
    starts = ("06:00", "06:30", "06:30")
    days = zip(starts, clock, (weekday, saturday, sunday), strict=False)
    counts = [f"{first}~{last} {len(times)}회" for first, last, times in days]
    return counts, [f"{len(through)}대", clock[3]]


MATH = [rice_cakes, yut, rent, triangle, zeros, cubic, stairs, screening, electricity, savings]
CHECKS: dict[str, Callable[[], Stated]] = {f"math-{n:02}": check for n, check in enumerate(MATH, 1)}
CHECKS |= {"extraction-05": lease, "extraction-06": card, "extraction-07": career}
CHECKS |= {"extraction-08": recipe, "extraction-10": bus}


@pytest.mark.parametrize("question_id", CHECKS)
def test_a_reference_states_what_the_computation_gives(question_id: str) -> None:
    assert_stated(question_id, CHECKS[question_id]())


def test_every_math_question_is_worked_out() -> None:
    assert {row["id"] for row in rows("questions") if row["category"] == "math"} <= CHECKS.keys()
