"""Pages as bytes, ready before anybody asks: rendered once per change, compressed, with an ETag.

A reader's request is answered from memory without a query. One thread per process and kind of page asks every
POLL_SECONDS whether what they show changed and renders what readers have been reading again; until it is done they get
the page before.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import brotli
from django.db import DatabaseError, connections

from leaderboard import boards

log = logging.getLogger(__name__)
POLL_SECONDS = 2.0
PAGES = 128
# Compressing better costs the rebuild a second per page; quality 9 is within 8 % of the best at a tenth of the time.
BROTLI_QUALITY = 9
PUBLISHERS: list[Publisher[Any]] = []


@dataclass(frozen=True)
class Page:
    """One page as it is sent. `etag` is weak-free and quoted; `generation` is what the boards were then."""

    content_type: str
    plain: bytes
    gzipped: bytes
    brotlied: bytes
    etag: str
    generation: int

    @classmethod
    def of(cls, content_type: str, body: bytes, generation: int) -> Page:
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        return cls(
            content_type, body, gzip.compress(body, 9, mtime=0), brotli.compress(body, quality=BROTLI_QUALITY), etag,
            generation,
        )  # fmt: skip

    def encoded(self, accepted: str) -> tuple[bytes, str]:
        """The body and its Content-Encoding ("" for none) that a reader's Accept-Encoding allows."""
        if "br" in accepted:
            return self.brotlied, "br"
        return (self.gzipped, "gzip") if "gzip" in accepted else (self.plain, "")


class Subject(Protocol):
    """What pages are about; `generation` tells whether it is still what the database says."""

    @property
    def generation(self) -> int: ...


S = TypeVar("S", bound=Subject)


@dataclass
class _Entry(Generic[S]):
    slug: str
    content_type: str
    render: Callable[[S], bytes]
    page: Page


class Publisher(Generic[S]):
    """The pages of one process about one kind of subject; a page that is missing is rendered once, by one thread.

    `load` builds the subject called by a slug, None where there is none; `mark` is the generation of them all.
    """

    def __init__(self, load: Callable[[str], S | None], mark: Callable[[], int]) -> None:
        self._load, self._mark = load, mark
        self._entries: OrderedDict[str, _Entry[S]] = OrderedDict()
        self._subjects: dict[str, S] = {}
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        PUBLISHERS.append(self)

    def cached(self, key: str) -> Page | None:
        """The page called `key` when it stands ready; never a query."""
        entry = self._entries.get(key)
        return entry.page if entry is not None else None

    def page(self, key: str, slug: str, content_type: str, render: Callable[[S], bytes]) -> Page | None:
        """The page called `key` about the subject `slug`; None where there is no such subject."""
        if (ready := self.cached(key)) is not None:
            return ready
        with self._lock:
            if (ready := self.cached(key)) is not None:
                return ready
            subject = self._known(slug)
            if subject is None:
                return None
            page = Page.of(content_type, render(subject), subject.generation)
            self._entries[key] = _Entry(slug, content_type, render, page)
            while len(self._entries) > PAGES:
                self._entries.popitem(last=False)
            self._watch()
            return page

    def subject(self, slug: str) -> S | None:
        """The subject in memory, built when nobody asked for it yet."""
        with self._lock:
            self._watch()
            return self._known(slug)

    def refresh(self) -> bool:
        """Renders every page again that has changed; readers keep the old page until its successor is done."""
        mark = self._mark()
        with self._lock:
            stale = [slug for slug, subject in self._subjects.items() if subject.generation != mark]
            entries = [(key, entry) for key, entry in self._entries.items() if entry.page.generation != mark]
        if not stale and not entries:
            return False
        for slug in stale:
            subject = self._load(slug)
            if subject is not None:
                self._subjects[slug] = subject
        for key, entry in entries:
            subject = self._subjects.get(entry.slug)
            if subject is not None:
                body = entry.render(subject)
                entry.page = Page.of(entry.content_type, body, subject.generation)
                log.debug("published %s anew", key)
            time.sleep(0)
        return True

    def clear(self) -> None:
        """Forgets everything (tests)."""
        with self._lock:
            self._entries.clear()
            self._subjects.clear()

    def _known(self, slug: str) -> S | None:
        if slug not in self._subjects:
            subject = self._load(slug)
            if subject is None:
                return None
            self._subjects[slug] = subject
        return self._subjects[slug]

    def _watch(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._poll, name="publisher", daemon=True)
            self._thread.start()

    def _poll(self) -> None:
        while True:
            time.sleep(POLL_SECONDS)
            try:
                self.refresh()
            except DatabaseError as error:
                # Readers keep the last page; the next poll tries again.
                log.warning("pages could not be rebuilt: %s", error)
            except Exception:
                log.exception("pages could not be rebuilt")
            finally:
                connections.close_all()


class Boards(Publisher[boards.Board]):
    """The pages of the boards, one subject per suite."""

    def __init__(self) -> None:
        super().__init__(_board, lambda: boards.generation())

    def board(self, slug: str) -> boards.Board | None:
        """The board in memory, built when nobody asked for it yet."""
        return self.subject(slug)


def _board(slug: str) -> boards.Board | None:
    suite = boards.current_suite(slug)
    return None if suite is None else boards.build(suite)


def cached(key: str) -> Page | None:
    """The page called `key` of any kind when it stands ready; never a query."""
    return next((page for known in PUBLISHERS if (page := known.cached(key)) is not None), None)


publisher = Boards()
