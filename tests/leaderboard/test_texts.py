from __future__ import annotations

import time
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings
from django.utils import translation

from leaderboard import texts
from leaderboard.mathml import ATTRIBUTES, ELEMENTS, mathml
from leaderboard.texts import markdown
from tests.leaderboard.hostile import LINKS, PAYLOADS, STALLING

INERT = texts._TAGS | ELEMENTS
HARMLESS = {"class", "start", "rel", "href", *ATTRIBUTES}


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


class Nodes(HTMLParser):
    """Everything in a piece of HTML that could act, and every address in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.active: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in INERT:
            self.active.append(tag)
        for name, value in attrs:
            if name == "href":
                self.addresses.append(value or "")
            if name not in HARMLESS or (name == "href" and tag != "a"):
                self.active.append(f"{tag} {name}")

    def handle_comment(self, data: str) -> None:
        self.active.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.active.append("declaration")

    def handle_pi(self, data: str) -> None:
        self.active.append("instruction")


@pytest.fixture(autouse=True)
def of_this_site(settings: LazySettings) -> None:
    settings.PUBLIC_URL = "https://board.gyeoru.test"
    texts._rendered.cache_clear()


def test_there_are_at_least_a_hundred_hostile_texts() -> None:
    assert len(set(PAYLOADS)) >= 100


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload[:40]))
def test_nothing_of_a_hostile_text_acts_or_leads_into_this_site(payload: str) -> None:
    begun = time.thread_time()
    nodes = Nodes(markdown(payload))
    assert time.thread_time() - begun < 0.5
    assert nodes.active == []
    for address in nodes.addresses:
        host = urlsplit(address).hostname or ""
        assert address.startswith(("http://", "https://"))
        assert "." in host
        assert not host.endswith(("gyeoru.test", "localhost", ".1"))


@pytest.mark.parametrize("payload", [link for link in LINKS if "evil.example" not in link and link.startswith("[x](")])
def test_an_address_that_is_not_another_sites_becomes_no_link(payload: str) -> None:
    allowed = ("xn--", "раураl")
    assert ("<a " in markdown(payload)) == any(word in payload for word in allowed)


def test_a_link_says_its_domain_whatever_its_words_say() -> None:
    html = markdown("[board.gyeoru.test](https://evil.example/login)")
    assert '<a href="https://evil.example/login" rel="nofollow noopener ugc">' in html
    assert '<span class="domain">evil.example</span></a>' in html


def test_a_lookalike_domain_is_shown_as_it_is_resolved() -> None:
    assert '<span class="domain">xn--' in markdown("[x](http://раураl.example/)")


def test_an_image_is_its_words_and_is_never_loaded() -> None:
    assert markdown("![고양이](http://evil.example/p.png)") == "<p>[image: 고양이]</p>\n"


def test_ordinary_markdown_is_laid_out() -> None:
    html = markdown("# 제목\n**굵게** ~~지움~~\n둘째 줄\n\n1. 하나\n2. 둘\n\n| 가 | 나 |\n|---|---|\n| 1 | 2 |")
    for part in ("<h4>제목</h4>", "<strong>굵게</strong>", "<s>지움</s>", "<br>", "<li>하나</li>", "<td>2</td>"):
        assert part in html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**한국어(Korean)**는", "<strong>한국어(Korean)</strong>는"),
        ('그는 **"예"**라고', '그는 <strong>"예"</strong>라고'),
        ("이것은*강조*입니다", "이것은<em>강조</em>입니다"),
        ("값은**(중요)**다", "값은<strong>(중요)</strong>다"),
        ("2 * 3 * 4는 24", "2 * 3 * 4는 24"),
        ("가 ** 나 ** 다", "가 ** 나 ** 다"),
        ("snake_case_이름", "snake_case_이름"),
    ],
)
def test_emphasis_ends_before_a_korean_particle(text: str, html: str) -> None:
    assert markdown(text) == f"<p>{html}</p>\n"


def test_code_is_coloured_by_class_and_not_by_style() -> None:
    html = markdown('```python\ndef f(x):\n    return "<b>"\n```')
    assert '<span class="k">def</span>' in html
    assert "style=" not in html
    assert "&lt;b&gt;" in html


def test_code_that_takes_too_long_to_colour_stays_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "BUDGET_SECONDS", 0.0)
    monkeypatch.setattr(texts, "_hurry", lambda env: None)
    assert markdown("```python\nx = 1\n```") == "<pre><code>x = 1\n</code></pre>\n"


def test_a_formula_becomes_mathml_and_a_price_stays_a_price() -> None:
    html = markdown(r"$x^2$, \(y\), $5 and $10, and" + "\n$$\n\\frac{1}{2}\n= 0.5\n$$")
    assert html.count("<math") == 3
    assert "$5 and $10" in html
    assert '<math display="block"><mrow><mfrac>' in html


def test_a_formula_that_cannot_be_read_is_shown_as_its_source() -> None:
    assert markdown(r"$\left( x$") == "<p><code>\\left( x</code></p>\n"
    assert mathml("x" * 1_001) is None


def test_markup_in_a_formulas_text_stays_text() -> None:
    made = mathml(r"\text{<img src=x onerror=alert(1)>}")
    assert made is not None
    assert "&lt;img" in made
    assert Nodes(made).active == []


def test_a_long_text_is_shown_as_it_is_and_says_so() -> None:
    html = markdown(STALLING["a megabyte"])
    assert html.startswith("<p><em>Too long")
    assert "<pre>가나다" in html
    assert html.endswith("…</pre>")
    assert len(html) < 33_000


def test_a_text_that_takes_too_long_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "BUDGET_SECONDS", -1.0)
    assert (
        markdown("**a** <b>") == "<p><em>Too tangled to be laid out: shown as it is.</em></p><pre>**a** &lt;b&gt;</pre>"
    )


def test_signs_that_turn_the_line_around_are_made_visible() -> None:
    assert markdown("a\u202eb") == "<p>a\ufffdb</p>\n"
