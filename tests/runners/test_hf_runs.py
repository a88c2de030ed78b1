"""A transformers model all the way: from its folder at a pinned commit to results, loaded once for all its suites."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners import catalog, runs, supervise
from runners.adapters.harness import Child
from runners.models import EvaluationRun, Suite
from tests import tiny_model
from tests.factories import make_revision

pytestmark = [pytest.mark.torch, pytest.mark.django_db(transaction=True)]


def test_a_model_is_loaded_once_for_all_its_waiting_suites(settings, monkeypatch):
    catalog.synchronise()
    sha = "1" * 40
    tiny_model.build(Path(settings.HOME) / "models" / "maker" / f"tiny@{sha}")
    revision = make_revision("maker/tiny", commit_sha=sha, dtype="float32", has_chat_template=False)
    waiting = [
        runs.request(revision, Suite.objects.get(slug="ko-basic"), run_settings={"limit": limit}) for limit in (2, 3)
    ]
    children = []
    monkeypatch.setattr(supervise, "Child", lambda spec: children.append(Child(spec)) or children[-1])
    supervise.execute(waiting[0].pk, worker="gpu-1")
    for run in waiting:
        run.refresh_from_db()
    assert [(run.status, run.error_text) for run in waiting] == [("finished", ""), ("finished", "")]
    assert len(children) == 1
    assert {result.n_docs for result in waiting[1].results.all()} == {3}
    environment = EvaluationRun.objects.get(pk=waiting[0].pk).environment
    assert environment["versions"]["torch"].startswith("2.")
    assert environment["versions"]["transformers"]
