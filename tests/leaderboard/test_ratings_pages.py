"""The rating and agreement pages and their API: what a reader sees, and what it costs."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from arena import tallies
from leaderboard.agreement_numbers import refresh
from leaderboard.api.registry import ENDPOINTS
from leaderboard.bradley_terry import rate
from leaderboard.pair_counts import PairCounts
from leaderboard.rating_standings import Progress, agreement_pages, rating_pages
from leaderboard.ratings import half_width, refit
from tests.arena.votes import make_source, make_vote
from tests.leaderboard.api.holds import problems
from tests.leaderboard.votes import counted

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Any:
    """Three models, thirty votes of people on ten questions, a judge with as many verdicts."""
    source, judge = make_source(), make_source("judge:strict", "strict")
    pairs = [("p", "q"), ("q", "r"), ("r", "p")]
    for number in range(30):
        left, right = pairs[number % 3]
        item, winner = f"people/q{number % 10}", ("a", "a", "b", "tie", "a")[number % 5]
        make_vote(source, left, right, winner, item=item, category="math", language="ko", turn=1 + number % 2)
        if number < 20:
            make_vote(judge, right, left, "b" if number % 4 else "a", item=item, turn=1 + number % 2)
    refit(source)
    refit(judge)
    refresh(source)
    return source


def schema_of(path: str) -> Any:
    return next(one.response for one in ENDPOINTS if one.path == path)


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("view", ["table", "methods", "pairs", "history"])
def test_every_view_shows_the_models(client: Client, site: Any, language: str, view: str) -> None:
    answer = client.get(f"/{language}/arena/ratings/?view={view}")
    assert answer.status_code == 200
    body = answer.content.decode()
    assert all(f">{name}<" in body or f"<br>{name}<" in body for name in ("p", "q", "r"))
    assert "style=" not in body
    assert "<script>" not in body


def test_a_page_that_was_read_costs_no_query(client: Client, site: Any, django_assert_num_queries: Any) -> None:
    addresses = ["/en/arena/ratings/", "/en/arena/ratings/?source=people&method=elo", "/api/v1/ratings?source=people",
                 "/en/arena/ratings.csv?source=people", "/en/arena/agreement/?source=people&judge=strict"]  # fmt: skip
    first = [client.get(address).content for address in addresses]
    with django_assert_num_queries(0):
        assert [client.get(address).content for address in addresses] == first


def test_new_votes_make_the_page_new(client: Client, site: Any) -> None:
    assert "30" in client.get("/en/arena/ratings/?source=people").content.decode()
    make_vote(site, "p", "q", "a")
    refit(site)
    assert rating_pages.refresh()
    assert json.loads(client.get("/api/v1/ratings?source=people").content)["votes"] == 31


def test_a_method_without_ratings_says_why(client: Client, site: Any) -> None:
    body = client.get("/en/arena/ratings/?source=people&method=bt-style").content.decode()
    assert "length and Markdown were counted" in body


def test_before_any_vote_the_pages_say_so(client: Client) -> None:
    assert "Nobody has voted yet" in client.get("/en/arena/ratings/").content.decode()
    assert "meet on the same answers yet" in client.get("/en/arena/agreement/").content.decode()
    assert client.get("/api/v1/ratings").json()["rows"] == []
    assert client.get("/api/v1/agreement").json()["S1"] is None


@pytest.mark.parametrize(
    "address",
    ["/en/arena/ratings/?source=nobody", "/en/arena/ratings/?source=people&category=none", "/api/v1/ratings?source=x",
     "/api/v1/ratings?source=people&category=x", "/api/v1/agreement?judge=x", "/api/v1/agreement?category=none",
     "/en/arena/agreement/?judge=x", "/en/arena/ratings/votes/?source=people"],
)  # fmt: skip
def test_what_is_not_known_is_not_found(client: Client, site: Any, address: str) -> None:
    assert client.get(address).status_code == 404


def test_a_cell_opens_its_votes_with_the_excluded_ones_marked(client: Client, site: Any) -> None:
    vote = site.votes.filter(left__slug="import/p").first()
    tallies.exclude([vote.pk], rule="too_fast", actor="t")
    body = client.get("/en/arena/ratings/?source=people&view=pairs").content.decode()
    href = "/en/arena/ratings/votes/?source=people&a=import%2Fp&b=import%2Fq"
    assert href.replace("&", "&amp;") in body
    opened = client.get(href).content.decode()
    assert "10 votes on this pair" in opened
    assert "cast before anybody could have read" in opened


@pytest.mark.parametrize("method", ["bt", "elo", "davidson", "bt-decisive", "bt-style"])
def test_the_ratings_answer_is_what_the_document_says(client: Client, site: Any, method: str) -> None:
    found = client.get(f"/api/v1/ratings?source=people&category=math&method={method}").json()
    assert problems(found, schema_of("/api/v1/ratings")) == []
    if method != "bt-style":
        assert found["votes"] == 30
        assert {"model", "rating", "low", "high", "rank_low", "rank_high", "battles", "wins", "ties"} <= set(
            found["rows"][0]
        )


def test_the_agreement_answer_is_what_the_document_says(client: Client, site: Any) -> None:
    found = client.get("/api/v1/agreement?source=people&judge=strict&category=math&turn=1").json()
    assert problems(found, schema_of("/api/v1/agreement")) == []
    assert 0 < found["S1"]["n"] < 30
    assert found["human_human"]["S1"]["n"] == 0
    assert found["kappa"] is not None


def test_the_agreement_page_shows_counts_and_cuts(client: Client, site: Any) -> None:
    body = client.get("/en/arena/agreement/").content.decode()
    page = agreement_pages.subject("people\nstrict")
    assert page is not None
    share = page.snapshot.numbers["slices"][0]["s1"]
    assert f"{share['agree']}/{share['n']}" in body
    assert "math" in body
    assert "Korean" in body


def test_the_models_answer_has_its_ratings(client: Client, site: Any) -> None:
    ratings = client.get("/api/v1/models/import/p").json()["ratings"]
    assert {(one["source"], one["method"]) for one in ratings} >= {("people", "bt"), ("people", "elo")}


def test_the_csv_has_a_line_per_model(client: Client, site: Any) -> None:
    text = client.get("/en/arena/ratings.csv?source=people").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["Revision"] for row in rows} == {"import/p", "import/q", "import/r"}


def test_exported_votes_carry_a_chain_that_anybody_can_check(site: Any, tmp_path: Path) -> None:
    tallies.exclude([site.votes.first().pk], rule="leak", actor="t")
    call_command("export", "votes", format="jsonl", output=tmp_path / "v.jsonl")
    call_command("export", "ratings", format="csv", output=tmp_path / "r.csv")
    rows = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    mine = [row for row in rows if row["source"] == "people"]
    assert (len(mine), mine[0]["excluded"]) == (30, ["leak"])
    link = hashlib.sha256(b"gyeoru vote log 1\npeople").hexdigest()
    names = list(mine[0])[3:-2]
    for row in mine:
        text = json.dumps([row[name] for name in names], ensure_ascii=False, separators=(",", ":"))
        link = hashlib.sha256(f"{link}\n{text}".encode()).hexdigest()
        assert row["chain"] == link
    assert "import/p" in (tmp_path / "r.csv").read_text()


def test_the_gauge_says_how_many_votes_are_missing(client: Client, site: Any) -> None:
    text = client.get("/en/arena/ratings/?source=people").content.decode()
    assert "Are these enough votes?" in text and "known to within ±30 points" in text
    assert '<progress max="' in text and "≈ " in text


def test_missing_votes_follow_from_the_root_of_the_votes() -> None:
    assert Progress("math", 100, 60.0).needed == 300
    assert (Progress("math", 100, 30.0).needed, Progress("math", 100, 12.0).needed) == (0, 0)
    assert Progress("math", 2, None).needed is None


def test_four_times_the_votes_halve_the_interval_that_the_gauge_shows() -> None:
    counts = counted(4000, 6)
    few = PairCounts(counts.models, counts.wins / 4, counts.ties / 4, counts.both_bad / 4)
    wide, narrow = half_width(rate(few)), half_width(rate(counts))
    assert wide is not None and narrow is not None
    missing = Progress("", 1000, wide).needed
    assert wide == pytest.approx(2 * narrow, rel=0.01)
    assert missing == pytest.approx(1000 * ((wide / 30) ** 2 - 1), abs=1)
