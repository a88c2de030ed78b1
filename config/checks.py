"""System checks that refuse a bad start. `manage.py check --deploy` and every start of the site run them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError


@register(Tags.security)
def secret_is_set(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """gyeoru.E001: production needs a secret of its own."""
    if settings.PRODUCTION and settings.SECRET_KEY.startswith("refused-by"):
        hint = "Set SECRET_KEY to a long random text, the same in every process of this site."
        return [Error("SECRET_KEY is not set.", hint=hint, id="gyeoru.E001")]
    return []


@register(Tags.database)
def sqlite_is_safe(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """gyeoru.E002: SQLite as Django sets it up loses writes when a worker and a visitor write together."""
    database = settings.DATABASES["default"]
    if "sqlite" not in database["ENGINE"]:
        return []
    given = database.get("OPTIONS", {})
    start = given.get("init_command", "").lower()
    if given.get("transaction_mode") == "IMMEDIATE" and "journal_mode=wal" in start and given.get("timeout", 0) >= 20:
        return []
    hint = "Keep settings.SQLITE_OPTIONS: WAL, transaction_mode IMMEDIATE and a timeout of 20 s."
    return [Error("SQLite is set up so that writes get lost.", hint=hint, id="gyeoru.E002")]


@register(Tags.security)
def second_factor_is_known(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """gyeoru.E005: a misspelt policy must not leave the console more open than was meant."""
    if settings.CONSOLE_SECOND_FACTOR in ("off", "optional", "required"):
        return []
    hint = "Set it to off, optional or required."
    return [Error("GYEORU_CONSOLE_SECOND_FACTOR is none of its values.", hint=hint, id="gyeoru.E005")]


@register(Tags.caches, deploy=True)
def redis_keeps_hints(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """gyeoru.E003: a Redis that evicts keys throws waiting jobs away without a word."""
    from runners.adapters import queue

    try:
        policy = queue.eviction_policy()
    except queue.QueueUnreachable as error:
        hint = "Pages work without it; runs start when it is back. Check REDIS_URL."
        return [Warning(f"Redis cannot be reached: {error}", hint=hint, id="gyeoru.W003")]
    if policy not in ("noeviction", ""):
        hint = "Set maxmemory-policy noeviction, or give the queue a Redis of its own."
        return [Error(f"Redis evicts keys ({policy}).", hint=hint, id="gyeoru.E003")]
    return []


@register(Tags.models, deploy=True)
def suites_are_as_published(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """gyeoru.E004: a published suite is immutable; a changed definition needs a new version."""
    from runners import catalog

    try:
        changed = catalog.drifted()
    except DatabaseError:
        return []  # before the first migration there is nothing published
    hint = "Raise `version` in runners/suites/<slug>.yaml, or take the change back."
    return [Error(f"The published suite {name} has changed.", hint=hint, id="gyeoru.E004") for name in changed]
