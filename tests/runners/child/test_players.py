from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from runners.child.errors import ChildError
from runners.child.players import PLAYERS, Constant, NGram, Random, last_turn, load, options_of
from runners.reports import ModelSpec, RunSpec

PROMPT = "문제: 대한민국의 수도는 어디인가?\nA. 부산\nB. 서울\nC. 대구\nD. 광주\n정답:"
CHAT = json.dumps([{"role": "system", "content": "A. 아님"}, {"role": "user", "content": PROMPT}], ensure_ascii=False)


@dataclass
class Request:
    args: tuple[Any, ...]
    idx: int = 0


def likelihoods(player: Any, prompt: str, options: list[str]) -> list[float]:
    asked = [Request((prompt, f" {option}"), idx) for idx, option in enumerate(options)]
    return [score for score, _ in player.loglikelihood(asked)]


def test_options_are_the_last_block_of_option_lines() -> None:
    few_shot = "Q\nA. 하나\nB. 둘\n정답: A\n\n" + PROMPT
    assert options_of(few_shot) == [("A", "부산"), ("B", "서울"), ("C", "대구"), ("D", "광주")]


@pytest.mark.parametrize("lines", ["1. 가\n2. 나", "(1) 가\n(2) 나", "① 가\n② 나", "A) 가\nB) 나", "ㄱ. 가\nㄴ. 나"])
def test_many_forms_of_labels_are_read(lines: str) -> None:
    assert [text for _, text in options_of(f"고르시오.\n{lines}\n답:")] == ["가", "나"]


def test_a_prompt_without_options_has_none() -> None:
    assert options_of("1.5와 2의 합은?") == []


def test_a_chat_is_read_by_its_last_user_turn() -> None:
    assert last_turn(CHAT) == PROMPT


@pytest.mark.parametrize("name", sorted(PLAYERS))
def test_every_player_answers_the_same_when_asked_again(name: str) -> None:
    first, second = PLAYERS[name](7), PLAYERS[name](7)
    ask = [Request((PROMPT, {})), Request((CHAT, {}))]
    assert first.generate_until(ask) == second.generate_until(ask)
    options = ["부산", "서울", "대구", "광주"]
    assert likelihoods(first, PROMPT, options) == likelihoods(second, CHAT, options)


def test_constant_takes_the_first_option_both_ways() -> None:
    player = Constant(0)
    assert player.generate_until([Request((CHAT, {}))]) == ["A"]
    scores = likelihoods(player, PROMPT, ["부산", "서울", "대구", "광주"])
    assert scores.index(max(scores)) == 0


def test_random_takes_every_option_about_as_often() -> None:
    player = Random(1)
    asked = [Request((PROMPT.replace("문제", f"문제 {i}"), {})) for i in range(4000)]
    replies = player.generate_until(asked)
    assert {label: pytest.approx(1000, abs=120) for label in "ABCD"} == {c: replies.count(c) for c in "ABCD"}


def test_random_changes_with_the_seed() -> None:
    asked = [Request((PROMPT.replace("문제", f"문제 {i}"), {})) for i in range(50)]
    assert Random(1).generate_until(asked) != Random(2).generate_until(asked)


def test_echo_repeats_the_prompt_and_prefers_what_it_shares() -> None:
    player = PLAYERS["reference/echo"](0)
    assert player.generate_until([Request((CHAT, {}))]) == [PROMPT]
    scores = likelihoods(player, "오늘은 날씨가 맑다.", ["날씨가 흐리다", "기차가 온다"])
    assert scores[0] > scores[1]


def test_ngram_prefers_text_like_what_it_has_seen() -> None:
    scores = likelihoods(NGram(0), "서울은 수도이다. 서울은 크다.", ["서울은 수도이다", "퀡뷁쒧 꿻"])
    assert scores[0] > scores[1]


def test_ngram_gives_probabilities_that_sum_to_at_most_one() -> None:
    from runners.child.players import count_ngrams

    player = NGram(0)
    here = count_ngrams("가나다가나라")
    characters = {gram for gram in player._corpus if len(gram) == 1 and gram != "\0"}
    total = sum(player._probability(here, "가나", char) for char in characters)
    assert total <= 1 + 1e-9


@pytest.mark.parametrize("name", sorted(PLAYERS))
def test_a_letter_is_scored_as_the_option_under_it(name: str) -> None:
    player = PLAYERS[name](3)
    assert likelihoods(player, PROMPT, list("ABCD")) == likelihoods(player, PROMPT, ["부산", "서울", "대구", "광주"])


def test_an_unknown_player_is_named_with_those_that_exist(tmp_path: Any) -> None:
    with pytest.raises(ChildError, match="reference/ngram"):
        load(RunSpec(1, 1, str(tmp_path), ModelSpec("reference", "reference/genius"), []))
