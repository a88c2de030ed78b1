"""Writes of the catalogue: language models, their revisions, endpoints, and the suites the project ships."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.translation import pgettext_lazy

from runners.adapters.hub import HubModel
from runners.definitions import SuiteDefinition, TaskDefinition, load_suites
from runners.models import Benchmark, Endpoint, LanguageModel, ModelRevision, Suite, SuiteTask, Task

REFERENCE_PLAYERS = {
    "random": "Random choice",
    "constant": "Always the first option",
    "echo": "Repeats the prompt",
    "ngram": "Character n-grams",
}
# The rows hold the English names; pages look them up (`shown_name`), so the catalogue of texts needs them.
TRANSLATED = (
    pgettext_lazy("player", "Random choice"),
    pgettext_lazy("player", "Always the first option"),
    pgettext_lazy("player", "Repeats the prompt"),
    pgettext_lazy("player", "Character n-grams"),
)


class CatalogueError(ValueError):
    """What was asked does not fit the catalogue; the message says what to change."""


@dataclass(frozen=True)
class Changes:
    """What a synchronisation did: suites published anew, and published ones whose definition has changed."""

    published: list[str]
    drifted: list[str]


# What other floors ship: each brings its own rows up to date and says what it did.
SHIPPED: list[Callable[[], Changes]] = []


def register_reference_players() -> None:
    """The built-in players of zero-shot suites, each a language model with one revision."""
    for key, name in REFERENCE_PLAYERS.items():
        register_player(key, name)


def register_player(key: str, name: str) -> ModelRevision:
    """A reference player: a language model with one revision, `reference/<key>`."""
    language_model, _ = LanguageModel.objects.get_or_create(
        slug=f"reference/{key}",
        defaults={
            "name": name,
            "organization": "Gyeoru",
            "kind": LanguageModel.Kind.REFERENCE,
            "tuning": LanguageModel.Tuning.UNKNOWN,
            "licence": "Apache-2.0",
        },
    )
    revision, _ = ModelRevision.objects.get_or_create(
        slug=f"reference/{key}",
        defaults={
            "language_model": language_model,
            "backend": ModelRevision.Backend.REFERENCE,
            "api_name": key,
        },
    )
    return revision


def register_revision(
    model: HubModel,
    *,
    backend: str,
    dtype: str = "",
    tuning: str = LanguageModel.Tuning.UNKNOWN,
    organization: str = "",
) -> ModelRevision:
    """The row of a Hub model at its commit and precision; found again when it is known."""
    language_model, _ = LanguageModel.objects.get_or_create(
        slug=model.hub_id,
        defaults={
            "name": model.hub_id.split("/")[1],
            "organization": organization or model.hub_id.split("/")[0],
            "kind": LanguageModel.Kind.OPEN,
            "tuning": tuning,
            "n_parameters": model.n_parameters,
            "licence": model.licence,
            "url": f"https://huggingface.co/{model.hub_id}",
        },
    )
    suffix = "".join(f"-{part}" for part in (dtype, backend if backend != "hf" else "") if part)
    slug = f"{model.hub_id}@{model.sha[:8]}{suffix}"
    if ModelRevision.objects.filter(slug=slug).exclude(commit_sha=model.sha).exists():
        slug = f"{model.hub_id}@{model.sha}{suffix}"  # eight digits can be made to collide
    revision, _ = ModelRevision.objects.get_or_create(
        hub_id=model.hub_id,
        commit_sha=model.sha,
        backend=backend,
        dtype=dtype,
        quantization="",
        defaults={
            "language_model": language_model,
            "slug": slug,
            "has_chat_template": model.has_chat_template,
            "size_bytes": model.size,
        },
    )
    return revision


def register_endpoint(
    slug: str,
    *,
    base_url: str,
    served_name: str,
    key_env: str = "",
    purposes: tuple[str, ...] = ("harness",),
    supports_likelihood: bool = False,
    organization: str = "",
) -> ModelRevision:
    """A served model and the revision that is measured through it. Raises CatalogueError."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise CatalogueError(f"“{base_url}” is not an http(s) address without a password in it.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", slug):
        raise CatalogueError(f"“{slug}” is not a slug of lower-case letters, digits, dots and dashes.")
    if key_env and not re.fullmatch(r"[A-Z][A-Z0-9_]*", key_env):
        raise CatalogueError("The key is given by the NAME of its environment variable, such as OPENAI_API_KEY.")
    with transaction.atomic():
        endpoint, created = Endpoint.objects.get_or_create(
            slug=slug,
            defaults={
                "base_url": base_url.rstrip("/"),
                "served_name": served_name,
                "key_env": key_env,
                "purposes": list(purposes),
                "supports_likelihood": supports_likelihood,
            },
        )
        if not created:
            if (endpoint.base_url, endpoint.served_name) != (base_url.rstrip("/"), served_name):
                raise CatalogueError(f"The endpoint {slug} exists and serves something else; choose another slug.")
            Endpoint.objects.filter(pk=endpoint.pk).update(
                key_env=key_env,
                purposes=list(purposes),
                supports_likelihood=supports_likelihood,
                is_active=True,
            )
        language_model, _ = LanguageModel.objects.get_or_create(
            slug=f"api/{slug}",
            defaults={
                "name": served_name,
                "organization": organization or parts.hostname,
                "kind": LanguageModel.Kind.API,
                "tuning": LanguageModel.Tuning.INSTRUCT,
            },
        )
        revision, _ = ModelRevision.objects.get_or_create(
            slug=f"api/{slug}",
            defaults={
                "language_model": language_model,
                "backend": ModelRevision.Backend.API,
                "api_name": served_name,
                "endpoint": endpoint,
                "has_chat_template": True,
            },
        )
    return revision


def register_imported(names: Iterable[str]) -> dict[str, ModelRevision]:
    """The revisions that an imported file means by these names, in the caller's transaction.

    A name is the slug of a revision, of an earlier import (`import/<name>`) or of a model with one revision; any other
    becomes an imported revision of that name, frozen at once: what answered is not known beyond its name.
    """
    found: dict[str, ModelRevision] = {}
    for name in dict.fromkeys(names):
        slug = f"import/{name}"
        known = {revision.slug: revision for revision in ModelRevision.objects.filter(slug__in=(name, slug))}
        only = list(ModelRevision.objects.filter(language_model__slug=name)[:2])
        match = known.get(name) or known.get(slug) or (only[0] if len(only) == 1 else None)
        if match is not None:
            found[name] = match
            continue
        language_model, _ = LanguageModel.objects.get_or_create(
            slug=slug, defaults={"name": name, "kind": LanguageModel.Kind.API}
        )
        found[name], _ = ModelRevision.objects.get_or_create(
            slug=slug,
            defaults={
                "language_model": language_model,
                "backend": ModelRevision.Backend.API,
                "api_name": name,
                "frozen_at": timezone.now(),
            },
        )
    return found


def synchronise() -> Changes:
    """Brings the shipped suites into the database. A published suite is never changed: a new version is needed."""
    published, drifted = [], []
    for definition in load_suites():
        with transaction.atomic():
            suite = Suite.objects.filter(slug=definition.slug, version=definition.version).first()
            if suite is None:
                _publish(definition)
                published.append(definition.slug)
            elif suite.definition_sha != definition.sha:
                drifted.append(definition.slug)
            for task in definition.tasks:
                # A size that became known after the suite was published, where no run has told it yet.
                Task.objects.filter(name=task.name, config_sha=task.config_sha, n_docs=None).update(n_docs=task.size)
    for shipped in SHIPPED:
        changes = shipped()
        published += changes.published
        drifted += changes.drifted
    return Changes(published, drifted)


def drifted() -> list[str]:
    """Published suites whose shipped definition no longer has the hash they were published with."""
    shas = {(d.slug, d.version): d.sha for d in load_suites()}
    rows = Suite.objects.filter(published_at__isnull=False, retired_at=None)
    return sorted(
        f"{slug} v{version}"
        for slug, version, sha in rows.values_list("slug", "version", "definition_sha")
        if (slug, version) in shas and shas[slug, version] != sha
    )


def _publish(definition: SuiteDefinition) -> None:
    """Rows of a suite version; older versions retire, their boards stay readable."""
    now = timezone.now()
    suite = Suite.objects.create(
        slug=definition.slug,
        version=definition.version,
        kind=Suite.Kind.ZERO_SHOT,
        title_ko=definition.title.ko,
        title_en=definition.title.en,
        description_ko=definition.description.ko,
        description_en=definition.description.en,
        differences_ko=definition.differences.ko,
        differences_en=definition.differences.en,
        order=definition.order,
        definition_sha=definition.sha,
        published_at=now,
    )
    Suite.objects.filter(slug=definition.slug, version__lt=definition.version, retired_at=None).update(retired_at=now)
    for order, task_definition in enumerate(definition.tasks):
        SuiteTask.objects.create(
            suite=suite,
            task=_task(definition, task_definition),
            order=order,
            group_ko=task_definition.group.ko,
            group_en=task_definition.group.en,
            in_headline=task_definition.in_headline,
        )


def _task(suite: SuiteDefinition, definition: TaskDefinition) -> Task:
    benchmark, _ = Benchmark.objects.get_or_create(
        slug=definition.dataset,
        defaults={
            "title_ko": suite.title.ko,
            "title_en": suite.title.en,
            "source": suite.source,
            "licence": suite.licence,
            "is_private": definition.private,
        },
    )
    task, _ = Task.objects.get_or_create(
        name=definition.name,
        config_sha=definition.config_sha,
        num_fewshot=definition.num_fewshot,
        defaults={
            "benchmark": benchmark,
            "mode": definition.mode,
            "title_ko": definition.title.ko,
            "title_en": definition.title.en,
            "category": definition.category,
            "dataset_source": definition.source,
            "dataset_name": definition.dataset,
            "metric": definition.metric,
            "higher_is_better": definition.higher_is_better,
            "chance_level": definition.chance,
            "n_docs": definition.size,
        },
    )
    return task
