"""Whole battles in a browser: recorded ones straight after the start, by keyboard, wide and on a phone; a live one."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import open_browser
from tests.fake_openai import Behaviour, FakeOpenAI
from tests.site import Site

pytestmark = pytest.mark.browser
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MODELS = ("ko-candidate-1", "ko-candidate-2")
FIRST, SECOND = "첫 번째 **답**입니다.\n\n- 하나\n- 둘", "두 번째 답은 <b>이렇게</b> 씁니다."
LONG_ENOUGH = 1_300


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole site as `make run` starts it, with two served models; ready once recorded answers are there."""
    with FakeOpenAI(models=MODELS) as server:
        server.behaviours = {
            MODELS[0]: Behaviour(reply=FIRST, between=0.05),
            MODELS[1]: Behaviour(reply=SECOND, between=0.03),
        }
        own = Site(tmp_path_factory.mktemp("site"), OPENAI_BASE_URL=server.base_url, GYEORU_ARENA_MIN_SECONDS="1")
        process = own.start("serve", "--workers", "2")
        own.wait_for("the site answers", lambda: process.poll() is not None or _answers(own), 60)
        assert process.poll() is None, own.log.read_text()[-3000:]
        answered = (
            "select count(distinct revision_id) from runners_conversation where is_recorded and item like 'ko-mt/%'"
        )
        own.wait_for("recorded answers", lambda: own.sql(answered) and own.sql(answered)[0][0] >= 4, 120)
        yield own
        own.stop()


def _answers(site: Site) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{site.port}/healthz", timeout=5) as answer:
            return bool(answer.read())
    except OSError:
        return False


@pytest.fixture(params=[WIDE, PHONE], ids=["wide", "phone"])
def page(request: pytest.FixtureRequest, site: Site) -> Iterator[Any]:
    with open_browser() as browser:
        context = browser.new_context(viewport=request.param, locale="ko-KR", base_url=f"http://127.0.0.1:{site.port}")
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        opened.wrong = []
        opened.on("console", lambda said: said.type == "error" and opened.wrong.append(said.text))
        opened.on("pageerror", lambda error: opened.wrong.append(str(error)))
        opened.goto("/ko/arena/")
        opened.click("form[action$='consent/'] button")
        opened.width = request.param["width"]
        yield opened
        assert opened.wrong == []


def _fits(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") <= page.width)


def test_two_recorded_battles_are_voted_on_by_keyboard_and_the_ratings_move(site: Site, page: Any) -> None:
    counted = (
        "select coalesce(sum(left_wins + right_wins + ties + both_bad), 0) from arena_pairtally t "
        "join arena_votesource s on s.id = t.source_id where category = 'overall' and s.slug = 'arena'"
    )
    before = site.sql(counted)[0][0]
    for key, said in (("1", "a"), ("4", "bothbad")):
        page.goto("/ko/arena/")
        page.click("form[action$='open/']:has(input[value=recorded]) button")
        page.wait_for_selector(".battle.complete .votes button:enabled")
        assert page.locator("#reveal").count() == 0
        assert _fits(page)
        page.wait_for_timeout(LONG_ENOUGH)
        page.keyboard.press(key)
        page.wait_for_selector("#reveal")
        assert page.locator("#reveal tbody tr").count() == 2
        assert _fits(page)
        assert site.sql("select winner from arena_vote order by id desc limit 1")[0][0] == said
    assert site.sql(counted)[0][0] == before + 2
    page.goto("/ko/arena/me/")
    assert page.locator("main table").count() == 2
    page.goto("/ko/arena/ratings/")
    assert _fits(page)


def test_a_phone_shows_one_side_at_a_time(page: Any) -> None:
    page.click("form[action$='open/']:has(input[value=recorded]) button")
    page.wait_for_selector(".battle.complete")
    left, right = page.locator(".side.a").first, page.locator(".side.b").first
    if page.width > 640:
        boxes = left.bounding_box(), right.bounding_box()
        assert abs(boxes[0]["width"] - boxes[1]["width"]) < 1, "equal columns"
        return
    assert left.is_visible() and not right.is_visible()
    page.click(".sidetabs label >> nth=1")
    assert right.is_visible() and not left.is_visible()


def test_a_live_battle_streams_opens_the_vote_and_reveals(site: Site, page: Any) -> None:
    page.locator("button.suggestion").first.click()
    assert page.input_value("#prompt")
    page.click("form:has(input[value=live]) button[type=submit]")
    page.wait_for_selector(".votes button:disabled")
    page.keyboard.press("1")
    assert page.locator("#reveal").count() == 0, "no vote before the end"
    page.wait_for_selector(".live-text", state="attached")
    page.wait_for_selector(".battle.complete .votes button:enabled")
    text = page.locator("main").text_content()
    assert "두 번째 답은" in text and "하나" in text
    assert not any(name in page.content() for name in MODELS)
    assert page.locator(".side li").count() == 2, "Markdown is laid out once the answer is whole"
    assert page.locator(".side b").count() == 0, "a model's HTML is text"
    page.wait_for_timeout(LONG_ENOUGH)
    page.keyboard.press("2")
    page.wait_for_selector("#reveal")
    assert any(name in page.inner_text("#reveal") for name in MODELS)
    assert _fits(page)
