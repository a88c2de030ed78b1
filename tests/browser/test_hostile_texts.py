"""Hostile answers and reasons in a real browser: no dialog, no request, no link into the site, no CSP report."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from judging.models import Judgment
from runners.models import Message
from tests.browser.chromium import open_browser
from tests.leaderboard.hostile import PAYLOADS
from tests.leaderboard.judged import Judged, make_judged

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
BESIDE = 4
REPORTS = "window.reports = []; addEventListener('securitypolicyviolation', e => window.reports.push(e.blockedURI))"
ACTIVE = "script, img, svg, iframe, object, embed, form, input, button, style, link, meta, base, video, audio, [style]"


@pytest.fixture
def judged() -> Judged:
    """Two payloads per model, one in each turn, and the same again as the judge's reasons."""
    texts = [text.replace("\x00", "\ufffd") for text in PAYLOADS]
    models = len(texts) // 2 + len(texts) % 2
    made = make_judged({f"maker/m{number:03}": [(5.0, 5.0)] for number in range(models)})
    for number, text in enumerate(texts):
        conversation = made.answers[number // 2][0].conversation
        turn = number % 2 + 1
        Message.objects.filter(conversation=conversation, turn=turn, role="assistant").update(text=text)
        Judgment.objects.filter(subject=conversation, turn=turn).update(reason=text)
    return made


def test_a_hundred_hostile_texts_do_nothing(judged: Judged, live_server: Any) -> None:
    answers = [own[0].pk for own in judged.answers]
    seen = 0
    with open_browser() as browser:
        page = browser.new_page(base_url=live_server.url)
        page.add_init_script(REPORTS)
        dialogs: list[str] = []
        asked: list[str] = []
        said: list[str] = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        for start in range(0, len(answers), BESIDE):
            first, *others = answers[start : start + BESIDE]
            address = f"/en/answers/{first}/?with={','.join(map(str, others))}"
            page.goto(address, wait_until="networkidle")
            seen += page.locator(".said .prose").count()
            assert page.locator(ACTIVE).and_(page.locator(".prose *")).count() == 0, address
            for link in page.locator(".prose a").evaluate_all("links => links.map(link => link.href)"):
                assert link.startswith(("http://", "https://"))
                assert urlsplit(link).hostname not in (None, "localhost", "127.0.0.1"), link
            assert page.evaluate("window.reports") == []
        assert dialogs == []
        assert {urlsplit(address).netloc for address in asked} == {urlsplit(live_server.url).netloc}
        assert {urlsplit(address).path.split("/")[1] for address in asked} == {"en", "static"}
        assert not any("/admin" in address or "logout" in address for address in asked)
        assert said == []
        assert seen >= 100
        # The ear that heard nothing does hear: what the policy forbids is reported.
        page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://evil.example/p.png'}))")
        page.wait_for_function("window.reports.length > 0")
