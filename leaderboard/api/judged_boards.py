"""Boards of multi-turn question sets, as their pages show them; served under the address of every board."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy

from judging.models import Judge
from judging.scores import Mean
from leaderboard import boards, multi_turn
from leaderboard.api import schemas as s
from leaderboard.api.registry import Parameter, choice, words
from leaderboard.inference import normal_quantile
from leaderboard.multi_turn_choice import Choice, Failure, Language

MEAN = {
    "value": s.or_null(s.number(), "on the board's scale; null when nothing was judged or read"),
    "low": s.or_null(s.number(), "lower end of the 95% interval, bootstrap over questions"),
    "high": s.or_null(s.number()),
    "stderr": s.or_null(s.number(), "a 3.92th of the interval"),
    "n_docs": s.integer("judgments asked for"),
    "n_scored": s.integer("judgments in the value"),
    "n_failed": s.integer("judgments without a verdict; in the value only where failures=zero or one says so"),
    "run": s.integer("the run it comes from"),
}
SHARE = s.record({"value": s.or_null(s.number()), "low": s.or_null(s.number()), "high": s.or_null(s.number()),
                  "hits": s.number(), "n": s.integer()})  # fmt: skip
JUDGED_ROW = s.component(
    "JudgedRow",
    s.record(
        {
            "model": s.text(),
            "name": s.text(),
            "organization": s.text(),
            "kind": s.one_of("open", "api", "reference"),
            "revision": s.text("what was measured"),
            "run": s.integer(),
            "is_imported": s.flag(),
            "rolled_back": s.or_null(s.text(), "why staff chose this run over a later one"),
            "changed_since": s.or_null(s.time(), "since when the model behind this name answers differently"),
            "is_invalid": s.flag("over 0.5% of its judgments could not be read"),
            "rank": s.or_null(s.integer(), "by the mean alone"),
            "rank_low": s.or_null(s.integer(), "best rank that the intervals allow"),
            "rank_high": s.or_null(s.integer(), "worst rank that they allow"),
            "plain_rank": s.or_null(s.integer(), "by the mean without any switch"),
            "plain_average": s.or_null(s.number()),
            "average": s.or_null(s.number(), "the overall score"),
            **{name: MEAN[name] for name in ("low", "high", "stderr", "n_scored", "n_failed")},
            "cells": s.table(s.record(MEAN), "turn-1, turn-2 and the categories"),
            "failures": s.table(s.integer(), "unparsable, refused, error, failed, truncated, empty"),
            "fidelity": s.free(
                "Hangul share, turns that are not Korean, foreign script, register; empty where there are no texts"
            ),
            "completion_tokens": s.or_null(s.integer()),
            "krw": s.or_null(s.integer(), "what the answers cost"),
        }
    ),
)
JUDGED_BOARD = s.record(
    {
        "suite": s.text(),
        "version": s.integer(),
        "title": s.text(),
        "title_en": s.text(),
        "generated_at": s.time(),
        "generation": s.integer("grows whenever a board changes"),
        "judge": s.or_null(
            s.record(
                {
                    "slug": s.text(),
                    "version": s.integer(),
                    "name": s.text(),
                    "mode": s.one_of(*Judge.Mode.values),
                    "prompts_sha": s.text(),
                    "known_order": s.or_null(SHARE, "how often it puts answers of known quality in their order"),
                    "canary_beat_a_model": s.flag(),
                    "noise": s.or_null(s.number(), "deviation between repeats of a judgment, in points"),
                }
            )
        ),
        "mode": s.text("prompting mode of the answers"),
        "failures": s.one_of(*Failure.values),
        "language": s.one_of(*Language.values),
        "scale": s.array(s.number(), "lowest and highest score"),
        "rows": s.array(JUDGED_ROW),
    }
)
SWITCHES: tuple[Parameter, ...] = (
    words("judge", gettext_lazy("Multi-turn boards: the judge, as slug or slug@version.")),
    words("mode", gettext_lazy("Multi-turn boards: the prompting mode of the answers."), longest=40),
    choice("failures", Failure.values, gettext_lazy("Multi-turn boards: what an unread verdict counts as.")),
    choice("language", Language.values, gettext_lazy("Multi-turn boards: the penalty of an answer not in Korean.")),
)


def payload(board: boards.Board, choice: Choice) -> dict[str, Any]:
    """The board under a choice as JSON; the numbers are the page's own, six decimals."""
    built = multi_turn.build(board.suite, choice)
    return {
        "suite": board.suite.slug,
        "version": board.suite.version,
        "title": board.suite.title_ko,
        "title_en": board.suite.title_en,
        "generated_at": board.generated_at,
        "generation": board.generation,
        "judge": _judge(built),
        "mode": built.mode,
        "failures": choice.failures,
        "language": choice.language,
        "scale": list(built.scale),
        "rows": [_row(row) for row in built.rows],
    }


def _judge(built: multi_turn.MultiTurnBoard) -> dict[str, Any] | None:
    if built.judge is None:
        return None
    known = built.trust.known_order
    low, high = (known.interval if known else None) or (None, None)
    return {
        "slug": built.judge.slug,
        "version": built.judge.version,
        "name": built.judge.name,
        "mode": built.judge.mode,
        "prompts_sha": built.judge.prompts_sha,
        "known_order": known and {"value": known.value, "low": low, "high": high, "hits": known.hits, "n": known.n},
        "canary_beat_a_model": built.trust.is_red,
        "noise": built.trust.noise and built.trust.noise.deviation,
    }


def _row(row: multi_turn.Row) -> dict[str, Any]:
    model, judged = row.language_model, row.judged
    overall = _mean(row.overall, judged.run_id)
    turns = {f"turn-{turn}": _mean(mean, judged.run_id) for turn, mean in row.turns.items()}
    return {
        "model": model.slug,
        "name": model.name,
        "organization": model.organization,
        "kind": model.kind,
        "revision": judged.run.revision.slug,
        "run": judged.run_id,
        "is_imported": judged.run.is_imported,
        "rolled_back": row.rollback.reason if row.rollback else None,
        "changed_since": row.drift.about_at if row.drift else None,
        "is_invalid": judged.is_invalid,
        "rank": row.rank,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "plain_rank": row.plain_rank,
        "plain_average": row.plain.value,
        "average": row.overall.value,
        **{name: overall[name] for name in ("low", "high", "stderr", "n_scored", "n_failed")},
        "cells": turns | {name: _mean(mean, judged.run_id) for name, mean in row.categories.items()},
        "failures": row.failures,
        "fidelity": judged.fidelity if judged.fidelity.get("measured") else {},
        "completion_tokens": judged.completion_tokens,
        "krw": row.won,
    }


def _mean(mean: Mean, run: int) -> dict[str, Any]:
    is_open = mean.low is None or mean.high is None
    return {
        "value": mean.value,
        "low": mean.low,
        "high": mean.high,
        "stderr": None if is_open else round(((mean.high or 0) - (mean.low or 0)) / (2 * normal_quantile()), 6),
        "n_docs": max(mean.n, mean.n + mean.failed),
        "n_scored": mean.n,
        "n_failed": mean.failed,
        "run": run,
    }
