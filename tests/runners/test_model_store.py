"""Room on the disk is reserved before a download, made by dropping what is longest unused, and missed in words."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from runners import fetching, runs, supervise
from runners.adapters import hub, model_store
from runners.adapters.hub_model import HubError
from runners.models import EvaluationRun, ModelRevision
from tests.factories import make_revision, make_run
from tests.fake_hub import FakeHub, fake_hub

__all__ = ["fake_hub"]
MB = 1024**2


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`disk(n)`: a disk of n bytes that holds what lies below GYEORU_HOME and nothing else."""
    monkeypatch.setattr(settings, "HOME", tmp_path)
    monkeypatch.setattr(settings, "MIN_FREE_BYTES", 0)

    def of(total: int) -> None:
        class Usage:
            @property
            def free(self) -> int:
                return total - model_store.size(tmp_path / "models")

        monkeypatch.setattr(model_store.shutil, "disk_usage", lambda path: Usage())

    return of


def downloaded(name: str, *, days_unused: float, n_bytes: int = MB) -> Path:
    """A model that was downloaded here and last used so many days ago."""
    target = hub.folder(f"maker/{name}", "a" * 40)
    (target / ".cache").mkdir(parents=True)
    (target / "model.safetensors").write_bytes(os.urandom(n_bytes))
    (target / ".used").touch()
    (target / ".complete").touch()
    then = time.time() - days_unused * 86400
    os.utime(target / ".used", (then, then))
    return target


def test_the_longest_unused_model_goes_first_and_pinned_used_and_carried_ones_stay(disk: Callable[[int], None]):
    disk(7 * MB)
    old, older = downloaded("old", days_unused=5), downloaded("older", days_unused=9)
    pinned, used = downloaded("pinned", days_unused=90), downloaded("used", days_unused=80)
    (pinned / ".pinned").touch()
    other = subprocess.Popen(
        [sys.executable, "-c", f"import fcntl; f = open({str(used / '.used')!r}, 'a'); fcntl.flock(f, fcntl.LOCK_SH); "
         "print(1, flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert other.stdout is not None and other.stdout.readline()
    carried = hub.folder("maker/carried", "b" * 40)
    carried.mkdir(parents=True)
    (carried / "model.safetensors").write_bytes(os.urandom(MB))
    with model_store.reserved(hub.folder("maker/new", "c" * 40), 5 * MB // 2):
        assert not older.exists() and old.exists()
    with model_store.reserved(hub.folder("maker/new", "c" * 40), 7 * MB // 2):
        assert not old.exists()
    too_much = model_store.reserved(hub.folder("maker/new", "c" * 40), 6 * MB)
    with pytest.raises(HubError, match="GB are needed for this model") as refused, too_much:
        raise AssertionError("there is no room")
    assert (refused.value.kind, refused.value.permanent) == ("no_disk", False)
    assert pinned.exists() and used.exists() and carried.exists()
    other.communicate(b"\n")


def test_two_downloads_never_count_on_the_same_room(disk: Callable[[int], None]):
    disk(4 * MB)
    one, two = (model_store.reserved(hub.folder(f"maker/{n}", "a" * 40), 2 * MB) for n in ("one", "two"))
    with one, pytest.raises(HubError), two:
        raise AssertionError("promised twice")
    with model_store.reserved(hub.folder("maker/two", "b" * 40), 2 * MB):
        assert list((settings.HOME / "models" / ".reserved").iterdir())
    assert not list((settings.HOME / "models" / ".reserved").iterdir())


def test_a_reservation_dies_with_its_process(disk: Callable[[int], None]):
    disk(4 * MB)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    marks = settings.HOME / "models" / ".reserved"
    marks.mkdir(parents=True)
    (marks / f"{gone.pid}-one").write_text(f"{3 * MB} {settings.HOME / 'models' / 'one'}")
    with model_store.reserved(hub.folder("maker/two", "b" * 40), 2 * MB):
        assert len(list(marks.iterdir())) == 1


def test_a_connection_that_is_cut_goes_on_from_where_it_was(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    repo = fake_hub.add("maker/large", {"model.safetensors": b"\x08" + os.urandom(100_000)})
    fake_hub.cut = 1
    target = hub.download("maker/large", repo.sha)
    assert (target / "model.safetensors").read_bytes() == repo.files["model.safetensors"]
    assert fake_hub.ranges and min(fake_hub.ranges) > 0


def test_a_download_that_died_asks_only_for_the_files_it_lacks(fake_hub: FakeHub):
    repo = fake_hub.add("maker/shards", {"model-2.safetensors": b"\x08" + os.urandom(5000)})
    first = hub.folder("maker/shards", repo.sha)
    hub.download("maker/shards", repo.sha)
    (first / ".complete").unlink()
    (first / "model-2.safetensors").unlink()
    part = first / ".cache" / "huggingface" / "download" / "x.0000.incomplete"
    part.write_bytes(b"half")
    fake_hub.asked.clear()
    hub.download("maker/shards", repo.sha)
    fetched = {
        path.rsplit("/", 1)[1] for path in fake_hub.asked if "/resolve/" in path and path.endswith(".safetensors")
    }
    assert "model-2.safetensors" in fetched and "model.safetensors" not in fetched
    assert not part.exists()


@pytest.mark.django_db
def test_a_model_without_room_fails_as_no_disk_and_others_go_on(fake_hub: FakeHub):
    repo = fake_hub.add("maker/huge", pretended={"model.safetensors": 10**18})
    run = make_run(make_revision("maker/huge", commit_sha=repo.sha))
    assert supervise.execute(run.pk, worker="w")
    run.refresh_from_db()
    assert (run.status, run.error_kind) == ("queued", "no_disk")
    assert run.not_before is not None and "GB are needed" in run.error_text
    other = make_run(make_revision("maker/huge2", hub_id="maker/huge"))
    assert runs.claim(other.pk, "w") is not None


@pytest.mark.django_db
def test_a_slow_download_keeps_its_lease_and_stops_when_asked(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settings, "BEAT_SECONDS", 0.05)
    repo = fake_hub.add("maker/slow")
    fake_hub.drip = 0.01
    run = make_run(make_revision("maker/slow", commit_sha=repo.sha))
    beats: list[str] = []

    def beat(attempt: supervise.Attempt) -> None:
        beats.append(attempt.stage)
        if len(beats) == 3:
            runs.cancel(EvaluationRun.objects.get(pk=run.pk), "owner")

    assert supervise.execute(run.pk, worker="w", on_beat=beat)
    run.refresh_from_db()
    assert run.status == "cancelled" and beats[0].startswith("downloading")
    fake_hub.drip = 0.0


def test_what_needs_no_files_is_not_fetched():
    fetching.fetch(ModelRevision(backend="reference"), lambda *_: pytest.fail("nothing is fetched"))
