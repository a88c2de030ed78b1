"""The arithmetic keys of ko-basic worked out again, by number of the item; nothing here reads a key."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import combinations, permutations, product

WEEKDAYS = "월화수목금토일"
COUNTS = ("영", "한", "두", "세", "네")


def only(found: list[int]) -> int:
    """The one solution of a search; ValueError where the item has none or several."""
    (value,) = found
    return value


def read_korean(number: int) -> str:
    """A number below 10^12 as it is read in Korean, with a space after 억 and 만."""
    groups = []
    for size, unit in ((10**8, "억"), (10**4, "만"), (1, "")):
        part, number = divmod(number, size)
        text = ""
        for place, name in ((1000, "천"), (100, "백"), (10, "십"), (1, "")):
            digit, part = divmod(part, place)
            if digit:
                text += ("" if digit == 1 and name else "일이삼사오육칠팔구"[digit - 1]) + name
        if text:
            groups.append(text + unit)
    return " ".join(groups)


def mother_and_daughter() -> int:
    return only([4 * x + 4 for x in range(1, 60) if 3 * x + 4 + 8 == 2 * (x + 8) + 5])


def counting_and_full_age() -> int:
    birth, today = date(2014, 11, 20), date(2026, 3, 2)
    full = today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
    return today.year - birth.year + 1 + full


def two_colours() -> Fraction:
    draws = list(combinations("RRRRWWWBB", 3))
    return Fraction(sum(len(set(draw)) == 2 for draw in draws), len(draws))


def even_numbers() -> int:
    return len({p for p in permutations((0, 1, 2, 2, 3), 3) if p[0] and p[2] % 2 == 0})


def family_photo() -> int:
    return sum(abs(p.index(0) - p.index(1)) == 3 for p in permutations(range(6)))


def last_digits(n: int) -> int:
    a, b = 1, 2
    for _ in range(n - 1):
        a, b = b, (a + b) % 10
    return a


def painted_cubes(size: tuple[int, int, int], faces: set[int]) -> int:
    def painted(cell: tuple[int, ...]) -> int:
        return sum((c == 0) + (c == n - 1) for c, n in zip(cell, size, strict=True))

    return sum(painted(cell) in faces for cell in product(*map(range, size)))


def friday_thirteenths() -> int:
    """2026 is a common year whose first of January is a Thursday."""
    assert date(2026, 1, 1).weekday() == 3
    return sum(date(2026, month, 13).weekday() == 4 for month in range(1, 13))


def last_dose() -> str:
    at = datetime(2026, 1, 5, 7) + timedelta(hours=8) * 9  # 2026-01-05 is a Monday
    return f"{WEEKDAYS[at.weekday()]}요일 {'오전' if at.hour < 12 else '오후'} {(at.hour - 1) % 12 + 1}시"


def flight() -> str:
    took = datetime(2026, 3, 5, 15, 55) + timedelta(hours=9) - datetime(2026, 3, 5, 10, 40)
    hours, minutes = divmod(took // timedelta(minutes=1), 60)
    return f"{hours}시간 {minutes}분"


def clock_angle(hour: int, minute: int) -> Fraction:
    apart = abs(Fraction(60 * hour + minute, 2) - 6 * minute) % 360
    return min(apart, 360 - apart)


def shared_work() -> int:
    return only([t for t in range(4, 40) if Fraction(t - 3, 12) + Fraction(t, 18) == 1])


def last_shared_bus() -> str:
    at = max(t for t in range(370, 720) if (t - 370) % 12 == 0 and (t - 370) % 18 == 0)
    return f"오전 {at // 60}시 {at % 60}분"


def taxi(metres: int) -> int:
    return (4000 + 100 * -(-(metres - 2000) // 150)) * 12 // 10


def electricity(used: int) -> Fraction:
    steps = 120 * min(used, 200) + 210 * max(0, min(used, 400) - 200) + 300 * max(0, used - 400)
    return (steps + 1600) * Fraction(11, 10)


def three_heads_running() -> int:
    runs = sum("HHH" in "".join(toss) for toss in product("HT", repeat=6))
    chance = Fraction(runs, 2**6)
    return chance.numerator + chance.denominator


def candles() -> int:
    return only([t for t in range(180) if 1 - Fraction(t, 240) == 2 * (1 - Fraction(t, 180))])


def leap_birthdays() -> int:
    return sum(y % 4 == 0 and (y % 100 != 0 or y % 400 == 0) for y in range(2001, 2111))


def stairs(steps: int) -> int:
    return 1 if steps == 0 else sum(stairs(steps - s) for s in (2, 3) if s <= steps)


def tournament() -> int:
    return 2 * math.comb(10, 2) + 2 + 1 + 1


def market_share() -> str:
    return f"{Fraction(25 - 20, 20) * 100}% 증가, {25 - 20}%포인트 증가"


def house_price() -> str:
    hundred_millions, rest = divmod(Fraction("85.8") / Fraction("3.3") * 1850, 10_000)
    return f"{hundred_millions}억 {int(rest):,}만 원"


def squares_added() -> int:
    terms = [2]
    for k in range(1, 7):
        terms.append(terms[-1] + k * k)
    assert terms[:6] == [2, 3, 7, 16, 32, 57]
    return terms[6]


KEYS: dict[int, str] = {
    1: f"{2400 * 35 // 100 // 4}권",
    2: f"{5 / (Fraction(1, 2) + Fraction(1, 3))} km",
    3: f"{(1620 - 180) / Fraction(1020 + 180, 40)}",
    4: f"{mother_and_daughter()}살",
    5: f"{counting_and_full_age()}",
    6: f"{48000 * 75 // 100 * 90 // 100 // 1000 * 1000:,}원",
    7: f"{int(18000 / (20 * (Fraction(14, 10) * Fraction(75, 100) - 1))):,}원",
    8: f"{int(2_000_000 * (Fraction(105, 100) ** 3 - 1 - 3 * Fraction(5, 100))):,}원",
    9: f"{5_000_000 * Fraction(36, 1000) * Fraction(8, 12) * Fraction(846, 1000)}",
    10: f"{25 * 12 * Fraction(12, 10) * 1000 / 500 / 60}시간",
    11: house_price(),
    12: read_korean(30405060070),
    13: f"{str(7080 * 10**8 + 900 * 10**4 + 600).count('0')}",
    14: f"{two_colours()}",
    15: f"{Fraction(20 * 90, 20 * 90 + 980 * 5)}",
    16: f"{even_numbers()}",
    17: f"{family_photo()}가지",
    18: f"{squares_added()}",
    19: f"{last_digits(50)}",
    20: f"{painted_cubes((5, 4, 3), {0, 2})}",
    21: f"{(5 * 82 - 4 * 79) - (5 * 82 - 4 * 86)}점",
    22: f"{Fraction(79 * 60 - 76 * 24, 60 - 24)}",
    23: WEEKDAYS[(date(2027, 10, 9) - date(2027, 3, 1)).days % 7] + "요일",
    24: f"{COUNTS[friday_thirteenths()]} 달",
    25: last_dose(),
    26: flight(),
    27: f"{clock_angle(7, 24)}",
    28: f"{float(Fraction(300 * 8 // 100 + 6, 300 - 66 + 6) * 100)}%",
    29: f"{shared_work()}일",
    30: last_shared_bus(),
    31: f"{540 * 90 // 100 * min(450, 300, 600) // (450 + 300 + 600)}만 원",
    32: f"{taxi(9100):,}원",
    33: f"{electricity(437)}",
    34: f"{next(n for n in range(1, 999) if (n % 5, n % 7, n % 9) == (3, 4, 5))}",
    35: f"{sum(360 % d == 0 and d % 12 == 0 for d in range(1, 361))}개",
    36: f"{tournament()}경기",
    37: f"{600 * 1350 * 101 // 100 - 150 * 1320:,}원",
    38: f"약 {float((1 / (Fraction(12, 10) * Fraction(75, 100)) - 1) * 100):.1f}%",
    39: market_share(),
    40: f"{three_heads_running()}",
    41: f"{candles()}",
    42: f"{len(set(range(0, 600, 15)) & set(range(0, 600, 20)))}그루",
    43: f"{leap_birthdays()}",
    44: f"{stairs(12)}가지",
}
