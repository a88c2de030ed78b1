"""Submissions as staff see them: read, never changed. Secrets of one-time codes: not at all."""

from __future__ import annotations

import django_otp.plugins.otp_totp.admin
from django.contrib import admin
from django_otp.plugins.otp_totp.models import TOTPDevice

from leaderboard.models import Submission
from runners.admin import ReadOnlyAdmin


@admin.register(Submission)
class SubmissionAdmin(ReadOnlyAdmin):
    list_display = ("id", "revision", "submitter", "note", "created_at")
    list_select_related = ("revision",)
    search_fields = ("revision__slug", "submitter")
    exclude = ("receipt", "form_key", "network_hash", "email")


# Its admin shows the secrets; `manage.py reset_second_factor` is the way for a lost device, with an audit row.
assert django_otp.plugins.otp_totp.admin.TOTPDeviceAdmin
admin.site.unregister(TOTPDevice)
