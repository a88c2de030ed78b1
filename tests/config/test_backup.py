"""The drill: dump, empty machine, restore, the same board byte for byte; a file that is cut changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from config import backup
from runners.models import EvaluationRun, Sample, TaskResult
from tests.factories import make_finished_run, make_revision, make_suite
from tests.lanes import ROOT

FILL = """
from django.contrib.auth.models import User, Permission
from django.utils import timezone
from runners import catalog
from runners.models import *
from tests.factories import *
catalog.synchronise()
suite = make_suite("drill", tasks=3)
for n, slug in enumerate(["maker/one", "maker/two", "maker/three"]):
    scores = {task.name: [float((n + item) % 3 > 0) for item in range(20)] for task in suite.tasks.all()}
    run = make_finished_run(make_revision(slug), suite, scores, log_tail="한국어\\x01", environment={"x": 1.5})
make_run(rerun_of=run, status="failed")
staff = User.objects.create_user("staff", password="a-long-password", is_staff=True)
staff.user_permissions.add(*Permission.objects.all()[:3])
"""
SHOW = """
import hashlib, json
from django.test import Client
from django.contrib.auth import authenticate
from runners.models import *
from runners import record
c = Client()
for path in ("/api/v1/boards/drill", "/api/v1/runs/1/samples", "/api/v1/models"):
    r = c.get(path, follow=True)
    assert r.status_code == 200, (path, r.status_code)
    content = {**r.json(), "generated_at": None}
    print(path, hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest())
print([record.full_sample(s).reply for s in Sample.objects.order_by("pk")[:3]])
print(authenticate(username="staff", password="a-long-password").user_permissions.count())
print(sorted(TaskResult.objects.values_list("pk", "value", "published_at")))
print(EvaluationRun.objects.latest("pk").rerun_of_id)
"""


def manage(home: Path, *words: str, fails: bool = False, **environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GYEORU_", "PYTEST_", "DATABASE_URL"))}
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**kept, "GYEORU_HOME": str(home), "REDIS_URL": "redis://127.0.0.1:9/0", **environment},
    )  # fmt: skip
    assert bool(done.returncode) == fails, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stderr if fails else done.stdout


def test_a_backup_restored_on_an_empty_machine_shows_the_same_board(tmp_path: Path):
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "backup.tar.gz"
    manage(old, "migrate", "-v0")
    manage(old, "shell", "-v0", "-c", FILL)
    shown = manage(old, "shell", "-v0", "-c", SHOW)
    assert "MB, 9 artifacts" in manage(old, "backup", str(file))
    assert file.stat().st_mode & 0o777 == 0o600

    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert "is cut or damaged" in manage(new, "restore", str(cut), fails=True)
    assert not (new / "gyeoru.sqlite3").exists() and not (new / "artifacts").exists()

    assert "was restored" in manage(new, "restore", str(file))
    assert manage(new, "shell", "-v0", "-c", SHOW) == shown
    assert "is not empty" in manage(new, "restore", str(file), fails=True)
    manage(new, "shell", "-v0", "-c", "from tests.factories import *; assert make_run().pk")


def test_a_file_with_one_changed_byte_or_without_its_end_is_refused(db: None, tmp_path: Path):
    make_finished_run(make_revision(), make_suite())
    file = tmp_path / "backup.tar.gz"
    backup.write(file)
    assert backup.check(file)["members"]
    whole = file.read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], whole[:10], b"", b"not a backup", _altered(whole, tmp_path)):
        file.write_bytes(content)
        with pytest.raises(backup.BackupError, match="nothing was changed"):
            backup.restore(file)
    with pytest.raises(backup.BackupError, match="There is no file"):
        backup.check(tmp_path / "nothing")


def _altered(whole: bytes, folder: Path) -> bytes:
    """The same backup with another row in it, well packed."""
    source, target = folder / "source.tar.gz", folder / "altered.tar.gz"
    source.write_bytes(whole)
    with tarfile.open(source) as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            file = old.extractfile(member)
            if member.name == "rows/runners.sample.jsonl":
                path = folder / "rows"
                path.write_bytes(old.extractfile(member).read().replace(b"item-0", b"item-9"))  # type: ignore[union-attr]
                new.add(path, member.name)
            else:
                new.addfile(member, file)
    return target.read_bytes()


def test_a_backup_of_another_version_says_how_to_go_on(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "backup.tar.gz"
    backup.write(file)
    monkeypatch.setattr(backup.schema, "known", lambda: frozenset({("runners", "0001_initial")}))
    with pytest.raises(backup.BackupError, match="Install that version"):
        backup.restore(file)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_rows_come_back_as_they_were(tmp_path: Path):
    """On each database by itself: every column of every row, and the next number after the last."""
    run = make_finished_run(make_revision(), make_suite(tasks=2), environment={"nested": [1, None, "가"]})
    file = tmp_path / "backup.tar.gz"
    backup.write(file)
    before = _everything()
    from django.core.management import call_command

    call_command("flush", verbosity=0, interactive=False)
    backup.restore(file)
    assert _everything() == before
    again = EvaluationRun.objects.get(pk=run.pk)
    assert again.environment == {"nested": [1, None, "가"]}
    assert make_finished_run(again.revision, again.suite).pk > run.pk
    assert Sample.objects.count() == 2 * TaskResult.objects.count() * 2


def _everything() -> str:
    rows = {m._meta.label: list(m._base_manager.order_by("pk").values_list()) for m in backup.tables()}
    return hashlib.sha256(json.dumps(rows, default=lambda v: bytes(v).hex() if isinstance(v, memoryview) else repr(v),
                                     sort_keys=True).encode()).hexdigest()  # fmt: skip
