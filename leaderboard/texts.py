"""What models and judges wrote, made readable without giving it any power over the page that shows it.

Markdown is read without HTML, then everything but a short list of elements is thrown out (nh3): no image, no style, no
address but absolute http(s) ones of other sites, with their domain written beside them. A text over 32 kB, or one that
takes longer than its time, is shown as it is, as far as a browser can be asked to lay it out.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections import deque
from collections.abc import Iterator, MutableMapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlsplit

import nh3
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES

from leaderboard.korean_emphasis import KoreanInline
from leaderboard.mathml import ATTRIBUTES, ELEMENTS, mathml

MAX_BYTES = 32 * 1024
# A browser takes half a minute for one line of 256 thousand Korean characters.
MAX_PLAIN = 32 * 1024
# Of the thread's own processor time: a busy machine must not make a text look tangled.
BUDGET_SECONDS = 0.3
MAX_CODE = 8 * 1024
MAX_FORMULAS = 200
LANGUAGES = frozenset(
    re.findall(
        r"\S+",
        "bash c c++ cpp csharp css diff go html java javascript js json kotlin php py python r ruby rust sh shell sql "
        "swift toml ts typescript xml yaml",
    )
)
Env = MutableMapping[str, Any]
_TAGS = frozenset(
    re.findall(r"\w+", "p br hr h4 h5 h6 strong em s ul ol li blockquote pre code span a table thead tbody tr th td")
)
_CLASSES = {"span": {name for name in STANDARD_TYPES.values() if name} | {"domain", "math"}}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_ADDRESS = re.compile(r"https?://([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*)(?::\d{1,5})?(?:[/?#][^\s\\]*)?", re.I)


class _TooSlow(Exception):
    """The time for one text is used up."""


def markdown(text: str) -> SafeString:
    """The text as HTML that can be put into any page: nothing in it runs, loads or leads into this site."""
    return mark_safe(_rendered(text))  # noqa: S308 - this is the one place that makes such texts safe


@lru_cache(maxsize=512)
def _rendered(text: str) -> str:
    clean = _CONTROL.sub("\ufffd", text)
    if len(clean.encode()) > MAX_BYTES:
        return plain(clean, _("Too long to be laid out: its beginning as it is."))
    try:
        env: Env = {"deadline": time.thread_time() + BUDGET_SECONDS, "formulas": 0, "links": []}
        return _CLEANER.clean(_READER.render(clean, env))
    except (_TooSlow, RecursionError):
        return plain(clean, _("Too tangled to be laid out: shown as it is."))


def plain(text: str, why: str = "") -> str:
    """The text as it is, escaped; its first 32 thousand characters where it is longer."""
    note = f"<p><em>{escape(why)}</em></p>" if why else ""
    shown = text[:MAX_PLAIN]
    return f"{note}<pre>{escape(shown)}{'…' if len(shown) < len(text) else ''}</pre>"


def is_foreign_address(address: str) -> bool:
    """Whether an address is absolute http(s), names its host by a domain without a user, and is not this site's."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return False
    host = match[1].lower()
    return not any(host == own or host.endswith(f".{own}") for own in _own_hosts())


def _own_hosts() -> Iterator[str]:
    yield "localhost"
    yield urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    for host in settings.ALLOWED_HOSTS:
        if host.lstrip(".") not in ("", "*") and not _is_number(host):
            yield host.lstrip(".").lower()


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


class _Markdown(MarkdownIt):
    """CommonMark with tables, strikethrough and formulas; no HTML, no image, links only to other sites."""

    def validateLink(self, url: str) -> bool:
        return is_foreign_address(url)


class _Renderer(RendererHTML):
    """Headings start below the page's own, a link says where it leads, an image is its words."""

    def renderToken(self, tokens: Sequence[Token], idx: int, options: Any, env: Env) -> str:
        _hurry(env)
        return super().renderToken(tokens, idx, options, env)

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Env) -> str:
        return f"<h{min(6, int(tokens[idx].tag[1]) + 3)}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Env) -> str:
        return f"</h{min(6, int(tokens[idx].tag[1]) + 3)}>\n"

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Env) -> str:
        address = str(tokens[idx].attrGet("href") or "")
        env["links"].append(urlsplit(address).hostname or "")
        return f'<a href="{escape(address)}">' if address else ""

    def link_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Env) -> str:
        host = env["links"].pop()
        return f' <span class="domain">{escape(host)}</span></a>' if host else ""

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Env) -> str:
        words = self.renderInlineAsText(tokens[idx].children, options, env)
        image = _("image")
        return f"[{escape(image)}: {escape(words)}]"

    def math(self, tokens: Sequence[Token], idx: int, options: Any, env: Env) -> str:
        token = tokens[idx]
        env["formulas"] += 1
        _hurry(env)
        made = mathml(token.content, block=token.block) if env["formulas"] <= MAX_FORMULAS else None
        shown = made or f"<code>{escape(token.content)}</code>"
        return f"<p>{shown}</p>\n" if token.block else shown

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Env) -> str:
        token = tokens[idx]
        language = token.info.strip().split(maxsplit=1)[0].lower() if token.info.strip() else ""
        return f"<pre><code>{_highlighted(token.content, language, env)}</code></pre>\n"


def _highlighted(code: str, language: str, env: Env) -> str:
    """The code in spans of Pygments' short classes; unmarked where the language is not one of ours, or it is long."""
    if language not in LANGUAGES or len(code) > MAX_CODE:
        return escape(code)
    lexer = _lexer(language, env)
    made = []
    for kind, value in lexer.get_tokens(code):
        if time.thread_time() > env["deadline"] - BUDGET_SECONDS / 3:
            return escape(code)
        name = STANDARD_TYPES.get(kind, "")
        made.append(f'<span class="{name}">{escape(value)}</span>' if name else escape(value))
    return "".join(made)


_warm: set[str] = set()


def _lexer(language: str, env: Env) -> Lexer:
    """A lexer for one text. Its first use in a process loads and compiles it, which is not the text's fault."""
    begun = time.thread_time()
    lexer = get_lexer_by_name(language, stripnl=False)
    if language not in _warm:
        _warm.add(language)
        deque(lexer.get_tokens("<a>x</a>"), maxlen=0)
        env["deadline"] += time.thread_time() - begun
    return lexer


def _hurry(env: Env) -> None:
    if time.thread_time() > env["deadline"]:
        raise _TooSlow


def _clock_of_blocks(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A rule that never matches: it is asked before every other one, and that is when the time is looked at."""
    _hurry(state.env)
    return False


def _clock_of_lines(state: StateInline, silent: bool) -> bool:
    _hurry(state.env)
    return False


_PAIRS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"))
# As Pandoc reads dollars: no space inside them and no digit behind them, so that prices stay prices.
_DOLLARS = re.compile(r"\$(?![\s$])((?:[^$\\\n]|\\.){1,1000}?)(?<![\s\\])\$(?!\d)")


def _formula(state: StateInline, silent: bool) -> bool:
    r"""`$…$`, `$$…$$`, `\(…\)` and `\[…\]` within a paragraph."""
    source, at = state.src, state.pos
    if source[at] not in "$\\":
        return False
    for opened, closed in _PAIRS:
        if source.startswith(opened, at):
            end = source.find(closed, at + 2, min(state.posMax, at + 1_200))
            if end < 0:
                return False
            return _push_formula(state, source[at + 2 : end], end + 2, silent)
    match = _DOLLARS.match(source, at, state.posMax)
    return match is not None and _push_formula(state, match[1], match.end(), silent)


def _push_formula(state: StateInline, latex: str, end: int, silent: bool) -> bool:
    if not latex.strip():
        return False
    if not silent:
        state.push("math", "math", 0).content = latex.strip()
    state.pos = end
    return True


def _formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""A formula that begins a line with `$$` or `\[` and ends one, over as many lines as it takes (60 at most)."""
    first = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]].strip()
    pair = next((pair for pair in _PAIRS[:2] if first.startswith(pair[0])), None)
    if pair is None or state.is_code_block(start):
        return False
    lines = [first[2:]]
    for line in range(start, min(end, start + 60)):
        if line > start:
            lines.append(state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip())
        if lines[-1].endswith(pair[1]):
            break
    else:
        return False
    if not silent:
        token = state.push("math", "math", 0)
        token.block, token.content = True, "\n".join(lines).removesuffix(pair[1]).strip()
    state.line = line + 1
    return True


def _reader() -> MarkdownIt:
    reader = _Markdown("commonmark", renderer_cls=_Renderer)
    reader.inline = KoreanInline()
    reader.configure("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    reader.enable(["table", "strikethrough"])
    reader.block.ruler.before("table", "clock", _clock_of_blocks, {"alt": ["paragraph", "reference", "blockquote"]})
    reader.block.ruler.before("fence", "math", _formula_block, {"alt": ["paragraph", "reference", "blockquote"]})
    reader.inline.ruler.before("text", "clock", _clock_of_lines)
    reader.inline.ruler.before("escape", "math", _formula)
    return reader


_READER = _reader()
_CLEANER = nh3.Cleaner(
    tags=set(_TAGS | ELEMENTS),
    attributes={"a": {"href"}, "ol": {"start"}, **{name: set(ATTRIBUTES) for name in ELEMENTS}},
    allowed_classes=_CLASSES,
    clean_content_tags={"script", "style"},
    link_rel="nofollow noopener ugc",
    url_schemes={"http", "https"},
    url_relative="deny",
)
