"""Every test has a data directory of its own making, an empty board cache and English outside of pages."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

# A busy machine is slow, not wrong: how long an example took says nothing here.
hypothesis_settings.register_profile("gyeoru", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("gyeoru")


def pytest_configure(config: pytest.Config) -> None:
    """Points the site, and whatever process a test starts, at a temporary GYEORU_HOME that goes with the session."""
    folder = tempfile.TemporaryDirectory(prefix="gyeoru-test-")
    config.add_cleanup(folder.cleanup)
    home = Path(folder.name)
    os.environ["GYEORU_HOME"] = folder.name
    settings.HOME, settings.MEDIA_ROOT, settings.STATIC_ROOT = home, home / "artifacts", home / "static"
    if "sqlite" in settings.DATABASES["default"]["ENGINE"]:
        # A file, as in production: SQLite's shared in-memory database locks whole tables among threads.
        settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(home / "test.sqlite3")
    settings.STATIC_ROOT.mkdir()
    # Pages name static files as they lie in the source; no collected copy is needed.
    storage = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": storage}


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rolled-back rows give their ids away again: what a process remembers by id must not outlive a test.

    The publisher's thread stays asleep; a test that wants its work calls `publisher.refresh()`.
    """
    from leaderboard.published import Publisher

    monkeypatch.setattr(Publisher, "_watch", lambda self: None)
    # Texts are written in English and translated; a test that asks for no language reads them as they are written.
    translation.activate("en")
    yield
    _forget()
    translation.deactivate()


def _forget() -> None:
    modules = sys.modules
    if "leaderboard.published" in modules:
        for publisher in modules["leaderboard.published"].PUBLISHERS:
            publisher.clear()
    if "leaderboard.ranking" in modules:
        modules["leaderboard.ranking"]._cache.clear()
    if "leaderboard.views.boards" in modules:
        modules["leaderboard.views.boards"]._live.clear()
    if "leaderboard.views.queue" in modules:
        modules["leaderboard.views.queue"]._known.clear()
    if "leaderboard.judge_page" in modules:
        modules["leaderboard.judge_page"]._bench.cache_clear()
