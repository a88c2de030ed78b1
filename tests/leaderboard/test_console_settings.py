"""Settings that staff change while the site runs: what is in force, from where, with history and the way back."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.test import Client

from arena import roster
from arena.models import Entry
from judging import budgets, standings
from judging.models import Budget, Judge
from leaderboard import quota, submissions
from leaderboard.console import term_rows, terms
from leaderboard.console.actions import Press, Refused
from leaderboard.models import AuditEntry
from runners.models import Generation, Override
from tests import factories
from tests.leaderboard.judged import judge_answers, make_judge, make_judged

pytestmark = pytest.mark.django_db
PAGE, CHANGE = "/en/console/settings/", "/en/console/settings/change/"


@pytest.fixture
def desk(client: Client) -> Client:
    """Staff who may change settings, and nothing else."""
    user = User.objects.create_user("keeper", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="edit_settings"))
    client.force_login(user)
    return client


def _set(desk: Client, key: str, value: str, was: str = "", reason: str = "a busy week") -> str:
    """What the operator reads after a change."""
    answer = desk.post(CHANGE, {"key": key, "value": value, "was": was, "reason": reason}, follow=True)
    assert answer.status_code == 200, answer.content.decode()[-2000:]
    return answer.content.decode()


def _arena_model(slug: str = "api/one") -> Any:
    return factories.make_revision(
        backend="api", slug=slug, api_name=slug, endpoint=factories.make_endpoint(purposes=["arena"])
    )


def test_the_default_of_the_environment_holds_until_a_row_takes_its_place(desk: Client, settings: Any) -> None:
    settings.SUBMISSIONS_OPEN, settings.SUBMISSIONS_WEEK = 3, 10
    assert quota.limits() == quota.Limits(3, 10)
    text = _set(desk, "site:quota.open", "7")
    assert "Changed: Submissions of one network under way at once." in text
    assert quota.limits() == quota.Limits(7, 10)
    assert "set here" in text
    assert "<small>default 3</small>" in text
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action, entry.target) == ("keeper", "setting", "setting site:quota.open")
    assert (entry.reason, entry.details) == ("a busy week", {"was": "", "is": "7"})
    _set(desk, "site:quota.open", "", was="7")
    assert not Override.objects.exists()
    assert quota.limits().open == 3


def test_the_page_says_which_variable_a_value_comes_from(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GYEORU_SUBMISSIONS_WEEK" not in desk.get(PAGE).content.decode()
    monkeypatch.setenv("GYEORU_SUBMISSIONS_WEEK", "20")
    assert "the environment (GYEORU_SUBMISSIONS_WEEK)" in desk.get(PAGE).content.decode()


def test_a_change_is_undone_by_a_change_back(desk: Client) -> None:
    _set(desk, "site:arena.boost", "2.5")
    text = _set(desk, "site:arena.boost", "3", was="2.5")
    assert text.count("<summary>Change back</summary>") == 1
    assert roster.terms().boost == 3.0
    _set(desk, "site:arena.boost", "2.5", was="3", reason="too much")
    assert roster.terms().boost == 2.5
    assert [entry.details["is"] for entry in AuditEntry.objects.order_by("pk")] == ["2.5", "3", "2.5"]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("site:quota.open", "-1", "give a whole number from 0 to 1000"),
        ("site:quota.open", "2.5", "give a whole number from 0 to 1000"),
        ("site:quota.week", "many", "give a whole number from 0 to 10000"),
        ("site:arena.boost", "nan", "give a number from 1 to 100"),
        ("site:arena.share_uncertain", "1.01", "give a number from 0 to 1"),
        ("budget.cap:global", "1e9", "give dollars from 0 to 1,000,000"),
        ("budget.cap:global", "0.00001", "with four decimals at most"),
        ("budget.cap:global", "NaN", "give dollars"),
        ("budget.stopped:global", "maybe", "is no value for"),
        ("site:SECRET_KEY", "x", "There is no setting"),
        ("weight:no/body", "1", "There is no setting"),
        ("", "", "There is no setting"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_may_be_given(desk: Client, key: str, value: str, told: str) -> None:
    was = "off" if "stopped" in key else ""
    assert told in _set(desk, key, value, was=was).replace("&quot;", '"')
    assert not Override.objects.exists()
    assert not AuditEntry.objects.exists()
    assert not Budget.objects.exists()


def test_nothing_changes_without_a_reason_or_the_permission(desk: Client, client: Client) -> None:
    data = {"key": "site:quota.open", "value": "7", "was": ""}
    refused = desk.post(CHANGE, {**data, "reason": " "})
    assert refused.status_code == 422
    assert 'name="key" value="site:quota.open"' in refused.content.decode()
    other = User.objects.create_user("operator", is_staff=True)
    other.user_permissions.add(Permission.objects.get(codename="operate_runs"))
    client.force_login(other)
    assert client.post(CHANGE, {**data, "reason": "x"}).status_code == 403
    assert 'name="reason"' not in client.get(PAGE).content.decode()
    assert not Override.objects.exists()


def test_who_comes_second_is_told_what_the_first_has_set(desk: Client) -> None:
    _set(desk, "site:quota.open", "7")
    assert "was changed meanwhile; it is now: 7." in _set(desk, "site:quota.open", "9")
    assert "has this value already" in _set(desk, "site:quota.open", "7", was="7")
    assert quota.limits().open == 7
    assert AuditEntry.objects.count() == 1


def test_a_models_weight_and_its_outage_change_who_is_drawn(desk: Client) -> None:
    one, two, three = (_arena_model(f"api/{name}") for name in ("one", "two", "three"))
    _set(desk, f"weight:{one.slug}", "0.25", was="1")
    _set(desk, f"out:{two.slug}", "on", was="off")
    assert Entry.objects.get(revision=one).weight == 0.25
    pool = roster.pool("live")
    assert set(pool.table) == {("api/one", "api/three")}
    text = desk.get(f"{PAGE}?q=two").content.decode()
    assert "api/two is out of the draw" in text
    assert "Weight of api/one" not in text.split('id="history"')[0]
    assert three.slug not in text.split('id="models"')[1].split('id="judges"')[0]


def test_the_draw_follows_the_terms_and_the_public_page_says_them(desk: Client) -> None:
    _arena_model("api/one"), _arena_model("api/two")
    _set(desk, "site:arena.share_uncertain", "0.2")
    _set(desk, "site:arena.new_until", "40")
    text = desk.get("/en/arena/fair-play/").content.decode()
    assert "20.0 % of the draws go to the pairs whose next vote narrows an interval most" in text
    assert "a model with under 40 votes counts 5 times as the first of a pair" in text
    assert desk.get("/ko/arena/fair-play/").status_code == 200


def test_a_judge_is_switched_off_and_its_cap_changed(desk: Client) -> None:
    judge = Judge.objects.create(slug="gpt", name="gpt", kind="llm", endpoint=factories.make_endpoint())
    _set(desk, "judge.cap:gpt@1", "2.5")
    judge.refresh_from_db()
    assert judge.cap_usd == Decimal("2.5")
    before = Generation.objects.filter(pk="boards").values_list("value", flat=True).first() or 0
    _set(desk, "judge.active:gpt@1", "off", was="on")
    judge.refresh_from_db()
    assert not judge.is_active
    assert Generation.objects.get(pk="boards").value > before


def test_money_is_capped_and_stopped_before_the_first_call(desk: Client) -> None:
    text = _set(desk, "budget.cap:global", "12.5")
    assert "$12.50" in text
    _set(desk, "budget.stopped:global", "on", was="off")
    budget = Budget.objects.get(name=budgets.GLOBAL)
    assert (budget.cap_usd, budget.is_stopped) == (Decimal("12.5"), True)
    with pytest.raises(budgets.NoMoney):
        budgets.reserve([budgets.GLOBAL], Decimal(1))
    _set(desk, "budget.cap:global", "", was="12.5")
    budget.refresh_from_db()
    assert budget.cap_usd == budgets.GLOBAL_CAP


def test_the_page_costs_the_same_queries_whatever_is_on_it(desk: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        _arena_model(f"api/{number:02}")
        Judge.objects.create(slug=f"j{number}", name="j", kind="llm", endpoint=factories.make_endpoint())
    roster.forget()
    with django_assert_max_num_queries(12):
        assert desk.get(PAGE).status_code == 200


def test_submissions_are_counted_against_the_limits_in_force(desk: Client) -> None:
    _set(desk, "site:quota.open", "0")
    used = quota.usage("10.0.0.1")
    assert used.is_spent
    assert "at most 0 may be" in submissions.quota_text(used)


def test_staff_choose_whose_numbers_a_board_shows_first(desk: Client) -> None:
    made = make_judged({"a/b": [(7.0, 8.0)]}, slug="ko-talk")
    other = make_judge("newer")
    judge_answers(other, made.answers[0], [(3.0, 4.0)])
    assert [judge.slug for judge in standings.judges_of(made.question_set)] == ["newer", made.judge.slug]
    assert "the newest active language model" in desk.get(PAGE).content.decode()
    _set(desk, "default:ko-talk", made.judge.slug)
    assert standings.judges_of(made.question_set)[0] == made.judge
    assert "is no value for" in _set(desk, "default:ko-talk", "nobody", was=made.judge.slug)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_people_who_change_a_setting_at_once_one_is_first() -> None:
    people = [User.objects.create_superuser(f"person-{n}") for n in range(6)]
    ready, told = threading.Barrier(len(people)), []

    def press(person: User, value: str) -> None:
        try:
            ready.wait()
            terms.change(Press(person, "setting", "at once"), "site:quota.open", value, "", term_rows.find)
            told.append("done")
        except Refused as refused:
            told.append(str(refused))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=press, args=(one, str(5 + n))) for n, one in enumerate(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert told.count("done") == 1
    assert len(told) == len(people)
    assert AuditEntry.objects.get().details["is"] == str(quota.limits().open)
