"""Runs in the shapes of MLflow and Weights & Biases, written without either; with its package, W&B's own offline run.

MLflow: the file store's layout (checked by reading it with mlflow-skinny 3.17). W&B: `config.yaml`,
`wandb-summary.json`, `wandb-metadata.json` and a history of one JSON object a line, in a run folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml
from django.core.files.storage import default_storage

from leaderboard.run_export import RunExport

# RunStatus of MLflow's protocol: RUNNING, SCHEDULED, FINISHED, FAILED, KILLED.
MLFLOW_STATUS: Final = {"queued": 2, "running": 1, "judging": 1, "finished": 3, "failed": 4, "cancelled": 5}
PARAM_LENGTH: Final = 6000
_NOT_A_KEY = re.compile(r"[^\w\-./ ]", re.ASCII)


def mlflow(run: RunExport, out: Path) -> Path:
    """Writes the run into the file store `out`/mlruns, over an earlier export of it; its folder.

    The same run has the same ids wherever it is exported.
    """
    experiment = str(int.from_bytes(hashlib.sha256(run.experiment.encode()).digest()[:7]) % 10**18 + 10**17)
    folder = (out / "mlruns" / experiment).resolve()
    run_id = hashlib.sha256(f"{run.run_id} {run.fingerprint}".encode()).hexdigest()[:32]
    return _whole(folder / run_id, lambda draft: _mlflow_run(run, experiment, run_id, folder, draft))


def _mlflow_run(run: RunExport, experiment: str, run_id: str, folder: Path, draft: Path) -> None:
    base = {"experiment_id": experiment, "lifecycle_stage": "active"}
    if not (folder / "meta.yaml").exists():
        at = _milliseconds(run.started)
        about = {"name": run.experiment, "artifact_location": folder.as_uri(), "creation_time": at}
        _yaml(folder / "meta.yaml", {**base, **about, "last_update_time": at})
    for name in ("artifacts", "metrics", "params", "tags"):
        (draft / name).mkdir(parents=True)
    for key, value in run.params.items():
        _text(draft / "params" / _key(key), value[:PARAM_LENGTH])
    for metric in run.metrics:
        _text(draft / "metrics" / _key(metric.key), f"{_milliseconds(metric.at)} {metric.value!r} {metric.step}\n")
    for key, value in {"mlflow.runName": run.name, **run.tags}.items():
        _text(draft / "tags" / _key(key), value)
    _json(draft / "artifacts" / "run.json", run.record)
    _copy(run, draft / "artifacts")
    about = {"run_id": run_id, "run_name": run.name, "status": MLFLOW_STATUS[run.status], "user_id": "gyeoru",
             "artifact_uri": (folder / run_id / "artifacts").as_uri(), "start_time": _milliseconds(run.started),
             "end_time": _milliseconds(run.ended) if run.ended else None, "entry_point_name": "", "source_name": "",
             "source_type": 4, "source_version": "", "tags": []}  # fmt: skip
    _yaml(draft / "meta.yaml", {**base, **about})


def wandb(run: RunExport, out: Path) -> Path:
    """With the extra `wandb` an offline run for `wandb sync`, else a folder of its JSON shapes; the folder."""
    if importlib.util.find_spec("wandb") is not None:
        return _wandb_offline(run, out)
    return _whole(out / "wandb" / f"run-gyeoru-{run.run_id}", lambda draft: _wandb_files(run, draft / "files"))


def _wandb_files(run: RunExport, files: Path) -> None:
    shape = wandb_shape(run)
    _yaml(files / "config.yaml", {key: {"value": value} for key, value in shape["config"].items()})
    _json(files / "wandb-summary.json", shape["summary"])
    _json(files / "wandb-metadata.json", shape["metadata"])
    _text(files / "wandb-history.jsonl", "".join(json.dumps(row) + "\n" for row in shape["history"]))
    _json(files / "run.json", run.record)
    _copy(run, files)


def _wandb_offline(run: RunExport, out: Path) -> Path:
    import wandb as client

    out.mkdir(parents=True, exist_ok=True)
    shape = wandb_shape(run)
    with client.init(
        project=_slug(run.experiment), name=run.name, id=f"gyeoru-{run.run_id}", dir=str(out), mode="offline",
        config=shape["config"], tags=shape["metadata"]["tags"], settings=client.Settings(silent=True, console="off"),
    ) as given:  # fmt: skip
        for row in shape["history"]:
            given.log({key: value for key, value in row.items() if not key.startswith("_")}, step=row["_step"])
        folder = Path(given.dir)
        _json(folder / "run.json", run.record)
        _copy(run, folder)
        given.save(str(folder / "**"), base_path=str(folder), policy="end")
    # Its service writes on after the run is finished; only its end is the end of the file.
    client.teardown()
    return folder.parent


def wandb_shape(run: RunExport) -> dict[str, Any]:
    """A run as W&B's files have it: config, summary, history and metadata."""
    metadata = {"name": run.name, "project": _slug(run.experiment), "state": run.status, "program": "gyeoru",
                "startedAt": run.started.isoformat(),
                "tags": [f"{key}={value}"[:64] for key, value in run.tags.items()]}  # fmt: skip
    return {"config": run.params, "summary": run.summary(), "history": run.history(), "metadata": metadata}


def mlflow_shape(run: RunExport) -> dict[str, Any]:
    """A run as MLflow's REST interface gives one (runs/get)."""
    info = {"run_name": run.name, "status": run.status.upper(), "start_time": _milliseconds(run.started),
            "end_time": _milliseconds(run.ended) if run.ended else None, "lifecycle_stage": "active"}  # fmt: skip
    metrics = [
        {"key": _key(m.key), "value": m.value, "timestamp": _milliseconds(m.at), "step": m.step} for m in run.metrics
    ]
    pairs = {"params": run.params, "tags": {"mlflow.runName": run.name, **run.tags}}
    listed = {name: [{"key": _key(k), "value": v[:PARAM_LENGTH]} for k, v in of.items()] for name, of in pairs.items()}
    return {"run": {"info": info, "data": {"metrics": metrics, **listed}}}


WRITERS: Final[dict[str, Callable[[RunExport, Path], Path]]] = {"mlflow": mlflow, "wandb": wandb}
SHAPES: Final[dict[str, Callable[[RunExport], dict[str, Any]]]] = {"mlflow": mlflow_shape, "wandb": wandb_shape}


def _whole(folder: Path, fill: Callable[[Path], None]) -> Path:
    """A folder that appears whole or not at all, in the place of an earlier one."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        draft.mkdir(parents=True)
        fill(draft)
        if folder.exists():
            shutil.rmtree(folder)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _copy(run: RunExport, folder: Path) -> None:
    """The samples' files that are still there."""
    for name, artifact in run.files.items():
        if default_storage.exists(artifact.path):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with default_storage.open(artifact.path, "rb") as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _key(name: str) -> str:
    """Letters, digits and - _ . / and spaces: what MLflow takes, and never a way out of the folder."""
    return "/".join(part for part in _NOT_A_KEY.sub("_", name)[:250].split("/") if part.strip(". ")) or "_"


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)[:100]


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _yaml(path: Path, value: Any) -> None:
    _text(path, yaml.safe_dump(value, allow_unicode=True, sort_keys=True))


def _json(path: Path, value: Any) -> None:
    _text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="replace")
