"""The method page and the pages of the suites."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from judging import question_sets
from tests import factories

FOLDER = Path(settings.BASE_DIR) / "templates" / "method"
ID = re.compile(r'id="([a-z]+)"')


def _text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_both_languages_have_the_same_sections_in_the_same_order() -> None:
    korean, english = ((FOLDER / f"method_{language}.html").read_text() for language in ("ko", "en"))
    assert ID.findall(korean) == ID.findall(english)
    assert {"rank", "knowledge", "extraction", "missing", "repeat"} <= set(ID.findall(korean))


def test_every_entry_of_the_contents_leads_somewhere() -> None:
    for language in ("ko", "en"):
        text = (FOLDER / f"method_{language}.html").read_text()
        assert set(re.findall(r'href="#([a-z]+)"', text)) <= set(ID.findall(text))


@pytest.mark.django_db
def test_the_method_page_speaks_the_readers_language(client: Client) -> None:
    factories.make_suite("tiny", title_ko="작은 모음", title_en="Tiny suite")
    assert "순위는 구간입니다" in _text(client, "/ko/method/")
    english = _text(client, "/en/method/")
    assert "Ranks are intervals" in english
    assert 'href="/en/suites/tiny/">Tiny suite</a>' in english


@pytest.mark.django_db
def test_a_suite_page_shows_what_its_numbers_rest_on(client: Client) -> None:
    benchmark = factories.make_benchmark("set", source="Somebody et al. 2024", licence="CC BY-SA 4.0")
    task = factories.make_task(
        "copa_gen", benchmark, title_en="Causes", n_docs=1000, chance_level=0.5, num_fewshot=5, config_sha="ab" * 32
    )
    factories.make_suite("tiny", tasks=[task], differences_en="All options are shown.")
    text = _text(client, "/en/suites/tiny/")
    for part in ("Causes", "1,000", "50.0", ">5<", "ab" * 32, "Somebody et al. 2024", "CC BY-SA 4.0", "All options"):
        assert part in text
    assert client.get("/ko/suites/tiny/").status_code == 200


@pytest.mark.django_db
def test_an_unknown_size_makes_the_sum_unknown(client: Client) -> None:
    tasks = [factories.make_task(n_docs=10), factories.make_task(n_docs=None)]
    factories.make_suite("tiny", tasks=tasks)
    assert "<b>–</b><span>items asked" in _text(client, "/en/suites/tiny/")


@pytest.mark.django_db
def test_an_old_version_stays_readable_and_says_that_it_was_replaced(client: Client) -> None:
    factories.make_suite("tiny", description_en="the old text", retired_at=timezone.now())
    factories.make_suite("tiny", version=2, description_en="the new text")
    current, old = _text(client, "/en/suites/tiny/"), _text(client, "/en/suites/tiny/?version=1")
    assert "the new text" in current
    assert "the old text" in old
    assert "This version has been replaced" in old
    assert "the new text" in _text(client, "/en/suites/tiny/?version=99")


@pytest.mark.django_db
def test_an_unpublished_suite_is_not_found(client: Client) -> None:
    factories.make_suite("draft", published_at=None)
    assert client.get("/en/suites/draft/").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "told"),
    [("en", ["questions", "turns asked", "Temperature", "mean of the category means"]), ("ko", ["80", "160"])],
)
def test_a_suite_of_conversations_tells_how_it_is_asked_and_graded(
    client: Client, language: str, told: list[str]
) -> None:
    question_sets.synchronise()
    text = _text(client, f"/{language}/suites/ko-mt/")
    assert all(part in text for part in told)
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', text)
    assert len(rows) == 8
    figures = [re.findall(r'<td class="number">([^<]*)</td>', row) for row in rows]
    assert sorted(figures) == sorted([["10", t] for t in ("0.7", "0.7", "0.0", "0.0", "0.0", "0.0", "0.1", "0.1")])
    assert f'href="/{language}/questions/ko-mt/"' in text
