from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judging.language import tag
from judging.verdicts import (
    Form,
    Scale,
    Score,
    Unparsable,
    Verdict,
    both_orders,
    parse,
    parse_five,
    parse_pair,
    parse_score,
    parse_two_scores,
)

KOREAN = "답변은 질문의 요구를 대체로 충족하였으며 설명이 정확하다. 다만 예시가 조금 부족하다."
ENGLISH = "The answer follows the instruction and is accurate, but it gives no example for the second part."
JAPANESE = "この回答は質問の要求をおおむね満たしており、説明も正確です。ただし例が少し足りません。"
CHINESE = "这个回答基本满足了问题的要求。解释也很准确。但是例子稍微有点不够充分。需要补充说明。"
FRENCH = (
    "Cette réponse suit bien les consignes données par l'utilisateur et explique clairement chaque étape, "
    "mais elle oublie malheureusement un exemple pour la deuxième partie demandée initialement."
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[[7]]", 7.0),
        (f"{KOREAN}\n\n점수: [[7]]", 7.0),
        (f"{ENGLISH}\n\nRating: [[7.5]]", 7.5),
        (f"점수: [[10]]\n\n{KOREAN}", 10.0),
        (f"{KOREAN} 따라서, 점수는 [[10]]입니다.", 10.0),
        (f"평가: {KOREAN}\n점수: 8", 8.0),
        (f"평가: {KOREAN} 점수: 8점", 8.0),
        (f"**평가:** {KOREAN}\n**점수: 8**", 8.0),
        ("\uff3b\uff3b\uff19\uff3d\uff3d", 9.0),
        ('Rating: "[[6]]"', 6.0),
        (f"<think>maybe [[3]]</think>{ENGLISH}\n[[8]]", 8.0),
        (f"{ENGLISH}\n```\n[[4]]\n```", 4.0),
        (f"{ENGLISH}\n[[4]]\nRating: [[4]]", 4.0),
        ("The matrix [[1, 2], [3, 4]] is inverted correctly, see [[1]](https://example.org).\n[[9]]", 9.0),
        ('{"reason": "좋다", "score": 7}', 7.0),
        ('```json\n{"score": 7.0, "reason": "The answer quotes [[10]]"}\n```', 7.0),
    ],
)
def test_a_rating_that_is_said_is_read(text: str, value: float) -> None:
    found = parse_score(text)
    assert isinstance(found, Score)
    assert found.value == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "empty"),
        ("  \n", "empty"),
        ("<think>I give it 7.</think>", "empty"),
        ("$ERROR$", "request_failed"),
        ("Impossible to judge due to repetition.", "request_failed"),
        ("[[7/10]]", "fraction"),
        ("점수: 7/10", "fraction"),
        ("점수: 7 / 10점", "fraction"),
        ("[[11]]", "out_of_range"),
        ("[[0]]", "out_of_range"),
        ("[[-3]]", "out_of_range"),
        ("[[08]]", "malformed"),
        ("[[7점]]", "malformed"),
        ("[[rating]]", "malformed"),
        ("[[1⁰]]", "malformed"),
        ("[[\u0667]]", "malformed"),
        ("점수: 7~8", "malformed"),
        (f"[[3]]\n{ENGLISH}\n[[8]]", "contradictory"),
        (f"[[3]]\n{KOREAN}\n점수: 8", "contradictory"),
        ("점수: 3\n점수: 8", "contradictory"),
        ("[[7, 8]]", "contradictory"),
        ('{"score": 7, "score": 9}', "contradictory"),
        (f"{ENGLISH} [5]", "single_brackets"),
        ("[7/10]", "single_brackets"),
        ("[[A]]", "wrong_form"),
        ('{"verdict": "A"}', "wrong_form"),
        ('{"score": "7"}', "wrong_form"),
        ('{"score": 7, "confidence": 1}', "wrong_form"),
        ('{"score": true}', "malformed"),
        ('{"score": NaN}', "malformed"),
        ('{"score": Infinity}', "out_of_range"),
        ('{"score": 1' + "0" * 400 + "}", "out_of_range"),
        ('{"score": 7} {"score": 7}', "malformed"),
        ('{"reason": "it is good", "score": 7', "unfinished"),
        ("<think>It could be [[7]]", "unfinished"),
        ("I'm sorry, but I can't assist with that.", "refusal"),
        ("I\u2019m sorry, but I can\u2019t rate this. [[5]]", "refusal"),
        ("죄송합니다. 이 답변은 평가할 수 없습니다.", "refusal"),
        ("죄송하지만 요청하신 채점은 도와드릴 수 없습니다.\n점수: 5", "refusal"),
        (f"{JAPANESE}\n[[7]]", "other_language"),
        (f"{CHINESE}\n[[7]]", "other_language"),
        (f"{FRENCH}\n[[7]]", "other_language"),
        (JAPANESE, "other_language"),
        (f'{ENGLISH} It says "Rating: [[10]]" to win me over.', "quoted"),
        (f"{ENGLISH}\nThe answer claims [[10]] for itself.\n{ENGLISH}", "buried"),
        (ENGLISH, "no_verdict"),
        ("10점 만점에 8점입니다.", "no_verdict"),
        ("[[[7]]]", "no_verdict"),
        ("정확성 점수: 3", "no_verdict"),
    ],
)
def test_anything_else_is_unparsable_with_a_name(text: str | None, reason: str) -> None:
    found = parse_score(text)
    assert isinstance(found, Unparsable)
    assert found.reason == reason


def test_zero_counts_only_on_a_scale_that_has_it() -> None:
    assert parse_score("점수: 0", Scale(0, 10)) == Score(0.0, "점수: 0")
    assert parse_score("점수: 0") == Unparsable("out_of_range", "0")


@pytest.mark.parametrize(
    ("text", "winner"),
    [
        (f"{ENGLISH}\n[[A]]", "A"),
        (f"{KOREAN} 최종 판정: [[B]]", "B"),
        ("Final verdict: [[C]] for a tie.", "tie"),
        ("Assistant A score: 8\nScore: 7\n[[A]]", "A"),
        ('{"reason": "", "verdict": "tie"}', "tie"),
    ],
)
def test_a_winner_that_is_said_is_read(text: str, winner: str) -> None:
    found = parse_pair(text)
    assert isinstance(found, Verdict)
    assert found.winner == winner


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[A]]\n[[B]]", "contradictory"),
        ('either "[[B]]" if needed, but both are equally good', "quoted"),
        ("[A]", "single_brackets"),
        ("A is better.", "no_verdict"),
        ("[[a]]", "malformed"),
        ("[[A>B]]", "wrong_form"),
        ("[[7]]", "wrong_form"),
        ('{"verdict": "C"}', "wrong_form"),
        ('{"verdict": 1}', "wrong_form"),
    ],
)
def test_a_winner_is_never_guessed(text: str, reason: str) -> None:
    found = parse_pair(text)
    assert isinstance(found, Unparsable)
    assert found.reason == reason


@pytest.mark.parametrize("label", ["A>>B", "A>B", "A=B", "B>A", "B>>A"])
def test_each_of_the_five_labels_is_read_in_text_and_in_json(label: str) -> None:
    in_text = parse_five(f"{ENGLISH}\n\nMy final verdict is: [[{label}]]")
    in_json = parse_five(json.dumps({"reason": "", "verdict": label}))
    assert isinstance(in_text, Verdict) and isinstance(in_json, Verdict)
    assert in_text.label == in_json.label == label
    assert in_text.swapped().swapped() == in_text
    assert in_text.weight == (3 if ">>" in label else 1)


@pytest.mark.parametrize("text", ["[[A<B]]", "[[B=A]]", "[[A]]", "[[A>>>B]]", "[[A>B]] or [[A>>B]]", "[A>B]"])
def test_a_sixth_label_is_unparsable(text: str) -> None:
    assert isinstance(parse_five(text), Unparsable)


@pytest.mark.parametrize(
    ("text", "winner"),
    [("[[8, 6.5]]", "A"), ("[[6,8]]", "B"), ("[[7, 7.1]]", "tie"), ('{"score_a": 3, "score_b": 9}', "B")],
)
def test_two_scores_make_one_verdict(text: str, winner: str) -> None:
    found = parse_two_scores(text)
    assert isinstance(found, Verdict)
    assert found.winner == winner


@pytest.mark.parametrize("text", ["[[8]]", "[[8, 11]]", "[[8, 6, 4]]", "8, 6", "[[A]]"])
def test_half_a_pair_of_scores_is_unparsable(text: str) -> None:
    assert isinstance(parse_two_scores(text), Unparsable)


def test_disagreement_between_the_orders_is_a_tie_and_stays_visible() -> None:
    a, b, tie = parse_pair("[[A]]"), parse_pair("[[B]]"), parse_pair("[[C]]")
    failed = parse_pair("?")
    assert (both_orders(a, b).winner, both_orders(a, b).consistent) == ("A", True)
    assert (both_orders(a, a).winner, both_orders(a, a).consistent) == ("tie", False)
    assert (both_orders(a, tie).winner, both_orders(a, tie).consistent) == ("tie", False)
    assert (both_orders(tie, tie).winner, both_orders(tie, tie).consistent) == ("tie", True)
    assert (both_orders(a, failed).winner, both_orders(a, failed).consistent) == (None, None)


@settings(max_examples=300, deadline=None)
@given(st.text(), st.sampled_from(["score", "pair", "five", "two-scores"]))
def test_no_text_raises_and_no_text_without_a_form_is_a_verdict(text: str, form: str) -> None:
    found = parse(text, form)  # type: ignore[arg-type]
    if not {"[", "\uff3b", ":", "\uff1a"} & set(text):
        assert isinstance(found, Unparsable)


# (piece of judge text, what it says): a rating or label, None for nothing, "bad" for something unreadable.
PIECES: list[tuple[str, float | str | None]] = [
    *[(f"[[{n}]]", float(n)) for n in range(1, 11)],
    *[(f"Rating: [[{n}]]", float(n)) for n in (2, 6, 9)],
    *[(f"[[{label}]]", label) for label in ("A", "B", "C", "A>>B", "A>B", "A=B", "B>A", "B>>A")],
    *[(bad, "bad") for bad in ("[[7/10]]", "[[11]]", "[[0]]", "[[]]", "[[ten]]", "[[1e1]]", "[[7점]]", "[[³]]")],
    *[(nothing, None) for nothing in ("[5]", "[A]", "[[[7]]]", "[[", "]]", "7/10", "점수 8", "score", '"', "{", "}")],
    *[(nothing, None) for nothing in (KOREAN, ENGLISH, JAPANESE, "", "\u2028", "\x00", "\ud800", "[[\n7]]")],
    *[(nothing, None) for nothing in ("I can't judge this.", "죄송합니다.", "[[1]](http://a)")],
]
RATINGS: list[tuple[str, float | str | None]] = [(f"점수: {n}", float(n)) for n in (1, 5, 8, 10)]
HIDING = ["```", "<think>", "</think>"]
LABEL_OF_WINNER = {"A": "A", "B": "B", "tie": "C"}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(min_value=0))
def test_ten_thousand_fuzzed_texts_give_no_false_verdict(seed: int) -> None:
    """200 examples of 50 texts; what may come out is known from the pieces that went in."""
    draw = random.Random(seed)
    for _ in range(50):
        form = draw.choice(["score", "score", "pair", "five", "two-scores"])
        pieces = draw.choices([*PIECES, *(RATINGS if form == "score" else [])], k=draw.randint(0, 5))
        lines = [piece for piece, _ in pieces]
        hidden = draw.random() < 0.2
        if hidden:
            lines.insert(draw.randint(0, len(lines)), draw.choice(HIDING))
        found = parse("\n".join(lines), form)  # type: ignore[arg-type]
        if isinstance(found, Unparsable):
            continue
        said = {meaning for _, meaning in pieces if meaning is not None}
        if isinstance(found, Score):
            meant: float | str = found.value
        else:
            meant = LABEL_OF_WINNER[found.winner] if form == "pair" else found.label
        assert meant in said if hidden else said == {meant}, lines


@pytest.mark.parametrize(
    "piece",
    ["[", "]", "[[7]] ", '"[[7]]" ', ". ", "점수: ", "점수: 1", "1", "```", "<think>", "{", "- ", "\n", "} "],
)
def test_a_long_judge_text_is_read_in_linear_time(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    begin = time.process_time()
    forms: tuple[Form, ...] = ("score", "pair", "five", "two-scores")
    for form in forms:
        parse(text, form)
        parse("점수: " + text, form)
        parse("```json\n{" + text, form)
    assert time.process_time() - begin < 2.0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("답변 A가 질문의 조건을 모두 지켰습니다. [[A]]", "ko"),
        ("The answer is right, so 9 points.", "en"),
        ("Python의 `len()`을 쓰면 됩니다.", "ko"),
        ("この回答は正しいです。", "ja"),
        ("这个回答是正确的，所以给九分。", "zh"),
        ("Die Antwort ist richtig und vollständig.", ""),
        ("[[9]]", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_text_is_told_as_html_names_it(text: str, language: str) -> None:
    assert tag(text) == language
