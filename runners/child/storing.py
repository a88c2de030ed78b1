"""Every answer is stored as it comes, and known answers are never asked again.

`StoringLM` stands between lm-eval's evaluator and a language model. It reads the answers of this task back in
one go, forwards only unknown requests, and is the inner model's cache hook, so that answers arrive one by
one. The store is an append-only log in SQLite (WAL): the last row of a key counts, and a failed request is a
row without a value, asked again by the next attempt. A killed run loses at most the rows since the last
commit (64 answers or 0.2 s).
"""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from runners.child.answers import Answer, AnswerLog, Key, Meta, key_of, row_of
from runners.child.errors import TryAgain

COMMIT_EVERY = 64
COMMIT_SECONDS = 0.2

_open: weakref.WeakSet[StoringLM] = weakref.WeakSet()


def flush_all(timeout: float = 0.5) -> None:
    """Commit what every open StoringLM holds: the last act of a process whose main thread is stuck."""
    for model in list(_open):
        model.flush(timeout)


class StoringLM:
    """Wraps a language model of lm-eval; attributes it does not have itself are the model's.

    `begin(namespace)` before each task. `chunk`: how many requests go into one inner call (sorted by length,
    longest first), for engines that hand back answers only at the end; None sends all unknown ones at once.
    `progress` gets (answered, asked) requests of the current call from time to time. The namespace must name
    everything that decides an answer besides the request: model, revision, dtype, chat template, task config,
    dataset.
    """

    def __init__(
        self,
        model: Any,
        log: AnswerLog,
        *,
        chunk: int | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.model, self.chunk, self.progress = model, chunk, progress
        self.metas: dict[tuple[int, int], list[Meta | None]] = {}
        self.asked = self.reused = 0
        self._log, self._namespace = log, ""
        self._known: dict[Key, Answer] = {}
        self._pending: dict[bytes, list[int]] = {}
        self._keys: dict[Any, bytes] = {}
        self._occurrences: list[int] = []
        self._answers: list[Answer | None] = []
        self._buffer: list[tuple[Any, ...]] = []
        self._lock = threading.RLock()
        self._failure: BaseException | None = None
        model.set_cache_hook(self)
        _open.add(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def begin(self, namespace: str) -> None:
        """Turn to another task: read its known answers back and forget the last one's."""
        self._namespace, self._known, self.metas = namespace, self._log.known(namespace), {}

    def loglikelihood(self, requests: list[Any]) -> list[Any]:
        return self._answer("loglikelihood", requests)

    def loglikelihood_rolling(self, requests: list[Any]) -> list[Any]:
        return self._answer("loglikelihood_rolling", requests)

    def generate_until(self, requests: list[Any]) -> list[Any]:
        return self._answer("generate_until", requests)

    def add_partial(self, kind: str, args: Iterable[Any], value: Any, meta: Meta | None = None) -> None:
        """lm-eval's cache hook: one answer has come. `meta` is our own models' addition."""
        try:
            key = self._keys[args]
        except (KeyError, TypeError):
            key = key_of(kind, args)
        with self._lock:
            waiting = self._pending.get(key)
            if waiting:
                self._keep(key, waiting.pop(0), Answer(value, meta))

    def flush(self, timeout: float = -1) -> None:
        """Commit what is waiting; gives up when another thread does it longer than `timeout` seconds.

        Raises ChildError("disk_full").
        """
        if self._lock.acquire(timeout=timeout):
            try:
                if self._buffer:
                    self._log.append(self._buffer)
                    self._buffer = []
            finally:
                self._lock.release()

    def _answer(self, kind: str, requests: list[Any]) -> list[Any]:
        keys = [key_of(kind, request.args) for request in requests]
        # Prompts keep their own hash, so that an answer finds its key without another digest.
        hashable = kind != "generate_until"
        self._keys = {request.args: key for request, key in zip(requests, keys, strict=True)} if hashable else {}
        unknown = self._prepare(keys)
        self.asked += len(unknown)
        self.reused += len(requests) - len(unknown)
        stop = threading.Event()
        flusher = threading.Thread(target=self._flush_now_and_then, args=(stop,), daemon=True)
        flusher.start()
        try:
            for batch in self._batches(unknown, requests):
                self._ask(kind, batch, requests, keys)
        finally:
            stop.set()
            flusher.join()
            self.flush()
        if self._failure is not None:
            raise self._failure
        self.progress(len(requests), len(requests))
        return self._collect(requests)

    def _prepare(self, keys: list[bytes]) -> list[int]:
        """Fill in known answers; the positions of the others."""
        seen: dict[bytes, int] = {}
        pending: defaultdict[bytes, list[int]] = defaultdict(list)
        unknown = []
        self._answers, self._occurrences = [], []
        for position, key in enumerate(keys):
            occurrence = seen.get(key, 0)
            seen[key] = occurrence + 1
            self._occurrences.append(occurrence)
            known = self._known.get((key, occurrence))
            self._answers.append(known)
            if known is None:
                pending[key].append(position)
                unknown.append(position)
        self._pending, self._done = pending, len(keys) - len(unknown)
        return unknown

    def _batches(self, unknown: list[int], requests: list[Any]) -> Iterable[list[int]]:
        if self.chunk is None:
            return [unknown] if unknown else []
        by_length = sorted(unknown, key=lambda position: -len(requests[position].args[0]))
        return [by_length[at : at + self.chunk] for at in range(0, len(by_length), self.chunk)]

    def _ask(self, kind: str, batch: list[int], requests: list[Any], keys: list[bytes]) -> None:
        while True:
            batch = [position for position in batch if self._answers[position] is None]
            try:
                values = getattr(self.model, kind)([requests[position] for position in batch]) if batch else []
                break
            except TryAgain:
                continue
        with self._lock:
            for position, value in zip(batch, values, strict=True):
                if self._answers[position] is None:
                    self._pending[keys[position]].remove(position)
                    self._keep(keys[position], position, Answer(value, None))

    def _keep(self, key: bytes, position: int, answer: Answer) -> None:
        if self._failure is not None:
            raise self._failure
        self._answers[position] = answer
        self._done += 1
        self._buffer.append(row_of(self._namespace, (key, self._occurrences[position]), answer))
        if len(self._buffer) >= COMMIT_EVERY:
            self.flush()

    def _flush_now_and_then(self, stop: threading.Event) -> None:
        while not stop.wait(COMMIT_SECONDS):
            try:
                self.flush()
                self.progress(self._done, len(self._answers))
            except Exception as error:  # noqa: BLE001 - handed to the thread that asks
                self._failure = error
                return

    def _collect(self, requests: list[Any]) -> list[Any]:
        values = []
        for request, answer in zip(requests, self._answers, strict=True):
            if answer is None:
                raise AssertionError("a request was left without an answer")
            self.metas.setdefault((request.doc_id, request.idx), []).append(answer.meta)
            values.append(answer.value)
        return values
