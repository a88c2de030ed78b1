"""Opening battles and carrying them on."""

from __future__ import annotations

import pytest
from django.utils import timezone

from arena import battles, recorded, roster
from arena.models import Battle, Entry
from arena.refusal import Refused
from runners.models import Message
from tests.arena.people import ITEM, make_contenders, make_conversation, make_served, make_voter, open_battle
from tests.factories import make_language_model, make_revision

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh() -> None:
    roster.forget()


def test_a_recorded_battle_shows_two_answers_to_one_question() -> None:
    make_contenders(3)
    battle = open_battle()
    assert battle.right is not None
    assert battle.left.item == battle.right.item == battle.item == ITEM
    assert battle.left_revision_id != battle.right_revision_id
    assert (battle.status, battle.kind, battle.mode) == ("complete", "recorded", "blind")
    assert battle.pair_probability == pytest.approx(1 / 3)


def test_without_two_models_on_one_question_there_is_no_battle() -> None:
    one, other = make_contenders(2, items=())
    make_conversation(one, "ko-mt/a")
    make_conversation(other, "ko-mt/b")
    with pytest.raises(Refused) as refused:
        recorded.open_recorded(make_voter(), "n")
    assert refused.value.status == 503


@pytest.mark.parametrize("status", ["error", "empty"])
def test_a_conversation_with_a_failed_answer_is_never_shown(status: str) -> None:
    one, _ = make_contenders(2)
    Message.objects.filter(conversation__revision=one, role="assistant", turn=2).update(status=status)
    assert not recorded._shared_items(*make_contenders(1), one)


def test_hidden_models_and_private_sets_are_never_shown() -> None:
    hidden = make_revision(make_language_model(hidden_reason="taken down"))
    make_conversation(hidden)
    assert roster.recorded_revisions() == []


def test_a_voter_does_not_meet_a_battle_twice_while_there_are_others() -> None:
    make_contenders(2, ["ko-mt/a", "ko-mt/b", "ko-mt/c"])
    voter = make_voter()
    assert {open_battle(voter).item for _ in range(3)} == {"ko-mt/a", "ko-mt/b", "ko-mt/c"}


def test_pairs_of_known_quality_are_gold() -> None:
    assert battles.Battle
    assert recorded.gold("reference/complete", "reference/wrong") == "a"
    assert recorded.gold("reference/english", "reference/complete") == "b"
    assert recorded.gold("reference/complete", "reference/terse") == ""


def test_a_retired_model_and_one_that_is_out_are_not_drawn() -> None:
    one, other, third, fourth = make_contenders(4)
    Entry.objects.create(revision=one, retired_at=timezone.now(), retired_reason="superseded")
    Entry.objects.create(revision=other, is_out=True)
    assert set(roster.pool("recorded").table) == {tuple(sorted((third.slug, fourth.slug)))}


def test_reference_players_are_drawn_seldom_beside_real_models() -> None:
    make_contenders(2)
    model = make_language_model("reference/complete", kind="reference")
    make_conversation(make_revision(model, backend="reference", slug="reference/complete"))
    terms = {one.name: one for one in roster.pool("recorded").contenders}
    assert terms["reference/complete"].weight == roster.GOLD_SHARE
    assert not terms["reference/complete"].is_new


@pytest.mark.parametrize("prompt", ["", "  \n ", "\x00\x01\x07", "???", "가" * 30_001])
def test_prompts_of_nothing_and_of_too_much_are_refused(prompt: str) -> None:
    with pytest.raises(Refused) as refused:
        battles.clean_prompt(prompt)
    assert refused.value.status == 422


def test_control_characters_are_taken_out_of_a_prompt() -> None:
    assert battles.clean_prompt(" 안\x00녕\x1b[31m\u202e하세요\n잘 지내요? ") == "안녕[31m하세요\n잘 지내요?"
    assert len(battles.clean_prompt("가" * 30_000)) == 30_000


def test_a_site_without_servers_says_so() -> None:
    with pytest.raises(Refused) as refused:
        battles.open_live(make_voter(), "n", "안녕하세요")
    assert (refused.value.kind, refused.value.status) == ("no_live", 503)


def test_a_live_battle_holds_the_prompt_on_both_sides_and_one_stream() -> None:
    for name in ("one", "two"):
        make_served("http://127.0.0.1:9/v1", name)
    battle = battles.open_live(make_voter(), "n", "파이썬 함수를 써 주세요")
    assert [m.text for m in Message.objects.all()] == ["파이썬 함수를 써 주세요"] * 2
    assert (battle.status, battle.language, battle.category) == ("created", "ko", "coding")
    assert len(battle.stream_key) >= 20


def test_five_failures_take_a_server_out_for_two_minutes() -> None:
    one, other = (make_served("http://127.0.0.1:9/v1", name) for name in ("one", "two"))
    for _ in range(5):
        conversation = make_conversation(one, item="", answers=["-"], is_recorded=False)
        conversation.messages.filter(role="assistant").update(status="error", text="")
    assert roster.pool("live").table == {}
    assert {revision.pk for revision in roster.live_revisions()} == {one.pk, other.pk}


def test_a_further_turn_needs_a_complete_battle() -> None:
    for name in ("one", "two"):
        make_served("http://127.0.0.1:9/v1", name)
    battle = battles.open_live(make_voter(), "n", "안녕하세요")
    with pytest.raises(Refused):
        battles.ask(battle, "더 말해 주세요")
    for side in battles.sides_of(battle):
        Message.objects.create(conversation=side, position=1, turn=1, role="assistant", text="네")
    Battle.objects.filter(pk=battle.pk).update(status="complete")
    before = battle.stream_key
    battle = battles.ask(battle, "더 말해 주세요")
    assert battle.status == "created"
    assert battle.stream_key != before
    assert Message.objects.filter(turn=2, position=2, text="더 말해 주세요").count() == 2


def test_only_a_broken_battle_is_tried_again() -> None:
    for name in ("one", "two"):
        make_served("http://127.0.0.1:9/v1", name)
    battle = battles.open_live(make_voter(), "n", "안녕하세요")
    with pytest.raises(Refused):
        battles.retry(battle)
    Battle.objects.filter(pk=battle.pk).update(status="error", error_kind="endpoint_down")
    assert battles.retry(battle).status == "created"


def test_a_hook_that_fails_refuses_every_text(settings: object) -> None:
    settings.ARENA_MODERATION = "tests.arena.test_battles.no_such_hook"  # type: ignore[attr-defined]
    with pytest.raises(Refused) as refused:
        battles.clean_prompt("안녕하세요")
    assert refused.value.kind == "moderated"


def test_chosen_models_are_one_or_two_of_the_list() -> None:
    one, other = (make_served("http://127.0.0.1:9/v1", name) for name in ("one", "two"))
    voter = make_voter()
    assert battles.open_chosen(voter, "n", "안녕", [one.slug]).mode == "direct"
    assert battles.open_chosen(voter, "n", "안녕", [one.slug, other.slug]).mode == "side_by_side"
    with pytest.raises(Refused):
        battles.open_chosen(voter, "n", "안녕", ["maker/unknown"])
