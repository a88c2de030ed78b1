"""Judges as versioned rows: the built-in rule, served models, and the names of imported judgments."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

from django.db import transaction

from judging import rule
from judging.models import Judge
from judging.plan import FORMS
from judging.prompts import all_prompts
from runners.models import Endpoint, ModelRevision


class JudgeError(ValueError):
    """What was asked makes no judge; the message says what to change."""


def register_rule() -> Judge:
    """The built-in judge, for trials without a model."""
    judge, _ = Judge.objects.get_or_create(
        slug=rule.SLUG,
        version=1,
        defaults={"name": "Gyeoru rule (no model, for trials)", "kind": Judge.Kind.BUILTIN, "family": "gyeoru"},
    )
    return judge


def offer(endpoint: Endpoint) -> Judge:
    """A served model as a possible judge of single answers, inactive until staff or `add_judge` makes it one."""
    known = Judge.objects.filter(endpoint=endpoint).order_by("-version").first()
    return known or add(endpoint.slug, endpoint, active=False)


@transaction.atomic
def add(
    slug: str,
    endpoint: Endpoint,
    *,
    mode: str = Judge.Mode.SINGLE,
    repeats: int | None = None,
    cap_usd: Decimal | None = None,
    baseline: ModelRevision | None = None,
    all_pairs: bool = False,
    language: str = "ko",
    json_schema: bool = False,
    temperature: float = 0.0,
    max_tokens: int = 2048,
    family: str = "",
    question_sets: tuple[str, ...] = (),
    active: bool = True,
) -> Judge:
    """The judge as described: the newest version where it is just that, else the next version, which takes over.

    all_pairs: a judge of pairs without a baseline, which compares every model with every other one.
    Raises JudgeError.
    """
    if mode not in FORMS:
        raise JudgeError(f"“{mode}” is no mode of judging; choose one of {', '.join(FORMS)}.")
    if mode == Judge.Mode.SINGLE and all_pairs:
        raise JudgeError("A judge of single answers compares nobody: give --mode pair or five with --all-pairs.")
    if mode != Judge.Mode.SINGLE and (baseline is None) != all_pairs:
        raise JudgeError(
            "A judge of pairs compares with somebody: give --baseline REVISION, or --all-pairs for every model with "
            "every other one, and not both."
        )
    prompts = _prompts(mode, language, json_schema)
    described: dict[str, Any] = {
        "kind": Judge.Kind.LLM,
        "mode": mode,
        "endpoint": endpoint,
        "family": family,
        "prompt_language": language,
        "prompts": prompts,
        "prompts_sha": hashlib.sha256(json.dumps(prompts, ensure_ascii=False, sort_keys=True).encode()).hexdigest(),
        "temperature": temperature,
        "max_tokens": max_tokens,
        "json_schema": json_schema,
        "baseline": baseline,
    }
    # What may change without making it another judge: money, how often, where, and whether it works at all.
    terms = {"repeats": repeats, "cap_usd": cap_usd, "question_sets": list(question_sets), "is_active": active}
    newest = Judge.objects.filter(slug=slug).order_by("-version").first()
    if newest is not None and newest.kind != Judge.Kind.LLM:
        raise JudgeError(f"{slug} names a judge of another kind; choose another slug.")
    if newest is not None and all(getattr(newest, name) == value for name, value in described.items()):
        Judge.objects.filter(pk=newest.pk).update(**terms)
        newest.refresh_from_db()
        return newest
    Judge.objects.filter(slug=slug).update(is_active=False)
    version = newest.version + 1 if newest else 1
    return Judge.objects.create(slug=slug, version=version, name=endpoint.served_name, **described, **terms)


def imported(slug: str, mode: str) -> Judge:
    """The judge whose recorded judgments are read in. Raises JudgeError where the slug means another one."""
    judge = Judge.objects.filter(slug=slug).order_by("-version").first()
    if judge is None:
        return Judge.objects.create(slug=slug, name=slug, kind=Judge.Kind.IMPORTED, mode=mode, is_active=False)
    if judge.kind != Judge.Kind.IMPORTED or judge.mode != mode:
        raise JudgeError(
            f"There is a judge {slug} of another kind ({judge.kind}, mode {judge.mode}); "
            f"import these judgments (mode {mode}) under another --judge."
        )
    return judge


def _prompts(mode: str, language: str, json_schema: bool) -> dict[str, str]:
    output = "json" if json_schema else "brackets"
    return {
        prompt.name: prompt.text
        for prompt in all_prompts()
        if (prompt.form, prompt.language, prompt.output) == (FORMS[mode], language, output)
    }
