"""Everything that leaves the site as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from leaderboard import exports
from leaderboard.export_kinds import BOARDS, SAMPLES
from runners.models import Artifact, EvaluationRun
from tests import factories
from tests.leaderboard.api.site import Site, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return make_site()


def records(kind: exports.Kind, **more: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exports.json_lines(kind, kind.rows(more.get("suite")))]


def test_boards_have_a_line_for_every_cell(site: Site) -> None:
    lines = records(BOARDS, suite="ko-basic")
    first = next(line for line in lines if line["run"] == site.finished.pk and line["task"] == "first_gen")
    assert len(lines) == 3
    assert (first["value"], first["n_docs"], first["n_no_answer"], first["average"]) == (0.5, 4, 1, 0.5)
    assert [line["average"] for line in lines if line["run"] != site.finished.pk] == [None]


def test_samples_have_a_line_for_every_item_with_its_texts(site: Site) -> None:
    lines = records(SAMPLES)
    assert len(lines) == 12
    assert lines[0]["prompt"].startswith("질문 0번")
    assert (lines[0]["reply"], lines[0]["metrics"]) == ("정답은 A입니다.", {"acc": 1.0})


def test_nothing_private_hidden_withdrawn_or_cancelled_leaves(site: Site) -> None:
    assert "secret_gen" not in json.dumps(records(SAMPLES))
    EvaluationRun.objects.filter(pk=site.finished.pk).update(withdrawn_at=timezone.now())
    assert len(records(SAMPLES)) == 4
    other = EvaluationRun.objects.exclude(pk=site.finished.pk).get(status="finished", suite=site.suite)
    other.revision.language_model.hidden_reason = "taken down"
    other.revision.language_model.save()
    assert records(SAMPLES) == []


def test_a_lost_file_leaves_what_the_rows_know(site: Site) -> None:
    for artifact in Artifact.objects.filter(run=site.finished):
        default_storage.delete(artifact.path)
    line = next(line for line in records(SAMPLES) if line["run"] == site.finished.pk)
    assert (line["prompt"], line["extracted"], line["target"]) == (None, "A", "A")


def test_samples_cost_one_query_whatever_their_number(site: Site, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert len(records(SAMPLES)) == 12


def test_a_csv_calculates_nothing_and_parquet_and_jsonl_are_exact(tmp_path: Path) -> None:
    from pyarrow import parquet

    suite = factories.make_suite(tasks=1)
    run = factories.make_run(suite=suite, status="finished")
    factories.make_result(run, suite.tasks.get(), samples=factories.make_samples([1.0], reply="=1+1", target="-5"))
    paths = {name: tmp_path / f"samples.{name}" for name in exports.FORMATS}
    assert {exports.write(SAMPLES, name, path) for name, path in paths.items()} == {1}
    row = next(csv.DictReader(io.StringIO(paths["csv"].read_text("utf-8-sig"))))
    assert (row["reply"], row["target"], row["doc_id"], row["metrics"]) == ("'=1+1", "'-5", "0", '{"acc": 1.0}')
    assert json.loads(paths["jsonl"].read_text())["reply"] == "=1+1"
    (stored,) = parquet.read_table(paths["parquet"]).to_pylist()
    assert (stored["reply"], stored["correct"], stored["choices"]) == ("=1+1", 1.0, None)


def test_a_parquet_of_nothing_can_be_read(tmp_path: Path) -> None:
    from pyarrow import parquet

    assert exports.write(SAMPLES, "parquet", tmp_path / "empty.parquet") == 0
    assert parquet.read_table(tmp_path / "empty.parquet").column_names == [c.name for c in SAMPLES.columns]


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken(suite: str | None) -> Iterator[exports.Row]:
        yield ("one",)
        raise RuntimeError("lost")

    path = tmp_path / "old.csv"
    path.write_text("old")
    kind = exports.Kind("broken", (exports.Column("name"),), broken)
    for name in exports.FORMATS:
        with pytest.raises(RuntimeError):
            exports.write(kind, name, path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("old.csv", "old")]


def test_the_command_writes_to_a_file_or_to_standard_output(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("export", "boards", "--format", "jsonl", "--suite", "ko-basic")
    assert len(capsys.readouterr().out.splitlines()) == 3
    call_command("export", "samples", "--format", "csv", "--output", str(tmp_path / "samples.csv"))
    assert "12 rows" in capsys.readouterr().err
    with pytest.raises(CommandError, match="--output"):
        call_command("export", "boards", "--format", "parquet")
    with pytest.raises(CommandError, match=r"There are: .*ko-basic"):
        call_command("export", "boards", "--suite", "nothing")
    with pytest.raises(CommandError, match="name another file"):
        call_command("export", "boards", "--output", str(tmp_path / "no" / "folder.csv"))


def test_a_device_or_folder_is_never_replaced_by_a_file(site: Site, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="name another file"):
        call_command("export", "boards", "--format", "csv", "--output", str(tmp_path))
    assert tmp_path.is_dir()
