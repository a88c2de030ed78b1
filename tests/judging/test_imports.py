"""Public files through the commands, and the numbers in the database against the published ones."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from judging import standings
from judging.models import Answer, Judge, JudgedRun, Judgment, Question, QuestionSet
from runners.models import Conversation, EvaluationRun, Message
from tests.shared import shared_data

pytestmark = pytest.mark.django_db


def expected(name: str) -> Any:
    return json.loads(shared_data(f"expected/{name}.json").read_text(encoding="utf-8"))


def run(command: str, *words: object) -> tuple[str, str]:
    """What a command printed and complained of."""
    out, errors = StringIO(), StringIO()
    call_command(command, *map(str, words), stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


def load(slug: str, path: Path, form: str, *more: object) -> QuestionSet:
    run("load_question_set", path, "--slug", slug, "--format", form, *more)
    found = QuestionSet.objects.current(slug)
    assert found is not None
    return found


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path


def asked(number: int, **changes: Any) -> dict[str, Any]:
    return {"question_id": number, "category": "math", "turns": ["1+1은?", "거기에 2를 더하면?"], **changes}


def answered(number: int, **changes: Any) -> dict[str, Any]:
    return {"model": "m", "question_id": number, "outputs": ["둘입니다.", "넷입니다."], **changes}


@pytest.fixture
def small(tmp_path: Path) -> QuestionSet:
    return load("small", write(tmp_path / "q.jsonl", asked(1), asked(2)), "fastchat")


@pytest.mark.parametrize("mode", ["default", "1-shot", "cot-1-shot"])
def test_every_mean_of_logickor_equals_the_published_one(mode: str) -> None:
    questions = load("logickor", shared_data("logickor/questions.jsonl"), "logickor")
    path = shared_data(f"logickor/answers_{mode}.jsonl.gz")
    run("import_answers", path, "--set", "logickor", "--format", "rows")
    run("import_judgments", path, "--set", "logickor", "--format", "rows", "--judge", "gpt-4")
    rows = {row.run.revision.api_name: row for row in standings.judged_runs(questions, Judge.objects.get())}
    published = expected("logickor_leaderboard")["modes"][mode]
    assert len(rows) == len(published) == 43
    for want in published:
        row = rows[want["model"]]
        # LogicKor stores 0 for a judgment that failed five times: that is the switch "failures as 0".
        ours = row.standing("zero")
        assert ours is not None and row.mode == mode
        assert ours.overall.value == pytest.approx(want["overall"], abs=1e-6)
        assert [ours.turns[1].value, ours.turns[2].value] == pytest.approx([want["turn1"], want["turn2"]], abs=1e-6)
        means = {name: cell["mean"] for name, cell in want["categories"].items()}
        assert {name: mean.value for name, mean in ours.categories.items()} == pytest.approx(means, abs=1e-6)
        assert row.failures.get("request_failed", 0) == row.n_error == want["judge_failed"]
        assert (row.n_questions, row.n_empty) == (want["n_questions"], want["empty_outputs"])
        assert row.n_zero + row.n_error == want["zero_scores"]


def test_the_language_rule_in_code_moves_ranks_of_logickor() -> None:
    questions = load("logickor", shared_data("logickor/questions.jsonl"), "logickor")
    path = shared_data("logickor/answers_default.jsonl.gz")
    run("import_answers", path, "--set", "logickor", "--format", "rows")
    run("import_judgments", path, "--set", "logickor", "--format", "rows", "--judge", "gpt-4")
    rows = standings.judged_runs(questions, Judge.objects.get())

    def ranking(penalty: Any) -> dict[str, float]:
        found = {row.run.revision.api_name: row.standing("zero", penalty) for row in rows}
        return {name: one.overall.value for name, one in found.items() if one and one.overall.value is not None}

    before, after = ranking("none"), ranking("zero")
    fall = {name: before[name] - after[name] for name in before}
    assert all(0 <= points < 2 for points in fall.values())
    assert sum(points > 0.1 for points in fall.values()) >= 10
    places = [sorted(told, key=lambda name: -told[name]) for told in (before, after)]
    assert sum(first != second for first, second in zip(*places, strict=True)) >= 15


@pytest.mark.parametrize(
    ("slug", "questions", "judged", "want"),
    [
        (
            "komt-bench",
            "komt_bench/question_ko.jsonl",
            "komt_bench/model_judgment/gpt-4_single_final.jsonl.gz",
            lambda: expected("komt_bench"),
        ),
        (
            "mt-bench",
            "mt_bench/question.jsonl",
            "mt_bench_phi3/model_judgment/gpt-4_single.jsonl.gz",
            lambda: expected("mt_bench_phi3")["single"],
        ),
    ],
)
def test_every_mean_of_a_fastchat_run_equals_the_published_one(
    slug: str, questions: str, judged: str, want: Any
) -> None:
    """The answers are not in the file: judgments alone make a row as well."""
    found = load(slug, shared_data(questions), "fastchat")
    run("import_judgments", shared_data(judged), "--set", slug, "--format", "fastchat", "--judge", "gpt-4")
    (row,) = standings.judged_runs(found, Judge.objects.get())
    numbers, ours = want(), row.standing()
    assert ours is not None
    assert (ours.overall.n, ours.overall.failed) == (numbers["rows"], 0)
    assert ours.overall.value == pytest.approx(numbers["average"], abs=1e-6)
    assert [ours.turns[1].value, ours.turns[2].value] == pytest.approx([numbers["turn1"], numbers["turn2"]])
    assert {name: mean.value for name, mean in ours.categories.items()} == pytest.approx(numbers["by_category"])
    assert not Message.objects.exists()


def test_both_orders_of_real_pairs_flip_as_often_as_published() -> None:
    found = load("mt-bench", shared_data("mt_bench/question.jsonl"), "fastchat")
    path = shared_data("mt_bench_phi3/model_judgment/gpt-4_pair.jsonl.gz")
    run("import_judgments", path, "--set", "mt-bench", "--format", "fastchat", "--judge", "gpt-4-pair")
    want = expected("mt_bench_phi3")["pairwise"]["final_verdict"]
    trial = standings.trial(Judge.objects.get(), found)
    assert trial is not None
    position = trial.report["position"]
    flipped = position["consistent"]["n"] - position["consistent"]["hits"]
    assert (flipped, position["failed"]) == (want["tie (inconsistent)"], want["error"])


@pytest.mark.slow
def test_every_accuracy_of_llmbar_equals_the_published_one() -> None:
    found = load("llmbar", shared_data("llmbar/instances.jsonl.gz"), "llmbar")
    run("import_answers", shared_data("llmbar/instances.jsonl.gz"), "--set", "llmbar", "--format", "llmbar")
    judged = shared_data("llmbar/judgments.jsonl.gz")
    run("import_judgments", judged, "--set", "llmbar", "--format", "llmbar")
    better = dict(Answer.objects.filter(quality="better").values_list("question", "conversation"))
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    columns = ("judge__slug", "subject__answer__question", "subject__answer__question__category", "subject_id")
    pairs: dict[tuple[str, int], dict[bool, tuple[str, str]]] = defaultdict(dict)
    for judge, question, category, subject, swapped, said in Judgment.objects.values_list(
        *columns, "swapped", "published"
    ):
        won = "" if not said else "right" if (said == "A>B") == (better[question] == subject) else "wrong"
        pairs[judge, question][swapped] = (category, won)
    for (judge, _question), games in pairs.items():
        # Output 2 is the subject, so that it was shown second, swapped, in the original order.
        (category, original), (_, other) = games[True], games[False]
        counts[category, judge] += Counter(n=1, original=original == "right", swapped=other == "right")
        counts[category, judge] += Counter(both=original == other == "right", same=original == other)
        counts[category, judge] += Counter(unparsed=(not original) + (not other))
    results = expected("llmbar")["results"]
    assert len(results) == len(counts) == 62
    for row in results:
        judge = f"{row['evaluator']}-{row['strategy']}".lower().replace("_", "-")
        count = counts[row["subset"], judge]
        assert (count["n"], count["unparsed"]) == (row["n"], row["unparsed"])
        for name, key in (
            ("original", "accuracy_original_order"),
            ("swapped", "accuracy_swapped_order"),
            ("both", "both_correct"),
            ("same", "same_verdict_in_both_orders"),
        ):
            assert count[name] / count["n"] == pytest.approx(row[key], abs=1e-6)
    _gpt_4_is_trusted_as_far_as_it_was_right(found, results)


def _gpt_4_is_trusted_as_far_as_it_was_right(found: QuestionSet, results: list[dict[str, Any]]) -> None:
    trial = standings.trial(Judge.objects.get(slug="gpt-4-vanilla-norules"), found)
    assert trial is not None
    rows = [row for row in results if (row["evaluator"], row["strategy"]) == ("GPT-4", "Vanilla_NoRules")]
    hits = sum(round(row["both_correct"] * row["n"]) for row in rows)
    assert (trial.report["known_order"]["hits"]["hits"], trial.report["known_order"]["hits"]["n"]) == (hits, 526)
    assert [pair["better"] for pair in trial.report["known_order"]["pairs"]] == ["better"]


def test_rows_of_llmbar_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    instance = {"subset": "Natural", "idx": 0, "input": "?", "output_1": "a", "output_2": "b", "label": 2}
    found = load("llmbar", write(tmp_path / "q.jsonl", instance, {**instance, "idx": 1}), "llmbar")
    broken = write(tmp_path / "bad.jsonl", {**instance, "label": 3}, {**instance, "idx": None}, instance)
    with pytest.raises(CommandError, match="2 faulty row"):
        run("import_answers", broken, "--set", found.slug, "--format", "llmbar")
    _, errors = run("import_answers", broken, "--set", found.slug, "--format", "llmbar", "--skip-bad")
    assert 'bad.jsonl:1: "label" is 3, expected 1 or 2' in errors
    assert {answer.quality for answer in Answer.objects.all()} == {"better", "worse"}
    with pytest.raises(CommandError, match="--judge"):
        run("import_judgments", broken, "--set", found.slug, "--format", "rows")


def test_scores_of_ko_arena_hard_equal_the_published_ones(tmp_path: Path) -> None:
    models = ["o3-high", "o4-mini-high", "gemma-2-27b-it"]
    found = load("ko-arena-hard", shared_data("ko_arena_hard/question.jsonl.gz"), "arena-hard")
    path = tmp_path / "judged.jsonl"
    with gzip.open(shared_data("ko_arena_hard/judgments_ensemble.jsonl.gz"), "rt", newline="\n") as file:
        path.write_text("".join(line for line in file if json.loads(line)["model"] in models), encoding="utf-8")
    run("import_judgments", path, "--set", "ko-arena-hard", "--format", "arena-hard", "--judge", "ensemble")
    rows = {row.run.revision.api_name: row for row in standings.judged_runs(found, Judge.objects.get())}
    published = {row["model"]: row for row in expected("ko_arena_hard")["models"]}
    assert sorted(rows) == sorted(models)
    for model, row in rows.items():
        ours, want = row.numbers["published"], published[model]
        assert ours["score"] == pytest.approx(want["score"], abs=1e-6)
        assert ours["elo"] == pytest.approx(want["elo_vs_baseline_1000"], abs=1e-5)
        assert (ours["weighted_wins"], ours["ties"]) == (want["weighted_wins"], want["ties"])
    # The game that is missing is counted a second time by the original and left out by us.
    assert rows["o4-mini-high"].numbers["strict"]["failed"] == rows["o4-mini-high"].n_unparsable == 1


def test_importing_twice_changes_nothing(small: QuestionSet, tmp_path: Path) -> None:
    judged = [{"turn": 1, "score": 7, "message": "좋습니다."}, {"turn": 2, "score": 4, "message": "아쉽습니다."}]
    path = write(tmp_path / "rows.jsonl", answered(1, judge=judged), answered(2, judge=judged))
    for told in ("2 answers of 1 models stored, 0 were", "0 answers of 1 models stored, 2 were"):
        assert told in run("import_answers", path, "--set", "small", "--format", "rows")[0]
    for told in ("4 judgments of 1 models", "0 judgments of 1 models"):
        assert told in run("import_judgments", path, "--set", "small", "--format", "rows", "--judge", "j")[0]
    assert (EvaluationRun.objects.count(), Answer.objects.count(), Message.objects.count()) == (1, 2, 4)
    assert Judgment.objects.count() == 4


def test_judgments_that_came_before_their_answers_find_them(small: QuestionSet, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", answered(1, judge=[{"turn": 1, "score": 7, "message": "좋습니다."}]))
    run("import_judgments", path, "--set", "small", "--format", "rows", "--judge", "j")
    run("import_answers", path, "--set", "small", "--format", "rows")
    assert Conversation.objects.count() == 1
    assert Judgment.objects.get().subject.messages.count() == 2
    assert Answer.objects.get().fidelity[0]["hangul_share"] == 1.0


def test_a_failed_request_is_no_answer_and_an_empty_one_is_counted(small: QuestionSet, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", answered(1, outputs=["$ERROR$", ""]))
    _, told = run("import_answers", path, "--set", "small", "--format", "rows")
    assert "rows.jsonl:1: turn 1 holds no answer" in told
    assert list(Message.objects.values_list("status", "error_kind")) == [("error", "recorded_failure"), ("empty", "")]


BROKEN = [
    (json.dumps(answered(9)) + "\n", "rows.jsonl:2: question 9 is not in this question set"),
    ('{"model": "m", "question_id": 2, "outp', "rows.jsonl:2: the file ends in the middle of a row"),
    ("[1, 2]\n", "rows.jsonl:2: a JSON list where an object is expected"),
    ('{"model": "m", "question_id": 2}\n', 'rows.jsonl:2: "outputs" must be a list'),
    ("\ufeff\x00\n", "rows.jsonl:2:"),
]


@pytest.mark.parametrize(("line", "told"), BROKEN)
def test_a_faulty_row_is_named_and_nothing_is_stored(small: QuestionSet, tmp_path: Path, line: str, told: str) -> None:
    path = write(tmp_path / "rows.jsonl", answered(1))
    path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")
    out, errors = StringIO(), StringIO()
    words = ("import_answers", str(path), "--set", "small", "--format", "rows")
    with pytest.raises(CommandError, match="nothing was stored"):
        call_command(*words, stdout=out, stderr=errors)
    assert told in errors.getvalue()
    assert not Answer.objects.exists() and not EvaluationRun.objects.exists()
    call_command(*words, "--skip-bad", stdout=out, stderr=errors)
    assert Answer.objects.count() == 1


def test_half_a_packed_file_is_named_and_nothing_is_stored(small: QuestionSet, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    packed = gzip.compress("".join(json.dumps(answered(1, note=str(n**9))) + "\n" for n in range(500)).encode())
    path.write_bytes(packed[: len(packed) // 2])
    errors = StringIO()
    with pytest.raises(CommandError, match="nothing was stored"):
        call_command("import_answers", str(path), "--set", "small", "--format", "rows", stderr=errors)
    assert "the compressed file ends in the middle" in errors.getvalue()
    assert not Answer.objects.exists()


def test_faulty_questions_are_named_and_no_set_is_made(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", asked(1), asked(2, turns=["하나뿐"]))
    errors = StringIO()
    with pytest.raises(CommandError, match="nothing was stored"):
        call_command("load_question_set", str(path), "--slug", "s", "--format", "fastchat", stderr=errors)
    assert "q.jsonl:2: question 2 has no second turn" in errors.getvalue()
    assert not QuestionSet.objects.exists()


def test_a_reference_for_no_question_and_a_double_id_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", asked(1), asked(1))
    reference = {"question_id": 9, "model_id": "gpt-4", "choices": [{"turns": ["2", "4"]}]}
    references = write(tmp_path / "r.jsonl", reference)
    _, told = run("load_question_set", path, "--slug", "s", "--format", "fastchat", "--references", references)
    assert "question 1 is already in q.jsonl:1" in told
    assert "r.jsonl:1: a reference for question 9" in told
    assert Question.objects.count() == 1


def test_an_answered_set_is_never_changed_but_gets_a_new_version(small: QuestionSet, tmp_path: Path) -> None:
    run("import_answers", write(tmp_path / "a.jsonl", answered(1)), "--set", "small", "--format", "rows")
    again = load("small", write(tmp_path / "same.jsonl", asked(1), asked(2)), "fastchat")
    assert again == small
    changed = load("small", write(tmp_path / "other.jsonl", asked(1, turns=["2+2는?", "그럼?"])), "fastchat")
    small.refresh_from_db()
    assert (changed.suite.version, small.suite.version) == (2, 1)
    assert small.suite.retired_at is not None
    assert Answer.objects.get().question.question_set == small


def test_line_separators_and_a_byte_order_mark_do_not_break_rows(small: QuestionSet, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    text = json.dumps(answered(1, outputs=["가\u2028나", "다\u0085라"]), ensure_ascii=False)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\n")
    run("import_answers", path, "--set", "small", "--format", "rows")
    assert list(Message.objects.values_list("text", flat=True)) == ["가\u2028나", "다\u0085라"]


def test_an_unknown_set_or_a_missing_file_is_said_plainly(small: QuestionSet, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no question set nobody \(there are: small\)"):
        run("import_answers", tmp_path / "x", "--set", "nobody", "--format", "rows")
    with pytest.raises(CommandError, match="No such file"):
        run("import_answers", tmp_path / "x", "--set", "small", "--format", "rows")


def test_single_and_pairwise_judgments_need_names_of_their_own(small: QuestionSet, tmp_path: Path) -> None:
    single = {"question_id": 1, "model": "m", "judge": ["g", "single-v1"], "judgment": "[[7]]", "score": 7, "turn": 1}
    pair = {"question_id": 1, "model_1": "m", "model_2": "n", "judge": ["g", "pair-v2"], "turn": 1}
    pair |= {"g1_winner": "model_1", "g2_winner": "model_1", "g1_judgment": "[[A]]", "g2_judgment": "[[B]]"}
    words = ("--set", "small", "--format", "fastchat", "--judge", "g")
    with pytest.raises(CommandError, match="each kind by itself"):
        run("import_judgments", write(tmp_path / "both.jsonl", single, pair), *words)
    run("import_judgments", write(tmp_path / "single.jsonl", single), *words)
    with pytest.raises(CommandError, match="under another --judge"):
        run("import_judgments", write(tmp_path / "pair.jsonl", pair), *words)
    assert JudgedRun.objects.count() == 1


def test_unreadable_verdicts_have_no_score_and_keep_what_was_published(small: QuestionSet, tmp_path: Path) -> None:
    row = {"question_id": 1, "model": "m", "judge": ["g", "single-v1"]}
    rows = [
        {**row, "turn": 1, "judgment": "[[7/10]]", "score": 7},
        {**row, "turn": 2, "judgment": "[[11]]", "score": 11},
    ]
    _, told = run(
        "import_judgments", write(tmp_path / "j.jsonl", *rows), "--set", "small", "--format", "fastchat", "--judge", "g"
    )
    assert "not read: j.jsonl:1: question 1, turn 1: fraction" in told
    assert "not read: j.jsonl:2: question 1, turn 2: out_of_range" in told and "in all 2 verdicts" in told
    found = list(Judgment.objects.order_by("turn").values_list("status", "score", "failure", "published"))
    assert found == [("unparsable", None, "fraction", "7"), ("unparsable", None, "out_of_range", "11")]
    judged = JudgedRun.objects.get()
    assert judged.is_invalid and judged.n_unparsable == 2
    means = [judged.standing(failed).overall.value for failed in ("dropped", "zero", "one")]  # type: ignore[union-attr, arg-type]
    assert means == [None, 0.0, 1.0]
