"""A served model goes from the form to the board in a browser, through the real queue, down to a single question."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import open_browser
from tests.fake_openai import FakeOpenAI
from tests.site import Site

pytestmark = pytest.mark.browser
MODEL = "ko-candidate"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole site as `make run` starts it, with a fake model server attached."""
    with FakeOpenAI(models=(MODEL,), latency=0.02) as server:
        own = Site(tmp_path_factory.mktemp("site"), OPENAI_BASE_URL=server.base_url)
        process = own.start("serve", "--workers", "1")
        own.wait_for("the site answers", lambda: process.poll() is not None or _get(own, "/healthz"), 60)
        assert process.poll() is None, own.log.read_text()[-3000:]
        yield own
        own.stop()


@pytest.fixture
def page(site: Site) -> Iterator[Any]:
    with open_browser() as browser:
        opened = browser.new_page(viewport=WIDE, locale="ko-KR", base_url=f"http://127.0.0.1:{site.port}")
        opened.set_default_timeout(20_000)
        opened.wrong = []
        opened.on("console", lambda said: opened.wrong.extend(_complaints(said)))
        opened.on("pageerror", lambda error: opened.wrong.append(str(error)))
        opened.on("response", lambda answer: answer.status >= 500 and opened.wrong.append(answer.url))
        yield opened
        assert opened.wrong == []


def _complaints(said: Any) -> list[str]:
    """An error on the console; not the 422 of a refused form, nor a poll that a click on a link cut off."""
    if said.type != "error" or "422" in said.text or said.text.startswith("htmx:"):
        return []
    return [said.text]


def _get(site: Site, path: str) -> Any:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{site.port}{path}", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    return json.loads(text) if text.startswith(("{", "[")) else text


def test_a_served_model_stands_on_the_board_and_opens_down_to_one_question(site: Site, page: Any) -> None:
    page.goto("/ko/submit/?suite=ko-basic")
    page.check("input[name=source][value=served]")
    page.select_option("#served", f"api/{MODEL}")
    page.wait_for_selector("#checks [data-check=reply].ok")
    page.click("button[value=send]")
    page.wait_for_url("**/ko/submissions/**")
    receipt = page.url
    # The receipt moves by itself: nobody reloads it.
    page.wait_for_selector("#status .pill.finished", timeout=180_000)
    page.click("#status .actions a.button >> nth=0")
    page.wait_for_url("**/boards/ko-basic/**")

    row = page.locator("table.board tbody tr", has_text=MODEL)
    cell = row.locator("td a[href*='/runs/']").first
    found = re.search(r"\d+\.\d", cell.inner_text())
    assert found, cell.inner_text()
    shown = found.group()
    cell.click()
    page.wait_for_url("**/runs/**")
    run_id = int(page.url.split("/runs/")[1].split("/")[0])

    page.goto(f"/ko/runs/{run_id}/")
    assert shown in page.inner_text("main")
    page.locator("main a[href*='/samples/']").first.click()
    page.wait_for_url("**/samples/**")
    links = page.locator(f"main a[href*='/runs/{run_id}/samples/']").evaluate_all("a => a.map(x => x.pathname)")
    page.goto(next(link for link in links if re.search(r"/\d+/$", link)))
    assert "정답은" in page.inner_text("main")
    _assert_the_api_agrees(site, run_id, shown)
    page.goto(receipt)
    assert f"/ko/runs/{run_id}/" in page.content()


def _assert_the_api_agrees(site: Site, run_id: int, shown: str) -> None:
    """The board's number, the run's results and the items say the same."""
    board = _get(site, "/api/v1/boards/ko-basic")
    row = next(row for row in board["rows"] if row["revision"] == f"api/{MODEL}")
    cells = {task: cell for task, cell in row["cells"].items() if cell["value"] is not None}
    assert row["run"] == run_id
    assert {f"{cell['value'] * 100:.1f}" for cell in [*cells.values(), {"value": row["average"]}]} >= {shown}
    task, cell = next(iter(cells.items()))
    items = _all_samples(site, run_id, task)
    assert len(items) == cell["n_docs"]
    known = [item["correct"] for item in items if item["correct"] is not None]
    assert len(known) == cell["n_scored"]
    assert sum(known) / len(known) == pytest.approx(cell["value"])


def _all_samples(site: Site, run_id: int, task: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for number in range(1, 100):
        page = _get(site, f"/api/v1/runs/{run_id}/samples?task={task}&page={number}")
        items += page["rows"]
        if number >= page["pages"]:
            break
    return items


def test_a_bad_name_is_marked_while_typing_and_stays_in_the_field(page: Any) -> None:
    page.goto("/ko/submit/")
    page.check("input[name=source][value=hub]")
    page.fill("#hub_id", "../etc/passwd")
    page.wait_for_selector("#checks [data-check=name].bad")
    page.click("button[value=send]")
    page.wait_for_selector("#hub_id_error .errorlist")
    assert page.input_value("#hub_id") == "../etc/passwd"


def test_the_form_fits_a_phone(page: Any, tmp_path: Path) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/ko/submit/")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.click("input[name=source][value=hub]")
    assert page.locator("#hub_id").is_visible()
    assert not page.locator("#served").is_visible()


def test_the_form_works_without_a_script(site: Site) -> None:
    with open_browser() as browser:
        plain = browser.new_context(java_script_enabled=False).new_page()
        plain.goto(f"http://127.0.0.1:{site.port}/en/submit/")
        plain.check("input[name=source][value=served]")
        plain.select_option("#served", f"api/{MODEL}")
        plain.click("button[value=check]")
        assert plain.locator("#checks [data-check=reply].ok").count() == 1
