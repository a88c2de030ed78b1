"""The published suites."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from leaderboard import boards
from leaderboard.api import schemas as s
from leaderboard.api.registry import endpoint
from runners.models import SuiteTask

TASK = s.component(
    "Task",
    s.record(
        {
            "name": s.text("the key of this task's cells"),
            "title": s.text("in Korean"),
            "title_en": s.text("in English"),
            "benchmark": s.text(),
            "is_private": s.flag("of a private one no item is ever shown"),
            "mode": s.one_of("generate", "likelihood"),
            "metric": s.text(),
            "higher_is_better": s.flag(),
            "num_fewshot": s.integer("examples shown before each item"),
            "chance": s.or_null(s.number(), "value of guessing, 0..1"),
            "n_docs": s.or_null(s.integer(), "items of the whole set"),
            "in_headline": s.flag("whether the average counts it"),
            "config_sha": s.text("sha256 of the resolved task configuration"),
        }
    ),
)
SUITE = s.component(
    "Suite",
    s.record(
        {
            "slug": s.text(),
            "version": s.integer(),
            "kind": s.one_of("zero_shot", "multi_turn"),
            "title": s.text("in Korean"),
            "title_en": s.text("in English"),
            "published_at": s.or_null(s.time()),
            "tasks": s.array(TASK),
        }
    ),
)
TASK_EXAMPLE = {
    "name": "ko_basic_language_gen",
    "title": "언어 이해",
    "title_en": "Language understanding",
    "benchmark": "ko-basic",
    "is_private": False,
    "mode": "generate",
    "metric": "acc",
    "higher_is_better": True,
    "num_fewshot": 0,
    "chance": 0.25,
    "n_docs": 47,
    "in_headline": True,
    "config_sha": "9f2c",
}
SUITE_EXAMPLE = {
    "slug": "ko-basic",
    "version": 1,
    "kind": "zero_shot",
    "title": "한국어 기초",
    "title_en": "Korean basics",
    "published_at": "2026-09-01T09:00:00Z",
    "tasks": [TASK_EXAMPLE],
}


@endpoint(
    path="/api/v1/suites",
    route="suites",
    name="suites",
    summary=gettext_lazy("Suites"),
    description=gettext_lazy("Every published suite in its current version, with its tasks, in the order of the tabs."),
    response=s.array(SUITE),
    example=[SUITE_EXAMPLE],
    trial="/api/v1/suites",
)
def suites(request: HttpRequest) -> list[dict[str, Any]]:
    """Two queries."""
    shown = boards.published_suites()
    places: dict[int, list[dict[str, Any]]] = {suite.pk: [] for suite in shown}
    for place in SuiteTask.objects.filter(suite__in=shown).select_related("task__benchmark").order_by("order"):
        places[place.suite_id].append(_task(place))
    return [
        {
            "slug": suite.slug,
            "version": suite.version,
            "kind": suite.kind,
            "title": suite.title_ko,
            "title_en": suite.title_en,
            "published_at": suite.published_at,
            "tasks": places[suite.pk],
        }
        for suite in shown
    ]


def _task(place: SuiteTask) -> dict[str, Any]:
    task = place.task
    return {
        "name": task.name,
        "title": task.title_ko,
        "title_en": task.title_en,
        "benchmark": task.benchmark.slug,
        "is_private": task.benchmark.is_private,
        "mode": task.mode,
        "metric": task.metric,
        "higher_is_better": task.higher_is_better,
        "num_fewshot": task.num_fewshot,
        "chance": task.chance_level,
        "n_docs": task.n_docs,
        "in_headline": place.in_headline,
        "config_sha": task.config_sha,
    }
