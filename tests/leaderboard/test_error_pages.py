from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("language", "words"), [("ko", "찾으시는 페이지가 없습니다"), ("en", "Nothing is here")])
def test_an_address_without_a_page_says_so_in_the_language_of_the_page(
    client: Client, language: str, words: str
) -> None:
    answer = client.get(f"/{language}/no-such-page/")
    assert answer.status_code == 404
    assert words in answer.content.decode()
    assert f'href="/{language}/queue/"' in answer.content.decode()


def test_a_form_without_its_cookie_is_refused_in_words() -> None:
    answer = Client(enforce_csrf_checks=True).post("/ko/submit/", {})
    assert answer.status_code == 403
    assert "아무것도 보내지 않았습니다" in answer.content.decode()


def test_the_page_of_a_failure_needs_nothing_of_the_site() -> None:
    assert "사이트에 오류가 났습니다" in render_to_string("500.html")
