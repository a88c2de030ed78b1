"""Verdicts of people."""

from __future__ import annotations

from django.apps import AppConfig


class ArenaConfig(AppConfig):
    name = "arena"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from arena import review
        from runners import dispatch

        if review.outbox not in dispatch.OUTBOXES:
            dispatch.OUTBOXES.append(review.outbox)
