"""The door to lm-eval: a child process in its own session that gets a specification and sends events.

The child has no database, no Django and no secret but the one key its model needs; it dies with its supervisor.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from runners.logs import for_the_public
from runners.reports import Event, RunSpec

LOG_LINES = 200
_PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "HF_ENDPOINT",
    "HF_HOME",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
)


def python_for(backend: str) -> str:
    """The interpreter that has the backend's packages; vLLM lives in an environment of its own."""
    own = {"hf": settings.HF_PYTHON, "vllm": settings.VLLM_PYTHON}.get(backend)
    return own or sys.executable


def code_path() -> Path:
    """The folder that gives the child this project's code, and no other package, whichever interpreter it has."""
    if settings.IS_CHECKOUT:
        return Path(settings.BASE_DIR)
    folder = Path(settings.HOME) / "code"
    folder.mkdir(exist_ok=True)
    link, target = folder / "runners", Path(settings.BASE_DIR) / "runners"
    if not link.is_symlink() or link.readlink() != target:
        fresh = folder / f".{os.getpid()}"
        fresh.symlink_to(target)
        fresh.replace(link)
    return folder


def scrubbed_environment(key_env: str | None, *, offline: bool) -> dict[str, str]:
    """The child's whole environment: a short list of harmless names and the one key the model needs."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {
        "HOME": str(settings.HOME / "home"),
        "PYTHONPATH": str(code_path()),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    environment.setdefault("HF_HOME", str(settings.HOME / "huggingface"))
    if offline:
        environment |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    if key_env and key_env in os.environ:
        environment[key_env] = os.environ[key_env]
    return environment


def _needs_hub(spec: RunSpec) -> bool:
    return any(task.dataset.source == "hub" for task in spec.tasks)


def _environment_of(spec: RunSpec) -> tuple[str, str | None, bool]:
    """What a child is started for; a run that needs another one needs another child."""
    return spec.model.backend, spec.model.key_env, _needs_hub(spec)


class Child:
    """One evaluation child. `events(timeout)` yields what came; `stop` and `kill` end its whole process group."""

    def __init__(self, spec: RunSpec) -> None:
        self._serves = _environment_of(spec)
        (settings.HOME / "home").mkdir(exist_ok=True)
        self._heard_all = False
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.process = subprocess.Popen(  # noqa: S603 - our own module, arguments as a list
            [python_for(spec.model.backend), "-m", "runners.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=scrubbed_environment(spec.model.key_env, offline=not _needs_hub(spec)),
            cwd=settings.HOME,
            start_new_session=True,
        )
        for reader in (self._read_events, self._read_log):
            threading.Thread(target=reader, daemon=True).start()
        self.send(spec)

    def send(self, spec: RunSpec) -> None:
        """Gives the child a run; further runs of the same loaded model may follow."""
        assert self.process.stdin is not None
        Path(spec.workdir).mkdir(parents=True, exist_ok=True)
        try:
            self.process.stdin.write(spec.to_json().encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            # It died while starting; its exit code and log tell why.
            self._log.append("the evaluation process ended before it read its task")

    def serves(self, spec: RunSpec) -> bool:
        """Whether this child's interpreter and environment are those that `spec` needs."""
        return self._serves == _environment_of(spec)

    def events(self, timeout: float) -> Iterable[Event]:
        """Events as they come, for at most about `timeout` seconds of silence; ends early when the child is gone."""
        while True:
            try:
                event = self._events.get(timeout=timeout)
            except queue.Empty:
                return
            if event is None:
                self._heard_all = True
                return
            yield event
            if self._events.empty():
                return

    @property
    def log(self) -> str:
        """The last lines it wrote to standard error, without secrets."""
        return for_the_public("\n".join(self._log))

    @property
    def gone(self) -> bool:
        """True when the process has ended and everything it said has been taken."""
        return self._heard_all and self.process.poll() is not None

    def stop(self, patience: float = 20.0) -> None:
        """SIGTERM to its group, SIGKILL when it does not end in `patience` seconds; answers so far are kept."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self) -> None:
        """SIGKILL to its whole group, the model server it may have started included."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def _read_events(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._events.put(Event.from_dict(json.loads(line)))
            except (ValueError, TypeError):
                self._log.append(line.decode(errors="replace").rstrip())
        self._events.put(None)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._log.append(line.decode(errors="replace").rstrip()[:2000])
