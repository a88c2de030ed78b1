"""Artifacts in a folder or in a bucket: the same files, pages and backups."""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import default_storage
from django.test import Client, override_settings

from config import artifacts, backup
from runners import record
from tests import factories
from tests.fake_s3 import FakeS3


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    """The site's artifacts in a bucket of its own."""
    pytest.importorskip("storages", reason="the extra s3 is not installed")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-a-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-a-test")
    with FakeS3() as s3:
        entry = artifacts.storage(f"s3://answers/gyeoru/site?endpoint={s3.url}&region=kr-1")
        static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        with override_settings(STORAGES={"default": entry, "staticfiles": static}):
            yield s3


def samples(tmp_path: Path) -> Path:
    path = tmp_path / "task.samples.jsonl"
    path.write_text('{"답": 1}\n', encoding="utf-8")
    return path


def test_without_an_address_artifacts_lie_in_the_data_directory() -> None:
    assert artifacts.storage("") == {"BACKEND": artifacts.FOLDER, "OPTIONS": {}}


def test_a_folder_may_be_named(tmp_path: Path) -> None:
    entry = artifacts.storage(str(tmp_path / "shared"))
    with override_settings(STORAGES={"default": entry}):
        stored = record.keep_file(7, samples(tmp_path))
    assert (tmp_path / "shared" / stored.name).read_text(encoding="utf-8") == '{"답": 1}\n'


@pytest.mark.parametrize("address", ["gs://bucket", "s3://", "s3://key@bucket", "s3://bucket?public=1"])
def test_another_address_is_refused_with_the_shape_it_must_have(address: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"s3://bucket/prefix\?endpoint=URL"):
        artifacts.storage(address)


def test_a_bucket_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "storages", None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install 'django-storages\[s3\]'"):
        artifacts.storage("s3://bucket")


def test_a_file_is_kept_once_in_the_bucket_and_read_again(bucket: FakeS3, tmp_path: Path) -> None:
    stored = record.keep_file(7, samples(tmp_path))
    assert record.keep_file(7, samples(tmp_path)) == stored
    assert list(bucket.objects) == [f"answers/gyeoru/site/{stored.name}"]
    assert [method for method, _ in bucket.asked].count("PUT") == 1
    with default_storage.open(stored.name, "rb") as file:
        assert file.read().decode() == '{"답": 1}\n'
    assert not default_storage.exists("runs/7/other.jsonl")


@pytest.mark.django_db
def test_a_run_page_hands_the_file_out_of_the_bucket(bucket: FakeS3, tmp_path: Path, client: Client) -> None:
    run = factories.make_run(status="finished")
    stored = record.keep_file(run.pk, samples(tmp_path))
    kept = factories.make_artifact(run, path=stored.name, sha256=stored.sha256, size=stored.size)
    answer = client.get(f"/en/runs/{run.pk}/files/{kept.pk}/")
    assert b"".join(answer.streaming_content).decode() == '{"답": 1}\n'  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True)
def test_a_backup_holds_the_files_of_the_bucket(bucket: FakeS3, tmp_path: Path) -> None:
    run = factories.make_run(status="finished")
    stored = record.keep_file(run.pk, samples(tmp_path))
    factories.make_artifact(run, path=stored.name, sha256=stored.sha256, size=stored.size)
    backup.write(tmp_path / "site.tar.gz")
    with tarfile.open(tmp_path / "site.tar.gz") as archive:
        assert f"artifacts/{stored.name}" in archive.getnames()
