"""Every way to fail has words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from leaderboard.explanations import EXPLANATIONS, UNKNOWN, explain
from runners.child import errors, tables

ROOT = Path(__file__).resolve().parents[2] / "runners"
RAISED = re.compile(r"(?:CannotRun|Failure|ChildError|DatasetError)\(\s*\"([a-z_]+)\"")
HUB = re.compile(r"HubError\(\s*\"([a-z_]+)\"")


def test_every_error_kind_that_the_runners_raise_is_explained() -> None:
    sources = [path.read_text() for path in ROOT.rglob("*.py")]
    kinds = {kind for source in sources for kind in RAISED.findall(source)}
    kinds |= {f"model_{kind}" for source in sources for kind in HUB.findall(source)}
    kinds |= set(get_args(errors.ErrorKind)) | set(get_args(tables.ErrorKind)) | {"poison", "worker_lost", "killed"}
    kinds = {kind.removeprefix("model_") if kind == "model_no_disk" else kind for kind in kinds}
    assert len(kinds) > 25
    assert kinds - set(EXPLANATIONS) == set()


def test_an_unknown_kind_still_tells_what_to_do() -> None:
    assert explain("something_new") is UNKNOWN
    assert str(UNKNOWN.remedy)
