"""Verdicts of machine judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from runners.adapters.players import Messages, Player
    from runners.catalog import Changes
    from runners.supervise import Attempt, Pulse

QUALITIES = {
    "complete": "Correct and complete answers",
    "terse": "Correct, terse answers",
    "wrong": "Fluent, wrong answers",
    "english": "Correct answers in English",
}
# For the catalogue of texts: `shown_name` looks them up.
TRANSLATED = (
    pgettext_lazy("player", "Correct and complete answers"),
    pgettext_lazy("player", "Correct, terse answers"),
    pgettext_lazy("player", "Fluent, wrong answers"),
    pgettext_lazy("player", "Correct answers in English"),
)


class JudgingConfig(AppConfig):
    name = "judging"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """What the floor below must know of this one: how multi-turn suites run, what to hint, what to publish."""
        from runners import catalog, dispatch, supervise
        from runners.adapters.players import PLAYERS

        supervise.EXECUTORS["multi_turn"] = _answer
        supervise.PHASES["judging"] = _judge
        dispatch.OUTBOXES.append(_hint)
        catalog.SHIPPED.append(_synchronise)
        for quality in QUALITIES:
            PLAYERS[quality] = _recorded(quality)


def _answer(attempt: Attempt, pulse: Pulse) -> None:
    from judging import answers  # the chat door's SDK is loaded where it is needed alone

    answers.execute(attempt, pulse)


def _judge(run_id: int) -> bool:
    from judging import jobs

    return jobs.execute(run_id)


def _hint() -> None:
    from judging import hints

    hints.hint_waiting()


def _synchronise() -> Changes:
    from judging import judges, question_sets
    from runners import catalog

    changes = question_sets.synchronise()
    judges.register_rule()
    for quality, name in QUALITIES.items():
        catalog.register_player(quality, name)
    return changes


def _recorded(quality: str) -> Player:
    def answer(messages: Messages) -> str | None:
        from judging.question_sets import recorded_answer

        return recorded_answer(quality, [m["content"] for m in messages if m["role"] == "user"])

    return answer
