"""Judges side by side: their vote, their agreement, and the page of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import Client

from leaderboard import panel, panel_page
from tests.leaderboard.judged import Judged, judge_answers, make_judge, make_judged, make_judgment

GOOD = [(9.0, 8.0), (8.0, 9.0), (9.0, 9.0)]
FAIR = [(6.0, 5.0), (5.0, 4.0), (9.0, 8.0)]


@pytest.fixture
def judged(db: None) -> Judged:
    return make_judged({"maker/good": GOOD, "maker/fair": FAIR})


def _page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return response.content.decode()


def test_three_scores_vote_by_their_median_and_two_by_their_mean() -> None:
    assert panel.score_vote([2.0, 9.0, 8.0]) == 8.0
    assert panel.score_vote([2.0, 9.0]) == 5.5


def test_a_majority_is_more_than_half() -> None:
    assert panel.majority([panel.WIN, panel.WIN, panel.LOSS]) == panel.WIN
    assert panel.majority([panel.WIN, panel.TIE, panel.LOSS]) is None
    assert panel.majority([panel.WIN, panel.LOSS]) is None


def test_judges_of_one_mind_agree_fully_and_a_constant_judge_beyond_chance_never() -> None:
    draw = np.random.default_rng(0)
    scores = draw.integers(1, 11, 60).astype(float)
    questions = np.repeat(np.arange(20), 3).tolist()
    same = panel.scores_agree(questions, np.column_stack([scores, scores]))
    assert same.alpha is not None and same.alpha.value == pytest.approx(1.0)
    assert (same.n, same.questions) == (60, 20)
    constant = panel.scores_agree(questions, np.column_stack([scores, np.full(60, scores.mean())]))
    kappa = constant.kappas[0, 1]
    assert kappa is not None and kappa.value == pytest.approx(0.0, abs=1e-9)


def test_alpha_of_interval_data_is_krippendorffs() -> None:
    """By hand: units (1, 2), (3, 3): observed 0.5, expected mean squared difference of 1, 2, 3, 3 = 11/6."""
    found = panel.scores_agree(["a", "b"], np.array([[1.0, 2.0], [3.0, 3.0]]))
    assert found.alpha is not None and found.alpha.value == pytest.approx(1 - 0.5 / (11 / 6))


def test_kappa_of_pairs_is_cohens() -> None:
    rows = [[0, 0]] * 20 + [[0, 1]] * 5 + [[1, 0]] * 10 + [[1, 1]] * 15
    found = panel.pairs_agree(list(range(50)), rows)
    kappa = found.kappas[0, 1]
    assert kappa is not None and kappa.value == pytest.approx(0.4)
    assert kappa.low < 0.4 < kappa.high
    assert found.alpha is not None and found.alpha.value == pytest.approx(0.4, abs=0.02)


def test_the_page_shows_the_vote_of_the_seated_judges_and_their_agreement(judged: Judged, client: Client) -> None:
    second, third = make_judge("second"), make_judge("third")
    for judge, shift in ((second, 0.0), (third, -3.0)):
        for answers, told in zip(judged.answers, (GOOD, FAIR), strict=True):
            judge_answers(judge, answers, [(a + shift, b + shift) for a, b in told])
    first = f"{judged.judge.slug}@1"
    text = _page(client, f"/en/judge-panel/?set=ko-talk&judge={first}&judge=second@1&judge=third@1")
    assert "The vote is the median of the three scores." in text
    assert "squared weights" in text
    assert "of 3 questions that all of them judged" in text
    two = _page(client, f"/en/judge-panel/?set=ko-talk&judge={first}&judge=third@1&judge=")
    assert "The vote is the mean of the two scores." in two
    assert "7.50" in two and "third</th>" in two and "second</th>" not in two
    assert "나란히" in _page(client, "/ko/judge-panel/") or "judge-panel" in _page(client, "/ko/judges/")


def test_judges_of_pairs_vote_by_majority(judged: Judged, client: Client) -> None:
    own, rival = judged.answers[0], judged.answers[1][0]
    for slug, verdicts in (("p1", ("A>B", "A>B")), ("p2", ("A>>B", "A>B")), ("p3", ("A>B", "B>A"))):
        judge = make_judge(slug, mode="pair")
        for swapped, verdict in zip((False, True), verdicts, strict=True):
            make_judgment(judge, own[0], 1, None, status="done", failure="", verdict=verdict, swapped=swapped,
                          rival=rival.conversation)  # fmt: skip
        judge_answers_of_pairs(judge, judged)
    text = _page(client, "/en/judge-panel/?judge=p1@1&judge=p2@1&judge=p3@1")
    assert "The vote is the majority" in text
    row = text.split("Answer by answer")[1].split("<tbody>")[1]
    assert [row.count(f">{word}<") for word in ("won", "tie", "lost")] == [3, 1, 0]


def judge_answers_of_pairs(judge: Any, judged: Judged) -> None:
    from judging.models import JudgedRun

    JudgedRun.objects.create(run=judged.runs[0], judge=judge, question_set=judged.question_set)


def test_without_a_second_judge_there_is_no_panel(judged: Judged, client: Client) -> None:
    assert "A panel needs a question set" in _page(client, "/en/judge-panel/")


def test_answers_of_hidden_models_are_left_out(judged: Judged, client: Client) -> None:
    second = make_judge("second")
    for answers, told in zip(judged.answers, (GOOD, FAIR), strict=True):
        judge_answers(second, answers, told)
    model = judged.answers[1][0].revision.language_model
    model.hidden_reason = "asked to"
    model.save()
    built = panel_page.build(judged.question_set, [judged.judge, second], -1)
    assert built is not None and {line.answer.revision.language_model.name for line in built.lines} == {"good"}


def test_queries_do_not_grow_with_the_panel(judged: Judged, client: Client, django_assert_max_num_queries: Any) -> None:
    for slug in ("second", "third"):
        for answers, told in zip(judged.answers, (GOOD, FAIR), strict=True):
            judge_answers(make_judge(slug) if answers is judged.answers[0] else _judge(slug), answers, told)
    with django_assert_max_num_queries(9):
        client.get("/en/judge-panel/")


def _judge(slug: str) -> Any:
    from judging.models import Judge

    return Judge.objects.get(slug=slug)
