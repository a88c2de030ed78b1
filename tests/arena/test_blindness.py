"""No byte before the vote names a model: 1,000 battles, live and recorded, with servers that tell all they can."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from arena import roster, voters
from arena.models import Battle
from runners.models import LanguageModel, ModelRevision
from tests.arena.asgi import new_door, read
from tests.arena.people import consenting, make_contenders, make_served
from tests.lanes import free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
LIVE, RECORDED, AT_ONCE = 500, 500, 50
ANSWER = "차분하게 설명하면 이렇습니다. "
TOKENS = (918_273, 645_342)
TOLD = "aardvark"
"""What servers put wherever something can be put: headers, ids, fingerprints, errors, pages."""


def _event(model: str, delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    head = {"id": f"chatcmpl-{TOLD}-{model}", "model": model, "system_fingerprint": f"fp_{TOLD}_{model}"}
    return b"data: " + json.dumps({**head, "choices": [{"delta": delta, "finish_reason": finish}], **more}).encode()


def _answer(model: str, fault: str) -> bytes:
    """A whole HTTP answer of a server that names itself and its model in everything but the text."""
    secrets = {
        "server": f"{TOLD}/{model}", "set-cookie": f"{TOLD}={model}", "x-request-id": f"{TOLD}-{model}",
        "openai-processing-ms": "31337", "openai-model": model, "openai-organization": TOLD,
        "server-timing": "gpu;dur=9",
    }  # fmt: skip
    words = f"The model {model} of {TOLD} failed: usage {TOKENS[0]} tokens"
    status, kind = "200 OK", "text/event-stream"
    usage = {"prompt_tokens": TOKENS[0], "completion_tokens": TOKENS[1]}
    lines = [f": {TOLD} {model}".encode(), f"event: {model}".encode()]
    lines += [_event(model, {"role": "assistant", "name": model}), _event(model, {"content": ANSWER})]
    if fault == "error event":
        lines.append(b"data: " + json.dumps({"error": {"message": words, "code": model}}).encode())
    elif fault == "broken":
        lines.append(f"data: {{{words}".encode())
    elif fault != "no end":
        lines += [_event(model, {"content": "끝."}, "stop", usage=usage), b"data: [DONE]"]
    body = b"\n\n".join([*lines, b""])
    if fault in ("500", "404", "429", "401"):
        status, kind = f"{fault} {model}", "application/json"
        body = json.dumps({"error": {"message": words, "type": TOLD, "param": model}}).encode()
    elif fault == "html":
        kind, body = "text/html", f"<html><title>{model}</title>{words}</html>".encode()
    elif fault == "redirect":
        status, secrets["location"] = "302 Found", f"http://{TOLD}.example/{model}"
    head = "".join(f"{name}: {value}\r\n" for name, value in {**secrets, "content-type": kind}.items())
    return f"HTTP/1.1 {status}\r\n{head}connection: close\r\n\r\n".encode() + body


FAULTS = ("500", "404", "429", "401", "html", "redirect", "error event", "broken", "no end", "reset")


class Telltale:
    """The server: every fifth request fails, in every way in turn."""

    def __init__(self) -> None:
        turns = [["well"] * 4 + [fault] for fault in FAULTS]
        self.kinds = itertools.cycle(list(itertools.chain.from_iterable(turns)))

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head)
        assert size is not None
        model, fault = json.loads(await reader.readexactly(int(size[1])))["model"], next(self.kinds)
        writer.write(_answer(model, fault)[: -60 if fault == "reset" else None])
        if fault == "reset":
            writer.transport.abort()
        writer.close()


class Seen:
    """Every byte a visitor got, with where it came from."""

    def __init__(self) -> None:
        self.bytes: list[tuple[str, bytes]] = []
        self.headers: set[str] = set()

    def keep(self, where: str, response: HttpResponse) -> None:
        self.headers |= {name.lower() for name in response.headers}
        cookies = response.cookies.output().encode()
        self.bytes.append((where, response.serialize_headers() + b"\n" + cookies + b"\n" + response.content))

    def hits(self) -> dict[str, str]:
        forbidden = _forbidden()
        found = {}
        for where, said in self.bytes:
            for match in forbidden.finditer(said.decode().lower()):
                found.setdefault(match.group(), where)
        return found


def _forbidden() -> re.Pattern[str]:
    """Names, ids and addresses of every model and server, fields that count tokens, and all that servers tell."""
    words = {"usage", "completion_tokens", "prompt_tokens", "system_fingerprint", "finish_reason", "chatcmpl", TOLD}
    words |= {"endpoint", "traceback", "secret-served-name", "31337", "server-timing", "openai", "127.0.0.1"}
    words |= {f"{number:,}" for number in TOKENS} | {str(number) for number in TOKENS}
    for revision in ModelRevision.objects.select_related("language_model", "endpoint"):
        model = revision.language_model
        words |= {revision.slug, model.name, model.slug, model.organization, revision.api_name}
        if revision.endpoint is not None:
            words |= {revision.endpoint.slug, revision.endpoint.base_url, revision.endpoint.served_name}
    return re.compile("|".join(re.escape(word.lower()) for word in words if word))


def _open(client: Client, kind: str, number: int, seen: Seen) -> str:
    language = ("ko", "en")[number % 2]
    response = client.post(f"/{language}/arena/open/", {"kind": kind, "prompt": f"{number}번째 질문입니다"})
    assert response.status_code == 302, response.content.decode()[-500:]
    seen.keep(f"opening {kind} {number}", response)
    return str(response.headers["location"])


async def _streams(port: int, keys: list[str], cookie: str, seen: Seen) -> None:
    """Reads the streams of battles, all at once, from a server on the port the models were registered with."""
    async with await asyncio.start_server(Telltale(), "127.0.0.1", port, backlog=500):
        door = new_door()
        for got in await asyncio.gather(*(read(door, key, cookie) for key in keys)):
            assert got.status == 200
            seen.headers |= set(got.headers)
            seen.bytes.append(("a stream", repr(got.headers).encode() + b"\n" + got.body))


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    chosen = free_port()
    for name in "abcd":
        make_served(f"http://127.0.0.1:{chosen}/v1", f"zebra-served-{name}", f"quokka-{name}-7b")
    make_contenders(8, [f"ko-mt/q{number}" for number in range(10)])
    roster.forget()
    # Servers that fail so often would be left out of the draw.
    monkeypatch.setattr(roster, "FAILURES", 10**9)
    return chosen


def test_no_byte_of_a_thousand_battles_before_the_vote_names_a_model(port: int) -> None:
    seen = Seen()
    for begin in range(0, LIVE, AT_ONCE):
        client = consenting(Client())
        pages = [_open(client, "live", begin + number, seen) for number in range(AT_ONCE)]
        battles = list(Battle.objects.filter(kind="live", status="created"))
        cookie = client.cookies[voters.COOKIE].value
        asyncio.run(_streams(port, [one.stream_key for one in battles], cookie, seen))
        for page in pages:
            seen.keep(f"the page {page}", client.get(page))
        json_wanted = {"accept": "application/json"}
        for one in Battle.objects.filter(pk__in=[b.pk for b in battles], status="error")[:10]:
            path = f"/ko/arena/battles/{one.key}/"
            seen.keep("a vote too early", client.post(path + "vote/", {"winner": "a"}, headers=json_wanted))
            seen.keep("a report", client.post(path + "report/", {"reason": "?"}))
    for begin in range(0, RECORDED, AT_ONCE):
        client = consenting(Client())
        for number in range(AT_ONCE):
            seen.keep("a recorded battle", client.get(_open(client, "recorded", begin + number, seen)))
        seen.keep("the arena", client.get("/ko/arena/"))
    _check(seen, client)


def _check(seen: Seen, client: Client) -> None:
    assert LanguageModel.objects.count() == 12
    assert Battle.objects.count() == LIVE + RECORDED
    ended = {status: Battle.objects.filter(kind="live", status=status).count() for status in ("complete", "error")}
    assert sum(ended.values()) == LIVE
    assert min(ended.values()) > LIVE // 10, "both those that broke and those that did not were looked at"
    kinds = set(Battle.objects.exclude(error_kind="").values_list("error_kind", flat=True))
    assert {"endpoint_error", "model_not_found", "rate_limited", "auth", "endpoint_html"} <= kinds
    assert sum(len(said) for _, said in seen.bytes) > 5_000_000
    assert seen.hits() == {}
    assert not {name for name in seen.headers if "timing" in name or "runtime" in name or "request-id" in name}
    assert _forbidden().search(client.get("/ko/arena/chat/").content.decode().lower()), "the scan can find names"
