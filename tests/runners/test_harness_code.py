"""Which code the evaluation child is given: the checkout, or of an installed package this project alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from runners.adapters import harness


def test_a_checkout_is_given_as_it_is(settings: Any) -> None:
    assert harness.code_path() == Path(settings.BASE_DIR)


def test_of_an_installed_package_the_child_sees_no_neighbours(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "site-packages" / "runners").mkdir(parents=True)
    (tmp_path / "site-packages" / "numpy").mkdir()
    settings.IS_CHECKOUT, settings.BASE_DIR, settings.HOME = False, tmp_path / "site-packages", tmp_path
    folder = harness.code_path()
    assert os.listdir(folder) == ["runners"]
    assert (folder / "runners").resolve() == tmp_path / "site-packages" / "runners"


def test_an_upgrade_to_another_place_is_followed(settings: Any, tmp_path: Path) -> None:
    settings.IS_CHECKOUT, settings.HOME = False, tmp_path
    for version in ("old", "new"):
        (tmp_path / version / "runners").mkdir(parents=True)
        settings.BASE_DIR = tmp_path / version
        folder = harness.code_path()
    assert (folder / "runners").readlink() == tmp_path / "new" / "runners"
    assert os.listdir(folder) == ["runners"]


def test_the_child_needs_nothing_of_the_project_but_runners(settings: Any, tmp_path: Path) -> None:
    real = Path(settings.BASE_DIR)
    settings.IS_CHECKOUT, settings.HOME = False, tmp_path
    found = "import runners.child.__main__ as m; print(m.__file__)"
    environment = {"PYTHONPATH": str(harness.code_path()), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", found], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).resolve() == real / "runners" / "child" / "__main__.py"
