"""Standings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from arena.if_counted import Report


class LeaderboardConfig(AppConfig):
    name = "leaderboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from arena import if_counted as left_out
        from arena import reveals
        from leaderboard import arena_judges, battle_judging, letters
        from runners import dispatch

        if letters.send_due not in dispatch.OUTBOXES:
            dispatch.OUTBOXES.append(letters.send_due)
        if arena_judges.views not in reveals.JUDGES:
            reveals.JUDGES.append(arena_judges.views)
        if battle_judging.watch not in dispatch.WATCHES:
            dispatch.WATCHES.append(battle_judging.watch)
        if _if_counted not in left_out.REPORTS:
            left_out.REPORTS.append(_if_counted)


def _if_counted(source: str) -> Report | None:
    from leaderboard import if_counted  # numpy is loaded where somebody asks

    return if_counted.report(source)
