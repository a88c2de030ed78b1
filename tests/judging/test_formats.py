from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judging.formats import (
    PROTOCOLS,
    Format,
    Intake,
    PairJudgment,
    SingleJudgment,
    attach_references,
    read_answers,
    read_judgments,
    read_questions,
    read_references,
)
from tests.shared import shared_data

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes rows (objects, or raw bytes) as JSON Lines and gives the path."""

    def to_file(*rows: Any, name: str = "rows.jsonl", packed: bool = False) -> Path:
        body = b"".join(
            row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows
        )
        path = tmp_path / name
        path.write_bytes(gzip.compress(body) if packed else body)
        return path

    return to_file


def question(number: int, **changes: Any) -> dict[str, Any]:
    return {"question_id": number, "category": "math", "turns": ["1+1?", "그럼 2+2는?"], **changes}


def answer(number: int, **changes: Any) -> dict[str, Any]:
    return {"model": "m", "question_id": number, "outputs": ["둘", "넷"], **changes}


def kinds(intake: Intake) -> dict[str, int]:
    return {str(kind): count for kind, count in intake.counts.items()}


def test_a_byte_order_mark_and_line_separators_inside_strings_are_read(write: Write) -> None:
    path = write(b"\xef\xbb\xbf", question(1, turns=["a\u2028b\u2029c\x85d", "e"]), question(2))
    intake = Intake()
    found = list(read_questions(path, "fastchat", intake))
    assert [one.id for one in found] == ["1", "2"]
    assert found[0].turns == ("a\u2028b\u2029c\x85d", "e")
    assert kinds(intake) == {"byte_order_mark": 1}
    assert intake.errors == 0


def test_packed_files_are_known_by_their_bytes_not_their_name(write: Write) -> None:
    path = write(question(1), name="rows.jsonl", packed=True)
    assert len(list(read_questions(path, "fastchat", Intake()))) == 1


def test_a_half_line_is_named_and_what_came_before_is_kept(write: Write) -> None:
    path = write(question(1), b'{"question_id": 2, "category": "ma')
    intake = Intake()
    assert [one.id for one in read_questions(path, "fastchat", intake)] == ["1"]
    assert kinds(intake) == {"half_line": 1}
    assert str(intake.problems[0]).startswith("rows.jsonl:2: the file ends in the middle of a row")
    assert intake.errors == 1


def test_half_a_packed_file_is_named_and_what_came_before_is_kept(write: Write) -> None:
    path = write(*[question(number, note=f"{number**7}") for number in range(2000)], name="q.gz", packed=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    intake = Intake()
    found = list(read_questions(path, "fastchat", intake))
    assert 0 < len(found) < 2000
    assert kinds(intake) == {"half_file": 1}


def test_a_damaged_packed_file_is_named(write: Write) -> None:
    path = write(question(1), name="q.gz", packed=True)
    body = bytearray(path.read_bytes())
    body[-6] ^= 0xFF
    path.write_bytes(bytes(body))
    intake = Intake()
    list(read_questions(path, "fastchat", intake))
    assert kinds(intake) == {"broken_gzip": 1}


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (b"{\n", "not_json"),
        (b"[1, 2]\n", "not_an_object"),
        (b'"text"\n', "not_an_object"),
        (b"[" * 100_000 + b"\n", "not_json"),
        (b'{"question_id": "\xff"}\n', "not_utf8"),
        ({"category": "math", "turns": ["a", "b"]}, "missing_field"),
        (question(1, question_id=True), "wrong_type"),
        (question(1, question_id=1.5), "wrong_type"),
        (question(1, category=None), "missing_field"),
        (question(1, category=3), "wrong_type"),
        (question(1, turns=None), "missing_field"),
        (question(1, turns="one"), "wrong_type"),
        (question(1, turns=["one"]), "missing_second_turn"),
        (question(1, turns=["one", ""]), "missing_second_turn"),
        (question(1, turns=["one", 2]), "wrong_type"),
        (question(1, references="two"), "wrong_type"),
    ],
)
def test_a_bad_question_is_named_with_its_line_and_left_out(write: Write, row: Any, kind: str) -> None:
    intake = Intake()
    found = list(read_questions(write(question(5), row), "fastchat", intake))
    assert [one.id for one in found] == ["5"]
    assert kinds(intake) == {kind: 1}
    assert intake.errors == 1
    assert (intake.problems[0].file, intake.problems[0].line) == ("rows.jsonl", 2)


def test_an_empty_file_is_an_error(write: Write) -> None:
    intake = Intake()
    assert list(read_questions(write(b"\n\n"), "fastchat", intake)) == []
    assert kinds(intake) == {"empty_file": 1}


def test_the_first_of_two_equal_ids_counts(write: Write) -> None:
    intake = Intake()
    found = list(read_questions(write(question(1), question(1, category="coding")), "fastchat", intake))
    assert [one.category for one in found] == ["math"]
    assert "rows.jsonl:1; the first one counts" in str(intake.problems[0])


def test_a_reference_for_no_question_is_named_with_its_line(write: Write) -> None:
    questions = list(read_questions(write(question(1), question(2)), "fastchat", Intake()))
    reference = {"model_id": "gpt-4", "choices": [{"index": 0, "turns": ["2", "4"]}]}
    path = write({"question_id": 1, **reference}, {"question_id": 9, **reference}, name="references.jsonl")
    intake = Intake()
    whole = attach_references(questions, read_references(path, intake), intake)
    assert [one.references for one in whole] == [("2", "4"), (None, None)]
    assert [str(problem) for problem in intake.problems] == [
        "references.jsonl:2: a reference for question 9, which is not in this set"
    ]


def test_answers_to_unknown_questions_are_named_and_left_out(write: Write) -> None:
    intake = Intake(known={"1": 2})
    assert [one.question_id for one in read_answers(write(answer(1), answer(7)), "rows", intake)] == ["1"]
    assert kinds(intake) == {"unknown_question": 1}


def test_a_failed_request_is_no_answer_and_an_empty_answer_is_one(write: Write) -> None:
    rows = [answer(1, outputs=["$ERROR$", ""]), answer(2, outputs=["하나"]), answer(3, outputs=[None, "x"])]
    intake = Intake(known={"1": 2, "2": 2, "3": 2})
    found = list(read_answers(write(*rows), "rows", intake))
    assert [one.turns for one in found] == [(None, ""), ("하나", None), (None, "x")]
    assert kinds(intake) == {"failed_answer": 3, "missing_turn": 1}
    assert intake.errors == 0


def test_answers_of_two_modes_are_no_duplicates(write: Write) -> None:
    intake = Intake()
    path = write(answer(1), answer(1, mode="1-shot"), answer(1))
    assert [one.mode for one in read_answers(path, "rows", intake)] == ["default", "1-shot"]
    assert kinds(intake) == {"duplicate": 1}


def test_unstorable_characters_are_replaced_and_said(write: Write) -> None:
    intake = Intake()
    path = write(b'{"model": "m", "question_id": 1, "outputs": ["a\\u0000b\\ud800c"]}\n')
    assert next(iter(read_answers(path, "rows", intake))).turns == ("a\ufffdb\ufffdc",)
    assert kinds(intake) == {"control_character": 1}


def test_arena_hard_of_both_versions_is_read(write: Write) -> None:
    old: dict[str, Any]
    new: dict[str, Any]
    old = {"question_id": "ab", "category": "arena-hard-v0.1", "cluster": "x", "turns": [{"content": "질문"}]}
    new = {"uid": "cd", "category": "hard_prompt", "prompt": "질문"}
    found = list(read_questions(write(old, new), "arena-hard", Intake()))
    assert [(one.id, one.turns) for one in found] == [("ab", ("질문",)), ("cd", ("질문",))]
    old = {"question_id": "ab", "model_id": "m", "choices": [{"turns": [{"content": "답", "token_len": 1}]}]}
    new = {"uid": "cd", "model": "m", "messages": [{"role": "assistant", "content": {"answer": "답"}}]}
    assert [one.turns for one in read_answers(write(old, new), "arena-hard", Intake())] == [("답",), ("답",)]
    old = {
        "question_id": "ab",
        "model": "m",
        "judge": "j",
        "games": [{"score": "A>B", "judgment": "[[A>B]]"}] * 2,
    }
    games = [{"score": "B>>A", "judgment": {"answer": "[[B>>A]]"}}, None]
    new = {"uid": "cd", "model": "m", "judge": "j", "baseline": "b", "games": games}
    first, second = read_judgments(write(old, new), "arena-hard", Intake())
    assert isinstance(first, PairJudgment) and isinstance(second, PairJudgment)
    assert (first.winner, first.consistent, first.left, first.right) == ("tie", False, "baseline", "m")
    assert (second.winner, second.consistent, second.left) == (None, None, "b")
    assert [game.winner for game in second.games] == ["right", None]


def test_both_readings_of_a_rating_are_kept(write: Write) -> None:
    row = {"model": "m", "judge": ["gpt-4", "single-v1"], "turn": 1}
    texts = [
        ("[[7/10]]", -1),
        ("좋다 [5]", 5),
        ("[[3]]\n[[8]]", 3),
        ("[[11]]", 11),
        ("[[9]]", 3.0),
        ("", 8),
        ("", -1),
    ]
    rows = [
        {**row, "question_id": number, "judgment": text, "score": score} for number, (text, score) in enumerate(texts)
    ]
    intake = Intake()
    found = [one for one in read_judgments(write(*rows), "fastchat", intake) if isinstance(one, SingleJudgment)]
    assert [one.score for one in found] == [None, None, None, None, 9.0, 8.0, None]
    assert [one.published for one in found] == [None, 5.0, 3.0, 11.0, 3.0, 8.0, None]
    reasons = ["fraction", "single_brackets", "contradictory", "out_of_range", None, None, "no_verdict"]
    assert [one.reason for one in found] == reasons
    assert kinds(intake) == {"failed_judgment": 5}


def test_a_rating_outside_the_scale_is_named_and_not_counted(write: Write) -> None:
    path = write({"model": "m", "question_id": 1, "judge": [{"turn": 1, "message": "", "score": 11}]})
    intake = Intake()
    one = next(iter(read_judgments(path, "rows", intake)))
    assert isinstance(one, SingleJudgment)
    assert (one.score, one.published, one.reason) == (None, 11.0, "out_of_range")
    assert kinds(intake) == {"out_of_range": 1}


@pytest.mark.parametrize(
    ("row", "form"),
    [
        ({"model": "m", "question_id": 1}, "rows"),
        ({"model": "m", "question_id": 1, "judge": [{"turn": 3, "score": 1}]}, "rows"),
        ({"model": "m", "question_id": 1, "judge": ["10"]}, "rows"),
        ({"question_id": 1, "model": "m", "score": 3, "turn": 1}, "fastchat"),
        ({"question_id": 1, "model": "m", "judge": ["a", "b"], "turn": 3, "score": 3}, "fastchat"),
        ({"question_id": 1, "model_1": "m", "judge": ["a", "b"]}, "fastchat"),
        ({"question_id": 1, "judge": "j", "game1": "A>B"}, "arena-hard"),
        ({"id": 1, "query_single": None}, "logickor"),
    ],
)
def test_a_judgment_that_cannot_be_used_is_an_error(write: Write, row: Any, form: Format) -> None:
    intake = Intake()
    assert list(read_judgments(write(row), form, intake)) == []
    assert intake.errors == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["turn", "turns", "x"]), inner),
    max_leaves=6,
)
FIELDS = [
    "question_id",
    "id",
    "uid",
    "category",
    "turns",
    "questions",
    "prompt",
    "references",
    "reference",
    "choices",
    "messages",
    "outputs",
    "model",
    "model_id",
    "mode",
    "judge",
    "turn",
    "score",
    "judgment",
    "model_1",
    "model_2",
    "g1_winner",
    "g1_judgment",
    "games",
    "game1",
    "game2",
    "baseline",
    "query_single",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), json_values), min_size=1, max_size=5), st.booleans())
def test_no_json_whatever_raises(write: Write, rows: list[dict[str, Any]], cut: bool) -> None:
    path = write(*rows)
    if cut:
        path.write_bytes(path.read_bytes()[:-3])
    forms: tuple[Format, ...] = ("fastchat", "logickor", "arena-hard", "rows")
    for form in forms:
        for read in (read_questions, read_answers, read_judgments):
            list(read(path, form, Intake(known={"1": 2})))
    list(read_references(path, Intake()))


@pytest.mark.parametrize(
    ("slug", "path", "form"),
    [
        ("mt-bench", "mt_bench/question.jsonl", "fastchat"),
        ("korean-mt-bench", "korean_mt_bench/question.jsonl", "fastchat"),
        ("komt-bench", "komt_bench/question_ko.jsonl", "fastchat"),
        ("logickor", "logickor/questions.jsonl", "logickor"),
        ("ko-arena-hard", "ko_arena_hard/question.jsonl.gz", "arena-hard"),
    ],
)
def test_the_protocol_table_agrees_with_the_public_question_files(slug: str, path: str, form: Format) -> None:
    protocol, intake = PROTOCOLS[slug], Intake()
    found = list(read_questions(shared_data(path), form, intake))
    assert kinds(intake) == ({"extra_turn": 1} if slug == "logickor" else {})
    assert len(found) == protocol.questions
    assert {len(one.turns) for one in found} == {protocol.turns}
    assert {one.category for one in found} == set(protocol.categories)


def test_published_temperatures_and_reference_rules() -> None:
    mt_bench, logickor = PROTOCOLS["mt-bench"], PROTOCOLS["logickor"]
    assert [mt_bench.temperature(name) for name in ("writing", "math", "stem", "other")] == [
        0.7,
        0.0,
        0.1,
        0.7,
    ]
    assert [name for name in mt_bench.categories if mt_bench.uses_reference(name)] == [
        "reasoning",
        "math",
        "coding",
    ]
    assert logickor.temperature("수학(Math)") == 0.0
    assert logickor.uses_reference("글쓰기(Writing)")


def test_logickor_has_25_references_for_first_and_15_for_second_turns() -> None:
    found = list(read_questions(shared_data("logickor/questions.jsonl"), "logickor", Intake()))
    assert [sum(one.references[turn] is not None for one in found) for turn in (0, 1)] == [25, 15]


def test_the_ten_orphan_references_of_komt_bench_are_named() -> None:
    intake = Intake()
    questions = list(read_questions(shared_data("komt_bench/question_ko.jsonl"), "fastchat", intake))
    references = read_references(shared_data("komt_bench/reference_answer_ko/gpt-4.jsonl"), intake)
    whole = attach_references(questions, references, intake)
    assert all(all(one.references) for one in whole)
    assert kinds(intake) == {"orphan_reference": 10}
    assert [problem.line for problem in intake.problems] == list(range(81, 91))


def test_line_separators_of_real_answers_do_not_break_rows() -> None:
    intake = Intake()
    found = list(read_answers(shared_data("ko_arena_hard/model_answer/o3-high.jsonl.gz"), "arena-hard", intake))
    assert len(found) == 500
    assert sum("\u2028" in (one.turns[0] or "") for one in found) > 0
    assert not intake.problems


def test_reading_a_logickor_mode_with_its_judgments_takes_well_under_a_second_and_a_half() -> None:
    """All 16,380 answers and judgments of the original are nine times this file's rows."""
    path = shared_data("logickor/answers_default.jsonl.gz")
    begin = time.process_time()
    answers = sum(1 for _ in read_answers(path, "rows", Intake()))
    judgments = sum(1 for _ in read_judgments(path, "rows", Intake()))
    assert (answers, judgments) == (1806, 3612)
    assert time.process_time() - begin < 1.5
