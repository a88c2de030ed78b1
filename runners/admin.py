"""What staff may change by hand: endpoints, facts of models, prices. What was measured is only read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from runners.models import Endpoint, EvaluationRun, LanguageModel, ModelRevision, Price


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that only the verbs of the site may write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """An endpoint's address and served name are what its revisions were measured at: they stay once one exists."""

    list_display = ("slug", "served_name", "base_url", "key_env", "supports_likelihood", "is_active", "check_error")
    list_filter = ("is_active",)
    search_fields = ("slug", "served_name")
    readonly_fields = ("checked_at", "check_error", "created_at")
    formfield_overrides = {models.URLField: {"assume_scheme": "http"}}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        measured = obj is not None and obj.revisions.filter(frozen_at__isnull=False).exists()
        return (*self.readonly_fields, *(("slug", "base_url", "served_name") if measured else ()))


@admin.register(LanguageModel)
class LanguageModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("slug", "name", "organization", "kind", "tuning", "n_parameters", "licence", "hidden_reason")
    list_filter = ("kind", "tuning")
    search_fields = ("slug", "name", "organization")
    readonly_fields = ("slug", "created_at")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(ModelRevision)
class ModelRevisionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only once a run or a battle has frozen it; its state on the Hub may still change."""

    list_display = ("slug", "backend", "dtype", "state", "frozen_at")
    list_filter = ("backend", "state")
    search_fields = ("slug",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None or obj.frozen_at is None:
            return ("slug", "frozen_at", "created_at")
        return tuple(field.name for field in ModelRevision._meta.fields if field.name != "state")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and obj.frozen_at is None and super().has_delete_permission(request, obj)


@admin.register(EvaluationRun)
class EvaluationRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "revision", "suite", "status", "lane", "attempt", "worker", "error_kind", "created_at")
    list_filter = ("status", "lane", "error_kind")
    list_select_related = ("revision", "suite")
    search_fields = ("revision__slug", "suite__slug")


@admin.register(Price)
class PriceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("served_name", "valid_from", "input_usd", "output_usd", "krw_per_usd")
    search_fields = ("served_name",)
