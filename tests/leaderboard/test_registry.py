"""The model registry: what boards show is what operators decided, publicly and with the way back."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.utils import timezone

from leaderboard import boards, multi_turn
from leaderboard.console import registry
from leaderboard.console.actions import Press, Refused
from leaderboard.models import Alias, AuditEntry, Rollback
from leaderboard.multi_turn_choice import Choice
from leaderboard.published import publisher
from runners.models import EvaluationRun, ModelRevision, Suite
from tests import factories
from tests.leaderboard.judged import _answer, judge_answers, make_judged

pytestmark = pytest.mark.django_db
GOOD, BAD = (1.0,) * 8 + (0.0,) * 2, (1.0,) * 3 + (0.0,) * 7


@pytest.fixture
def operator(client: Client) -> Client:
    user = User.objects.create_user("operator", is_staff=True)
    names = ["operate_runs", "hide_models"]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    return client


@pytest.fixture
def suite() -> Suite:
    return factories.make_suite("kobest")


@pytest.fixture
def revision() -> ModelRevision:
    return factories.make_revision("maker/model")


def _finished(revision: ModelRevision, suite: Suite, scores: Any = GOOD, age: int = 0, **fields: Any) -> EvaluationRun:
    at = timezone.now() - timedelta(days=age)
    names = {task.name: scores for task in suite.tasks.all()}
    return factories.make_finished_run(revision, suite, names, created_at=at, finished_at=at, **fields)


def _act(client: Client, revision: ModelRevision, action: str, what: object, reason: str = "wrong template") -> Any:
    press = {"action": action, "what": what, "reason": reason}
    return client.post(f"/en/console/registry/{revision.pk}/act/", press, follow=True)


def _shown(suite: Suite) -> list[int]:
    return [run.pk for run in boards.listed_runs(suite)]


def _board(client: Client) -> str:
    publisher.refresh()
    return client.get("/en/boards/kobest/").content.decode()


def test_a_rollback_shows_the_earlier_run_with_its_reason_and_undo_takes_it_back(
    operator: Client, suite: Suite, revision: ModelRevision
) -> None:
    old, new = _finished(revision, suite, age=2), _finished(revision, suite, BAD, age=1)
    assert "<b>30.0</b>" in _board(operator)
    assert f'<option value="{old.pk}">' in operator.get(f"/en/console/registry/{revision.pk}/").content.decode()
    _act(operator, revision, "roll_back", old.pk, "wrong <template>")
    text = _board(operator)
    assert "<b>80.0</b>" in text and "30.0" not in text
    assert 'title="rolled back because: wrong &lt;template&gt;">↺ rolled back' in text
    assert f'The board shows this run instead of <a href="../{new.pk}/"' in _page(operator, f"runs/{old.pk}/")
    assert f'The board shows <a href="../{old.pk}/">run {old.pk}</a> instead' in _page(operator, f"runs/{new.pk}/")
    row = operator.get("/api/v1/boards/kobest").json()["rows"][0]
    assert (row["run"], row["rolled_back"]) == (old.pk, "wrong <template>")
    _act(operator, revision, "undo", Rollback.objects.get().pk, "it was right")
    assert "<b>30.0</b>" in _board(operator) and "rolled back" not in _board(operator)
    assert "instead" not in _page(operator, f"runs/{new.pk}/").split("Results by task")[0]
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "reason")) == [
        ("roll_back", "wrong <template>"), ("undo", "it was right"),
    ]  # fmt: skip


def _page(client: Client, address: str) -> str:
    answer = client.get(f"/en/{address}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_later_run_does_not_push_the_chosen_one_off_and_the_console_names_it(
    operator: Client, suite: Suite, revision: ModelRevision
) -> None:
    old, new = _finished(revision, suite, age=2), _finished(revision, suite, BAD, age=1)
    _act(operator, revision, "roll_back", old.pk)
    assert "Finished since" not in _page(operator, f"console/registry/{revision.pk}/")
    later = _finished(revision, suite, BAD)
    factories.make_run(revision, suite, "running")
    assert _shown(suite) == [old.pk]
    text = _page(operator, f"console/registry/{revision.pk}/").split("Finished since")[1]
    assert f"/runs/{later.pk}/" in text and f"/runs/{new.pk}/" not in text


def test_a_chosen_run_that_is_withdrawn_gives_way_to_what_came_before_it(
    operator: Client, suite: Suite, revision: ModelRevision
) -> None:
    oldest, old, _new = (_finished(revision, suite, age=age) for age in (3, 2, 1))
    _act(operator, revision, "roll_back", old.pk)
    EvaluationRun.objects.filter(pk=old.pk).update(withdrawn_at=timezone.now())
    assert _shown(suite) == [oldest.pk]


@pytest.mark.django_db(transaction=True)
def test_two_people_who_roll_back_at_once_come_one_after_the_other(suite: Suite, revision: ModelRevision) -> None:
    old, _new = _finished(revision, suite, age=2), _finished(revision, suite, BAD, age=1)
    people, told = [User.objects.create_superuser(name) for name in ("kim", "lee")], []

    def press(person: User) -> None:
        try:
            registry.roll_back(Press(person, "roll_back", f"so says {person}"), revision, old.pk)
            told.append("done")
        except Refused:
            told.append("refused")
        finally:
            connection.close()

    threads = [Thread(target=press, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["done", "refused"]
    assert Rollback.objects.count() == AuditEntry.objects.count() == 1


def test_only_an_earlier_finished_run_of_the_same_place_can_be_chosen(
    operator: Client, suite: Suite, revision: ModelRevision
) -> None:
    new = _finished(revision, suite, age=1)
    wrong = [
        new,
        _finished(revision, suite, age=5, withdrawn_at=timezone.now()),
        _finished(revision, suite, age=5, settings={"limit": 3}),
        _finished(revision, suite, age=5, settings={"shots": 5}),
        _finished(factories.make_revision(), suite, age=5),
        _finished(revision, factories.make_suite(), age=5),
        factories.make_run(revision, suite, "failed", created_at=timezone.now() - timedelta(days=5)),
    ]
    for run in wrong:
        assert "Choose a finished run" in _act(operator, revision, "roll_back", run.pk).content.decode()
    assert "Choose a finished run" in _act(operator, revision, "roll_back", "x").content.decode()
    assert not Rollback.objects.exists() and not AuditEntry.objects.exists()


def test_each_number_of_shots_is_rolled_back_alone(operator: Client, suite: Suite, revision: ModelRevision) -> None:
    old, new = _finished(revision, suite, age=2), _finished(revision, suite, age=1)
    five = [_finished(revision, suite, age=age, settings={"shots": 5}) for age in (2, 1)]
    _act(operator, revision, "roll_back", five[0].pk)
    assert set(_shown(suite)) == {new.pk, five[0].pk}
    _act(operator, revision, "roll_back", old.pk)
    assert set(_shown(suite)) == {old.pk, five[0].pk}


def test_a_rollback_that_is_undone_twice_is_refused(operator: Client, suite: Suite, revision: ModelRevision) -> None:
    old, _new = _finished(revision, suite, age=2), _finished(revision, suite, age=1)
    _act(operator, revision, "roll_back", old.pk)
    back = Rollback.objects.get()
    _act(operator, revision, "undo", back.pk)
    assert "It is undone already." in _act(operator, revision, "undo", back.pk).content.decode()
    press = Press(User.objects.get(), "undo", "x")
    with pytest.raises(Refused):
        registry.undo(press, factories.make_revision(), back.pk)


def test_candidates_and_retired_revisions_stand_on_no_board_and_say_why(
    operator: Client, suite: Suite, revision: ModelRevision
) -> None:
    run, other = _finished(revision, suite), _finished(factories.make_revision("maker/other"), suite)
    for alias in ("candidate", "retired"):
        _act(operator, revision, "alias", alias, f"it is {alias}")
        assert _shown(suite) == [other.pk]
        assert "/en/models/maker/model/" not in _board(operator)
        assert f"it is {alias}" in _page(operator, "models/maker/model/")
        assert operator.get("/api/v1/models/maker/model").json()["revisions"][0]["alias"] == alias
    assert operator.get(f"/en/runs/{run.pk}/").status_code == 200
    _act(operator, revision, "alias", "listed", "back")
    assert set(_shown(suite)) == {run.pk, other.pk}
    entries = AuditEntry.objects.order_by("pk").values_list("details", flat=True)
    assert [(entry["was"], entry["is"]) for entry in entries] == [
        ("listed", "candidate"), ("candidate", "retired"), ("retired", "listed"),
    ]  # fmt: skip
    assert "It is that already." in _act(operator, revision, "alias", "listed").content.decode()
    assert "Choose candidate" in _act(operator, revision, "alias", "champion").content.decode()


def test_nothing_is_done_without_a_reason(operator: Client, suite: Suite, revision: ModelRevision) -> None:
    old, new = _finished(revision, suite, age=2), _finished(revision, suite, age=1)
    answer = _act(operator, revision, "roll_back", old.pk, "  ")
    assert answer.status_code == 422
    assert f'<input type="hidden" name="what" value="{old.pk}">' in answer.content.decode()
    assert _act(operator, revision, "alias", "retired", "").status_code == 422
    assert _shown(suite) == [new.pk] and not Alias.objects.exists()


def test_each_action_needs_its_permission(client: Client, suite: Suite, revision: ModelRevision) -> None:
    user = User.objects.create_user("half", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="hide_models"))
    client.force_login(user)
    old, _new = _finished(revision, suite, age=2), _finished(revision, suite, age=1)
    for action in ("roll_back", "undo", "rebase", "rerun", ""):
        assert _act(client, revision, action, old.pk).status_code == 403, action
    assert "Roll back</button>" not in _page(client, f"console/registry/{revision.pk}/")
    assert _act(client, revision, "alias", "retired").status_code == 200


def test_the_board_of_a_question_set_is_rolled_back_too(operator: Client) -> None:
    made = make_judged({"maker/talker": [(8.0, 7.0)] * 4, "maker/mute": [(2.0, 1.0)] * 4})
    old = made.runs[0]
    EvaluationRun.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=1))
    new = factories.make_run(old.revision, made.suite, "finished")
    answers = [_answer(new, question, "새 답변입니다.") for question in made.questions]
    judge_answers(made.judge, answers, [(3.0, 3.0)] * 4)
    assert new.pk in {row.judged.run_id for row in multi_turn.build(made.suite, Choice()).rows}
    _act(operator, old.revision, "roll_back", old.pk)
    rows = {row.judged.run_id: row for row in multi_turn.build(made.suite, Choice()).rows}
    assert set(rows) == {old.pk, made.runs[1].pk} and rows[old.pk].rollback is not None
    publisher.refresh()
    assert "↺ rolled back" in operator.get("/en/boards/ko-talk/").content.decode()
    _act(operator, made.runs[1].revision, "alias", "retired")
    assert [row.judged.run_id for row in multi_turn.build(made.suite, Choice()).rows] == [old.pk]


def test_the_registry_lists_what_each_revision_is(
    operator: Client, suite: Suite, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        revision = factories.make_revision(f"maker/m{number}", quantization="awq")
        _finished(revision, suite, requested_by="kim")
    Alias.objects.create(revision=revision, name="retired", reason="old")
    with django_assert_max_num_queries(8):
        text = _page(operator, "console/registry/")
    assert text.count("data-revision") == 30 and "bfloat16 · awq" in text and "kim" in text and "apache-2.0" in text
    assert _page(operator, "console/registry/?alias=retired").count("data-revision") == 1
    assert _page(operator, "console/registry/?alias=listed").count("data-revision") == 29
    assert _page(operator, f"console/registry/?q={revision.commit_sha[:40]}").count("data-revision") == 1
    assert "No revision is like that." in _page(operator, "console/registry/?q=zzz")


def test_the_model_page_shows_the_registry_to_everybody(client: Client, suite: Suite, revision: ModelRevision) -> None:
    _finished(revision, suite, requested_by="kim")
    text = _page(client, "models/maker/model/").split("Revisions</h2>")[1]
    assert revision.commit_sha in text and "kim" in text and "listed" in text
