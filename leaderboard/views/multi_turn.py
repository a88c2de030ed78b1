"""The board of a multi-turn question set as a page. Its bytes are published like those of any board."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from judging.models import Judge
from leaderboard import boards, charts, multi_turn
from leaderboard.context import public
from leaderboard.multi_turn_choice import MAX_SHOWN, Choice, Failure, Language, category_title


def body(board: boards.Board, choice: Choice, language: str, path: str) -> bytes:
    """The whole page; nothing in it depends on who reads it."""
    with translation.override(language):
        built = multi_turn.build(board.suite, choice)
        context = {
            **public(path + choice.query(), language),
            "section": "boards",
            "generation": board.generation,
            "board": built,
            "choice": choice,
            "suites": boards.published_suites(),
            "path": path,
            "is_pairs": built.judge is not None and built.judge.mode != Judge.Mode.SINGLE,
            "turns": range(1, built.n_turns + 1),
            "hit_rate": _hit_rate(built),
            "failure_choices": Failure.choices,
            "language_choices": Language.choices,
            "data_query": choice.query(models=()),
            "notes": board.suite.differences,
            **_drawn(built, choice, language),
        }
        return render_to_string("leaderboard/multi_turn.html", context).encode()


def _hit_rate(built: multi_turn.MultiTurnBoard) -> str:
    """The judge's hit rate on answers of known quality in per cent; empty where it was not measured."""
    known = built.trust.known_order
    return "" if known is None or known.value is None else f"{100 * known.value:.0f}"


def _drawn(built: multi_turn.MultiTurnBoard, choice: Choice, language: str) -> dict[str, Any]:
    """The radar of the chosen models, its choosers, and the heat map of all."""
    drawn = built.shown(choice.models)
    low, high = built.scale
    names = [category_title(name) for name in built.categories]
    series = [charts.Series(row.language_model.display_name, _values(row, built.categories)) for row in drawn]
    picked = [row.judged.run_id for row in drawn]
    heat = [
        charts.HeatRow(row.language_model.display_name, _answers(built, row, language), _values(row, built.categories))
        for row in built.rows
        if row.categories
    ]
    return {
        "drawn": drawn,
        "pickers": picked + [0] * (MAX_SHOWN - len(picked)),
        "kept": [(name, value) for name, value in _kept(choice).items() if value],
        "compare_query": choice.query(models=tuple(picked)),
        "radar": charts.radar(_("Mean score by category"), names, series, low, high),
        "heat": charts.heat_map(_("Mean score of each model in each category"), names, heat, low, high),
    }


def _kept(choice: Choice) -> dict[str, str]:
    return {"judge": choice.judge, "mode": choice.mode, "failures": choice.failures, "language": choice.language}


def _values(row: multi_turn.Row, categories: list[str]) -> list[float | None]:
    return [row.categories[name].value if name in row.categories else None for name in categories]


def _answers(built: multi_turn.MultiTurnBoard, row: multi_turn.Row, language: str) -> str:
    """Where a model's answers to the set are listed."""
    return f"/{language}/questions/{built.suite.slug}/?run={row.judged.run_id}"
