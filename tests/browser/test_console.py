"""An operator finds thirty failures of one cause, re-runs them as a group, watches them finish, opens a flip table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import open_browser
from tests.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
RUNS = 30
SHOWN = "#watch tbody tr"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole site with two workers, one finished run and thirty that failed like it."""
    own = Site(tmp_path_factory.mktemp("site"))
    process = own.start("serve", "--workers", "2")
    own.wait_for("the site answers", lambda: process.poll() is not None or _answers(own), 60)
    assert process.poll() is None, own.log.read_text()[-3000:]
    told = own.manage("evaluate", "reference/constant", "ko-basic", "--limit", "4")
    run_id = re.match(r"run (\d+) waits", told)
    assert run_id, told
    finished = "select 1 from runners_evaluationrun where id = ? and status = 'finished'"
    own.wait_for("one run has finished", lambda: own.sql(finished, int(run_id[1])), 120)
    own.manage(
        "shell", "-v0", "-c",
        f"from tests.browser import failed_runs as f; f.operator('chief', 'pass'); f.copies({run_id[1]}, {RUNS})",
    )  # fmt: skip
    yield own
    own.stop()


def _answers(site: Site) -> bool:
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{site.port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def page(site: Site) -> Iterator[Any]:
    with open_browser() as browser:
        opened = browser.new_page(
            viewport={"width": 1280, "height": 900}, locale="en", base_url=f"http://127.0.0.1:{site.port}"
        )
        opened.set_default_timeout(20_000)
        wrong: list[str] = []
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.on("response", lambda answer: answer.status >= 500 and wrong.append(answer.url))
        opened.on("console", lambda said: "Content Security Policy" in said.text and wrong.append(said.text))
        yield opened
        assert wrong == []


def test_thirty_failures_of_one_cause_are_rerun_as_a_group_and_proved(site: Site, page: Any) -> None:
    page.goto("/en/console/failures/")
    page.wait_for_url("**/admin/login/**")
    page.fill("#id_username", "chief")
    page.fill("#id_password", "pass")
    page.click("input[type=submit]")
    page.wait_for_url("**/en/console/failures/")
    group = page.locator(".group[data-error=does_not_fit]")
    assert group.locator("h2").inner_text().startswith(f"{RUNS} runs: ")
    assert "gpu-g2" in group.inner_text()

    group.locator("button").click()  # without a reason the browser itself asks for one
    assert page.url.endswith("/console/failures/")
    group.locator("input[name=reason]").fill("a GPU with more memory is there")
    group.locator("button").click()
    page.wait_for_url("**/en/console/?batch=*")
    assert page.locator(SHOWN).count() == RUNS

    # Nobody reloads the page: it follows the runs until the last one has ended.
    page.locator(f"{SHOWN} .pill.running").first.wait_for(timeout=60_000)
    page.locator("#watch .notice.success").wait_for(timeout=420_000)
    assert page.locator(f"{SHOWN} .pill.finished").count() == RUNS

    page.locator(f"{SHOWN} a[href$='/proof/']").first.click()
    page.wait_for_url("**/proof/")
    assert page.locator("tr[data-flip]").count() == 2
    assert "a GPU with more memory is there" in page.inner_text("main")
    page.locator("tr[data-flip] a").first.click()
    page.wait_for_url("**/samples/**")

    page.goto("/en/console/failures/")
    assert page.locator(".group").count() == 0
    page.goto("/en/console/audit/")
    assert page.locator("tbody tr").count() == RUNS


def test_the_log_drawer_opens_beside_the_table(page: Any) -> None:
    page.goto("/admin/login/?next=/en/console/%3Fstatus=failed")
    page.fill("#id_username", "chief")
    page.fill("#id_password", "pass")
    page.click("input[type=submit]")
    page.locator("a[hx-target='#drawer']").first.click()
    page.locator("#drawer .log").wait_for()
    assert "CUDA out of memory" in page.inner_text("#drawer")
    assert page.url.endswith("status=failed")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
