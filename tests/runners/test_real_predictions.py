from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from runners.korean import (
    LETTERS,
    extract_choice,
    extract_number,
    foreign_leak,
    hangul_share,
    is_not_korean,
    numbers_equal,
    register_consistency,
)
from tests.runners.real_predictions import FileResult, compare_all, expected_files
from tests.shared import shared_data


@cache
def _results(data: Path) -> tuple[FileResult, ...]:
    return tuple(compare_all(data))


def test_sixty_real_files_are_read_as_published_or_the_reason_is_counted() -> None:
    data = shared_data("ko_predictions").parent
    expected = expected_files(data)
    results = _results(data)
    assert len(results) == len(expected) == 60
    for result in results:
        wanted = expected[result.dataset, result.model]
        assert (result.rows, result.published_correct) == (wanted["rows"], wanted["correct"])
        assert abs(result.correct - result.published_correct) <= result.reasons.total()
        if not result.reasons:
            assert round(result.ours, 6) == wanted["accuracy"]


def test_few_rows_are_read_differently_and_ours_reads_more() -> None:
    results = _results(shared_data("ko_predictions").parent)
    reasons = sum((result.reasons for result in results), Counter[str]())
    exact = [result for result in results if result.correct == result.published_correct]
    assert sum(result.rows for result in results) == 159_897
    assert len(exact) >= 35
    assert reasons["read by ours only"] > 600
    assert reasons["listed options"] + reasons["no label"] + reasons["last cue"] < 100
    assert reasons["last cue"] <= 12
    off = {r.model for r in results if abs(r.ours - r.published) > 0.002}
    assert off == {"llama-3-1-8b-instruct", "llama-3-1-8b-instruct-5shot"}, "they explain in words"


def test_failed_requests_are_neither_answers_nor_no_answers() -> None:
    data = shared_data("ko_predictions").parent
    results = {(r.dataset, r.model): r for r in _results(data)}
    for key, wanted in expected_files(data).items():
        result = results[key]
        if wanted.get("matches_published") == "rows without FAILED" and not result.reasons:
            filtered = result.failed - int(str(wanted["failed_rows"]))
            counted = result.rows - result.failed + filtered
            assert round(100 * result.correct / counted, 2) == pytest.approx(
                wanted["published_overall_percent"], abs=0.011
            )


def test_gsm8k_solutions_are_marked_as_their_source_marks_them() -> None:
    path = shared_data("gsm8k/test_with_solutions.jsonl.gz")
    expected = json.loads(shared_data("expected/gsm8k.json").read_text(encoding="utf-8"))["models"]
    correct: Counter[str] = Counter()
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            gold = extract_number(row["answer"])
            assert gold == Decimal(row["answer"].rpartition("#### ")[2].replace(",", ""))
            for model, solved in row["model_solutions"].items():
                found = extract_number(solved["solution"])
                correct[model] += found is not None and numbers_equal(found, gold)
    assert correct == {model: wanted["exact_match_correct"] for model, wanted in expected.items()}


@cache
def _logickor(path: Path) -> dict[str, list[tuple[int, str, str]]]:
    """Model → (question id, category, answer) of both turns, default mode."""
    answers: dict[str, list[tuple[int, str, str]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            rows = answers.setdefault(row["model"], [])
            rows += [(row["question_id"], row["category"], output) for output in row["outputs"]]
    return answers


def _not_korean(rows: list[tuple[int, str, str]]) -> int:
    """Clearly not Korean answers, coding and the three questions that ask for foreign text left out."""
    return sum(is_not_korean(t) for q, category, t in rows if "코딩" not in category and q not in (29, 31, 32))


def test_answers_in_another_language_are_found_where_they_are_known_to_be() -> None:
    answers = _logickor(shared_data("logickor/answers_default.jsonl.gz"))
    assert len(answers) == 43
    found = {model: _not_korean(rows) for model, rows in answers.items()}
    assert sum(found.values()) == 283
    assert found["meta-llama/Meta-Llama-3-70B-Instruct"] > 40
    assert found["anthropic/claude-3-opus-20240229"] <= 1, "one question asks for an English summary"
    between = sum(0.1 <= (hangul_share(t) or 0) < 0.5 for rows in answers.values() for _, _, t in rows)
    assert between < 100


def test_leaks_of_chinese_characters_match_the_published_shares() -> None:
    answers = _logickor(shared_data("logickor/answers_default.jsonl.gz"))
    with shared_data("logickor/questions.jsonl").open(encoding="utf-8") as lines:
        prompts = {row["id"]: " ".join(row["questions"]) for row in map(json.loads, lines)}

    def leaking(model: str) -> float:
        korean = [(q, text) for q, _, text in answers[model] if (hangul_share(text) or 0) >= 0.5]
        return sum(foreign_leak(text, prompts[q]) > 0 for q, text in korean) / len(korean)

    assert leaking("Qwen/Qwen1.5-14B-Chat") == pytest.approx(0.26, abs=0.01)
    assert leaking("THUDM/glm-4-9b-chat") == pytest.approx(0.11, abs=0.01)
    assert leaking("mistralai/Mistral-Nemo-Instruct-2407") == pytest.approx(0.08, abs=0.01)
    assert leaking("anthropic/claude-3-opus-20240229") == 0


def test_most_real_answers_keep_one_register() -> None:
    answers = _logickor(shared_data("logickor/answers_default.jsonl.gz"))
    shares = [r.share for rows in answers.values() for _, _, t in rows if (r := register_consistency(t))]
    assert len(shares) > 2_000
    assert sum(shares) / len(shares) == pytest.approx(0.966, abs=0.01)
    assert sum(share == 1 for share in shares) / len(shares) == pytest.approx(0.85, abs=0.02)


def test_twenty_thousand_short_replies_take_less_than_a_second() -> None:
    replies = ["B", "정답은 C입니다.", "### ANSWER\nD", "정답: ④ 세종대왕", "2번"] * 4_000
    started = time.process_time()
    for reply in replies:
        extract_choice(reply, 5, labels=LETTERS)
    assert time.process_time() - started < 1
