"""Submissions as staff see them: read, never changed."""

from __future__ import annotations

from django.contrib import admin

from leaderboard.models import Submission
from runners.admin import ReadOnlyAdmin


@admin.register(Submission)
class SubmissionAdmin(ReadOnlyAdmin):
    list_display = ("id", "revision", "submitter", "note", "created_at")
    list_select_related = ("revision",)
    search_fields = ("revision__slug", "submitter")
    exclude = ("receipt", "form_key", "network_hash", "email")
