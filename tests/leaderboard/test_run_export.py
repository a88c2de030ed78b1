"""Runs in the shapes of MLflow and W&B: every figure with its error and count, nothing invented, no private item."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.test import Client

from leaderboard import run_export, trackers
from runners.models import EvaluationRun
from tests import factories

pytestmark = pytest.mark.django_db
MLFLOW = importlib.util.find_spec("mlflow") is not None
WANDB = importlib.util.find_spec("wandb") is not None


@pytest.fixture
def run() -> EvaluationRun:
    """Two tasks: one whole, one where every request failed."""
    tasks = [factories.make_task("ko_whole"), factories.make_task("ko_failed")]
    run = factories.make_run(suite=factories.make_suite("kobest", tasks), settings={"seed": 7})
    factories.make_result(run, tasks[0], [1.0, 0.0, 1.0, "no_answer"])
    factories.make_result(run, tasks[1], [None, None])
    EvaluationRun.objects.update(
        status="finished",
        finished_at=run.created_at,
        environment={"gpu": "H100", "dtype": None, "base_url": "http://in"},
    )
    run.refresh_from_db()
    return run


def private_run() -> EvaluationRun:
    task = factories.make_task("h5_ko_arc", benchmark=factories.make_benchmark("ko-h5", is_private=True))
    run = factories.make_run(suite=factories.make_suite("ko-h5", [task]), status="finished")
    factories.make_result(run, task, [1.0, 0.0])
    return run


def export(run: EvaluationRun, shape: str, out: Path, *more: str) -> Path:
    call_command("export_run", str(run.pk), "--to", shape, "--out", str(out), *more)
    found = [path for path in out.rglob("*") if path.name in ("meta.yaml", "wandb-summary.json")]
    return max(found, key=lambda path: len(path.parts)).parent


def texts(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*") if path.is_file())


def test_metrics_keep_their_errors_and_counts(run: EvaluationRun) -> None:
    found = run_export.read(run).summary()
    assert found["ko_whole/acc"] == 0.5
    assert found["ko_whole/acc_stderr"] > 0
    counts = [found[f"ko_whole/{name}"] for name in ("n_docs", "n_scored", "n_failed", "n_no_answer")]
    assert counts == [4, 4, 0, 1]


def test_what_is_not_known_is_absent_and_not_zero(run: EvaluationRun) -> None:
    found = run_export.read(run)
    assert found.summary()["ko_failed/n_failed"] == 2
    absent = {"ko_failed/acc", "ko_failed/acc_stderr", "average", "average_stderr"}
    assert absent & set(found.summary()) == set()
    assert found.params["settings.seed"] == "7"
    assert found.params["environment.gpu"] == "H100"
    assert "environment.dtype" not in found.params


def test_neither_a_servers_address_nor_a_workers_name_goes_along(run: EvaluationRun) -> None:
    EvaluationRun.objects.update(worker="gpu-cellar-77")
    run.refresh_from_db()
    found = run_export.read(run)
    assert "http://in" not in json.dumps(found.record)
    assert "cellar" not in json.dumps([found.record, found.params, found.tags])


def test_the_file_store_of_mlflow_has_a_run_with_all_of_it(run: EvaluationRun, tmp_path: Path) -> None:
    folder = export(run, "mlflow", tmp_path)
    about = yaml.safe_load((folder / "meta.yaml").read_text())
    assert (about["run_id"], about["status"], about["lifecycle_stage"]) == (folder.name, 3, "active")
    assert yaml.safe_load((folder.parent / "meta.yaml").read_text())["name"] == "kobest v1"
    at, value, step = (folder / "metrics" / "ko_whole" / "acc").read_text().split()
    assert (int(at) > 1_500_000_000_000, float(value), step) == (True, 0.5, "0")
    assert (folder / "params" / "suite.slug").read_text() == "kobest"
    assert (folder / "tags" / "gyeoru.run").read_text() == str(run.pk)
    assert not (folder / "metrics" / "ko_failed" / "acc").exists()


def test_exporting_again_takes_the_place_of_the_first_export(run: EvaluationRun, tmp_path: Path) -> None:
    first = export(run, "mlflow", tmp_path)
    (first / "metrics" / "left_over").write_text("0 0 0\n")
    again = export(run, "mlflow", tmp_path)
    assert again == first
    assert not (first / "metrics" / "left_over").exists()
    assert [path.name for path in again.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.skipif(not MLFLOW, reason="mlflow is not installed")
@pytest.mark.filterwarnings("ignore")
def test_mlflow_itself_reads_the_run(run: EvaluationRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    export(run, "mlflow", tmp_path, "--samples")
    client = MlflowClient((tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("kobest v1")
    (found,) = client.search_runs([experiment.experiment_id])
    expected = run_export.read(run)
    assert found.data.metrics == expected.summary()
    assert found.data.params == expected.params
    assert found.info.status == "FINISHED"
    assert client.get_metric_history(found.info.run_id, "ko_whole/acc")[0].step == 0
    assert {file.path for file in client.list_artifacts(found.info.run_id)} == {"run.json", "samples"}


@pytest.mark.skipif(WANDB, reason="wandb is installed and writes its own offline run")
def test_without_wandb_its_json_shapes_are_written(run: EvaluationRun, tmp_path: Path) -> None:
    folder = export(run, "wandb", tmp_path)
    assert yaml.safe_load((folder / "config.yaml").read_text())["settings.seed"] == {"value": "7"}
    assert json.loads((folder / "wandb-summary.json").read_text()) == run_export.read(run).summary()
    rows = [json.loads(line) for line in (folder / "wandb-history.jsonl").read_text().splitlines()]
    assert [row["_step"] for row in rows] == [0, 1]
    assert rows[0]["ko_whole/acc"] == 0.5 and "ko_failed/acc" not in rows[1]


@pytest.mark.skipif(not WANDB, reason="wandb is not installed")
@pytest.mark.filterwarnings("ignore")
def test_with_wandb_an_offline_run_is_written(run: EvaluationRun, tmp_path: Path) -> None:
    call_command("export_run", str(run.pk), "--to", "wandb", "--out", str(tmp_path))
    (stored,) = tmp_path.rglob(f"run-gyeoru-{run.pk}.wandb")
    assert b"ko_whole/acc_stderr" in stored.read_bytes()


@pytest.mark.parametrize("shape", ["mlflow", "wandb"])
def test_items_go_along_where_asked_for_and_never_those_of_private_sets(
    run: EvaluationRun, tmp_path: Path, shape: str
) -> None:
    call_command("export_run", str(run.pk), "--to", shape, "--out", str(tmp_path / "without"))
    call_command("export_run", str(run.pk), "--to", shape, "--out", str(tmp_path / "public"), "--samples")
    call_command("export_run", str(private_run().pk), "--to", shape, "--out", str(tmp_path / "private"), "--samples")
    kept = {name: list((tmp_path / name).rglob("*samples*/*.jsonl")) for name in ("without", "public", "private")}
    assert {name: len(files) for name, files in kept.items()} == {"without": 0, "public": 2, "private": 0}


def test_figures_of_a_private_suite_are_exported_without_any_text(tmp_path: Path) -> None:
    run = private_run()
    folder = tmp_path / "out"
    trackers.mlflow(run_export.read(run, with_samples=True), folder)
    prompt = "question"
    assert run_export.read(run).tags["gyeoru.private"] == "yes"
    assert prompt not in texts(folder)


@pytest.mark.parametrize(
    "name", ["../../escape", "a/../../b", "/etc/passwd", "..", "", "한글 키", "x" * 400, "a\x00b", "C:\\x"]
)
def test_no_name_leads_out_of_its_folder(name: str, tmp_path: Path) -> None:
    path = (tmp_path / trackers._key(name)).resolve()
    assert path.is_relative_to(tmp_path) and path != tmp_path


def test_the_run_page_offers_both_shapes(run: EvaluationRun, client: Client) -> None:
    page = client.get(f"/en/runs/{run.pk}/").content.decode()
    shapes: dict[str, Any] = {}
    for shape in ("mlflow", "wandb"):
        assert f'href="/en/runs/{run.pk}/{shape}.json"' in page
        answer = client.get(f"/en/runs/{run.pk}/{shape}.json")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="run-{run.pk}.{shape}.json"'
        shapes[shape] = answer.json()
    assert shapes["wandb"]["summary"] == run_export.read(run).summary()
    metrics = {m["key"]: m["value"] for m in shapes["mlflow"]["run"]["data"]["metrics"]}
    assert metrics == run_export.read(run).summary()
    assert client.get(f"/en/runs/{run.pk}/other.json").status_code == 404
    assert client.get("/en/runs/999/mlflow.json").status_code == 404


def test_a_run_that_is_not_there_and_a_folder_that_is_a_file_are_named(run: EvaluationRun, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no run 999"):
        call_command("export_run", "999", "--to", "mlflow", "--out", str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="another folder with --out"):
        call_command("export_run", str(run.pk), "--to", "mlflow", "--out", str(tmp_path / "file"))
