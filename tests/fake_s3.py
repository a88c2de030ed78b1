"""An S3 server of a few lines: one bucket in memory, path-style addresses; objects, their listing, nothing else."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class FakeS3:
    """`objects`: bytes by bucket/key; `asked`: (method, path) of every request; unsigned requests are refused."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"s3": self}))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> FakeS3:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    s3: FakeS3

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._may():
            self.s3.objects[self._key()] = body
            self._answer(200, b"")

    def do_GET(self) -> None:
        if not self._may():
            return
        if "/" not in self._key():
            self._answer(200, self._listing().encode())
        elif (body := self.s3.objects.get(self._key())) is not None:
            self._answer(200, body)
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    do_HEAD = do_GET

    def do_DELETE(self) -> None:
        if self._may():
            self.s3.objects.pop(self._key(), None)
            self._answer(204, b"")

    def _may(self) -> bool:
        self.s3.asked.append((self.command, self.path))
        if self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256"):
            return True
        self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        return False

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).strip("/")

    def _listing(self) -> str:
        prefix = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
        bucket = self._key()
        below = [key.removeprefix(f"{bucket}/") for key in self.s3.objects if key.startswith(f"{bucket}/{prefix}")]
        names = [name.removeprefix(prefix) for name in below]
        files = "".join(f"<Contents><Key>{escape(prefix + n)}</Key></Contents>" for n in names if "/" not in n)
        folders = {n.split("/")[0] for n in names if "/" in n}
        prefixes = "".join(
            f"<CommonPrefixes><Prefix>{escape(prefix + n)}/</Prefix></CommonPrefixes>" for n in sorted(folders)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{files}{prefixes}</ListBucketResult>"

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0"')
        self.send_header("Last-Modified", "Sat, 21 Nov 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
