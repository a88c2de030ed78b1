"""The votes' short way in: an ASGI layer that stores votes which come together in one transaction, before Django.

It only ever says yes: to a form of this site, in its session, about a battle of that session with a vote to be told.
Whatever is otherwise goes on to Django with its body, which says what is wrong in the visitor's language.
"""

from __future__ import annotations

import json
import re
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.middleware import csrf

from arena import votes
from arena.asgi import Application, Receive, Scope, Send
from arena.gathering import Gathering
from arena.refusal import Refused
from arena.voters import COOKIE, key_of
from arena.votes import Ballot, Outcome

PATH: Final = re.compile(r"/(ko|en)/arena/battles/([\w-]{1,32})/vote/")
MOST: Final = 20_000
"""Bytes of a form; a longer one is Django's."""
_HEADERS: Final = [
    (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate, private"),
    (b"vary", b"Accept-Language, Cookie"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


class VoteDoor:
    """Serves the votes that are in order; everything else goes to `application`."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._cast: Gathering[Ballot, Outcome | Refused] = Gathering(
            votes.cast_votes, ThreadPoolExecutor(1, thread_name_prefix="arena-vote")
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = PATH.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if asked is None:
            await self.application(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not _is_ours(headers):
            await self.application(scope, receive, send)
            return
        messages = await _read(receive)
        ballot = _ballot(asked[2], headers, b"".join(message.get("body", b"") for message in messages))
        try:
            outcome = await self._cast(ballot) if ballot is not None and not _goes_on(messages[-1]) else None
        except Refused:
            outcome = None
        if outcome is None or isinstance(outcome, Refused):
            await self.application(scope, _again(messages, receive), send)
            return
        await _answer(send, asked, outcome, "application/json" in headers.get(b"accept", ""))


def _is_ours(headers: dict[bytes, str]) -> bool:
    """Whether the request is a plain form sent from a page of this very host (Django's CSRF check, the strict part)."""
    host, origin = headers.get(b"host", ""), urlsplit(headers.get(b"origin", ""))
    if not host or origin.netloc != host or not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    if settings.PRODUCTION and settings.SECURE_SSL_REDIRECT:
        proto = headers.get(b"x-forwarded-proto", "")
        if origin.scheme != "https" or proto != "https":
            return False
    kind = headers.get(b"content-type", "").partition(";")[0].strip()
    length = headers.get(b"content-length", "")
    return kind == "application/x-www-form-urlencoded" and length.isdecimal() and int(length) <= MOST


def _ballot(key: str, headers: dict[bytes, str], body: bytes) -> Ballot | None:
    """The vote a form says; None where its token is not the cookie's or the session is none."""
    try:
        cookies = SimpleCookie(headers.get(b"cookie", ""))
        form = parse_qs(body.decode(), max_num_fields=50)
    except (CookieError, UnicodeDecodeError, ValueError):
        return None
    secret, session = cookies.get(settings.CSRF_COOKIE_NAME), cookies.get(COOKIE)
    token = form.get("csrfmiddlewaretoken", [headers.get(b"x-csrftoken", "")])[0]
    if secret is None or session is None or not _matches(token, secret.value):
        return None
    winner, comment = form.get("winner", [""])[-1], form.get("comment", [""])[-1]
    return Ballot(key, key_of(session.value), winner, tuple(form.get("reason", ())), comment)


def _matches(token: str, secret: str) -> bool:
    try:
        csrf._check_token_format(token)  # type: ignore[attr-defined]
        csrf._check_token_format(secret)  # type: ignore[attr-defined]
    except csrf.InvalidTokenFormat:
        return False
    return bool(csrf._does_token_match(token, secret))  # type: ignore[attr-defined]


async def _read(receive: Receive) -> list[MutableMapping[str, Any]]:
    """The messages of the body, to its end or until it is longer than a form may be."""
    messages, size = [await receive()], 0
    while _goes_on(messages[-1]) and (size := size + len(messages[-1].get("body", b""))) <= MOST:
        messages.append(await receive())
    return messages


def _goes_on(message: MutableMapping[str, Any]) -> bool:
    return message["type"] != "http.request" or bool(message.get("more_body"))


def _again(messages: list[MutableMapping[str, Any]], receive: Receive) -> Receive:
    """`receive` that gives what was read once more before it goes on."""
    waiting = iter(messages)

    async def again() -> MutableMapping[str, Any]:
        message = next(waiting, None)
        return message if message is not None else await receive()

    return again


async def _answer(send: Send, asked: re.Match[str], outcome: Outcome, wants_json: bool) -> None:
    vote, body, headers = outcome.vote, b"", list(_HEADERS)
    if wants_json:
        told = {"vote": vote.pk, "winner": vote.winner, "is_new": outcome.is_new}
        names = {"left": vote.left.slug, "right": vote.right.slug}
        body = json.dumps({**told, **names, "excluded": list(outcome.rules)}).encode()
        headers.append((b"content-type", b"application/json"))
    else:
        headers.append((b"location", f"/{asked[1]}/arena/battles/{asked[2]}/#reveal".encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 200 if wants_json else 302, "headers": headers})
    await send({"type": "http.response.body", "body": body})
