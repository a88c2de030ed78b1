"""The loopback chat server of a loaded model, around a pretended model."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runners.child.conversing import Ask, Line, Refused, Said, Server, read_request
from runners.child.errors import ChildError, TryAgain

Served = Callable[..., Server]


class Parrot:
    """Repeats the last message; remembers its batches. `fits`: larger ones make it ask for a smaller size."""

    def __init__(self, size: int, fits: int = 99) -> None:
        self.size, self.fits = size, fits
        self.batches: list[int] = []
        self.open = threading.Event()
        self.open.set()

    def __call__(self, asks: Sequence[Ask]) -> list[Said | Refused]:
        self.open.wait(10)
        self.batches.append(len(asks))
        if len(asks) > self.fits:
            self.size //= 2
            raise TryAgain
        return [self._one(ask.messages[-1]["content"], ask) for ask in asks]

    def _one(self, text: str, ask: Ask) -> Said | Refused:
        if text == "too long":
            return Refused("the conversation has 9000 tokens, and the model takes 4096; nothing was cut")
        if text == "boom":
            raise KeyError("lost")
        if text == "crowded":
            raise ChildError("does_not_fit", "One request alone does not fit.", permanent=True)
        return Said(text[: ask.max_tokens], "length" if len(text) > ask.max_tokens else "stop", 3, 2)


@pytest.fixture
def served() -> Iterator[Served]:
    servers: list[Server] = []

    def start(talk: Parrot) -> Server:
        servers.append(Server("maker/tiny", Line(talk, lambda: talk.size)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def post(server: Server, text: str, **more: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 8, **more}
    request = urllib.request.Request(server.base_url + "/chat/completions", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=10) as response:
        answer: dict[str, Any] = json.loads(response.read())
    return answer


def refused(server: Server, text: str, **more: Any) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server, text, **more)
    return caught.value.code, json.loads(caught.value.read())["error"]["message"]


def test_an_answer_tells_its_tokens_and_how_it_ended(served: Served) -> None:
    server = served(Parrot(4))
    answer = post(server, "안녕하세요")
    assert answer["choices"][0]["message"]["content"] == "안녕하세요"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert post(server, "안녕하세요", max_tokens=2)["choices"][0]["finish_reason"] == "length"


def test_it_listens_on_the_loopback_alone(served: Served) -> None:
    assert served(Parrot(1)).base_url.startswith("http://127.0.0.1:")


def test_requests_that_wait_are_answered_in_batches_each_with_its_own_answer(served: Served) -> None:
    talk = Parrot(4)
    server = served(talk)
    talk.open.clear()
    with ThreadPoolExecutor(9) as pool:
        answers = [pool.submit(post, server, str(number)) for number in range(9)]
        threading.Timer(0.2, talk.open.set).start()
        assert [one.result()["choices"][0]["message"]["content"] for one in answers] == list("012345678")
    assert sum(talk.batches) == 9 and max(talk.batches) == 4


def test_a_batch_that_does_not_fit_is_asked_again_in_smaller_ones(served: Served) -> None:
    talk = Parrot(4, fits=1)
    server = served(talk)
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda text: post(server, text)["choices"][0]["message"]["content"], "abcd"))
    assert said == list("abcd") and talk.size == 1


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [("too long", 400, "9000 tokens"), ("crowded", 400, "does not fit"), ("boom", 500, "KeyError")],
)
def test_one_bad_request_is_refused_by_itself(served: Served, text: str, code: int, why: str) -> None:
    server = served(Parrot(1))
    got, message = refused(server, text)
    assert got == code and why in message
    assert post(server, "next")["choices"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"messages": []}, "must not be empty"),
        ({"max_tokens": None}, "max_tokens"),
        ({"stream": True}, "stream"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"temperature": -1}, "temperature"),
        ({"messages": "hello"}, "messages"),
    ],
)
def test_a_request_it_cannot_take_is_refused_with_the_field(served: Served, change: dict[str, Any], why: str) -> None:
    code, message = refused(served(Parrot(1)), "hello", **change)
    assert code == 400 and why in message


def test_temperature_limit_and_seed_are_read_as_they_were_sent() -> None:
    body = {"messages": [{"role": "user", "content": "가"}], "temperature": 0.7, "max_tokens": 5, "seed": 11}
    assert read_request(json.dumps(body).encode()) == Ask(({"role": "user", "content": "가"},), 0.7, 5, 11)
