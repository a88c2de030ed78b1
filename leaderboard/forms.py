"""The submission form: what is typed, in the reader's language, and nothing that asks another machine."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from runners.models import ModelRevision, Suite

HUB, SERVED = "hub", "served"
DTYPES = [("", _("automatic (as in the repository)")), ("bfloat16", "bfloat16"), ("float16", "float16")]
BACKENDS = [(ModelRevision.Backend.HF.value, "transformers"), (ModelRevision.Backend.VLLM.value, "vLLM")]


def new_form_key() -> str:
    """Drawn when the form is shown; the same form sent twice is one submission."""
    return secrets.token_urlsafe(24)


class SubmissionForm(forms.Form):
    """Fields as typed. Cleaned: `served` is a ModelRevision or None, `suites` a list of Suite."""

    form_key = forms.CharField(max_length=64, widget=forms.HiddenInput)
    source = forms.ChoiceField(choices=[(HUB, HUB), (SERVED, SERVED)])
    hub_id = forms.CharField(required=False)
    revision = forms.CharField(required=False)
    dtype = forms.ChoiceField(required=False, choices=DTYPES)
    backend = forms.ChoiceField(required=False, choices=BACKENDS)
    served = forms.CharField(required=False)
    suites = forms.MultipleChoiceField(
        required=False, error_messages={"invalid_choice": _("There is no suite %(value)s; choose from the list.")}
    )
    submitter = forms.CharField(required=False, max_length=150)
    email = forms.EmailField(required=False)
    note = forms.CharField(required=False, max_length=1000)

    def __init__(self, *args: Any, suites: list[Suite], served: list[ModelRevision], **options: Any) -> None:
        super().__init__(*args, **options)
        self.by_slug = {suite.slug: suite for suite in suites}
        self.offered = {revision.slug: revision for revision in served}
        self.fields["suites"].choices = [(slug, slug) for slug in self.by_slug]  # type: ignore[attr-defined]

    def clean_suites(self) -> list[Suite]:
        return [self.by_slug[slug] for slug in self.cleaned_data["suites"]]

    def clean_served(self) -> ModelRevision | None:
        slug = self.cleaned_data["served"]
        if slug and slug not in self.offered:
            raise forms.ValidationError(_("This server is no longer offered; choose another one."))
        return self.offered.get(slug)

    def clean_revision(self) -> str:
        return str(self.cleaned_data["revision"]).strip() or "main"

    def clean_backend(self) -> str:
        return self.cleaned_data["backend"] or ModelRevision.Backend.HF.value

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("source") == HUB and not values.get("hub_id"):
            self.add_error("hub_id", _("Write the model's name on the Hub, such as owner/name."))
        if values.get("source") == SERVED and not values.get("served") and "served" not in self.errors:
            self.add_error("served", _("Choose a served model."))
        if not values.get("suites") and "suites" not in self.errors:
            self.add_error("suites", _("Choose at least one suite."))
        return values

    def typed(self, name: str) -> Any:
        """What stands in the field now: typed or initial."""
        return self[name].value()
