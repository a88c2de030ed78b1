"""A stub of the Hugging Face Hub on loopback: `with FakeHub() as hub: monkeypatch.setenv("HF_ENDPOINT", hub.url)`.

It answers the requests that huggingface_hub really makes: `/api/models/<id>/revision/<rev>?blobs=true`,
`/api/models/<id>/tree/<rev>` and `/<id>/resolve/<sha>/<file>` (GET and HEAD), with the Hub's error headers: 401 for
what is missing or private, 404 RevisionNotFound, 403 GatedRepo, 307 for a renamed repository.
`hub.add("maker/name", {...files})` makes a model.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import pytest

CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16"}
TOKENIZER = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": "{{ messages }}"}


@dataclass
class Repo:
    """A model repository: its files at one commit, and what the Hub says about it.

    `pretended` gives a file another size in the listing than its content has. A gated repository tells its facts to
    everybody and gives its files to nobody.
    """

    files: dict[str, bytes]
    licence: str | None = "apache-2.0"
    gated: str | bool = False
    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    pretended: dict[str, int] = field(default_factory=dict)
    n_parameters: int | None = 1_000_000

    @property
    def sha(self) -> str:
        text = b"".join(name.encode() + content for name, content in sorted(self.files.items()))
        return hashlib.sha1(text).hexdigest()


class FakeHub:
    """The server, in threads of this process between `__enter__` and `__exit__`.

    `delay` is seconds before every answer, `drip` seconds between the bytes of an answer's body, `broken` a status
    for every request; `asked` lists the paths. `cut` ends so many answers with files after half of what was left;
    `ranges` lists where the parts of files that were asked for began.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.renamed: dict[str, str] = {}
        self.delay = self.drip = 0.0
        self.broken: int | None = None
        self.asked: list[str] = []
        self.cut = 0
        self.ranges: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, hub_id: str, files: dict[str, Any] | None = None, **facts: Any) -> Repo:
        """A sound model of safetensors weights; `files` adds to it, and None as a content takes a file away."""
        content: dict[str, Any] = {
            "config.json": CONFIG,
            "tokenizer_config.json": TOKENIZER,
            "tokenizer.json": {"model": {}},
            "model.safetensors": b"\x08" + bytes(1023),
            **(files or {}),
        }
        raw = {name: _raw(value) for name, value in content.items() if value is not None}
        self.repos[hub_id] = Repo(raw, **facts)
        return self.repos[hub_id]


def _raw(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            hub.asked.append(path)
            time.sleep(hub.delay)
            status, headers, body = self._part(*_answer(hub, path))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if hub.cut and "ETag" in headers and len(body) > 2000:
                hub.cut -= 1
                self.close_connection = True
                body = body[: len(body) // 2]
            self._write(body)

        do_HEAD = do_GET

        def _part(self, status: int, headers: dict[str, str], body: bytes) -> Answer:
            """What a request for the bytes from somewhere on gets."""
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
            if status != 200 or asked is None:
                return status, headers, body
            start = int(asked[1])
            hub.ranges.append(start)
            told = {**headers, "content-range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            return 206, told, body[start:]

        def _write(self, body: bytes) -> None:
            try:
                if not hub.drip:
                    self.wfile.write(body)
                    return
                for index in range(len(body)):
                    self.wfile.write(body[index : index + 1])
                    self.wfile.flush()
                    time.sleep(hub.drip)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            return

    return Handler


Answer = tuple[int, dict[str, str], bytes]


def _error(status: int, code: str, message: str) -> Answer:
    return status, {"X-Error-Code": code, "X-Error-Message": message}, json.dumps({"error": message}).encode()


def _answer(hub: FakeHub, path: str) -> Answer:
    if hub.broken is not None:
        return hub.broken, {}, b"{}"
    api = path.startswith("/api/models/")
    parts = path.removeprefix("/api/models/").lstrip("/").split("/")
    hub_id, rest = "/".join(parts[:2]), [unquote(part) for part in parts[2:]]
    if hub_id in hub.renamed:
        return 307, {"Location": path.replace(hub_id, hub.renamed[hub_id])}, b""
    repo = hub.repos.get(hub_id)
    if repo is None or repo.private:
        return 401, {"X-Error-Message": "Invalid username or password."}, b'{"error": "Invalid username or password."}'
    revision = rest[1] if len(rest) > 1 else "main"
    commits = {sha: sha for sha in (repo.sha, *repo.branches.values())}
    sha = {"main": repo.sha, **commits, **repo.branches}.get(revision)
    if sha is None:
        return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    if rest[:1] == ["tree"]:
        tree = [{"type": "file", "path": name, "size": len(repo.files[name]), "oid": "0" * 40} for name in repo.files]
        return 200, {"content-type": "application/json"}, json.dumps(tree).encode()
    if api:
        return 200, {"content-type": "application/json"}, json.dumps(_info(hub_id, repo, sha)).encode()
    return _file(repo, sha, "/".join(rest[2:]))


def _file(repo: Repo, sha: str, name: str) -> Answer:
    if repo.gated:
        return _error(403, "GatedRepo", "Access to this model is restricted.")
    if name not in repo.files:
        return _error(404, "EntryNotFound", "Entry not found")
    content = repo.files[name]
    return 200, {"X-Repo-Commit": sha, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}, content


def _info(hub_id: str, repo: Repo, sha: str) -> dict[str, Any]:
    sizes = {name: repo.pretended.get(name, len(content)) for name, content in repo.files.items()}
    config = json.loads(repo.files["config.json"]) if "config.json" in repo.files else {}
    if "tokenizer_config.json" in repo.files and isinstance(config, dict):
        template = json.loads(repo.files["tokenizer_config.json"]).get("chat_template")
        config["tokenizer_config"] = {"chat_template": template} if template else {}
    card = {"license": repo.licence} if repo.licence else {}
    return {
        "_id": "0",
        "id": hub_id,
        "modelId": hub_id,
        "author": hub_id.split("/")[0],
        "sha": sha,
        "lastModified": "2026-01-02T03:04:05.000Z",
        "private": repo.private,
        "gated": repo.gated,
        "tags": ["transformers", "safetensors"],
        "cardData": card,
        "config": config,
        "siblings": [{"rfilename": name, "size": size, "blobId": "0" * 40} for name, size in sizes.items()],
        "safetensors": {"parameters": {"BF16": repo.n_parameters}, "total": repo.n_parameters},
    }


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A running stub that huggingface_hub is pointed at."""
    with FakeHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield hub
