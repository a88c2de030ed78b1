"""Evidence: what can be run, what was run, what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from runners.catalog import Changes


class RunnersConfig(AppConfig):
    name = "runners"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from runners import catalog

        catalog.SHIPPED.append(_note_questions)


def _note_questions() -> Changes:
    from runners import extraction

    return extraction.note_questions()
