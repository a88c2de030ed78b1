"""Local weights through lm-eval's HFLM, from a downloaded folder at the pinned commit.

No code and no pickle of a model's repository is ever run: the folder is looked through before anything is
loaded, arguments are a short list of known ones in a dict, and `trust_remote_code` is off. A CUDA
out-of-memory error goes down a fixed ladder: the same batch once more, half of it and again half, one, then
"does_not_fit". The context length is never shortened, since that changes scores.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from runners.child.backends import Chat, Loaded
from runners.child.errors import ChildError, TryAgain
from runners.reports import RunSpec

GPU_BATCH = 16
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5", ".npy", ".npz", ".joblib")
CONFIG_MOST = 2 << 20
ARGUMENTS = frozenset(
    [
        "add_bos_token",
        "prefix_token_id",
        "parallelize",
        "max_memory_per_gpu",
        "device",
        "softmax_dtype",
        "attn_implementation",
        "enable_thinking",
        "think_end_token",
        "truncation",
        "logits_cache",
    ]
)


class Ladder:
    """HFLM with the out-of-memory ladder; every attribute that is not its own is HFLM's.

    `environment["batch_size"]` always says what is in use.
    """

    def __init__(self, lm: Any, environment: dict[str, Any]) -> None:
        self.lm, self.environment = lm, environment
        self._again = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lm, name)

    def loglikelihood(self, requests: list[Any]) -> list[Any]:
        return self._ask("loglikelihood", requests)

    def loglikelihood_rolling(self, requests: list[Any]) -> list[Any]:
        return self._ask("loglikelihood_rolling", requests)

    def generate_until(self, requests: list[Any]) -> list[Any]:
        return self._ask("generate_until", requests)

    def _ask(self, kind: str, requests: list[Any]) -> list[Any]:
        try:
            answers: list[Any] = getattr(self.lm, kind)(requests, disable_tqdm=True)
            return answers
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        # Outside of the handler: a traceback that is alive holds the tensors of the failed batch.
        self.step_down()

    def step_down(self, told: Callable[[], None] = lambda: None) -> NoReturn:
        """A smaller batch next time; `told` is called when it is. Raises TryAgain, or ChildError("does_not_fit")."""
        batch = int(self.lm.batch_size)
        if self._again:
            self._again = False
        elif batch > 1:
            self.lm.batch_size_per_gpu = self.environment["batch_size"] = batch // 2
            told()
        else:
            raise ChildError(
                "does_not_fit",
                "One request alone does not fit into the GPU's memory with this model. Run it on a larger GPU, with "
                "a smaller dtype, or with a shorter max_length (which is shown, since it changes scores).",
                permanent=True,
            )
        empty_cache()
        raise TryAgain


def out_of_memory(error: BaseException) -> bool:
    """torch's OutOfMemoryError, or the CUDA and cuBLAS errors that mean the same."""
    text = str(error)
    return type(error).__name__ == "OutOfMemoryError" or any(
        sign in text for sign in ("CUDA out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_NOT_SUPPORTED")
    )


def empty_cache() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def check_folder(folder: Path) -> None:
    """Refuse a model folder with code, pickled weights or a reference to code.

    Raises ChildError("model_missing" or "unsafe_model"), naming the file.
    """
    if not (folder / "config.json").is_file():
        raise ChildError(
            "model_missing", f"There is no config.json in {folder.name}; download it again.", permanent=True
        )
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = [path.name for path in files]
    for path in files:
        suffix = path.suffix.lower()
        if suffix in (".py", ".pyc", ".so") or suffix in PICKLED:
            what = "pickled weights" if suffix in PICKLED else "code"
            raise _unsafe(f"{path.relative_to(folder)} is {what}")
        if suffix == ".json" and not path.name.endswith(".index.json") and path.stat().st_size <= CONFIG_MOST:
            _check_config(path, folder)
    if not any(name.endswith(".safetensors") for name in names):
        raise _unsafe("there are no safetensors weights")


def _check_config(path: Path, folder: Path) -> None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ChildError(
            "model_missing", f"{path.relative_to(folder)} is not JSON: {error}.", permanent=True
        ) from error
    if path.name != "tokenizer.json" and "auto_map" in set(_keys(content)):
        raise _unsafe(f"{path.relative_to(folder)} has an auto_map, which runs code of the repository")


def _keys(content: Any) -> Iterable[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from _keys(value)
    elif isinstance(content, list):
        for value in content:
            yield from _keys(value)


def _unsafe(why: str) -> ChildError:
    message = f"The model is not run: {why}. Submit a revision with safetensors weights and no code of its own."
    return ChildError("unsafe_model", message, permanent=True)


def arguments(spec: RunSpec, allowed: frozenset[str]) -> dict[str, Any]:
    """The model arguments that are let through. Raises ChildError("bad_spec") for any other."""
    unknown = sorted(set(spec.model.args) - allowed)
    if unknown:
        message = f"Unknown model arguments: {', '.join(unknown)}. Known ones: {', '.join(sorted(allowed))}."
        raise ChildError("bad_spec", message, permanent=True)
    return dict(spec.model.args)


def folder_of(spec: RunSpec) -> Path:
    """The checked folder of the model's files. Raises ChildError."""
    if not spec.model.path or not Path(spec.model.path).is_dir():
        message = f"The files of {spec.model.name} are not on this worker; download them first."
        raise ChildError("model_missing", message, permanent=False)
    folder = Path(spec.model.path)
    check_folder(folder)
    return folder


def load(spec: RunSpec) -> Loaded:
    """HFLM with the model of `spec.model.path`. Raises ChildError."""
    chosen, folder = arguments(spec, ARGUMENTS), folder_of(spec)
    try:
        import torch
        from lm_eval.models.huggingface import HFLM
    except ImportError as error:
        message = f"Local models need torch and transformers ({error}). Install the project with its hf extra."
        raise ChildError("missing_dependency", message, permanent=True) from error
    cuda = torch.cuda.is_available()
    batch = spec.batch_size or (GPU_BATCH if cuda else 1)
    torch.manual_seed(spec.seed)
    chosen.setdefault("device", "cuda" if cuda else "cpu")
    try:
        lm = HFLM(
            pretrained=str(folder),
            dtype=spec.model.dtype or "auto",
            batch_size=batch,
            max_length=spec.max_length,
            trust_remote_code=False,
            **chosen,
        )
    except RuntimeError as error:
        if not out_of_memory(error):
            raise _unloadable(spec, error) from error
        message = f"{spec.model.name} does not fit into the GPU's memory. Run it on a larger GPU or in a smaller dtype."
        raise ChildError("does_not_fit", message, permanent=True) from error
    except (OSError, ValueError, KeyError) as error:
        raise _unloadable(spec, error) from error
    return _loaded(spec, lm, batch)


def _unloadable(spec: RunSpec, error: Exception) -> ChildError:
    message = f"transformers cannot load {spec.model.name}: {error}"
    return ChildError("unsupported_model", message[:1000], permanent=True)


def _loaded(spec: RunSpec, lm: Any, batch: int) -> Loaded:
    template = lm.tokenizer.chat_template
    digest = hashlib.sha256(template.encode()).hexdigest() if isinstance(template, str) else None
    identity = {
        "dtype": str(lm.model.dtype).removeprefix("torch."),
        "chat_template_sha": digest,
        "max_length": lm.max_length,
    }
    environment = {
        "engine": "transformers",
        "commit_sha": spec.model.commit_sha,
        "device": str(lm.device),
        "batch_size": batch,
        "parameters": lm.model.num_parameters(),
        **identity,
    }
    templated = spec.apply_chat_template and template is not None
    model = Ladder(lm, environment)

    def serve(told: Callable[[], None], died: Callable[[ChildError], None]) -> Chat:
        from runners.child import hf_chat

        server = hf_chat.serve(spec.model.name, model, told)
        # One batch is answered while the next one waits.
        return Chat(server.base_url, 2 * int(model.batch_size), server.close)

    return Loaded(
        models={"generate": model, "likelihood": model},
        templated={"generate": templated, "likelihood": templated},
        identity=identity,
        environment=environment,
        serve=serve,
    )
