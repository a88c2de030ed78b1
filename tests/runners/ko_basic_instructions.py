"""The instructions of ko-basic followed by code, by number of the item.

`KEYS` maps a number to a function from the question to the text of the key, reading its data from the question
itself; `RULES` maps a number to a test that an option passes only when it keeps all the rules of the item.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise, permutations
from typing import Any

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
FINALS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
DOUBLE_FINALS = "ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ"
WITH_RIEUL = "ㄹㄺㄻㄼㄽㄾㄿㅀ"


def is_syllable(char: str) -> bool:
    return "가" <= char <= "힣"


def initial(syllable: str) -> str:
    return INITIALS[(ord(syllable) - 0xAC00) // 588]


def final(syllable: str) -> str:
    return FINALS[(ord(syllable) - 0xAC00) % 28] if is_syllable(syllable) else ""


def syllables(text: str) -> str:
    return "".join(filter(is_syllable, text))


def last_line(question: str) -> str:
    return question.splitlines()[-1]


def listed(question: str) -> list[str]:
    return last_line(question).split(", ")


def table(question: str) -> list[dict[str, str]]:
    rows = [line.split(" | ") for line in question.splitlines() if " | " in line]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def reversed_and_cut(question: str) -> str:
    (text,) = re.findall(r"글자열 '(\w+)'", question)
    kept = [char for place, char in enumerate(reversed(text), 1) if place not in (2, 4)]
    return "".join([*kept[1:], kept[0]])


def halve_or_add(question: str) -> str:
    number = int(question[:2])
    for _ in range(6):
        number = number // 2 if number % 2 == 0 else number + 3
    return str(number)


def largest_of_the_order(question: str) -> str:
    orders = {order["번호"]: order["상품"] for order in json.loads(last_line(question))["주문"]}
    goods: list[dict[str, Any]] = orders[203]
    return str(max(goods, key=lambda item: item["수량"])["이름"])


def young_and_good(question: str) -> str:
    rows = [r for r in table(question) if r["사는 곳"] != "서울" and int(r["점수"]) >= 80 and int(r["나이"]) < 30]
    return min(rows, key=lambda row: int(row["점수"]))["이름"]


def sky_or_wind(question: str) -> str:
    sentence = last_line(question).removeprefix("문장: ")
    if any(final(char) == "ㅄ" for char in sentence):
        return "노을"
    if len(sentence.split()) % 2 == 0:
        return "구름"
    return "하늘" if "바다" in sentence else "바람"


def in_round_brackets(question: str) -> str:
    return "".join(word[0] for word in re.findall(r"\((\w+)\)", last_line(question)))


def word_chain(question: str) -> str:
    words = listed(question)
    (end,) = {p[-1] for p in permutations(words) if all(a[-1] == b[0] for a, b in pairwise(p))}
    return end


def masked(question: str) -> str:
    def one(name: str, phone: str) -> str:
        hidden = name[0] + "*" if len(name) == 2 else name[0] + "*" * (len(name) - 2) + name[-1]
        head, middle, tail = phone.split("-")
        return f"{hidden}, {head}-{'*' * len(middle)}-{tail}"

    return " / ".join(one(name, phone) for name, phone in re.findall(r"'(\w+), ([\d-]+)'", question))


def long_words(question: str) -> str:
    words = {word for word in listed(question) if len(word) > 2}
    return ", ".join(sorted(words, key=lambda word: (-len(word), word)))


def first_letters(question: str) -> str:
    sentences = re.findall(r"[^.?]+[.?]", last_line(question))
    return "".join(s.strip()[0] for s in sentences if not s.endswith("?"))


def moved_about(question: str) -> str:
    (quoted,) = re.findall(r"^'([^']+)'", question)
    fruit = quoted.split(", ")
    fruit[0], fruit[3] = fruit[3], fruit[0]
    fruit.append(fruit.pop(1))
    fruit.reverse()
    del fruit[2]
    return ", ".join(fruit)


def fourth_in_rank(question: str) -> str:
    order = sorted(table(question), key=lambda r: (-int(r["점수"]), int(r["나이"]), r["이름"]))
    return order[3]["이름"]


def swapped(question: str) -> str:
    text: str = re.findall(r"글자열 '(\w+)'", question)[0]
    return text.replace("가", "나").translate(str.maketrans("나다", "다가"))


def odd_threes(question: str) -> str:
    chosen = [n for n in map(int, listed(question)) if n % 3 == 0 and n % 2]
    return str(sum(2 * n if n > 20 else n for n in chosen))


def members(question: str) -> str:
    rows = sorted((r for r in table(question) if r["회원"] == "예"), key=lambda r: -int(r["나이"]))
    return ", ".join(f"{r['이름']}({r['나이']})" for r in rows)


def timetable(question: str) -> str:
    rows = {row["교시"]: row for row in table(question)}
    (day,) = [day for day in "월화수금" if rows["4"][day] == rows["4"]["목"]]
    return rows["2"][day]


def second_level(question: str) -> str:
    count, fenced = 0, False
    for line in question.splitlines()[1:]:
        fenced ^= line.startswith("~~~")
        count += not fenced and line.startswith("## ")
    return str(count)


def backwards(question: str) -> str:
    facts = {"한 시간은 육십 분이다.": True, "1주일은 8일이다.": False, "고양이는 물고기의 한 갈래이다.": False}
    said = re.findall(r"^- (.+)$", question, re.MULTILINE)
    return ", ".join("예" if facts[s] == bool(re.search(r"\d", s)) else "아니요" for s in said)


def letters(question: str) -> str:
    (text,) = re.findall(r"^'([^']+)'", question)
    return str(sum(2 + bool(final(c)) + (final(c) in tuple(DOUBLE_FINALS)) for c in syllables(text)))


KEYS: dict[int, Callable[[str], str]] = {
    1: lambda q: sorted(listed(q))[2],
    2: lambda q: sorted(listed(q))[-2],
    3: lambda q: str(sum(initial(word[0]) == "ㅇ" for word in last_line(q).split())),
    4: lambda q: str(last_line(q).count("이")),
    5: lambda q: str(sum(bool(final(char)) for char in last_line(q))),
    6: lambda q: "".join(char for char in last_line(q) if final(char)),
    7: lambda q: "".join(map(initial, syllables(last_line(q)))),
    8: reversed_and_cut,
    9: halve_or_add,
    10: largest_of_the_order,
    11: young_and_good,
    17: lambda q: last_line(q).split()[2][-1] + last_line(q).split()[5][0],
    18: sky_or_wind,
    19: in_round_brackets,
    20: word_chain,
    22: masked,
    23: long_words,
    24: lambda q: str(len(syllables(last_line(q)))),
    25: first_letters,
    26: moved_about,
    27: fourth_in_rank,
    28: swapped,
    31: odd_threes,
    32: members,
    33: timetable,
    34: second_level,
    35: backwards,
    36: lambda q: last_line(q)[2::3],
    39: letters,
}


def polite_and_short(text: str) -> bool:
    formal = text.endswith("니다.") and final(text[-4]) in ("ㅂ", "ㅄ")
    return formal and len(syllables(text)) <= 15 and not set("은는") & set(text)


def friendly(text: str) -> bool:
    return text.endswith("요.") and not re.search(r"\d|의", text) and len(text.split()) == 4


def without_rieul(text: str) -> bool:
    words = [syllables(word) for word in text.split()]
    rieul = any(initial(c) == "ㄹ" or (final(c) and final(c) in WITH_RIEUL) for c in syllables(text))
    return not rieul and len(words[-1]) == 3 and not final(words[0][-1])


def acrostic(text: str) -> bool:
    lines = text.split(" / ")
    sizes = [len(syllables(line)) for line in lines]
    initials = "".join(line[0] for line in lines)
    return initials == "소나무" and all(a < b for a, b in pairwise(sizes)) and text.endswith("다")


def calendar_date(text: str) -> bool:
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)\((.)\)", text)
    return found is not None and "월화수목금토일"[date(*map(int, found.groups()[:3])).weekday()] == found[4]


def three_sentences(text: str) -> bool:
    sentences = [s.strip() for s in re.findall(r"[^.?]+[.?]", text)]
    shape = len(sentences) == 3 and sentences[1].startswith("그러나") and sentences[2].endswith("?")
    return shape and "," not in text


def password(text: str) -> bool:
    rising = any(a.isdigit() and b.isdigit() and int(b) - int(a) == 1 for a, b in pairwise(text))
    counts = [len(re.findall(kind, text)) for kind in ("[A-Z]", r"\d", "[!@#]")]
    enough = all(count >= least for count, least in zip(counts, (1, 3, 1), strict=True))
    return 10 <= len(text) <= 12 and enough and not rising and all(a != b for a, b in pairwise(text))


def minutes(text: str) -> bool:
    wanted = "예산" in text and "다음 주" in text and "박서준" not in text
    return wanted and final(text[-1]) == "ㅁ" and len(syllables(text)) <= 20


def consonant_word(text: str) -> bool:
    return [initial(c) for c in text] == ["ㅂ", "ㅇ", "ㄱ"] and all(final(c) for c in text)


RULES: dict[int, Callable[[str], bool]] = {
    12: polite_and_short,
    13: friendly,
    14: without_rieul,
    15: acrostic,
    16: lambda text: [len(syllables(word)) for word in text.split()] == [3, 4, 3, 4],
    21: calendar_date,
    29: three_sentences,
    30: password,
    37: minutes,
    38: lambda text: text.startswith("죄송합니다"),  # rule 2: a complaint, the first reply
    40: consonant_word,
}
