"""What operators did and why, and the views of the console they keep."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from runners.models import EvaluationRun


class AuditEntry(models.Model):
    """One thing an operator did to one run, model or worker. Written with the change itself and never changed."""

    class Action(models.TextChoices):
        RERUN = "rerun", _("re-run")
        CANCEL = "cancel", _("cancel")
        WITHDRAW = "withdraw", _("withdraw")
        REINSTATE = "reinstate", _("reinstate")
        PRIORITY = "priority", _("change priority")
        JUDGE = "judge", _("judge again")
        HIDE = "hide", _("hide model")
        SHOW = "show", _("show model")
        DRAIN = "drain", _("drain worker")
        RESUME = "resume", _("resume worker")
        REPEAT = "repeat", _("repeat on a new version")
        PARITY = "parity", _("check parity")
        UNBIND = "unbind", _("let any machine run it")
        REEXTRACT = "reextract", _("extract again")
        SETTING = "setting", _("change setting")
        ROLL_BACK = "roll_back", _("roll back the listed run")
        UNDO = "undo", _("undo a rollback")
        ALIAS = "alias", _("move a revision")
        REBASE = "rebase", _("accept a new level")
        FACTOR_ON = "factor_on", _("set up second factor")
        FACTOR_OFF = "factor_off", _("remove second factor")
        FACTOR_CODES = "factor_codes", _("new recovery codes")
        FACTOR_USED = "factor_used", _("use recovery code")
        FACTOR_RESET = "factor_reset", _("reset second factor")

    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    actor_name = models.CharField(max_length=150, help_text="stays when the account goes")
    action = models.CharField(max_length=12, choices=Action.choices)
    reason = models.TextField()
    target = models.CharField(max_length=260, help_text="run 12, model maker/name, worker gpu-host-1")
    run = models.ForeignKey(EvaluationRun, models.SET_NULL, null=True, related_name="audit")
    made = models.ForeignKey(EvaluationRun, models.SET_NULL, null=True, related_name="+", help_text="the new run")
    batch = models.CharField(max_length=32, help_text="the same for everything done by one press")
    details = models.JSONField(default=dict, help_text="what was before and is after")

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="nothing_is_done_without_a_reason")]
        indexes = [models.Index(fields=["batch"], name="audit_batch")]
        permissions = [
            ("operate_runs", "Can re-run, cancel, withdraw and prioritise runs in the console"),
            ("hide_models", "Can hide models from the boards in the console"),
            ("drain_workers", "Can drain and resume workers in the console"),
            ("edit_settings", "Can change quotas, weights, judges and budgets in the console"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.target}"


class SavedView(models.Model):
    """A choice of filters of the console under a name; its owner's alone."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, blank=True, help_text="the filters as they stand in the address")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="one_view_per_owner_and_name")]

    def __str__(self) -> str:
        return self.name
