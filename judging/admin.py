"""What staff may change by hand: whether a judge works and on what terms, caps and kill switches."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from judging.models import Budget, Judge, Seat

TERMS = ("is_active", "repeats", "cap_usd", "question_sets", "family", "name")


@admin.register(Judge)
class JudgeAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Terms may change; whatever makes it another judge is a new version (`manage.py add_judge`)."""

    list_display = ("slug", "version", "kind", "mode", "endpoint", "is_active", "repeats", "cap_usd")
    list_editable = ("is_active", "repeats", "cap_usd")
    list_filter = ("kind", "mode", "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(field.name for field in Judge._meta.fields if field.name not in TERMS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Budget)
class BudgetAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "cap_usd", "spent_usd", "reserved_usd", "is_stopped")
    list_editable = ("cap_usd", "is_stopped")
    readonly_fields = ("spent_usd", "reserved_usd")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Seat)
class SeatAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What stands in the way of a judge at battles."""

    list_display = ("judge", "up_to_vote", "hinted_at", "not_before", "error_kind", "error_text")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
