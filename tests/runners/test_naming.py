"""What an operator types becomes the revision that is meant, or a message that names what there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.conf import settings

from runners import catalog, naming, specify
from runners.adapters.hub import HubError
from runners.catalog import CatalogueError
from runners.models import ModelRevision
from tests import factories
from tests.fake_hub import FakeHub, fake_hub

__all__ = ["fake_hub"]
pytestmark = pytest.mark.django_db


def _folder(path: Path, **config: object) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    (path / "model.safetensors").write_bytes(bytes(32))
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "HOME", tmp_path / "home")


def test_a_reference_player_and_a_served_model_are_found_by_slug() -> None:
    catalog.register_reference_players()
    served = catalog.register_endpoint("my-llm", base_url="http://localhost:1/v1", served_name="x")
    assert naming.find_revision("reference/constant").api_name == "constant"
    assert naming.find_revision("my-llm") == naming.find_revision("api/my-llm") == served


def test_a_hub_model_is_pinned_to_its_commit_and_precision(fake_hub: FakeHub) -> None:
    repo = fake_hub.add("maker/sound", branches={"v2": "d" * 40})
    revision = naming.find_revision("maker/sound", naming.Load(dtype="bfloat16"))
    assert (revision.commit_sha, revision.dtype) == (repo.sha, "bfloat16")
    assert naming.find_revision("maker/sound@v2").commit_sha == "d" * 40
    assert naming.find_revision(revision.slug) == revision


def test_a_hub_model_with_code_is_refused_here_too(fake_hub: FakeHub) -> None:
    fake_hub.add("maker/evil", {"x.py": b""})
    with pytest.raises(HubError):
        naming.find_revision("maker/evil")
    assert not ModelRevision.objects.exists()


def test_a_folder_becomes_a_local_revision_that_can_be_loaded(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "My 모델..v1")
    revision = naming.find_revision(str(folder))
    assert revision.hub_id == "local/My-v1"
    assert revision.commit_sha == naming.folder_sha(folder)
    assert Path(specify.model_spec(revision).path or "").resolve() == folder
    assert naming.find_revision("local/My-v1") == naming.find_revision(str(folder)) == revision
    assert revision.language_model.url == ""


def test_a_changed_folder_is_another_revision(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "model")
    first = naming.find_revision(str(folder))
    (folder / "model.safetensors").write_bytes(b"\x01" * 32)
    second = naming.find_revision(str(folder))
    assert first != second
    assert first.language_model == second.language_model
    assert naming.find_revision("local/model") == second


def test_a_folder_that_was_downloaded_by_the_hub_client_needs_no_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    folder = _folder(tmp_path / "model")
    (folder / ".cache").mkdir()
    revision = naming.find_revision(str(folder))
    assert Path(specify.model_spec(revision).path or "").resolve() == folder


@pytest.mark.parametrize("config", [{"auto_map": {}}, {"inner": {"auto_map": {}}}])
def test_a_folder_that_asks_for_code_is_refused(tmp_path: Path, config: dict[str, object]) -> None:
    with pytest.raises(HubError):
        naming.find_revision(str(_folder(tmp_path / "model", **config)))


def test_what_is_not_there_is_told_with_what_is(tmp_path: Path) -> None:
    catalog.register_reference_players()
    factories.make_suite("ko-basic")
    with pytest.raises(CatalogueError, match="Did you mean ko-basic"):
        naming.find_suite("ko-basics")
    with pytest.raises(CatalogueError, match="reference/constant"):
        naming.find_revision("constant")
    with pytest.raises(CatalogueError, match=r"no config\.json"):
        naming.find_revision(str(tmp_path))
