from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.korean import (
    DIGITS,
    JAMO_LABELS,
    LETTERS,
    SYLLABLE_LABELS,
    ZERO_BASED,
    extract_choice,
)

OPTIONS = ("이순신", "장영실", "세종대왕", "광개토대왕")

THIRD = """
C | c. | (C) | [C] | C) | C. | Ｃ | **C** | `C` | "C" | 「C」 | $C$ | ⓒ | Ⓒ | ③ | (3) | 3번 | ３번
③입니다 | C번 | 보기 C | C 옵션
C입니다. | C 입니다 | C이다 | C이에요 | C예요 | C임 | 따라서 C입니다. | Option C | It's C.
I would choose C.
정답은 C다 | 정답은 C입니다 | 답은 C 입니다 | 정답: C | 정답：Ｃ | 정답→C | 정답 = C | 정답 C | 정답: ③
정답은 ③번입니다 | 정답은 'C'이다
정답은 **C**입니다. | **정답:** C | ### 정답: C | [정답] C | <답> C | {"정답": "C"} | <answer>C</answer>
최종 답변: C | 정답은... C
Answer: C | ANSWER:C | answer: c | Final answer: C | The correct answer is (C).
The best answer is C because A is wrong.
\\boxed{C} | \\boxed{\\text{C}} | 따라서 정답은 $\\boxed{\\text{C}}$입니다. | C is the correct answer.
C is correct.
정답 (Answer): C | 정답은 C, 즉 세종대왕 | 정답: C) 세종대왕 | 정답은 C: 3.85입니다
정답은 '세종대왕'인 C입니다. | 정답: 세종대왕 (C)
C가 정답입니다. | C가 답이다 | C가 맞습니다. | C가 가장 적절하다. | 가장 적절한 것은 C입니다.
C에 해당합니다. | C가 옳지 않은 것입니다.
C. 세종대왕 | C: 세종대왕 | C) 세종대왕 | C, 세종대왕 | 3번: 세종대왕 | 세종대왕 (C)
정답은 A가 아니라 C입니다 | A와 C 중 고민했지만 정답은 C | 정답은 A와 C 중 C입니다
정답은 A, B, C, D 중 C입니다. | 정답은 A도 B도 아닌 C이다.
A가 정답이 아니고 C가 정답이다 | B는 정답이 아니다. 정답은 C | 정답은 C입니다. 오답은 A입니다.
정답은 C입니다. A가 정답이 될 수 없는 이유는 길이다.
정답은 C입니다. 다른 선택지 A는 정답이 아닙니다. | 정답은 C, 왜냐하면 A는 틀렸기 때문이다
정답을 고르면 C입니다 | C를 선택하겠습니다.
"""

NONE = """
E | 정답은 E입니다 | 정답은 6번입니다 | 정답은 10번 | ABCD | Cat | Because | A, D | A와 C | A 또는 C
정답은 A와 C입니다 | 정답은 C가 아닙니다.
정답은 B형 간염입니다 | A형 간염 | 정답은 비타민C입니다 | C 언어에서 쓰는 자료형 | D25 철근 | 12원
the answer is a bit unclear
A, B, C, D 중에서 고르겠습니다 | A: 억압, B: 간섭, C: 망각 | 정답 없음 | 이 문제의 정답은 없습니다
모르겠습니다. | I don't know | ### ANSWER
<think>정답은 A | (가)와 (나)
"""


def _cases(table: str) -> list[str]:
    return [case for line in table.strip().split("\n") for case in line.split(" | ")]


@pytest.mark.parametrize("reply", _cases(THIRD))
def test_every_way_to_name_the_third_option_is_read(reply: str) -> None:
    assert extract_choice(reply, 4, labels=LETTERS[:4]) == 2


@pytest.mark.parametrize("reply", _cases(NONE))
def test_a_reply_that_names_no_single_option_is_no_answer(reply: str) -> None:
    assert extract_choice(reply, 4, labels=LETTERS[:4]) is None


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("정답은 B다", 1),
        ("2번", 1),
        ("②", 1),
        ("Ｂ", 1),
        ("Answer: B", 1),
        ("\nA", 0),
        ("A\n", 0),
        ("B\n\n해설: 계산하면 다르다.\n\n따라서 정답은 D입니다.", 3),
        ("A: 틀림\nB: 틀림\nC: 틀림\nD: 맞음\n정답: D", 3),
        ("<think>정답은 A</think>B", 1),
        ("생각한다… </think>\n\n정답: D", 3),
        ("D\n\n**Reasoning:** The answer choice A is wrong because", 3),
        ("질문 1의 정답은 A, 질문 2의 정답", 0),
    ],
)
def test_known_formats_and_chains_of_thought_are_read(reply: str, wanted: int) -> None:
    assert extract_choice(reply, 4, labels=LETTERS[:4]) == wanted


@pytest.mark.parametrize(
    ("reply", "labels", "wanted"),
    [
        (r"\boxed{3}", DIGITS, 2),
        ("정답: ④", DIGITS, 3),
        ("3. 세종대왕", DIGITS, 2),
        ("1️⃣", DIGITS, 0),
        ("1. 먼저 본다\n2. 따라서 정답은 4번이다", DIGITS, 3),
        ("정답은 2번째 보기가 아니라 3번입니다", DIGITS, 2),
        ("1. 먼저\n2. 다음\n3. 끝", DIGITS, None),
        ("정답은 3개", DIGITS, None),
        ("정답은 3 명", DIGITS, None),
        ("정답은 3.5", DIGITS, None),
        ("정답은 30입니다", DIGITS, None),
        ("3월 1일", DIGITS, None),
        ("정답은 2, 3이다", DIGITS, None),
        ("0", ZERO_BASED, 0),
        ("정답: 2", ZERO_BASED, 2),
        ("정답은 3번", ZERO_BASED, 3),
        ("4", ZERO_BASED, None),
        ("다", SYLLABLE_LABELS, 2),
        ("정답은 ㉰", SYLLABLE_LABELS, 2),
        ("정답은 (다)입니다", SYLLABLE_LABELS, 2),
        ("정답: 다. 세종대왕", SYLLABLE_LABELS, 2),
        ("정답은 가는 말이 고와야", SYLLABLE_LABELS, None),
        ("정답은 나이입니다", SYLLABLE_LABELS, None),
        ("ㄷ", JAMO_LABELS, 2),
        ("정답은 ㉢입니다", JAMO_LABELS, 2),
        ("ㄱ, ㄴ", JAMO_LABELS, None),
        ("4", LETTERS, None),
        ("다", LETTERS, None),
    ],
)
def test_labels_other_than_letters_are_read(reply: str, labels: tuple[str, ...], wanted: int | None) -> None:
    assert extract_choice(reply, len(labels), labels=labels) == wanted


@pytest.mark.parametrize("reply", ["세종대왕", "정답은 세종대왕입니다", "세종대왕이 정답입니다.", "“세종대왕”"])
def test_a_reply_that_is_an_options_text_chooses_it(reply: str) -> None:
    assert extract_choice(reply, 4, labels=LETTERS[:4], options=OPTIONS) == 2
    assert extract_choice(reply, 4, labels=LETTERS[:4]) is None


def test_a_label_followed_by_another_options_text_is_no_answer() -> None:
    assert extract_choice("C 세종대왕", 4, labels=LETTERS[:4], options=OPTIONS) == 2
    assert extract_choice("A 세종대왕", 4, labels=LETTERS[:4], options=OPTIONS) is None


def test_a_text_that_two_options_share_chooses_neither() -> None:
    assert extract_choice("같다", 2, labels=LETTERS[:2], options=("같다", "같다")) is None


SIGNS = "AaBCDE1239가다라마ㄱㄷ①③ⓑ㉮정답은이아니라 번입니다.,:()\n*#`_<>{}\\$e\u0301"
ALPHABET = st.sampled_from([*SIGNS, "정답은", "answer is ", "<think>"])


@given(st.lists(ALPHABET, max_size=40).map("".join), st.integers(1, 6))
def test_an_index_is_always_in_range_and_the_same_for_nfd_input(reply: str, n_options: int) -> None:
    found = extract_choice(reply, n_options)
    assert found is None or 0 <= found < n_options
    assert extract_choice(unicodedata.normalize("NFD", reply), n_options) == found


@given(st.text(max_size=200))
def test_no_text_makes_the_extractor_raise(reply: str) -> None:
    for labels in (None, LETTERS, DIGITS, ZERO_BASED, SYLLABLE_LABELS, JAMO_LABELS, ("예", "아니오")):
        extract_choice(reply, 2, labels=labels, options=("예", "아니오"))


@pytest.mark.parametrize(
    "unit", ["정답은 ", "answer(", "(", " ", "A, ", "A가 ", "<think>", "정답은 A가 아니라 ", "A\n", "# "]
)
def test_a_hostile_reply_of_100_kb_takes_bounded_time(unit: str) -> None:
    reply = unit * (100_000 // len(unit))
    started = time.process_time()
    extract_choice(reply, 5, labels=LETTERS, options=OPTIONS)
    assert time.process_time() - started < 2
