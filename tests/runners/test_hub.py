"""The Hub's door, through the real client, against a stub of the Hub."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from runners.adapters import hub
from tests.fake_hub import FakeHub, fake_hub

__all__ = ["fake_hub"]


def _check(hub_id: str, revision: str = "main") -> hub.HubModel:
    model = hub.resolve(hub_id, revision)
    hub.check_files(model)
    hub.check_config(model)
    return model


def _refused(kind: str, hub_id: str, revision: str = "main") -> hub.HubError:
    with pytest.raises(hub.HubError) as caught:
        _check(hub_id, revision)
    assert caught.value.kind == kind, caught.value.message
    return caught.value


def test_a_sound_model_is_told_at_its_commit(fake_hub: FakeHub) -> None:
    repo = fake_hub.add("maker/sound")
    model = hub.resolve("maker/sound")
    hub.check_files(model)
    hub.check_config(model)
    assert (model.sha, model.weights, model.licence, model.gated) == (repo.sha, 1024, "apache-2.0", False)
    assert model.has_chat_template
    assert model.n_parameters == 1_000_000


def test_a_branch_is_resolved_to_its_own_commit(fake_hub: FakeHub) -> None:
    fake_hub.add("maker/sound", branches={"v2/beta": "b" * 40})
    assert hub.resolve("maker/sound", "v2/beta").sha == "b" * 40


@pytest.mark.parametrize(
    "name",
    ["../evil", "maker/..", "a/../../etc", "bare", "a,b/c", "maker/model,trust_remote_code=True", "만든이/모델",
     "maker/mo\ndel", "m" * 300, "a/" + "b" * 300, "", "a/b/c", "/a/b", "a--b/c", "a/b.git", "a/b c"],
)  # fmt: skip
def test_a_name_that_is_none_never_reaches_the_hub(name: str, fake_hub: FakeHub) -> None:
    error = _refused("bad_name", name)
    assert len(error.message) < 300
    assert fake_hub.asked == []


@given(st.text(max_size=120))
def test_whatever_is_let_through_is_one_owner_and_one_name(name: str) -> None:
    try:
        checked = hub.check_name(name)
    except hub.HubError:
        return
    owner, model = checked.split("/")
    assert ".." not in checked
    assert all(c.isascii() and (c.isalnum() or c in "._-") for c in owner + model)


@pytest.mark.parametrize("revision", ["main,trust_remote_code=True", "../main", "a b", "가", "x" * 200])
def test_a_revision_that_is_none_never_reaches_the_hub(revision: str, fake_hub: FakeHub) -> None:
    _refused("bad_revision", "maker/sound", revision)
    assert fake_hub.asked == []


def test_what_the_hub_does_not_have_is_said(fake_hub: FakeHub) -> None:
    fake_hub.add("maker/sound")
    fake_hub.add("maker/secret", private=True)
    _refused("missing", "maker/none")
    _refused("missing", "maker/secret")
    _refused("bad_revision", "maker/sound", "nowhere")


def test_a_gated_model_tells_its_facts_and_refuses_its_files(fake_hub: FakeHub) -> None:
    fake_hub.add("maker/gated", gated="manual")
    assert hub.resolve("maker/gated").gated
    _refused("gated", "maker/gated")


def test_a_moved_model_is_followed_and_says_where_it_came_from(fake_hub: FakeHub) -> None:
    fake_hub.add("maker/new")
    fake_hub.renamed["maker/old"] = "maker/new"
    model = hub.resolve("maker/old")
    assert (model.hub_id, model.moved_from) == ("maker/new", "maker/old")


def test_a_repository_of_pickles_is_refused(fake_hub: FakeHub) -> None:
    fake_hub.add("maker/pickle", {"model.safetensors": None, "pytorch_model.bin": b"\x80\x04"})
    _refused("pickle_only", "maker/pickle")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", {"auto_map": {"AutoModel": "modeling.Evil"}}),
        ("config.json", {"text_config": {"inner": [{"auto_map": {"AutoConfig": "other/repo--c.C"}}]}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["t.T", None]}}),
        ("vision/config.json", {"auto_map": {}}),
        ("processor_config.json", {"custom_pipelines": {"x": {}}}),
    ],
)
def test_a_configuration_that_asks_for_code_is_refused(name: str, content: object, fake_hub: FakeHub) -> None:
    fake_hub.add("maker/evil", {name: content})
    assert name in _refused("remote_code", "maker/evil").detail


def test_code_in_a_sub_folder_is_refused_before_anything_is_read(fake_hub: FakeHub) -> None:
    fake_hub.add("maker/evil", {"lib/modeling_evil.py": b"import os"})
    assert _refused("remote_code", "maker/evil").detail == "lib/modeling_evil.py"
    assert len(fake_hub.asked) == 1


def test_a_huge_or_broken_configuration_is_refused(fake_hub: FakeHub) -> None:
    fake_hub.add("maker/bomb", {"generation_config.json": b"[" * 100_000})
    fake_hub.add("maker/huge", pretended={"config.json": 3 * 1024**2})
    fake_hub.add("maker/liar", {"x.json": b" " * (3 * 1024**2)}, pretended={"x.json": 10})
    fake_hub.add("maker/many", {f"c{n}.json": {} for n in range(60)})
    _refused("no_config", "maker/bomb")
    for name in ("huge", "liar", "many"):
        _refused("too_large", f"maker/{name}")


def test_a_model_beyond_the_limit_is_refused(fake_hub: FakeHub) -> None:
    fake_hub.add("maker/vast", pretended={"model.safetensors": settings.MAX_MODEL_BYTES + 1})
    _refused("too_large", "maker/vast")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_in_trouble_is_unreachable_and_may_be_asked_again(status: int, fake_hub: FakeHub) -> None:
    fake_hub.broken = status
    error = _refused("unreachable", "maker/sound")
    assert not error.permanent
    assert str(status) in error.message


def test_a_hub_that_is_away_or_slow_is_unreachable(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "TIMEOUT", 0.2)
    fake_hub.delay = 2.0
    started = time.monotonic()
    _refused("unreachable", "maker/sound")
    assert time.monotonic() - started < 5
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    _refused("unreachable", "maker/sound")


def test_the_download_takes_the_allowed_files_alone(fake_hub: FakeHub) -> None:
    repo = fake_hub.add("maker/mixed", {"pytorch_model.bin": b"\x80\x04", "README.md": b"# hi"})
    target = hub.download("maker/mixed", repo.sha)
    assert {p.name for p in target.iterdir() if not p.name.startswith(".")} == {
        "config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors",
    }  # fmt: skip
    fake_hub.broken = 500
    assert hub.download("maker/mixed", repo.sha) == target


def test_a_folder_that_was_carried_in_needs_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "HOME", tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    sha = "c" * 40
    target = hub.folder("maker/carried", sha)
    target.mkdir(parents=True)
    (target / "config.json").write_text("{}")
    (target / "model.safetensors").write_bytes(bytes(64))
    model = hub.resolve("maker/carried", sha)
    hub.check_files(model)
    hub.check_config(model)
    assert hub.carried("maker/carried") == [sha]
    assert hub.download("maker/carried", sha) == target
    (target / "config.json").write_text('{"auto_map": {}}')
    with pytest.raises(hub.HubError):
        hub.check_config(model)
