"""The reasoning keys of ko-basic searched again by brute force, by number of the item.

`KEYS` maps a number to a search that returns the one solution as the text of the key.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, permutations, product
from statistics import mean, median

from tests.runners.ko_basic_logic import necessary_sufficient


def only(found: Iterable[str]) -> str:
    """The one text that all solutions agree on; ValueError where they differ or there is none."""
    (text,) = set(found)
    return text


def race() -> str:
    return only(
        p[3]
        for p in permutations(["가영", "나연", "다솜", "라희", "마리"])
        if p.index("다솜") < p.index("가영") < p.index("마리")
        and p.index("나연") == p.index("라희") + 1
        and p[0] != "다솜"
    )


def flowerpot() -> str:
    def lies(who: str) -> int:
        first = who in ("준호", "하린")
        return [first, who != "준호", not first, who not in ("하린", "도윤")].count(False)

    return only(who for who in ("민서", "준호", "하린", "도윤") if lies(who) == 1)


def liars() -> str:
    names = ("갑", "을", "병")
    return only(
        ", ".join(name for name, honest in zip(names, world, strict=True) if not honest)
        for world in product((True, False), repeat=3)
        if world == (world.count(False) == 1, world.count(False) >= 2, world[0] == world[2])
    )


def players() -> str:
    names, towns, instruments = (
        ("연우", "도현", "서아", "지민"),
        ("서울", "부산", "대구", "광주"),
        ("피아노", "첼로", "플루트", "드럼"),
    )
    found = []
    for homes, played in product(permutations(towns), permutations(instruments)):
        home, plays = dict(zip(names, homes, strict=True)), dict(zip(names, played, strict=True))
        player = {instrument: name for name, instrument in plays.items()}
        if (
            home[player["첼로"]] == "대구"
            and home[player["피아노"]] == "광주"
            and home["도현"] in ("서울", "대구")
            and plays["도현"] != "첼로"
            and plays["지민"] != "드럼"
            and home["지민"] != "대구"
            and home["서아"] != "부산"
            and plays["서아"] not in ("첼로", "플루트")
            and plays["연우"] != "드럼"
        ):
            found.append(player["플루트"])
    (name,) = found
    return name


def round_table() -> str:
    def apart(seats: Sequence[str], one: str, other: str) -> int:
        return (seats.index(one) - seats.index(other)) % 6

    return only(
        seats[(seats.index("바다") + 3) % 6]
        for seats in permutations(["가람", "나래", "다온", "라온", "마루", "바다"])  # clockwise
        if apart(seats, "가람", "다온") == 3
        and apart(seats, "나래", "가람") == 1
        and apart(seats, "라온", "다온") not in (1, 5)
        and apart(seats, "마루", "나래") not in (1, 5)
    )


def feast() -> str:
    tasks: dict[str, tuple[int, str]] = {
        "broth": (40, ""), "greens": (20, ""), "dough": (15, ""), "rest": (30, "dough"),
        "stew": (25, "broth greens"), "fry": (25, "rest greens"), "table": (10, "stew fry"),
    }  # fmt: skip

    def end(task: str) -> int:
        minutes, before = tasks[task]
        return minutes + max((end(earlier) for earlier in before.split()), default=0)

    return f"{end('table')}분"


def hospitals() -> str:
    (a_light, a_heavy), (b_light, b_heavy) = ((190 / 200, 560 / 800), (736 / 800, 130 / 200))
    assert a_light > b_light
    assert a_heavy > b_heavy
    assert (190 + 560) / 1000 < (736 + 130) / 1000
    return "두 환자군의 회복률은 모두 가 병원이 높고, 전체 회복률은 나 병원이 높다."


def salaries() -> str:
    before, after = [*range(201, 210)], [*range(201, 209), 900]
    assert mean(after) > mean(before)
    assert median(after) == median(before)
    return "평균은 오르고 중앙값은 그대로이다."


def cards() -> str:
    hidden: dict[str, list[tuple[bool, int]]] = {
        "노란": [(True, d) for d in range(1, 30)], "파란": [(False, d) for d in range(1, 30)],
        "하얀": [(True, 5), (False, 5)], "검은": [(True, 12), (False, 12)],
    }  # fmt: skip
    return ", ".join(f"{c} 상자" for c, sides in hidden.items() if any(cold and d > 7 for cold, d in sides))


def cipher(word: str) -> str:
    plain = (0, 2, 3, 5, 6, 7, 9, 11, 12, 14, 15, 16, 17, 18)  # ㄱ to ㅎ without the tense ones
    codes = [divmod(ord(c) - 0xAC00, 588) for c in word]
    return "".join(chr(0xAC00 + plain[(plain.index(first) + 1) % 14] * 588 + rest) for first, rest in codes)


def safe() -> str:
    numbers = [21, 26, 27, 42, 43, 45, 46, 47, 51, 55]

    def alike(pool: Iterable[int], number: int, place: int) -> set[int]:
        """The numbers of the pool with the same tens (place 0) or ones (place 1) digit."""
        return {n for n in pool if str(n)[place] == str(number)[place]}

    alone = {n for n in numbers if len(alike(numbers, n, 1)) == 1}
    first = [n for n in numbers if len(alike(numbers, n, 0)) > 1 and not alone & alike(numbers, n, 0)]
    second = [n for n in first if n not in alone and len(alike(first, n, 1)) == 1]
    return only(str(n) for n in second if len(alike(second, n, 0)) == 1)


def bridge() -> str:
    everyone = frozenset((2, 3, 8, 10))
    queue: list[tuple[int, tuple[int, ...], bool]] = [(0, tuple(everyone), True)]
    while queue:
        spent, here, lamp_here = heapq.heappop(queue)
        if not here:
            return f"{spent}분"
        side = here if lamp_here else everyone - {*here}
        for pair in [*combinations(side, 1), *combinations(side, 2)]:
            left = {*here} - {*pair} if lamp_here else {*here, *pair}
            heapq.heappush(queue, (spent + max(pair), tuple(left), not lamp_here))
    raise AssertionError("nobody can be left behind")


def weighings() -> str:
    return next(word for n, word in enumerate(("한 번", "두 번", "세 번", "네 번"), 1) if 3**n >= 30)


def socks() -> str:
    stuck = (b + w + g for b, w, g in product(range(9), range(7), range(3)) if max(b, w, g) < 4)
    return str(max(stuck) + 1)


def attendance() -> str:
    return only(
        ", ".join(name for name, comes in zip("갑을병정무", (a, b, c, d, e), strict=True) if comes)
        for a, b, c, d, e in product((True, False), repeat=5)
        if (b or not a) and not (b and c) and (c or d) and not (d and e) and e
    )


def business_trips() -> str:
    return str(
        sum(
            (b or not a) and not (b and c) and d != e and (d or not c) and a + b + c + d + e >= 2
            for a, b, c, d, e in product((True, False), repeat=5)
        )
    )


def jugs() -> str:
    queue, seen = deque([(0, 0, 0)]), {(0, 0)}
    while queue:
        small, large, steps = queue.popleft()
        if 5 in (small, large):
            return str(steps)
        up, down = min(small, 7 - large), min(large, 4 - small)
        moves = [(4, large), (small, 7), (0, large), (small, 0)]
        for state in [*moves, (small - up, large + up), (small + down, large - down)]:
            if state not in seen:
                seen.add(state)
                queue.append((*state, steps + 1))
    raise AssertionError("five litres cannot be measured")


def errands() -> str:
    return only(
        "-".join(p)
        for p in permutations(["은행", "우체국", "서점", "약국", "빵집"])
        if p.index("은행") < p.index("서점") == p.index("빵집") - 1
        and p.index("약국") == p.index("우체국") - 1
        and p[-1] != "빵집"
        and p[0] != "약국"
    )


def weekday() -> str:
    return "월화수목금토일"[("월화수목금토일".index("수") - 2 + 3 + 2) % 7] + "요일"


def compass() -> str:
    points = ("북쪽", "북동쪽", "동쪽", "남동쪽", "남쪽", "남서쪽", "서쪽", "북서쪽")
    return points[(90 + 180 - 135) % 360 // 45]


def side_effects() -> str:
    return f"약을 먹으면 1만 명에 {2 * 2 - 2}명꼴로 부작용이 더 생긴다."


KEYS: dict[int, Callable[[], str]] = {
    1: race,
    2: flowerpot,
    3: liars,
    10: players,
    11: round_table,
    13: feast,
    17: hospitals,
    18: salaries,
    20: lambda: necessary_sufficient((n % 4 == 0, n % 8 == 0) for n in range(1, 200)),
    23: cards,
    29: lambda: cipher("소화기"),
    30: safe,
    31: bridge,
    32: weighings,
    33: socks,
    35: attendance,
    36: business_trips,
    37: jugs,
    38: errands,
    41: weekday,
    42: compass,
    43: side_effects,
}
