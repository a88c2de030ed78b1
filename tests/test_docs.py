"""The documentation says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
INTERNAL = {"GYEORU_WORKER", "GYEORU_WEB"}


def sources() -> list[Path]:
    apps = ("config", "leaderboard", "arena", "judging", "runners")
    return [path for app in apps for path in (ROOT / app).rglob("*.py")]


def test_every_setting_is_documented():
    read = re.compile(r'(?:ENV\(|environ\.get\(|environ\[)"((?:GYEORU_)\w+)"')
    used = {name for path in sources() for name in read.findall(path.read_text())} - INTERNAL
    documented = set(re.findall(r"GYEORU_\w+", (ROOT / "docs" / "settings.md").read_text()))
    assert used - documented == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_a_comment_points_to_exists(page: Path):
    assert page.read_text().startswith("# ")


def test_sources_point_to_pages_that_exist():
    named = {name for path in sources() for name in re.findall(r"docs/([\w-]+\.md)", path.read_text())}
    assert [name for name in sorted(named) if not (ROOT / "docs" / name).exists()] == []


def test_files_and_functions_stay_small_enough_to_read():
    long = [f"{path.relative_to(ROOT)}: {n}" for path in sources() if (n := len(path.read_text().splitlines())) > 300
            and "migrations" not in path.parts]  # fmt: skip
    assert long == []
