"""What staff may change by hand: terms of models in the draw, and reports. The ledger is only read."""

from __future__ import annotations

from django.contrib import admin

from arena.models import Entry, Exclusion, Report
from runners.admin import ReadOnlyAdmin


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("revision", "weight", "is_out", "is_private", "retired_at", "retired_reason")
    list_filter = ("is_out", "is_private")
    list_select_related = ("revision",)
    raw_id_fields = ("revision",)


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("battle", "reason", "created_at", "handled_at")
    readonly_fields = ("battle", "reason", "created_at")

    def has_add_permission(self, request: object) -> bool:
        return False


@admin.register(Exclusion)
class ExclusionAdmin(ReadOnlyAdmin):
    """Votes are left out and let in by `arena.tallies`, which keeps the counts."""

    list_display = ("vote_id", "rule", "detail", "actor", "created_at", "lifted_at")
    list_filter = ("rule",)
