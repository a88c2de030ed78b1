"""The site's own app: wiring and system checks."""

from __future__ import annotations

from django.apps import AppConfig


class GyeoruConfig(AppConfig):
    name = "config"
    label = "gyeoru"
    verbose_name = "Gyeoru"

    def ready(self) -> None:
        from config import checks  # noqa: F401 - registers the checks
        from runners import dispatch

        if _alarms not in dispatch.WATCHES:
            dispatch.WATCHES.append(_alarms)


def _alarms() -> None:
    from judging import alarms as judging_alarms
    from runners import alarms

    if judging_alarms.check not in alarms.CHECKS:
        alarms.CHECKS.append(judging_alarms.check)
    alarms.step()
