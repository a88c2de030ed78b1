"""The reasoning items of ko-basic whose options are claims: an option passes when it holds in every world allowed.

`RULES` maps the number of an item to that test. Items on causes, arguments and statistics have none: their key rests
on the reason given with the item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import permutations, product

World = Sequence[Sequence[bool]]
Claims = dict[str, Callable[[World], bool]]


def worlds(size: int, every: Callable[[Sequence[bool]], bool], some: Callable[[World], bool] = bool) -> list[World]:
    """Every set of kinds of things (a row of `size` properties) that obeys `every` and `some`."""
    kinds = [row for row in product((True, False), repeat=size) if every(row)]
    chosen = product((True, False), repeat=len(kinds))
    rows = ([kind for kind, here in zip(kinds, pick, strict=True) if here] for pick in chosen)
    return [world for world in rows if some(world)]


@cache
def poets() -> list[World]:
    """Rows are (poet, observant, cook)."""
    return worlds(3, lambda r: r[1] or not r[0], lambda w: any(r[2] and r[0] for r in w))


POETS: Claims = {
    "어떤 요리사는 관찰력이 좋다.": lambda w: any(r[2] and r[1] for r in w),
    "모든 요리사는 관찰력이 좋다.": lambda w: all(r[1] for r in w if r[2]),
    "어떤 요리사는 시인이 아니다.": lambda w: any(r[2] and not r[0] for r in w),
    "관찰력이 좋은 사람은 모두 시인이다.": lambda w: all(r[0] for r in w if r[1]),
}


@cache
def swimmers() -> list[World]:
    """Rows are (swimmer, early riser, night shift, actor)."""
    return worlds(
        4,
        lambda r: (r[1] or not r[0]) and not (r[2] and r[1]),
        lambda w: any(r[3] and r[2] for r in w) and any(r[0] for r in w),
    )


SWIMMERS: Claims = {
    "연극 동아리 회원 가운데 일부는 수영부원이 아니다.": lambda w: any(r[3] and not r[0] for r in w),
    "수영부원 가운데 일부는 연극 동아리 회원이 아니다.": lambda w: any(r[0] and not r[3] for r in w),
    "연극 동아리 회원 가운데 수영부원은 한 명도 없다.": lambda w: not any(r[0] and r[3] for r in w),
    "야간 조 직원은 모두 연극 동아리 회원이다.": lambda w: all(r[3] for r in w if r[2]),
}


@cache
def boxes() -> list[World]:
    """Rows are (broken, blue, light)."""
    return worlds(3, lambda r: (r[1] or not r[0]) and (r[2] or not r[1]))


BOXES: Claims = {
    "가볍지 않은 상자는 깨지지 않았다.": lambda w: not any(r[0] for r in w if not r[2]),
    "깨졌으면서 가벼운 상자가 있다.": lambda w: any(r[0] and r[2] for r in w),
    "가벼운 상자는 모두 파란색이다.": lambda w: all(r[1] for r in w if r[2]),
    "깨지지 않은 상자는 가볍지 않다.": lambda w: not any(r[2] for r in w if not r[0]),
}


REFUND: Claims = {  # rows are (rain, cancelled, refunded)
    "입장료를 돌려주지 않았다면 비가 오지 않은 것이다.": lambda w: not any(r[0] for r in w if not r[2]),
    "입장료를 돌려주었다면 비가 온 것이다.": lambda w: all(r[0] for r in w if r[2]),
    "비가 오지 않았다면 입장료를 돌려주지 않은 것이다.": lambda w: not any(r[2] for r in w if not r[0]),
    "입장료를 돌려주었다면 행사가 취소된 것이다.": lambda w: all(r[1] for r in w if r[2]),
}


def meeting(start: str) -> bool:
    free = [[(18, 24), (28, 36)], [(20, 26), (30, 35)], [(18, 22), (26, 35)], [(22, 34)]]  # half hours
    hour, _, half = start.partition("시")
    begin = 2 * int(hour) + bool(half)
    return all(any(a <= begin and begin + 4 <= b for a, b in spans) for spans in free)


def necessary_sufficient(cases: Iterable[tuple[bool, bool]]) -> str:
    """How a condition stands to a result, from all the pairs (condition, result) that can happen."""
    seen = set(cases)
    sufficient, necessary = (True, False) not in seen, (False, True) not in seen
    return {
        (True, True): "필요조건이면서 충분조건이다.",
        (True, False): "필요조건이지만 충분조건은 아니다.",
        (False, True): "충분조건이지만 필요조건은 아니다.",
        (False, False): "필요조건도 충분조건도 아니다.",
    }[necessary, sufficient]


def meeting_room(option: str) -> bool:
    column = ("예약하는", "승인을", "관리자인").index(option.split()[0])
    rows = product((True, False), repeat=3)
    return option.endswith(necessary_sufficient((r[column], (r[0] and r[1]) or r[2]) for r in rows))


def product_of_six(option: str) -> bool:
    a, b = map(int, re.findall(r"\d+", option))
    return a * b % 6 == 0 and a % 6 != 0 and b % 6 != 0


def rounded_twice(option: str) -> bool:
    n = int(option)
    return ((n + 5) // 10 * 10 + 50) // 100 != (n + 50) // 100


def heights(option: str) -> bool:
    names = ["승우", "지안", "하윤", "민채", "로운"]
    orders = [
        p
        for p in permutations(names)  # tallest first
        if [n for n in p if n != "로운"] == ["승우", "지안", "민채", "하윤"] and p[0] != "로운"
    ]
    claims: dict[str, Callable[[Sequence[str]], bool]] = {
        "승우가 가장 크다.": lambda p: p[0] == "승우",
        "지안이 두 번째로 크다.": lambda p: p[1] == "지안",
        "하윤이 가장 작다.": lambda p: p[4] == "하윤",
        "로운은 민채보다 크다.": lambda p: p.index("로운") < p.index("민채"),
    }
    return all(claims[option](p) for p in orders)


VOTES: dict[str, tuple[Callable[[int, int], bool], Callable[[int, int], bool]]] = {  # k of n voted
    "'어떤 회원은 투표했다.'와 '어떤 회원은 투표하지 않았다.'": (lambda n, k: k > 0, lambda n, k: k < n),
    "'모든 회원은 투표했다.'와 '투표한 회원은 한 명도 없다.'": (lambda n, k: k == n, lambda n, k: k == 0),
    "'모든 회원은 투표했다.'와 '투표하지 않은 회원이 두 명 이상이다.'": (
        lambda n, k: k == n,
        lambda n, k: n - k >= 2,
    ),
    "'투표한 회원은 한 명뿐이다.'와 '투표한 회원은 두 명뿐이다.'": (lambda n, k: k == 1, lambda n, k: k == 2),
}


def never_both_false(option: str) -> bool:
    one, other = VOTES[option]
    return all(one(n, k) or other(n, k) for n in range(1, 6) for k in range(n + 1))


HIRES: dict[str, Callable[[Sequence[int]], bool]] = {
    "신입 사원을 한 명도 뽑지 않은 부서가 있다.": lambda hired: 0 in hired,
    "모든 부서가 신입 사원을 한 명도 뽑지 않았다.": lambda hired: not any(hired),
    "신입 사원을 한 명만 뽑은 부서가 있다.": lambda hired: 1 in hired,
    "모든 부서가 신입 사원을 두 명 이상 뽑지는 않았다.": lambda hired: min(hired) < 2,
}


def negation(option: str) -> bool:
    return all(HIRES[option](hired) != (min(hired) >= 1) for hired in product(range(4), repeat=3))


def follows(claims: Claims, premises: Callable[[], list[World]]) -> Callable[[str], bool]:
    return lambda option: all(claims[option](world) for world in premises())


RULES: dict[int, Callable[[str], bool]] = {
    4: follows(POETS, poets),
    5: follows(SWIMMERS, swimmers),
    6: follows(BOXES, boxes),
    12: meeting,
    21: meeting_room,
    22: follows(REFUND, boxes),
    24: product_of_six,
    25: rounded_twice,
    34: heights,
    39: never_both_false,
    40: negation,
}
