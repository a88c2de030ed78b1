"""What an operator sends: an action with its reason, a view to keep."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from leaderboard.console.actions import MOST, PRIORITIES, VERBS
from leaderboard.console.filters import RunFilter
from leaderboard.models import AuditEntry
from runners.models import ModelRevision, Suite

ON_RUNS = [(key, AuditEntry.Action(key).label) for key in (*VERBS, "hide", "show")]
NO_REASON = _("Say why: the reason stands in the audit and, for many actions, on the run's page.")


class ReasonForm(forms.Form):
    """Nothing is done without a reason."""

    reason = forms.CharField(max_length=1000, error_messages={"required": NO_REASON})


class ActionForm(ReasonForm):
    """An action on chosen runs (`ids`), or on all that a filter finds (`matching`, as in an address)."""

    action = forms.ChoiceField(choices=ON_RUNS)
    matching = forms.CharField(required=False, max_length=1000)
    everything = forms.BooleanField(required=False)
    priority = forms.IntegerField(required=False, min_value=PRIORITIES.start, max_value=PRIORITIES.stop - 1)
    suite = forms.ModelChoiceField(Suite.objects.filter(published_at__isnull=False, retired_at=None), required=False)
    revision = forms.ModelChoiceField(ModelRevision.objects.all(), required=False, to_field_name="slug")
    host = forms.CharField(required=False, max_length=200)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.ids = sorted({int(text) for text in data.getlist("ids") if text.isdecimal() and len(text) < 19})

    def clean(self) -> dict[str, object]:
        values = super().clean() or {}
        needs = {"priority": "priority", "repeat": "suite", "parity": "revision"}.get(str(values.get("action")), "")
        if values.get("host"):
            needs = ""
        if needs and values.get(needs) is None and needs not in self.errors:
            self.add_error(needs, forms.ValidationError(_("This action needs it."), code="required"))
        if not self.run_ids():
            raise forms.ValidationError(_("Choose at least one run."), code="nothing")
        return values

    def run_ids(self) -> list[int]:
        """The runs to act on; of a filter the newest MOST."""
        if self.cleaned_data.get("everything"):
            chosen = RunFilter.read(QueryDict(self.cleaned_data.get("matching", "")).dict())
            return list(chosen.runs().values_list("pk", flat=True)[:MOST])
        return self.ids


class ViewForm(forms.Form):
    """The filters as they stand, under a name."""

    name = forms.CharField(max_length=60)
    query = forms.CharField(max_length=1000, required=False)
