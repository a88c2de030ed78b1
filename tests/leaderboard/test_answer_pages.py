from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from judging.models import Judgment, TrialPoint
from leaderboard import answer_page, question_pages
from tests.leaderboard.hostile import RUN
from tests.leaderboard.judged import Judged, judge_answers, make_judge, make_judged, make_judgment

pytestmark = pytest.mark.django_db
GOOD = [(9.0, 8.0), (8.0, 9.0), (9.0, 9.0)]
FAIR = [(6.0, 5.0), (5.0, None), (9.0, 8.0)]
POOR = [(3.0, 2.0), (2.0, 3.0), (9.0, 9.0)]


@pytest.fixture
def judged() -> Judged:
    return make_judged({"maker/good": GOOD, "maker/fair": FAIR, "maker/poor": POOR})


def _page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return response.content.decode()


def test_an_answer_shows_question_turns_scores_and_reasons(judged: Judged, client: Client) -> None:
    text = _page(client, f"/en/answers/{judged.answers[0][0].pk}/")
    for part in ("첫 질문 1입니다.", "이어지는 질문 1입니다.", "<strong>답변</strong>", "9.00", "8.00", "참고 답안",
                 "근거가 <strong>분명</strong>합니다.", judged.judge.name):  # fmt: skip
        assert part in text
    assert "Hangul <b" in text


def test_the_same_question_is_read_side_by_side(judged: Judged, client: Client) -> None:
    own, other = judged.answers[0][0], judged.answers[2][0]
    text = _page(client, f"/ko/answers/{own.pk}/?with={other.pk}")
    sides = text.split('<div class="sides">')[1].split("<h2>")[0]
    assert "good</a></h3>" in sides
    assert "poor</a>" in sides
    assert "fair" not in sides


def test_the_best_other_answer_stands_beside_it_when_none_is_asked_for(judged: Judged) -> None:
    found = answer_page.find(judged.answers[2][0].pk)
    assert found is not None
    assert [side.answer.revision.language_model.name for side in answer_page.read(found).beside] == ["good"]


def test_several_judges_give_a_vote_with_its_span(judged: Judged, client: Client) -> None:
    answer = judged.answers[0][0]
    for score in (8.0, 4.0):
        make_judgment(make_judge(), answer, 1, score)
    found = answer_page.find(answer.pk)
    assert found is not None
    turn = answer_page.read(found).spoken.turns[0]
    assert turn.vote == answer_page.Vote(3, 8.0, 5.0)
    assert "Vote of 3 judges: 8.00" in _page(client, f"/en/answers/{answer.pk}/")


def test_repeats_are_all_shown_and_their_mean_leads(judged: Judged, client: Client) -> None:
    answer = judged.answers[0][0]
    make_judgment(judged.judge, answer, 1, 7.0, repeat=1)
    text = _page(client, f"/en/answers/{answer.pk}/")
    assert '<span class="score number">8.00</span>' in text
    assert "#2" in text


def test_an_unread_verdict_is_said_and_never_a_zero(judged: Judged, client: Client) -> None:
    text = _page(client, f"/en/answers/{judged.answers[1][1].pk}/")
    assert "could not be read" in text
    assert "no rating" in text
    assert "0.00" not in text


def test_texts_are_marked_with_the_language_they_are_in(judged: Judged, client: Client) -> None:
    answer = judged.answers[0][0]
    english = "The answer is correct and it keeps to the form that was asked for."
    make_judgment(make_judge(), answer, 1, 8.0, reason=english)
    make_judgment(make_judge(), answer, 1, None, failure="fraction", reason="7/10")
    text = _page(client, f"/en/answers/{answer.pk}/")
    assert f'lang="en"><p>{english}' in text
    assert 'lang="ko"><p>근거가' in text
    assert 'lang=""><p>7/10' in text
    assert "a fraction instead of a score" in text


def test_a_judge_of_pairs_is_shown_with_the_share_of_games_won(judged: Judged, client: Client) -> None:
    judge = make_judge("pairs", mode="pair")
    own, rival = judged.answers[0][0], judged.answers[1][0]
    for swapped, verdict in ((False, "A>B"), (True, "A=B")):
        make_judgment(judge, own, 1, None, status="done", failure="", verdict=verdict, swapped=swapped,
                      rival=rival.conversation)  # fmt: skip
    neighbours, columns = answer_page.neighbours_of(own.question)
    shares = {one.answer.pk: one.scores.get((judge.pk, 1)) for one in neighbours}
    assert (judge, 1) in columns
    assert shares[own.pk] == 0.75
    assert "this answer is A, fair is B" in _page(client, f"/en/answers/{own.pk}/")


def test_a_failed_answer_says_that_there_is_nothing_to_grade(judged: Judged, client: Client) -> None:
    answer = judged.answers[0][0]
    answer.conversation.messages.filter(turn=2, role="assistant").update(text="", status="error", error_kind="timeout")
    text = _page(client, f"/en/answers/{answer.pk}/")
    assert "The request failed, so there is nothing to grade." in text
    assert "timeout" in text


def test_a_hostile_answer_or_reason_does_nothing(client: Client) -> None:
    attack = f"<script>{RUN}</script> [x](javascript:{RUN}) <img src=/admin/logout/>"
    judged = make_judged({"maker/bad": GOOD}, texts={"maker/bad": attack})
    Judgment.objects.update(reason=attack)
    for address in (f"/en/answers/{judged.answers[0][0].pk}/", f"/en/judges/{judged.judge.slug}/"):
        text = _page(client, address)
        assert f"<script>{RUN}" not in text
        assert "<img src=/admin" not in text
        assert 'href="javascript' not in text


def test_a_withdrawn_or_hidden_answer_is_not_shown(judged: Judged, client: Client) -> None:
    withdrawn, hidden = judged.runs[0], judged.runs[1].revision.language_model
    withdrawn.withdrawn_at = timezone.now()
    withdrawn.save()
    hidden.hidden_reason = "by request"
    hidden.save()
    assert client.get(f"/en/answers/{judged.answers[0][0].pk}/").status_code == 404
    assert client.get(f"/en/answers/{judged.answers[1][0].pk}/").status_code == 404
    text = _page(client, "/en/questions/ko-talk/q-1/")
    assert "1 answer<" in text
    assert ">good<" not in text


def test_queries_do_not_grow_with_the_number_of_answers(client: Client, django_assert_max_num_queries: Any) -> None:
    judged = make_judged({f"maker/m{number}": GOOD for number in range(12)})
    for address in (
        f"/en/answers/{judged.answers[0][0].pk}/",
        "/en/questions/ko-talk/q-1/",
        f"/en/questions/ko-talk/?run={judged.runs[0].pk}",
        f"/en/boards/ko-talk/compare/?models={judged.runs[0].pk},{judged.runs[1].pk}",
        "/en/judges/",
        f"/en/judges/{judged.judge.slug}/",
    ):
        with django_assert_max_num_queries(12):
            _page(client, address)


def test_questions_are_listed_with_the_mean_of_all_models(judged: Judged, client: Client) -> None:
    text = _page(client, f"/en/questions/ko-talk/?run={judged.runs[1].pk}")
    assert "× fair" in text
    assert "5.50" in text  # q-1: the mean of all six judgments, and fair's own
    assert f'href="/en/answers/{judged.answers[1][0].pk}/"' in text
    assert '<td class="number bad">1</td>' in text


def test_models_are_compared_where_they_differ_most(judged: Judged, client: Client) -> None:
    text = _page(client, f"/en/boards/ko-talk/compare/?models={judged.runs[0].pk},{judged.runs[2].pk}")
    order = [text.index(f"/questions/ko-talk/{key}/") for key in ("q-1", "q-2", "q-3")]
    assert order == sorted(order)
    assert '<tr class="faint">' in text  # q-3: equal, so below the noise
    assert f"/en/answers/{judged.answers[0][0].pk}/?with={judged.answers[2][0].pk}" in text


def test_comparing_needs_two_models(judged: Judged, client: Client) -> None:
    assert "Choose two to four models" in _page(client, "/en/boards/ko-talk/compare/")


@pytest.mark.parametrize("address", ["/en/answers/999/", "/en/questions/nothing/", "/en/questions/ko-talk/no/",
                                     "/en/judges/nobody/", "/en/boards/nothing/compare/"])  # fmt: skip
def test_what_is_not_there_is_not_found(judged: Judged, client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


def test_a_judge_shows_its_trial_its_words_and_its_reasons(judged: Judged, client: Client) -> None:
    text = _page(client, f"/en/judges/{judged.judge.slug}/")
    for part in ("83.3 %", "20/24", "±0.50", "correct and complete", "fluent but wrong", "colon", "질문: {question}",
                 "a" * 64, "2 ties count as misses", "근거가 <strong>분명</strong>합니다."):  # fmt: skip
        assert part in text
    assert "3.7 %" not in text
    assert "could not be read" in _page(client, f"/en/judges/{judged.judge.slug}/?shown=unread")


def test_a_judge_shows_how_it_rated_known_pairs_over_time(judged: Judged, client: Client) -> None:
    for run, hits in zip(judged.runs, (19, 12, 20), strict=True):
        TrialPoint.objects.create(
            judge=judged.judge, question_set=judged.question_set, run=run, hits=hits, n=20, canary_mean=1.5,
            n_canaries=14, n_judgments=20, kinds={"canary": [hits, 20]},
        )  # fmt: skip
    text = _page(client, f"/en/judges/{judged.judge.slug}/")
    assert "Over time" in text and "3 judgings" in text
    assert text.count("canaries below the complete answer, or the baseline") >= 4
    assert "60.0 (38.7–78.1), n=20" in text and "12/20" in text and "1.50" in text
    assert "style=" not in text


def test_judges_stand_side_by_side_on_the_same_answers(judged: Judged, client: Client) -> None:
    second, third = make_judge("second"), make_judge("third")
    judge_answers(second, judged.answers[0], [(9.0, 8.0), (8.0, 9.0), (5.0, 9.0)])
    judge_answers(third, judged.answers[0], GOOD)
    text = _page(client, f"/en/judges/{judged.judge.slug}/")
    assert "Beside other judges, on the same answers" in text
    assert "5/6" in text
    assert "Vote of 3 judges" in text
    assert "Where they are furthest apart" in text


def test_the_list_of_judges_names_a_red_one(client: Client) -> None:
    from tests.leaderboard.judged import REPORT

    make_judged({"maker/a": GOOD}, report={**REPORT, "canaries": {**REPORT["canaries"], "is_red": True}})
    text = _page(client, "/ko/judges/")
    assert "pill failed" in text
    assert "20/24" in text


def test_a_question_that_one_model_has_no_score_on_tells_no_difference(judged: Judged, client: Client) -> None:
    Judgment.objects.filter(run=judged.runs[2], subject__answer__question__key="q-1").delete()
    address = f"/en/boards/ko-talk/compare/?models={judged.runs[0].pk},{judged.runs[2].pk}"
    text = _page(client, address)
    assert "/en/questions/ko-talk/q-1/" not in text and "/en/questions/ko-talk/q-2/" in text
    assert "on the 2 questions that both have a score on" in text


def test_the_difference_of_two_models_has_its_interval_over_shared_questions(judged: Judged, client: Client) -> None:
    text = _page(client, f"/en/boards/ko-talk/compare/?models={judged.runs[0].pk},{judged.runs[2].pk}")
    found = re.search(r'<b class="number">([+−][\d.]+)</b> <span class="number soft">(\S+) … (\S+)</span>', text)
    assert found is not None
    mean, low, high = (float(part.replace("−", "-")) for part in found.groups())
    question = [one.spread for one in question_pages.contrasts(judged.question_set, judged.judge,
                                                               [judged.runs[0].pk, judged.runs[2].pk])]  # fmt: skip
    assert len(question) == 3 and low < mean < high
    assert mean == pytest.approx((low + high) / 2, abs=0.011)
    assert "told apart" in text


def test_the_two_comparisons_lead_to_each_other(judged: Judged, client: Client) -> None:
    first, second = (run.revision.slug for run in judged.runs[:2])
    response = client.get(f"/ko/compare/?suite=ko-talk&models={first},{second}")
    runs = f"{judged.runs[0].pk},{judged.runs[1].pk}"
    assert (response.status_code, response["Location"]) == (302, f"/ko/boards/ko-talk/compare/?models={runs}")
    text = _page(client, response["Location"])
    assert f"/ko/compare/?suite=ko-talk&amp;models={first}&amp;models={second}" in text
    assert client.get("/ko/compare/?suite=ko-talk")["Location"] == "/ko/boards/ko-talk/compare/"
    form = _page(client, "/en/boards/ko-talk/compare/")
    assert form.count('type="checkbox" name="models"') == len(judged.runs)


def test_the_built_in_rule_has_no_vote_beside_a_judge_that_reads(judged: Judged, client: Client) -> None:
    rule = make_judge("rule", kind="builtin")
    judge_answers(rule, judged.answers[0], GOOD)
    assert "Vote of" not in _page(client, f"/en/answers/{judged.answers[0][0].pk}/")
