"""Which votes count: names in answers, error texts, caps, duplicates."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from arena import names, screening
from arena.screening import Cast, Limits, screen
from tests.shared import shared_data

ANSWERS = ["서울은 대한민국의 수도입니다.", "수도는 서울이에요."]


def rules(**facts: object) -> list[str]:
    known = {"answers": ANSWERS, "prompts": ["수도는?"], "seconds": 20.0, "age_seconds": 60.0, **facts}
    return [finding.rule for finding in screen(Cast(**known), Limits())]  # type: ignore[arg-type]


def test_98_of_100_identity_answers_are_found() -> None:
    lines = (Path(__file__).parent / "identity_answers.jsonl").read_text(encoding="utf-8").splitlines()
    answers = [json.loads(line) for line in lines]
    missed = [one["text"] for one in answers if not names.leaks(one["text"])]
    assert len(answers) >= 500
    assert len(missed) <= 0.02 * len(answers), missed[:5]


def test_at_most_one_real_answer_in_100_is_taken_for_a_leak() -> None:
    pairs = random.Random(3).sample(_logickor(), 1000) + random.Random(4).sample(_arena_hard(), 1000)
    hits = [answer for prompt, answer in pairs if names.leaks(answer, prompt)]
    assert len(hits) <= 20


def _logickor() -> list[tuple[str, str]]:
    questions = {}
    for line in (shared_data("logickor/questions.jsonl")).read_text(encoding="utf-8").split("\n"):
        if line:
            row = json.loads(line)
            questions[row["id"]] = "\n".join(row["questions"])
    found = []
    with gzip.open(shared_data("logickor/answers_default.jsonl.gz"), "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            row = json.loads(line)
            found += [(questions[row["question_id"]], text) for text in row["outputs"] if text]
    return found


def _arena_hard() -> list[tuple[str, str]]:
    questions = {}
    with gzip.open(shared_data("ko_arena_hard/question.jsonl.gz"), "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            row = json.loads(line)
            questions[row["question_id"]] = row["turns"][0]["content"]
    found = []
    for path in sorted(shared_data("ko_arena_hard/model_answer").glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            for line in file:
                row = json.loads(line)
                text = row["choices"][0]["turns"][0]["content"]
                found.append((questions[row["question_id"]], text["answer"] if isinstance(text, dict) else text))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "저는 하이퍼 클로바 X입니다.",
        "저는 업스테이지의 솔라예요.",
        "Ｉ ａｍ ＣｈａｔＧＰＴ.",
        "저는 **엑사원**이라고 해요",
        "저는 챗 지피티입니다",
        "제 이름은 카\u200b나나예요",
        "KT의 믿음입니다. 저는 AI예요.",
    ],
)
def test_spelling_particles_and_emphasis_hide_no_name(text: str) -> None:
    assert names.leaks(text)


@pytest.mark.parametrize(
    "text",
    [
        "라마단은 이슬람력의 아홉째 달입니다.",
        "안데스 산맥에는 라마가 삽니다.",
        "서로에 대한 믿음이 중요합니다.",
        "구글과 애플은 미국 회사입니다.",
        "The palm tree and the solar panel stand beside the bard.",
        "태양광(솔라) 패널의 효율은 20 %입니다.",
        "네이버 지도에서 길을 찾아보세요.",
        "메타 분석은 여러 연구를 묶습니다.",
        "각도 phi1과 phi2의 차를 구합니다.",
        "쌍둥이자리(Gemini)는 겨울 별자리입니다.",
    ],
)
def test_a_word_that_is_also_a_name_is_no_leak(text: str) -> None:
    assert names.leaks(text) == []


def test_a_name_the_prompt_brought_up_is_a_mention_and_no_leak() -> None:
    prompt = "ChatGPT와 딥시크의 차이는?"
    assert {hit.name for hit in names.mentions(prompt)} == {"chatgpt", "딥시크"}
    assert names.leaks("ChatGPT는 미국, 딥시크는 중국에서 만들었습니다.", prompt) == []
    assert names.leaks("저는 ChatGPT라서 자세히 알아요.", prompt)


def test_the_names_of_this_sites_own_models_are_leaks() -> None:
    assert names.leaks("한밭-7B가 답합니다.") == []
    assert names.leaks("한밭-7B가 답합니다.", own=["한밭-7B"])


def test_a_plain_vote_falls_under_no_rule() -> None:
    assert rules() == []


def test_each_rule_names_its_vote() -> None:
    assert rules(answers=["저는 네이버가 만든 클로바입니다.", "네"]) == ["leak"]
    assert rules(answers=["Error code: 500", "네"]) == ["error_text"]
    assert rules(answers=["", "네"]) == ["error_text"]
    assert rules(seconds=0.4) == ["too_fast"]
    assert rules(age_seconds=3601) == ["too_late"]
    assert rules(same_prompt=20, prompt_limit=20) == ["duplicate_prompt"]
    assert rules(votes_of_voter=50) == ["voter_cap"]
    assert rules(votes_of_voter_on={"a": 5}) == ["voter_model_cap"]
    assert rules(votes_of_network=200) == ["network_cap"]
    assert rules(is_repeat=True) == ["swapped_repeat"]
    assert rules(votes_of_voter=49, votes_of_voter_on={"a": 4}, votes_of_network=199, seconds=3.0) == []


def test_a_detail_names_no_text_of_the_battle() -> None:
    finding = screen(Cast(["저는 딥시크이고 비밀번호는 1234입니다."], ["?"], 20, 60), Limits())[0]
    assert finding.detail == "an answer names 딥시크"


def test_a_long_answer_may_speak_of_errors() -> None:
    assert not screening.is_error("오류가 발생했습니다라는 문구는 " + "사용자에게 도움이 되지 않습니다. " * 30)


def test_refusals_are_known_and_count() -> None:
    assert screening.is_refusal("죄송하지만 그 요청은 도와드릴 수 없습니다.")
    assert screening.is_refusal("I'm sorry, but I can't help with that.")
    assert not screening.is_refusal("서울입니다.")
    assert rules(answers=["죄송하지만 그 요청은 도와드릴 수 없습니다.", "서울"]) == []


def test_prompts_that_differ_in_space_case_and_signs_are_one() -> None:
    assert screening.prompt_key(["한국의 수도는?"]) == screening.prompt_key([" 한국의  수도는！？"])
    assert screening.prompt_key(["a"]) != screening.prompt_key(["b"])


def test_the_limit_of_a_prompt_is_the_99_9_quantile_and_never_under_20() -> None:
    assert screening.over_represented([]) == 20
    assert screening.over_represented([1] * 100) == 20
    assert screening.over_represented([1] * 998 + [70, 900]) == 70


def test_a_small_arena_lets_a_voter_meet_its_models_more_often() -> None:
    assert Limits().for_models(6).voter_model_day == 34
    assert Limits().for_models(40).voter_model_day == 5
