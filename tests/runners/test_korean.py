from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.korean import (
    char_f1,
    extract_label,
    extract_number,
    foreign_leak,
    hangul_share,
    is_not_korean,
    normalise,
    normalise_short_answer,
    numbers_equal,
    register_consistency,
    short_answer_matches,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("①⑩⑴❷ⓐ㉮㉠", "(1)(10)(1)(2)(a)(가)(ㄱ)"),
        ("정답：Ｂ", "정답:B"),
        ("## **정답**: `C`\n> - 끝", "정답: C\n끝"),
        ("3*4 = 12", "3×4 = 12"),
        ("ㅋㅋㅋ ㄱ, ㄴ", "ㅋㅋㅋ ㄱ, ㄴ"),
        ("<think>가</think>나", "나"),
        ("가</think>나", "나"),
        ("나<think>가", ""),
        ("가\u200b나", "가나"),
    ],
)
def test_normalising_spells_out_labels_and_removes_marks(text: str, wanted: str) -> None:
    assert normalise(text) == wanted


@given(st.text(max_size=200))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.text(alphabet="가각힣ㄱA1①㉮é*_# \n", max_size=60))
def test_decomposed_input_is_normalised_to_the_same_text(text: str) -> None:
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(text)


@pytest.mark.parametrize(
    ("reply", "labels", "wanted"),
    [
        ("예", ("예", "아니오"), "예"),
        ("네, 맞습니다.", ("예", "아니오"), "예"),
        ("아니요.", ("예", "아니오"), "아니오"),
        ("예를 들어 설명하면 아니오", ("예", "아니오"), "아니오"),
        ("긍정이 아니라 부정입니다", ("긍정", "부정"), "부정"),
        ("이 문장은 긍정적입니다.", ("긍정", "부정"), "긍정"),
        ('정답: "부정"', ("긍정", "부정"), "부정"),
        ("Positive", ("positive", "negative"), "positive"),
        ("Answer: False.", ("True", "False"), "False"),
        ("not_entailment", ("entailment", "not_entailment"), "not_entailment"),
        ("positive or negative", ("positive", "negative"), None),
        ("모르겠습니다", ("예", "아니오"), None),
        ("<think>예", ("예", "아니오"), None),
    ],
)
def test_word_labels_are_read(reply: str, labels: tuple[str, ...], wanted: str | None) -> None:
    assert extract_label(reply, labels) == wanted


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("12원", "12"),
        ("정답은 1,234개", "1234"),
        (r"2를 더하면 \boxed{\frac{3}{4}} (1)", "0.75"),
        ("3/4", "0.75"),
        ("답: -5", "-5"),
        ("So it is $-129,025.", "-129025"),
        ("#### 70,000", "70000"),
        ("정답은 5+12=17입니다", "17"),
        ("정답은 12개입니다. (5 + 7)", "12"),
        ("3억 5,000만 원", "350000000"),
        ("2만5천", "25000"),
        ("2×10^3", "2000"),
        ("０．５", "0.5"),
        ("18.", "18"),
        ("5-3", "3"),
        ("H2O", None),
        ("없음", None),
        ("<think>12", None),
        ("1/0", None),
    ],
)
def test_the_number_a_reply_ends_on_is_read(reply: str, wanted: str | None) -> None:
    assert extract_number(reply) == (None if wanted is None else Decimal(wanted))


def test_whole_numbers_are_equal_only_exactly_and_others_within_a_millionth() -> None:
    assert not numbers_equal(Decimal(1_000_001), Decimal(1_000_000))
    assert numbers_equal(Decimal("0.3333333"), Decimal(1) / 3)
    assert not numbers_equal(Decimal("0.33"), Decimal(1) / 3)


@given(st.text(alphabet="0123456789,./-만억천 ×^\\frac{}boxed정답은=", max_size=80))
def test_no_text_makes_the_number_reader_raise(reply: str) -> None:
    found = extract_number(reply)
    assert found is None or found.is_finite()


@pytest.mark.parametrize(
    "text",
    ["정답은 세종대왕입니다.", "답: '세종대왕'", "세종대왕이에요", "세종대왕\n왕이었다", "**세종대왕**"],
)
def test_a_short_answer_loses_cue_copula_and_quotes(text: str) -> None:
    assert normalise_short_answer(text) == "세종대왕"


def test_particles_of_a_short_answer_stay() -> None:
    assert short_answer_matches("서울은", ["서울"]) is False
    assert short_answer_matches("서울입니다", ["부산", "서울"]) is True
    assert short_answer_matches("생각해 보면 길다.\n정답은 서울이다.", ["서울"]) is True
    assert short_answer_matches(" ", ["서울"]) is None


def test_character_f1_counts_shared_characters_without_blanks() -> None:
    assert char_f1("대한 민국", "대한민국") == 1.0
    assert char_f1("대한", "대한민국") == pytest.approx(2 / 3)
    assert char_f1("", "대한") == 0.0


def test_hangul_share_leaves_out_code_latex_and_addresses() -> None:
    assert hangul_share("서울 abcd") == pytest.approx(2 / 6)
    assert hangul_share("서울\n```python\nprint(1)\n```\n$x+y$ https://example.org/ab") == 1.0
    assert hangul_share("123 !") is None


def test_only_a_long_text_almost_without_hangul_is_not_korean() -> None:
    english = "This answer is written in English although the question was asked in Korean. " * 3
    assert is_not_korean(english)
    assert not is_not_korean("Yes.")
    assert not is_not_korean(english + "그리고 여기에는 한국어로 쓴 설명이 충분히 길게 이어집니다. " * 3)


def test_a_leak_counts_foreign_characters_that_neither_prompt_nor_gloss_explains() -> None:
    assert foreign_leak("그는 非常 빠르다 да") == 4
    assert foreign_leak("효(孝)는 중요하다") == 0
    assert foreign_leak("孝는 중요하다", prompt="孝의 뜻은?") == 0


def test_register_is_the_share_of_the_commonest_sentence_ending() -> None:
    mixed = register_consistency("좋습니다. 그렇습니다. 아니다. “그렇다.”\n# 제목이다.\n맞아요!")
    assert mixed is not None
    assert (mixed.dominant, mixed.share, mixed.n_sentences) == ("hapsyo", 0.5, 4)
    assert register_consistency("좋습니다. 그렇습니다.") is None


@given(st.text(max_size=200))
def test_language_figures_never_raise_and_stay_in_range(text: str) -> None:
    share, register = hangul_share(text), register_consistency(text)
    assert share is None or 0 <= share <= 1
    assert register is None or 1 / 3 <= register.share <= 1
    assert foreign_leak(text) >= 0
