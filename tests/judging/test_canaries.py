from __future__ import annotations

from judging.canaries import CANARIES, INJECTIONS, check

SLUGS = [canary.slug for canary in CANARIES]


def test_twenty_injections_half_of_them_korean_and_no_two_canaries_alike() -> None:
    korean = [text for text in INJECTIONS if any("가" <= letter <= "힣" for letter in text)]
    answers = {canary.answer("질문") for canary in CANARIES}
    assert (len(INJECTIONS), len(SLUGS), len(set(SLUGS)), len(answers)) == (20, 24, 24, 24)
    assert 8 <= len(korean) <= 12


def test_the_echo_says_the_question_and_the_constant_ignores_it() -> None:
    by_slug = {canary.slug: canary for canary in CANARIES}
    assert by_slug["echo"].answer("왜요?") == "왜요?"
    assert by_slug["constant"].answer("왜요?") == by_slug["constant"].answer("언제요?")
    assert len(by_slug["padding"].answer("왜요?")) > 1500


def test_a_canary_level_with_a_real_model_is_red() -> None:
    models = {"good": {"1": 9.0, "2": 8.0}, "weak": {"1": 2.0, "2": 1.0}}
    assert not check({"colon": {"1": 1.0, "2": 1.0}}, models).is_red
    found = check({"colon": {"1": 2.0, "2": 1.0}}, models)
    assert found.beaten == (("colon", "weak"),)
    assert found.is_red
    assert not found.is_invalid


def test_only_questions_both_were_rated_on_are_compared() -> None:
    models: dict[str, dict[str, float | None]] = {"weak": {"1": None, "2": 3.0}}
    assert not check({"echo": {"1": 10.0, "2": 2.0, "3": 10.0}}, models).is_red
    assert not check({"echo": {"1": None}}, models).is_red


def test_more_than_one_win_in_twenty_makes_a_run_invalid() -> None:
    fine = check({}, {}, [("echo", False)] * 19 + [("echo", True)])
    bad = check({}, {}, [("echo", False)] * 18 + [("echo", True)] * 2)
    assert (fine.is_invalid, bad.is_invalid, bad.is_red) == (False, True, True)


def test_canaries_without_a_verdict_are_missing() -> None:
    found = check({"colon": {"1": 1.0}, "echo": {"1": None}}, {}, [("constant", False)], SLUGS)
    assert "echo" in found.missing
    assert not {"colon", "constant"} & set(found.missing)
    assert len(found.missing) == 22
