"""Local weights through vLLM: a managed server on loopback (the default), or lm-eval's vllm class.

The server (`engine: "serve"`) is asked through our own API model, so every answer is stored as it comes and
finish reasons and token counts are known. The library (`engine: "library"`) hands answers back per call only,
so that it gets at most 512 requests at a time. Both are GPU workers' business, in an environment of their
own.
"""

from __future__ import annotations

import ctypes
import dataclasses
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runners.child import hf
from runners.child.backends import Chat, Loaded
from runners.child.errors import ChildError, ErrorKind
from runners.child.hf_chat import no_template
from runners.reports import RunSpec

CHUNK = 512
START_SECONDS = 45 * 60.0
STOP_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
FLAGS = {
    "tensor_parallel_size": "--tensor-parallel-size",
    "gpu_memory_utilization": "--gpu-memory-utilization",
    "max_num_seqs": "--max-num-seqs",
}
ARGUMENTS = frozenset(["engine", "start_seconds", *FLAGS])
NO_MEMORY = (
    "CUDA out of memory",
    "No available memory for the cache blocks",
    "larger than the available KV cache",
)


def load(spec: RunSpec) -> Loaded:
    """The model of `spec.model.path` in vLLM. Raises ChildError."""
    chosen, folder = hf.arguments(spec, ARGUMENTS), hf.folder_of(spec)
    engine = chosen.pop("engine", "serve")
    if engine == "serve":
        return _served(spec, folder, chosen)
    if engine == "library":
        return _in_process(spec, folder, chosen)
    raise ChildError("bad_spec", f"vLLM's engine is serve or library, not {engine!r}.", permanent=True)


class Server:
    """`vllm serve` as a child that dies with this process; `log` holds what it printed."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.port, self.log, self._closing = port, log, False
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line, a list
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=_die_with_parent()
            )

    def wait_until_ready(self, seconds: float) -> None:
        """Returns when /health says 200. Raises ChildError when the server ends or takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise self._died()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.close()
        raise ChildError("endpoint_slow", f"vLLM was not ready after {seconds:.0f} s.", permanent=False)

    def watch(self, died: Callable[[ChildError], None]) -> None:
        """Calls `died` when the server ends without having been closed."""

        def wait() -> None:
            self._process.wait()
            if not self._closing:
                died(self._died("serving"))

        threading.Thread(target=wait, daemon=True).start()

    def close(self) -> None:
        self._closing = True
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _died(self, doing: str = "loading") -> ChildError:
        said = self.log.read_text(encoding="utf-8", errors="replace")
        tail = "\n".join(said.splitlines()[-15:])
        if any(sign in said for sign in NO_MEMORY):
            return ChildError(
                "does_not_fit",
                f"The model does not fit into the GPU's memory with vLLM. Use a larger GPU.\n{tail}",
                permanent=True,
            )
        code = self._process.returncode
        kind: ErrorKind = "unsupported_model" if doing == "loading" else "endpoint_down"
        return ChildError(kind, f"vLLM ended with code {code} while {doing}.\n{tail}", permanent=False)


def _die_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def command_line(spec: RunSpec, folder: Path, port: int, chosen: dict[str, Any]) -> list[str]:
    """`vllm serve`, bound to loopback, with the checked folder and nothing that loads code."""
    command = [str(Path(sys.executable).with_name("vllm")), "serve", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", spec.model.name]
    command += ["--seed", str(spec.seed), "--dtype", spec.model.dtype or "auto"]
    # Not the sampling defaults of the model's own generation_config.json: requests say what they want.
    command += ["--generation-config", "vllm"]
    if spec.max_length:
        command += ["--max-model-len", str(spec.max_length)]
    if spec.model.quantization:
        command += ["--quantization", spec.model.quantization]
    for name, flag in FLAGS.items():
        if name in chosen:
            command += [flag, str(chosen[name])]
    return command


def _served(spec: RunSpec, folder: Path, chosen: dict[str, Any]) -> Loaded:
    from runners.child import api

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = command_line(spec, folder, port, chosen)
    try:
        server = Server(command, port, Path(spec.workdir) / "vllm.log")
    except FileNotFoundError as error:
        raise _missing(error) from error
    server.wait_until_ready(float(chosen.get("start_seconds", START_SECONDS)))
    template = has_chat_template(folder)
    arguments = {"loglikelihood": True, "chat": spec.apply_chat_template and template}
    model = dataclasses.replace(
        spec.model,
        base_url=f"http://127.0.0.1:{port}/v1",
        served_name=spec.model.name,
        key_env=None,
        args=arguments,
    )
    loaded = api.load(dataclasses.replace(spec, model=model))

    def serve(told: Callable[[], None], died: Callable[[ChildError], None]) -> Chat:
        if not template:
            raise no_template(spec.model.name)
        server.watch(died)
        return Chat(f"http://127.0.0.1:{port}/v1", spec.max_concurrency)

    def close() -> None:
        loaded.close()
        server.close()

    return dataclasses.replace(
        loaded,
        identity=_identity(spec, "serve"),
        environment={"engine": "vllm serve", "command": command[1:2] + command[3:], **_facts(spec)},
        close=close,
        serve=serve,
    )


def has_chat_template(folder: Path) -> bool:
    config = folder / "tokenizer_config.json"
    inside = config.is_file() and '"chat_template"' in config.read_text(encoding="utf-8")
    return inside or (folder / "chat_template.jinja").is_file()


def _in_process(spec: RunSpec, folder: Path, chosen: dict[str, Any]) -> Loaded:
    try:
        from lm_eval.models.vllm_causallms import VLLM
    except ImportError as error:
        raise _missing(error) from error
    chosen.pop("start_seconds", None)
    try:
        lm = VLLM(
            pretrained=str(folder),
            dtype=spec.model.dtype or "auto",
            quantization=spec.model.quantization,
            batch_size="auto",
            max_model_len=spec.max_length,
            seed=spec.seed,
            trust_remote_code=False,
            **chosen,
        )
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    except RuntimeError as error:
        if not hf.out_of_memory(error):
            raise
        message = f"{spec.model.name} does not fit into the GPU's memory with vLLM. Use a larger GPU."
        raise ChildError("does_not_fit", message, permanent=True) from error
    templated = spec.apply_chat_template and has_chat_template(folder)
    return Loaded(
        models={"generate": lm, "likelihood": lm},
        templated={"generate": templated, "likelihood": templated},
        identity=_identity(spec, "library"),
        environment={"engine": "vllm", **_facts(spec)},
        chunk=CHUNK,
    )


def _identity(spec: RunSpec, engine: str) -> dict[str, Any]:
    return {"engine": f"vllm {engine}", "dtype": spec.model.dtype, "quantization": spec.model.quantization}


def _facts(spec: RunSpec) -> dict[str, Any]:
    facts = {"commit_sha": spec.model.commit_sha, "dtype": spec.model.dtype or "auto"}
    return {**facts, "quantization": spec.model.quantization}


def _missing(error: Exception) -> ChildError:
    message = f"vLLM is not installed here ({error}). Install the project with its vllm extra in its own environment."
    return ChildError("missing_dependency", message, permanent=True)
