from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from runners.child import prompts
from runners.child.sets import click, haerae, kmmlu, kormedmcqa

lm_eval = pytest.importorskip("lm_eval")

OPTIONS = dict(zip("ABCDE", ["가", "나", "다", "라", "마"], strict=True))
ROW = {"question": " 다음 중 옳은 것은? ", "answer": 3, **OPTIONS}
CLICK = {"id": "KIIP_law_1", "question": "옳은 것은?", "choices": ["가", "나", "다", "라"], "answer": "다"}


def rendered(config: dict[str, Any], key: str, doc: dict[str, Any]) -> str:
    from lm_eval.utils import apply_template

    return str(doc[config[key]] if config[key] in doc else apply_template(config[key], doc))


def configs(theirs: str, ours: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """lm-eval's YAML of a task and ours."""
    from lm_eval.tasks._yaml_loader import load_yaml

    from runners.resolving import TASKS

    return load_yaml(Path(lm_eval.__file__).parent / "tasks" / theirs), load_yaml(TASKS / ours)


@pytest.mark.parametrize(
    ("theirs", "ours", "doc"),
    [
        ("kmmlu/default/kmmlu_biology.yaml", "kmmlu/kmmlu_stem.yaml", kmmlu.parts("stem")[0].doc(ROW, 0)),
        ("kmmlu/hard/kmmlu_hard_biology.yaml", "kmmlu/kmmlu_hard_stem.yaml", kmmlu.parts("stem")[0].doc(ROW, 0)),
        ("kormedmcqa/doctor.yaml", "kormedmcqa/kormedmcqa_doctor.yaml", kormedmcqa.parts("doctor")[0].doc(ROW, 0)),
        (
            "haerae/haerae_hi.yaml",
            "haerae/haerae_history.yaml",
            haerae.parts("history")[0].doc({"query": "질문 (A) 가 (B) 나\n정답: ", "answer": "(B)"}, 0),
        ),
    ],
)
def test_the_likelihood_prompt_is_lm_evals(theirs: str, ours: str, doc: dict[str, Any]) -> None:
    upstream, own = configs(theirs, ours)
    assert rendered(own, "doc_to_text", doc) == rendered(upstream, "doc_to_text", doc)
    if "doc_to_choice" in upstream:
        choices = own["doc_to_choice"](doc) if callable(own["doc_to_choice"]) else doc[own["doc_to_choice"]]
        assert choices == upstream["doc_to_choice"]
        target = rendered(upstream, "doc_to_target", doc)
        assert doc["gold"] == (int(target) if target.isdigit() else choices.index(target))


@pytest.mark.parametrize("paragraph", ["", "지문입니다."])
def test_a_click_item_with_four_options_is_asked_in_lm_evals_words(paragraph: str) -> None:
    upstream = importlib.import_module("lm_eval.tasks.click.click_cul.utils")
    doc = click.parts("law")[0].doc({**CLICK, "paragraph": paragraph}, 0)
    assert doc is not None
    assert prompts.click(doc) == upstream.get_context({**CLICK, "paragraph": paragraph})
    assert prompts.letters(doc) == upstream.get_choices(CLICK)
    assert prompts.letter(doc) == upstream.get_target(CLICK)


def test_a_fifth_option_is_shown_and_named() -> None:
    raw = {**CLICK, "id": "CSAT_korean_22_1", "choices": [*CLICK["choices"], "마"], "answer": "마"}
    doc = click.parts("textual")[0].doc(raw, 0)
    assert doc is not None
    assert "A, B, C, D, E 중에" in prompts.click(doc)
    assert prompts.click(doc).endswith("D: 라, E: 마\n정답:")
    assert prompts.letter(doc) == "E"


def test_a_short_answer_is_asked_without_its_options() -> None:
    doc = {"stem": "수도는?", "options": ["부산", "서울"], "gold": 1, "accepted": ["서울"]}
    assert "부산" not in prompts.ask_item(doc)
    assert "A. 부산\nB. 서울" in prompts.listed_choice(doc)
    assert prompts.item_target(doc) == "서울"


def test_every_generation_prompt_ends_where_an_answer_begins() -> None:
    doc = {"stem": "수도는?", "options": ["부산", "서울"], "gold": 1, "accepted": None}
    assert prompts.ask_choice(doc).endswith("A. 부산\nB. 서울\n정답:")
    assert prompts.ask_number(doc).endswith("풀이:")
