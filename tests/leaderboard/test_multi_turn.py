from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from judging.scores import Mean
from leaderboard import multi_turn
from leaderboard.multi_turn_choice import Choice, category_title
from leaderboard.multi_turn_ranks import question_scores
from leaderboard.published import publisher
from runners import runs
from tests.leaderboard.judged import REPORT, Judged, judge_answers, make_judge, make_judged

pytestmark = pytest.mark.django_db
GOOD = [(9.0, 8.0), (8.0, 9.0), (9.0, 9.0), (8.0, 8.0), (9.0, 8.0), (9.0, 9.0)]
FAIR = [(6.0, 5.0), (5.0, 6.0), (6.0, 6.0), (5.0, 5.0), (6.0, 5.0), (6.0, 6.0)]
POOR = [(3.0, 2.0), (2.0, 3.0), (3.0, 3.0), (None, 2.0), (3.0, 2.0), (3.0, 3.0)]


@pytest.fixture
def judged() -> Judged:
    return make_judged({"maker/english": GOOD, "maker/fair": FAIR, "maker/poor": POOR}, english=["maker/english"])


def _page(client: Client, address: str = "/en/boards/ko-talk/") -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_the_board_has_the_stored_numbers_in_order(judged: Judged) -> None:
    board = multi_turn.build(judged.suite, Choice())
    assert [row.language_model.name for row in board.rows] == ["english", "fair", "poor"]
    first = board.rows[0]
    assert first.overall.value == pytest.approx(103 / 12, abs=1e-6)
    assert (first.turns[1].value, first.turns[2].value) == (pytest.approx(52 / 6), pytest.approx(51 / 6))
    assert board.categories == ["writing", "math", "reasoning"]
    assert [row.rank for row in board.rows] == [1, 2, 3]


def test_the_language_rule_moves_ranks_and_both_rankings_are_shown(judged: Judged, client: Client) -> None:
    board = multi_turn.build(judged.suite, Choice(language="zero"))
    moved = {row.language_model.name: (row.plain_rank, row.rank, row.moved) for row in board.rows}
    assert moved == {"english": (1, 3, -2), "fair": (2, 1, 1), "poor": (3, 2, 1)}
    assert board.n_moved == 3
    text = _page(client, "/en/boards/ko-talk/?language=zero")
    assert "With these switches 3 of 3 rows change their rank" in text
    assert "▼ 2" in text
    assert "1 → 3" in text


def test_a_root_penalty_is_between_none_and_zero(judged: Judged) -> None:
    values = []
    for language in ("none", "sqrt", "zero"):
        board = multi_turn.build(judged.suite, Choice(language=language))  # type: ignore[arg-type]
        values.append(next(row.overall.value for row in board.rows if row.language_model.name == "english"))
    assert values == sorted(values, reverse=True)
    assert values[2] == 0.0


def test_an_unread_verdict_is_dropped_unless_the_switch_counts_it(judged: Judged) -> None:
    def poor(**switches: Any) -> Mean:
        board = multi_turn.build(judged.suite, Choice(**switches))
        return next(row.overall for row in board.rows if row.language_model.name == "poor")

    assert (poor().n, poor().failed) == (11, 1)
    assert poor().value == pytest.approx(29 / 11, abs=1e-6)
    assert poor(failures="zero").value == pytest.approx(29 / 12, abs=1e-6)
    assert poor(failures="one").value == pytest.approx(30 / 12, abs=1e-6)


def test_ranks_are_spans_that_the_shared_questions_allow() -> None:
    close = [(6.0, 6.0), (5.0, 6.0), (6.0, 5.0), (5.0, 6.0), (6.0, 5.0), (6.0, 6.0)]
    lower = [(6.0, 5.0), (5.0, 6.0), (6.0, 6.0), (5.0, 4.0), (6.0, 5.0), (6.0, 6.0)]
    judged = make_judged({"maker/a": GOOD, "maker/b": lower, "maker/c": close})
    board = multi_turn.build(judged.suite, Choice())
    assert {row.language_model.name: (row.rank_low, row.rank_high) for row in board.rows} == {
        "a": (1, 1),
        "b": (2, 3),
        "c": (2, 3),
    }


def test_the_paired_scores_are_those_of_the_mean(judged: Judged) -> None:
    for choice in (Choice(), Choice(language="zero"), Choice(language="sqrt"), Choice(failures="zero")):
        board = multi_turn.build(judged.suite, choice)
        rows = [row.judged for row in board.rows]
        tasks = question_scores(rows, judged.question_set, judged.judge, choice)
        for row, *means in zip(board.rows, *(task.mean(axis=1) for task in tasks), strict=True):
            if not row.judged.n_unparsable or choice.failures == "zero":
                assert row.overall.value == pytest.approx(sum(means) / len(means), abs=1e-6)


def test_a_gap_below_the_judges_noise_is_greyed() -> None:
    near = [(6.0, 5.0), (5.0, 6.0), (6.0, 6.0), (5.0, 5.0), (6.0, 5.0), (6.0, 5.0)]
    judged = make_judged({"maker/a": FAIR, "maker/b": near, "maker/c": POOR})
    board = multi_turn.build(judged.suite, Choice())
    assert [row.is_noise for row in board.rows] == [None, True, False]
    assert board.rows[1].gap == pytest.approx(1 / 12, abs=1e-6)


def test_the_judge_stands_beside_every_score(judged: Judged, client: Client) -> None:
    text = _page(client)
    assert len(re.findall(rf'<small class="by">{judged.judge.name} 83 %', text)) == 3
    assert "1 tried, none won" in text


def test_a_judge_that_fell_for_a_canary_carries_a_red_badge(client: Client) -> None:
    make_judged({"maker/a": GOOD}, report={**REPORT, "canaries": {**REPORT["canaries"], "is_red": True}})
    text = _page(client)
    assert "one beat a real model" in text
    assert '<b class="bad">✕ canary</b>' in text


def test_a_run_with_too_many_unread_verdicts_is_called_invalid(judged: Judged, client: Client) -> None:
    assert _page(client).count("invalid: over 0.5% unread") == 1


def test_another_judge_can_be_chosen_and_an_unknown_one_falls_back(judged: Judged) -> None:
    other = make_judge("second", version=2)
    judge_answers(other, judged.answers[1], GOOD)
    assert multi_turn.build(judged.suite, Choice(judge="second@2")).judge == other
    assert len(multi_turn.build(judged.suite, Choice(judge="second")).rows) == 1
    assert multi_turn.build(judged.suite, Choice(judge="nobody")).judge in (judged.judge, other)


def test_the_page_costs_no_query_on_a_hit_and_few_on_a_miss(
    judged: Judged, client: Client, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(19):
        first = _page(client, "/ko/boards/ko-talk/?language=zero")
    with django_assert_num_queries(0):
        assert _page(client, "/ko/boards/ko-talk/?language=zero") == first


def test_the_page_is_new_when_the_boards_have_changed(judged: Judged, client: Client) -> None:
    _page(client)
    judged.judge.name = "renamed-judge"
    judged.judge.save()
    runs.touch("boards")
    assert publisher.refresh()
    assert "renamed-judge" in _page(client)


def test_every_chart_has_a_table_and_draws_the_chosen_models(judged: Judged, client: Client) -> None:
    text = _page(client, f"/en/boards/ko-talk/?models={judged.runs[0].pk},{judged.runs[2].pk}")
    assert text.count('<g class="series s') == 4  # two in the chart, two in the table's head
    assert "The same as numbers" in text
    assert 'class="chart heat"' in text
    assert "style=" not in text


def test_csv_and_json_have_the_numbers_of_the_page(judged: Judged, client: Client) -> None:
    body = client.get("/en/boards/ko-talk.csv?language=zero").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(body)))
    assert [row["Model"] for row in rows] == ["maker/fair", "maker/poor", "maker/english"]
    assert (rows[2]["Rank without switches"], rows[2]["Rank by mean"], rows[2]["Overall"]) == ("1", "3", "0.0")
    board = client.get("/api/v1/boards/ko-talk?language=zero").json()
    assert [row["average"] for row in board["rows"]] == [float(row["Overall"]) for row in rows]
    assert board["judge"]["known_order"]["n"] == 24
    assert board["rows"][1]["cells"]["turn-1"]["n_failed"] == 1
    plain = client.get("/api/v1/boards/ko-talk").json()
    assert [row["rank"] for row in plain["rows"]] == [1, 2, 3]


def test_a_parameter_of_the_other_kind_of_board_is_refused(judged: Judged, client: Client) -> None:
    assert client.get("/api/v1/boards/ko-talk?size=s").status_code == 400
    assert client.get("/api/v1/boards/ko-talk?failures=half").status_code == 400


def test_an_address_spells_its_choice_in_one_way() -> None:
    choice = Choice.read({"judge": "a@2", "failures": "zero", "language": "none", "models": "3,x,3,4,,5,6,7"})
    assert choice.models == (3, 4, 5, 6)
    assert choice.query() == "?judge=a@2&failures=zero&models=3,4,5,6"
    assert Choice.read({"failures": "half"}) == Choice()


def test_a_category_is_named_in_the_readers_language() -> None:
    assert category_title("추론(Reasoning)") == "Reasoning"
    with translation.override("ko"):
        assert category_title("추론(Reasoning)") == "추론"
    assert category_title("odd") == "odd"


def test_a_set_that_nobody_judged_says_so(client: Client) -> None:
    judged = make_judged({"maker/a": GOOD})
    judged.judge.judged.all().delete()
    assert "No answer to these questions has been judged yet" in _page(client)
