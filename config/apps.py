"""The site's own app: wiring and system checks."""

from __future__ import annotations

from django.apps import AppConfig


class GyeoruConfig(AppConfig):
    name = "config"
    label = "gyeoru"
    verbose_name = "Gyeoru"

    def ready(self) -> None:
        from config import checks  # noqa: F401 - registers the checks
