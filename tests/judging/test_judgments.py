"""The judging engine against a fake server: verdicts, failures, repairs, money, and what is never done twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from judging import budgets, jobs, judges, plan, standings, tally
from judging.canaries import CANARIES
from judging.models import Budget, Judge, JudgedRun, Judgment
from runners import judging_phase, runs
from runners.models import EvaluationRun, Price
from tests.fake_openai import Behaviour, FakeOpenAI
from tests.judging.judged import answered, judged, make_judge, make_set, served

pytestmark = pytest.mark.django_db
GOOD = "묻는 것에 잘 답했습니다.\n\n[[7]]"


def reply(model: str, messages: list[dict[str, Any]]) -> str:
    if model == "candidate":
        return "호랑이가 산을 넘어 집으로 돌아온 이야기입니다. 하나와 둘을 차례로 말씀드립니다."
    return GOOD


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(reply=reply) as fake:
        yield fake


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runners.child.calling.BACKOFF_SECONDS", 0.001)


def set_price(name: str = "judge", dollars: int = 10) -> None:
    Price.objects.create(
        served_name=name, valid_from=timezone.localdate(), input_usd=dollars, output_usd=dollars, krw_per_usd=1400
    )


def keys(server: FakeOpenAI, model: str = "judge") -> Counter[str]:
    """How often each call of a model reached the server, by its key."""
    return Counter(call.headers["idempotency-key"] for call in server.calls if call.body.get("model") == model)


def states() -> dict[str, int]:
    return dict(Counter(Judgment.objects.filter(canary="").values_list("status", flat=True)))


def test_every_turn_is_judged_k_times_and_every_canary_rides_along(server: FakeOpenAI) -> None:
    questions = make_set(4)
    judge = make_judge(server, repeats=2)
    run = judged(answered(served(server), questions))
    assert run.status == "finished"
    assert Judgment.objects.filter(canary="").count() == 4 * 2 * 2
    assert set(Judgment.objects.exclude(canary="").values_list("canary", flat=True)) == {c.slug for c in CANARIES}
    (row,) = standings.judged_runs(questions, judge)
    numbers = row.standing()
    assert numbers is not None and numbers.overall.value == 7.0
    assert (row.n_judgments, row.n_done, row.is_complete, row.is_invalid) == (16, 16, True, False)
    trial = standings.trial(judge)
    assert trial is not None and (trial.noise, trial.repeats) == (0.0, 2.0)
    # This judge gives a canary what it gives a model, and is marked for it.
    assert trial.is_red and trial.report["canaries"]["beaten"]


def test_a_finished_judging_says_that_all_is_done(server: FakeOpenAI) -> None:
    make_judge(server)
    run = answered(served(server), make_set(3))
    for _ in ("judged", "again, with nothing left to ask"):
        judged(run)
        run.refresh_from_db()
        total = Judgment.objects.count()
        assert (run.status, run.progress_done, run.progress_total) == ("finished", total, total)
        EvaluationRun.objects.update(progress_done=0)
        assert judging_phase.judge_again(run)


def test_prompts_show_both_turns_and_the_reference_where_the_protocol_says_so(server: FakeOpenAI) -> None:
    make_judge(server)
    judged(answered(served(server), make_set(2)))
    names = Counter(Judgment.objects.filter(canary="").values_list("prompt", flat=True))
    wanted = ["score", "score-multi-turn", "score-reference", "score-multi-turn-reference"]
    assert names == dict.fromkeys([f"{name}.ko.brackets" for name in wanted], 1)
    shown = [call.body["messages"][1]["content"] for call in server.calls if call.body.get("model") == "judge"]
    assert any("정답: 둘" in text and "한 문장으로" in text for text in shown)


def test_an_unread_verdict_is_asked_for_once_more_and_then_counted(server: FakeOpenAI) -> None:
    texts = iter(["점수는 글쎄요.", "그래도 모르겠습니다."] * 100)
    server.behaviours["judge"] = Behaviour(reply=None)
    server.reply = lambda model, messages: reply(model, messages) if model == "candidate" else next(texts)
    questions = make_set(1)
    judge = make_judge(server)
    run = judged(answered(served(server), questions))
    assert run.status == "finished" and states() == {"unparsable": 2}
    assert set(Judgment.objects.values_list("calls", "failure", "score")) == {(2, "no_verdict", None)}
    (row,) = standings.judged_runs(questions, judge)
    assert row.is_invalid and row.failures == {"no_verdict": 2}
    numbers = row.standing()
    assert numbers is not None and (numbers.overall.value, numbers.overall.failed) == (None, 2)


def test_a_repaired_verdict_counts_and_keeps_both_texts(server: FakeOpenAI) -> None:
    server.reply = lambda model, messages: (
        reply(model, messages) if model == "candidate" or len(messages) > 2 else "7점쯤 되겠네요."
    )
    make_judge(server)
    judged(answered(served(server), make_set(1)))
    assert states() == {"done": 2}
    one = Judgment.objects.filter(canary="").first()
    assert one is not None and one.score == 7 and "7점쯤" in one.raw and "[[7]]" in one.raw


@pytest.mark.parametrize(
    ("text", "status", "failure"),
    [
        ("[[7/10]]", "unparsable", "fraction"),
        ("[[11]]", "unparsable", "out_of_range"),
        ("[[3]]\n\n[[8]]", "unparsable", "contradictory"),
        ("죄송합니다. 저는 이 답변을 평가할 수 없습니다.", "refused", "refusal"),
    ],
)
def test_bad_judge_texts_are_named_and_never_a_score(server: FakeOpenAI, text: str, status: str, failure: str) -> None:
    server.behaviours["judge"] = Behaviour(reply=text)
    make_judge(server)
    judged(answered(served(server), make_set(1)))
    found = set(Judgment.objects.values_list("status", "failure", "score", "verdict"))
    assert found == {(status, failure, None, "")}


def test_a_judge_that_never_answers_ends_with_a_named_error_and_what_is_judged_stays(
    server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runners.adapters.chat.TIMEOUT", 0.1)
    monkeypatch.setattr("runners.child.calling.RETRIES", 0)
    server.behaviours["judge"] = Behaviour("slow", slow=1.0)
    make_judge(server)
    rule = judges.register_rule()
    questions = make_set(2)
    run = answered(served(server), questions)
    judged(run)
    run.refresh_from_db()
    assert (run.status, run.error_kind) == ("judging", "endpoint_slow")
    (row,) = standings.judged_runs(questions, rule)
    assert row.n_done == 4


def test_judging_again_asks_only_what_is_new(server: FakeOpenAI) -> None:
    make_judge(server)
    run = judged(answered(served(server), make_set(2)))
    before = keys(server)
    assert max(before.values()) == 1
    make_judge(server, "second")
    assert judging_phase.judge_again(run)
    assert judged(run).status == "finished"
    assert keys(server) == before
    assert max(keys(server, "second").values()) == 1 and len(keys(server, "second")) == len(before)


def test_failed_requests_are_asked_again_in_the_next_judging_and_answers_are_not(server: FakeOpenAI) -> None:
    server.behaviours["judge"] = Behaviour("404", only="7번 이야기")
    make_judge(server)
    run = judged(answered(served(server), make_set(12)))
    assert run.status == "finished"
    failed = Judgment.objects.filter(status="error").count()
    assert failed and states()["done"] == 22
    done = {row.call_key for row in Judgment.objects.filter(status="done")}
    server.behaviours.clear()
    server.calls.clear()
    judging_phase.judge_again(run)
    judged(run)
    assert states() == {"done": 24}
    assert sum(keys(server).values()) == failed and not done & set(keys(server))


def test_a_budget_reached_in_the_middle_ends_the_run_by_name_and_keeps_what_was_paid(server: FakeOpenAI) -> None:
    set_price()
    judge = make_judge(server, cap_usd=Decimal("0.1"), max_tokens=100)
    questions = make_set(10)
    run = judged(answered(served(server), questions))
    assert (run.status, run.error_kind) == ("failed", "budget_reached")
    budget = Budget.objects.get(name=f"run:{run.pk}:judge")
    paid = Judgment.objects.filter(status="done")
    assert 0 < paid.count() < Judgment.objects.count()
    assert budget.reserved_usd == 0 and 0 < budget.spent_usd <= budget.cap_usd
    assert budget.spent_usd == sum(one.cost_usd for one in paid if one.cost_usd is not None)
    (row,) = standings.judged_runs(questions, judge)
    assert not row.is_complete and row.n_pending
    make_judge(server, cap_usd=Decimal("20"), max_tokens=100)
    assert judging_phase.judge_again(run)
    assert judged(run).status == "finished"
    assert max(keys(server).values()) == 1


def test_a_cap_without_a_price_is_refused_with_the_remedy(server: FakeOpenAI) -> None:
    make_judge(server, cap_usd=Decimal("1"))
    run = judged(answered(served(server), make_set(1)))
    assert (run.status, run.error_kind) == ("failed", "no_price")
    assert "manage.py add_price judge" in run.error_text


def test_the_kill_switch_lets_no_call_begin(server: FakeOpenAI) -> None:
    make_judge(server)
    budgets.stop()
    run = judged(answered(served(server), make_set(1)))
    assert (run.status, run.error_kind) == ("failed", "judging_stopped")
    assert not keys(server)
    budgets.stop(stopped=False)
    judging_phase.judge_again(run)
    assert judged(run).status == "finished"


def test_calls_lost_with_their_attempt_are_booked_as_spent(server: FakeOpenAI) -> None:
    set_price()
    judge = make_judge(server)
    questions = make_set(1)
    run = answered(served(server), questions)
    plan.plan(run, judge, questions)
    lost = Judgment.objects.order_by("pk").first()
    assert lost is not None
    names = budgets.open_budgets(run.pk, judge.slug, None)
    budgets.reserve(names, Decimal("0.5"))
    Judgment.objects.filter(pk=lost.pk).update(reserved_usd=Decimal("0.5"), claim="an attempt that died")
    judged(run)
    lost.refresh_from_db()
    assert lost.status == "done" and lost.cost_usd is not None and lost.cost_usd > Decimal("0.5")
    budget = Budget.objects.get(name="global")
    assert budget.reserved_usd == 0
    assert budget.spent_usd == sum(one.cost_usd for one in Judgment.objects.all() if one.cost_usd is not None)


def test_a_fenced_attempt_writes_no_verdict(server: FakeOpenAI) -> None:
    make_judge(server)
    run = answered(served(server), make_set(2))
    started = []

    def usurp(model: str, messages: list[dict[str, Any]]) -> str:
        started.append(model)
        return GOOD

    server.reply = usurp
    claim = judging_phase.claim(run.pk, "first")
    assert claim is not None
    EvaluationRun.objects.filter(pk=run.pk).update(token="")
    second = judging_phase.claim(run.pk, "second")
    assert second is not None
    from judging.judgments import Session
    from judging.question_sets import protocol_of
    from runners.supervise import Attempt, Lost, Pulse

    judge = Judge.objects.get(slug="judge")
    questions = judge_set = run.suite.question_set
    session = Session(
        claim, judge, protocol_of(judge_set), Pulse(Attempt(claim, run, {})), plan.plan(run, judge, questions)
    )
    with pytest.raises(Lost):
        session.go()
    assert not started and states() == {"pending": 4}


def test_pairs_are_judged_in_both_orders_and_disagreement_is_a_tie(server: FakeOpenAI) -> None:
    server.reply = lambda model, messages: f"{model}의 이야기입니다." if model != "judge" else "앞이 낫습니다.\n\n[[A]]"
    questions = make_set(2)
    answered(served(server, "baseline"), questions)
    baseline = served(server, "baseline")
    judge = make_judge(server, mode="pair", baseline=baseline)
    run = judged(answered(served(server), questions))
    assert run.status == "finished"
    found = Judgment.objects.filter(canary="").values_list("swapped", "verdict").distinct().order_by("swapped")
    assert list(found) == [(False, "A>B"), (True, "B>A")]
    (row,) = standings.judged_runs(questions, judge)
    assert row.numbers["strict"]["score"] == 50.0
    assert row.numbers["position"]["prefers_first"]["value"] == 1.0
    trial = standings.trial(judge)
    assert trial is not None and not trial.report["canaries"]["beaten"]


def strength(model: str, messages: list[dict[str, Any]]) -> str:
    """Candidates say their name; the judge prefers the one that comes first in the alphabet."""
    if model != "judge":
        return f"<{model}>의 이야기입니다."
    shown = re.findall(r"<([a-d])>", messages[1]["content"])
    return f"판정.\n\n[[{'A' if shown[0] < shown[-1] else 'B'}]]"


def test_every_pair_is_judged_once_and_counts_for_both(server: FakeOpenAI) -> None:
    server.reply = strength
    questions = make_set(2)
    judge = make_judge(server, mode="pair", all_pairs=True)
    for name in ("b", "a", "c"):
        assert judged(answered(served(server, name), questions)).status == "finished"
    # Three pairs, two questions, two turns, two orders; asked once each.
    assert Judgment.objects.filter(canary="").count() == 3 * 2 * 2 * 2
    assert set(keys(server).values()) == {1}
    rows = {row.run.revision.slug: row.numbers for row in standings.judged_runs(questions, judge)}
    told = {slug: (one["strict"]["score"], one["rivals"], one["strict"]["battles"]) for slug, one in rows.items()}
    assert told == {"api/a": (100.0, 2, 16), "api/b": (50.0, 2, 16), "api/c": (0.0, 2, 16)}
    assert rows["api/b"]["position"]["consistent"]["value"] == 1.0


def test_a_rerun_meets_everybody_anew_and_its_old_answers_count_no_more(server: FakeOpenAI) -> None:
    server.reply = strength
    questions = make_set(1)
    judge = make_judge(server, mode="pair", all_pairs=True)
    for name in ("a", "b"):
        judged(answered(served(server, name), questions))
    server.reply = lambda model, messages: "<d>의 이야기입니다." if model == "a" else strength(model, messages)
    again = judged(answered(served(server, "a"), questions))
    rows = {row.run_id: row.numbers["strict"]["score"] for row in standings.judged_runs(questions, judge)}
    assert rows[again.pk] == 0.0
    assert sorted(rows.values()) == [0.0, 100.0]


def test_the_estimate_says_calls_and_money_and_changes_nothing(
    server: FakeOpenAI, capsys: pytest.CaptureFixture[str]
) -> None:
    set_price()
    questions = make_set(2)
    make_judge(server, mode="single")
    for name in ("a", "b", "c"):
        judged(answered(served(server, name), questions))
    before = Judgment.objects.count()
    call_command("add_judge", "all", "--endpoint", "judge", "--mode", "pair", "--all-pairs", "--estimate")
    told = capsys.readouterr().out
    canaries = 2 * len(CANARIES) * 2  # the first of the runs meets two rivals, the second one, the third none anew
    assert "3 finished runs, 3 pairs of models" in told and "at most $" in told and "₩" in told
    calls = int(re.search(r"(\d+) calls", told)[1])  # type: ignore[index]
    assert calls >= 3 * 2 * 2 * 2 and (calls - 24) % 2 == 0 and calls <= 24 + 2 * 2 * canaries
    assert not Judge.objects.filter(slug="all").exists() and Judgment.objects.count() == before


@pytest.mark.parametrize(
    ("more", "why"), [([], "--all-pairs"), (["--all-pairs", "--baseline", "api/judge"], "not both")]
)
def test_a_judge_of_pairs_needs_one_kind_of_rival(server: FakeOpenAI, more: list[str], why: str) -> None:
    served(server, "judge")
    with pytest.raises(CommandError, match=why):
        call_command("add_judge", "pairs", "--endpoint", "judge", "--mode", "pair", *more)


def test_five_labels_count_a_strong_win_three_times(server: FakeOpenAI) -> None:
    def five(model: str, messages: list[dict[str, Any]]) -> str:
        if model != "judge":
            return f"{model}의 이야기입니다."
        first = messages[1]["content"].find("candidate의")
        second = messages[1]["content"].find("baseline의")
        return "판정.\n\n[[A>>B]]" if 0 <= first < second else "판정.\n\n[[B>A]]"

    server.reply = five
    questions = make_set(2)
    answered(served(server, "baseline"), questions)
    judge = make_judge(server, mode="five", baseline=served(server, "baseline"))
    judged(answered(served(server), questions))
    (row,) = standings.judged_runs(questions, judge)
    strict = row.numbers["strict"]
    assert (strict["score"], strict["weighted_wins"], strict["wins"]) == (100.0, 4 * 3 + 4, 8)


def test_a_pair_judge_without_answers_to_compare_with_says_whom_to_run(server: FakeOpenAI) -> None:
    make_judge(server, mode="pair", baseline=served(server, "baseline"))
    run = judged(answered(served(server), make_set(1)))
    assert (run.status, run.error_kind) == ("failed", "no_baseline")
    assert "api/baseline" in run.error_text


def test_a_failed_answer_is_never_graded_and_counts_as_failed(server: FakeOpenAI) -> None:
    server.behaviours["candidate"] = Behaviour("404", only="3번")
    questions = make_set(10)
    judge = make_judge(server)
    judged(answered(served(server), questions))
    (row,) = standings.judged_runs(questions, judge)
    numbers, zeroed = row.standing(), row.standing("zero")
    assert numbers is not None and zeroed is not None
    assert (row.n_failed, row.n_judgments, row.is_invalid) == (2, 18, False)
    assert (numbers.overall.value, numbers.overall.n, numbers.overall.failed) == (7.0, 18, 2)
    assert zeroed.overall.value == pytest.approx(7 * 18 / 20)


def test_a_finished_run_that_is_judged_again_stays_finished_when_it_is_stopped(server: FakeOpenAI) -> None:
    judges.register_rule()
    run = judged(answered(served(server), make_set(1)))
    judging_phase.judge_again(run)
    runs.cancel(run, "somebody")
    run.refresh_from_db()
    assert run.status == "finished"
    assert judging_phase.judge_again(run) and judged(run).status == "finished"


def test_a_change_of_words_or_mode_is_a_new_version_and_a_change_of_terms_is_not(server: FakeOpenAI) -> None:
    first = make_judge(server)
    assert make_judge(server, repeats=3).pk == first.pk
    second = make_judge(server, language="en")
    first.refresh_from_db()
    assert (second.version, first.is_active, second.is_active) == (2, False, True)
    assert second.prompts_sha != first.prompts_sha
    call_command("add_judge", "judge", "--endpoint", "judge", "--repeats", "2", "--cap-usd", "1.5")
    assert Judge.objects.get(is_active=True).cap_usd == Decimal("1.5")


def test_an_offered_model_judges_nothing_until_somebody_adds_it(server: FakeOpenAI) -> None:
    endpoint = served(server, "judge").endpoint
    assert endpoint is not None
    assert not judges.offer(endpoint).is_active
    assert judges.offer(endpoint).pk == judges.offer(endpoint).pk
    questions = make_set(1)
    assert plan.active_judges(questions) == []
    assert judged(answered(served(server), questions)).status == "finished"
    assert not JudgedRun.objects.exists()


def test_the_rule_ranks_what_it_can_see_and_no_canary_beats_a_known_answer() -> None:
    from judging.apps import _synchronise
    from judging.models import QuestionSet
    from runners.models import ModelRevision

    _synchronise()
    questions = QuestionSet.objects.current("ko-mt")
    assert questions is not None
    for quality in ("complete", "terse", "wrong", "english"):
        judged(answered(ModelRevision.objects.get(slug=f"reference/{quality}"), questions))
    rule = Judge.objects.get(slug="gyeoru-rule")
    rows = standings.judged_runs(questions, rule)
    means = {row.run.revision.api_name: row.standing().overall.value for row in rows}  # type: ignore[union-attr]
    assert means["complete"] > means["terse"] > means["english"]
    trial = standings.trial(rule, questions)
    assert trial is not None and not trial.is_red
    pairs = {(one["better"], one["worse"]): one["share"]["value"] for one in trial.report["known_order"]["pairs"]}
    assert pairs["complete", "terse"] == pairs["complete", "english"] == 1.0
    # It reads nothing: an answer that is written like a good one fools it, and its hit rate says so.
    assert pairs["terse", "wrong"] < 0.5


def test_hints_for_the_judge_lane_are_given_once_in_a_while(
    server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, int, str]] = []
    monkeypatch.setattr("runners.adapters.queue.hint", lambda lane, row, job: given.append((lane, row, job)))
    from judging.hints import hint_waiting

    run = answered(served(server), make_set(1))
    hint_waiting()
    hint_waiting()
    assert given == [("judge", run.pk, "judging.jobs.judge")]


def test_the_numbers_are_worked_out_again_from_the_judgments_alone(server: FakeOpenAI) -> None:
    questions = make_set(3)
    judge = make_judge(server)
    run = judged(answered(served(server), questions))
    stored = JudgedRun.objects.get().numbers
    JudgedRun.objects.all().delete()
    assert tally.compute(run, judge, questions).numbers == stored
    assert not jobs.execute(run.pk)
