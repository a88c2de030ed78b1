"""What can be asked: benchmarks, their tasks, and suites of tasks that are published as boards."""

from __future__ import annotations

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _


def in_language(korean: str, english: str) -> str:
    """The text in the reader's language."""
    return english if (get_language() or "ko").startswith("en") else korean


class Benchmark(models.Model):
    """A data set with a source and a licence. Nothing of a private one's items is ever shown or exported."""

    slug = models.CharField(max_length=80, unique=True)
    title_ko = models.CharField(max_length=200)
    title_en = models.CharField(max_length=200)
    source = models.CharField(max_length=300, blank=True)
    licence = models.CharField(max_length=200, blank=True)
    is_private = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.slug


class Task(models.Model):
    """One harness task frozen by the hash of its resolved configuration."""

    class Mode(models.TextChoices):
        GENERATE = "generate", _("generation and match")
        LIKELIHOOD = "likelihood", _("likelihood")

    benchmark = models.ForeignKey(Benchmark, models.PROTECT, related_name="tasks")
    name = models.CharField(max_length=120)
    config_sha = models.CharField(max_length=64)
    # What decides the answers (runners.resolving.asked_sha); empty where it was not written down in time.
    asked_sha = models.CharField(max_length=64, blank=True)
    mode = models.CharField(max_length=12, choices=Mode.choices)
    title_ko = models.CharField(max_length=200)
    title_en = models.CharField(max_length=200)
    category = models.CharField(max_length=80, blank=True)
    dataset_source = models.CharField(max_length=8, help_text="bundled, local or hub")
    dataset_name = models.CharField(max_length=200)
    # Pinned by the first run that resolves it and then immutable (a Hub commit, or sha256 of the files read).
    dataset_revision = models.CharField(max_length=64, blank=True)
    num_fewshot = models.PositiveSmallIntegerField(default=0)
    metric = models.CharField(max_length=40)
    higher_is_better = models.BooleanField(default=True)
    chance_level = models.FloatField(null=True)
    n_docs = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "config_sha", "num_fewshot"], name="one_task_per_name_and_config")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        return in_language(self.title_ko, self.title_en)


class Suite(models.Model):
    """A published, versioned choice of tasks. Published means immutable: a change is a new version."""

    class Kind(models.TextChoices):
        ZERO_SHOT = "zero_shot", _("zero-shot")
        MULTI_TURN = "multi_turn", _("multi-turn")

    slug = models.CharField(max_length=80)
    version = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    title_ko = models.CharField(max_length=200)
    title_en = models.CharField(max_length=200)
    description_ko = models.TextField(blank=True)
    description_en = models.TextField(blank=True)
    differences_ko = models.TextField(blank=True, help_text="how ours differs from the original, and why")
    differences_en = models.TextField(blank=True)
    order = models.PositiveSmallIntegerField(default=100)
    definition_sha = models.CharField(max_length=64, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    tasks = models.ManyToManyField(Task, through="SuiteTask", related_name="suites")

    class Meta:
        ordering = ["order", "slug"]
        constraints = [models.UniqueConstraint(fields=["slug", "version"], name="one_suite_per_slug_and_version")]

    def __str__(self) -> str:
        return f"{self.slug} v{self.version}"

    @property
    def title(self) -> str:
        return in_language(self.title_ko, self.title_en)

    @property
    def description(self) -> str:
        return in_language(self.description_ko, self.description_en)

    @property
    def differences(self) -> str:
        return in_language(self.differences_ko, self.differences_en)


class SuiteTask(models.Model):
    """A task's place in a suite: its column, its group, and whether the headline average counts it."""

    suite = models.ForeignKey(Suite, models.CASCADE, related_name="suite_tasks")
    task = models.ForeignKey(Task, models.PROTECT, related_name="suite_tasks")
    order = models.PositiveSmallIntegerField()
    group_ko = models.CharField(max_length=100, blank=True)
    group_en = models.CharField(max_length=100, blank=True)
    in_headline = models.BooleanField(default=True)

    class Meta:
        ordering = ["order"]
        constraints = [models.UniqueConstraint(fields=["suite", "task"], name="a_task_once_per_suite")]

    def __str__(self) -> str:
        return f"{self.suite_id}/{self.task_id}"

    @property
    def group(self) -> str:
        return in_language(self.group_ko, self.group_en)
