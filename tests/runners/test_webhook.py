"""Webhooks reach the open internet or what the operator names, and nothing else, however it is written."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runners.adapters import webhook

INSIDE = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "0.0.0.0",
    "192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.9", "192.88.99.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::1", "::", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
    "2002:7f00:1::", "2001::1", "2001:db8::1", "fc00::1", "fd00:ec2::254", "fe80::1%eth0", "fec0::1", "ff02::1",
    "3fff::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_not_public(address: str):
    assert not webhook.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2001:4860:4860::8888"])
def test_an_address_of_the_internet_is_public(address: str):
    assert webhook.is_public(address)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every connection that was begun."""
    begun: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> socket.socket:
        begun.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    return begun


@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "①②⑦.⓪.⓪.①", "localhost", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_no_spelling_of_this_machine_is_connected_to(host: str, connected: list[Any]):
    with pytest.raises(webhook.WebhookError):
        webhook.post(f"https://{host}/hook", {})
    assert connected == []


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8/", "ftp://8.8.8.8/", "https://a:b@8.8.8.8/", "https://", "https://h:x/"]
)
def test_an_address_without_tls_or_with_a_password_is_refused(url: str, connected: list[Any]):
    with pytest.raises(webhook.WebhookError):
        webhook.post(url, {})
    assert connected == []


def test_a_name_with_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch, connected: list[Any]):
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    answers = [(*entry, ("8.8.8.8", 443)), (*entry, ("10.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(webhook.WebhookError, match="GYEORU_WEBHOOK_INSIDE"):
        webhook.post("https://mixed.example/", {})
    assert connected == []


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch, connected: list[Any]):
    """A name that resolves to the inside the second time (rebinding) is not asked a second time."""
    asked = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        address = "8.8.8.8" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(webhook.WebhookError):
        webhook.post("https://rebinding.example/", {}, seconds=0.5)
    assert connected == [("8.8.8.8", 443)] and asked[0] == "rebinding.example"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[bytes], float], str]]:
    """`server(parts, pause)`: the address of a server that answers with the parts, one after each pause."""
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("GYEORU_WEBHOOK_INSIDE", f"127.0.0.1:{listener.getsockname()[1]}")

    def answer(parts: list[bytes], pause: float = 0.0) -> str:
        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                request = b""
                while not request.endswith(b"}"):
                    request += connection.recv(65536)
                received.append(request)
                for part in parts:
                    time.sleep(pause)
                    try:
                        connection.sendall(part)
                    except OSError:
                        return

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/hook?x=1"

    received: list[bytes] = []
    answer.received = received  # type: ignore[attr-defined]
    yield answer
    listener.close()


def test_a_target_that_the_operator_allows_gets_the_message(server: Any):
    webhook.post(server([b"HTTP/1.1 204 No Content\r\n\r\n"]), {"text": "경보"})
    assert server.received[0].startswith(b"POST /hook?x=1 ")
    assert "경보".encode() in server.received[0]


def test_a_redirect_is_not_followed(server: Any):
    with pytest.raises(webhook.WebhookError, match="302"):
        webhook.post(server([b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n"]), {})


@pytest.mark.parametrize("parts", [[], [b"H"] * 100], ids=["hangs", "drips"])
def test_a_target_that_hangs_or_drips_is_given_up_in_time(server: Any, parts: list[bytes]):
    started = time.monotonic()
    with pytest.raises(webhook.WebhookError):
        webhook.post(server(parts or [b""], 0.1 if parts else 5.0), {}, seconds=0.5)
    assert time.monotonic() - started < 3
