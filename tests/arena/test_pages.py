"""What a visitor sees in the arena, in both languages and without a script."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from arena import roster
from arena.models import Battle, Entry, Report, Vote, Voter
from arena.reveals import JUDGES, JudgeView
from arena.votes import cast_vote
from runners.models import Message
from tests.arena.people import consenting, make_contenders, make_served, open_battle

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh() -> None:
    roster.forget()


def _battle(client: Client, language: str = "en") -> Battle:
    """A recorded battle of this client, read for half a minute."""
    client.post(f"/{language}/arena/open/", {"kind": "recorded"})
    battle = Battle.objects.order_by("-pk")[0]
    earlier = timezone.now() - timedelta(seconds=30)
    Battle.objects.filter(pk=battle.pk).update(completed_at=earlier, created_at=earlier)
    return battle


def _text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


@pytest.mark.parametrize("language", ["ko", "en"])
def test_consent_comes_first_and_makes_the_only_cookie(client: Client, language: str) -> None:
    make_contenders()
    text = _text(client, f"/{language}/arena/")
    assert f"/{language}/arena/consent/" in text
    assert "arena/open/" not in text
    assert client.post(f"/{language}/arena/open/", {"kind": "recorded"}).status_code == 302
    assert not Battle.objects.exists()
    consenting(client, language)
    assert "arena/open/" in _text(client, f"/{language}/arena/")
    voter = Voter.objects.get()
    assert client.cookies["arena"]["httponly"]
    assert client.cookies["arena"].value not in (voter.key, "")
    assert "127.0.0.1" not in voter.network_hash and len(voter.network_hash) == 64


def test_a_site_without_servers_says_that_live_battles_are_closed(client: Client) -> None:
    consenting(client)
    assert "No model server is free at this site right now" in _text(client, "/en/arena/")
    refused = client.post("/en/arena/open/", {"kind": "live", "prompt": "안녕하세요"})
    assert refused.status_code == 503


@pytest.mark.parametrize("prompt", ["", "\x00\x07", "가" * 30_001])
def test_a_bad_prompt_is_refused_with_what_to_change(client: Client, prompt: str) -> None:
    for name in ("one", "two"):
        make_served("http://127.0.0.1:9/v1", name)
    consenting(client)
    answer = client.post("/en/arena/open/", {"kind": "live", "prompt": prompt})
    assert answer.status_code == 422
    assert ("30000" in answer.content.decode()) or ("Write what" in answer.content.decode())
    assert not Battle.objects.exists()


def test_a_battle_from_the_first_look_to_the_reveal(client: Client) -> None:
    make_contenders()
    consenting(client)
    battle = _battle(client)
    before = _text(client, f"/en/arena/battles/{battle.key}/")
    assert "Model A" in before and "Model B" in before
    assert before.count('name="winner"') == 4
    assert "disabled" not in before.split('class="votes"')[1].split("</div>")[0]
    assert battle.left_revision.language_model.name not in before
    answer = client.post(f"/en/arena/battles/{battle.key}/vote/", {"winner": "b", "reason": ["correct"]})
    assert answer.status_code == 302
    after = _text(client, f"/en/arena/battles/{battle.key}/")
    assert battle.left_revision.language_model.name in after
    assert "You preferred B" in after and "Your vote counts" in after
    assert "1 counted vote on this pair" in after
    assert "apache-2.0" in after and "New battle" in after
    assert 'name="winner"' not in after
    again = client.post(f"/en/arena/battles/{battle.key}/vote/", {"winner": "a"})
    assert again.status_code == 302
    assert Vote.objects.get().winner == "b"


def test_the_vote_bar_is_off_until_both_have_finished(client: Client) -> None:
    make_contenders()
    consenting(client)
    battle = _battle(client)
    Battle.objects.filter(pk=battle.pk).update(status="streaming")
    assert _text(client, f"/en/arena/battles/{battle.key}/").count(" disabled>") == 4


def test_strangers_see_a_battle_only_once_it_is_shared(client: Client) -> None:
    make_contenders()
    consenting(client)
    battle = _battle(client)
    path, stranger = f"/en/arena/battles/{battle.key}/", consenting(Client())
    for what in ("vote", "ask", "retry", "share", "report", "delete", "agree"):
        assert stranger.post(f"{path}{what}/", {"winner": "a"}).status_code == 404
    client.post(f"{path}share/")
    assert stranger.get(path).status_code == 404, "a battle without a vote cannot be shared"
    client.post(f"{path}vote/", {"winner": "tie"})
    assert stranger.get(path).status_code == 404
    client.post(f"{path}share/")
    shared = _text(stranger, path)
    assert battle.left_revision.language_model.name in shared
    assert "Delete my texts" not in shared


def test_a_report_reaches_the_staff(client: Client) -> None:
    make_contenders()
    consenting(client)
    battle = _battle(client)
    client.post(f"/en/arena/battles/{battle.key}/report/", {"reason": "hurtful"})
    assert Report.objects.get().reason == "hurtful"


def test_deleting_a_live_battle_leaves_no_text(client: Client) -> None:
    for name in ("one", "two"):
        make_served("http://127.0.0.1:9/v1", name)
    consenting(client)
    client.post("/en/arena/open/", {"kind": "live", "prompt": "제 비밀은 이것입니다"})
    battle = Battle.objects.get()
    client.post(f"/en/arena/battles/{battle.key}/delete/")
    assert set(Message.objects.values_list("text", flat=True)) == {""}
    battle.refresh_from_db()
    assert (battle.status, battle.error_kind) == ("error", "deleted")
    assert "deleted" in _text(client, f"/en/arena/battles/{battle.key}/")


def test_model_texts_have_no_power_over_the_page(client: Client) -> None:
    make_contenders()
    Message.objects.filter(role="assistant").update(text='<script>alert(1)</script><img src=x onerror="a()">')
    Message.objects.filter(role="user").update(text="<b>질문</b>")
    consenting(client)
    text = _text(client, f"/en/arena/battles/{_battle(client).key}/")
    assert "<script>alert" not in text and "<img src=x" not in text and "<b>질문" not in text


def test_judges_are_heard_after_the_vote_and_can_be_disagreed_with(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.reveals.JUDGES", [lambda battle: [JudgeView("Judge K", "a", 8.0, 3.5, "더 정확함")]])
    make_contenders()
    consenting(client)
    battle = _battle(client)
    path = f"/en/arena/battles/{battle.key}/"
    assert "Judge K" not in _text(client, path)
    client.post(f"{path}vote/", {"winner": "b"})
    after = _text(client, path)
    assert "Judge K" in after and "A 8.0 · B 3.5" in after and "Do you agree with this verdict?" in after
    client.post(f"{path}agree/", {"agrees": "no"})
    assert Vote.objects.get().agrees_with_judge is False
    assert "You do not agree with the judge." in _text(client, path)
    assert JUDGES is not None


def test_fair_play_shows_the_probabilities_the_sampler_draws_with(client: Client) -> None:
    one, other, gone = make_contenders(3)
    Entry.objects.create(revision=gone, retired_at=timezone.now(), retired_reason="two newer ones of its family")
    open_battle()
    text = _text(client, "/en/arena/fair-play/")
    assert one.language_model.display_name in text and other.language_model.display_name in text
    assert "100.0" in text, "two models are left: their pair is certain"
    assert "two newer ones of its family" in text


def test_the_ledger_names_rule_actor_and_time_of_every_left_out_vote(client: Client) -> None:
    make_contenders()
    battle = open_battle(read=False)
    vote = cast_vote(battle.key, battle.voter, "a").vote
    text = _text(client, "/en/arena/ledger/")
    assert "cast before anybody could have read" in text and "screening" in text and str(vote.pk) in text
    assert _text(client, "/en/arena/ledger/?rule=leak").count("cast before anybody") == 1, "only in the list of rules"
    rows = b"".join(client.get("/en/arena/ledger.csv").streaming_content).decode().splitlines()
    assert rows[0].startswith("vote_id,rule,detail") and rows[1].startswith(f"{vote.pk},too_fast")


def test_public_pages_ask_the_same_number_of_questions_however_many_rows(
    client: Client, django_assert_max_num_queries: object
) -> None:
    make_contenders(12)
    for _ in range(3):
        battle = open_battle(read=False)
        cast_vote(battle.key, battle.voter, "a")
    for page, most in (("ledger", 8), ("fair-play", 14)):
        with django_assert_max_num_queries(most):  # type: ignore[operator]
            client.get(f"/en/arena/{page}/")


def test_a_voter_sees_how_reliable_the_own_votes_are(client: Client) -> None:
    make_contenders()
    consenting(client)
    assert "You have not voted yet." in _text(client, "/en/arena/me/")
    battle = _battle(client)
    Battle.objects.filter(pk=battle.pk).update(gold_winner="a")
    client.post(f"/en/arena/battles/{battle.key}/vote/", {"winner": "a"})
    text = _text(client, "/en/arena/me/")
    assert "100.0 %" in text and "n = 1" in text and battle.left_revision.language_model.name in text
    assert Client().get("/en/arena/me/").status_code == 302


def test_staff_can_retire_a_model_and_read_reports_and_the_ledger(admin_client: Client) -> None:
    make_contenders()
    battle = open_battle(read=False)
    cast_vote(battle.key, battle.voter, "a")
    Report.objects.create(battle=battle, reason="hurtful")
    entry = Entry.objects.create(revision=battle.left_revision)
    for page in (f"entry/{entry.pk}/change/", "entry/", "report/", "exclusion/"):
        assert admin_client.get(f"/admin/arena/{page}").status_code == 200
    assert admin_client.get("/admin/arena/exclusion/add/").status_code == 403
