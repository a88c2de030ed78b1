"""Language models, the exact revisions of them that are measured, and the servers that answer for them."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

SHA = RegexValidator(r"^[0-9a-f]{40}$", _("A commit is 40 hexadecimal digits."))
ENV_NAME = RegexValidator(r"^[A-Z][A-Z0-9_]*$", _("The NAME of an environment variable, such as OPENAI_API_KEY."))


def shown_name(name: str) -> str:
    """A model's name for the reader: reference players have one in every language, all others theirs alone."""
    return pgettext("player", name)


class LanguageModel(models.Model):
    """A model as people name it; `ModelRevision` is what is measured."""

    class Kind(models.TextChoices):
        OPEN = "open", _("open weights")
        API = "api", _("served by an API")
        REFERENCE = "reference", _("reference player")

    class Tuning(models.TextChoices):
        BASE = "base", _("base")
        INSTRUCT = "instruct", _("instruction-tuned")
        UNKNOWN = "unknown", _("not stated")

    slug = models.CharField(max_length=200, unique=True)
    name = models.CharField(max_length=200)
    organization = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    tuning = models.CharField(max_length=12, choices=Tuning.choices, default=Tuning.UNKNOWN)
    n_parameters = models.BigIntegerField(null=True, blank=True)
    licence = models.CharField(max_length=100, blank=True)
    url = models.URLField(blank=True)
    is_korean = models.BooleanField(null=True, help_text=_("built or tuned for Korean, as its makers state"))
    hidden_reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.slug

    @property
    def display_name(self) -> str:
        """The name in the reader's language."""
        return shown_name(self.name)


class Endpoint(models.Model):
    """An OpenAI-compatible server and the name it serves one model under. Holds the key's NAME, never the key."""

    slug = models.CharField(max_length=100, unique=True)
    base_url = models.URLField()
    served_name = models.CharField(max_length=200)
    key_env = models.CharField(max_length=100, blank=True, validators=[ENV_NAME])
    purposes = models.JSONField(default=list, help_text="subset of arena, judge, harness")
    supports_likelihood = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    check_error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.slug


class ModelRevision(models.Model):
    """One exact thing that can be measured. Immutable once `frozen_at` is set by its first run or battle."""

    class Backend(models.TextChoices):
        REFERENCE = "reference", _("reference player")
        API = "api", "API"
        HF = "hf", "transformers"
        VLLM = "vllm", "vLLM"

    class State(models.TextChoices):
        OK = "ok", _("available")
        GONE = "gone", _("no longer on the Hub")
        GATED = "gated", _("gated on the Hub")
        MOVED = "moved", _("moved on the Hub")

    IDENTITY = ("hub_id", "commit_sha", "api_name", "endpoint_id", "dtype", "quantization", "backend")

    language_model = models.ForeignKey(LanguageModel, models.PROTECT, related_name="revisions")
    slug = models.CharField(max_length=240, unique=True)
    backend = models.CharField(max_length=12, choices=Backend.choices)
    hub_id = models.CharField(max_length=200, blank=True)
    commit_sha = models.CharField(max_length=40, blank=True, validators=[SHA])
    api_name = models.CharField(max_length=200, blank=True)
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, null=True, blank=True, related_name="revisions")
    dtype = models.CharField(max_length=20, blank=True)
    quantization = models.CharField(max_length=20, blank=True)
    chat_template_sha = models.CharField(max_length=64, blank=True)
    has_chat_template = models.BooleanField(null=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OK)
    frozen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hub_id", "commit_sha", "backend", "dtype", "quantization"],
                condition=~models.Q(hub_id=""),
                name="one_revision_per_hub_commit_and_precision",
            ),
            models.CheckConstraint(
                condition=models.Q(hub_id="") | ~models.Q(commit_sha=""),
                name="a_hub_revision_is_pinned_to_a_commit",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def lane(self) -> str:
        """The queue whose workers can run this revision."""
        return "gpu" if self.backend in (self.Backend.HF, self.Backend.VLLM) else "eval"


class Price(models.Model):
    """What a served model costs from a day on; per million tokens, in US dollars and won."""

    served_name = models.CharField(max_length=200)
    valid_from = models.DateField()
    input_usd = models.DecimalField(max_digits=12, decimal_places=6)
    output_usd = models.DecimalField(max_digits=12, decimal_places=6)
    krw_per_usd = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["served_name", "valid_from"], name="one_price_per_model_and_day")
        ]

    def __str__(self) -> str:
        return f"{self.served_name} from {self.valid_from}"
