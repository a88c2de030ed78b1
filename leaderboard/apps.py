"""Standings."""

from __future__ import annotations

from django.apps import AppConfig


class LeaderboardConfig(AppConfig):
    name = "leaderboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from arena import reveals
        from leaderboard import arena_judges, battle_judging, letters
        from runners import dispatch

        if letters.send_due not in dispatch.OUTBOXES:
            dispatch.OUTBOXES.append(letters.send_due)
        if arena_judges.views not in reveals.JUDGES:
            reveals.JUDGES.append(arena_judges.views)
        if battle_judging.watch not in dispatch.WATCHES:
            dispatch.WATCHES.append(battle_judging.watch)
