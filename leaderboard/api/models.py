"""Language models: their facts, the revisions that are measured, their runs and ratings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from leaderboard import listing
from leaderboard.api import schemas as s
from leaderboard.api.paging import page_of
from leaderboard.api.registry import PAGE, ApiError, choice, endpoint, words
from leaderboard.board_views import KINDS
from runners.models import EvaluationRun, LanguageModel, ModelRevision

PER_PAGE = 50
# Ratings by language model id, one list from each; whoever makes ratings appends its own reader here.
Ratings = Callable[[Sequence[LanguageModel]], Mapping[int, list[dict[str, Any]]]]
RATINGS: list[Ratings] = []

REVISION = s.component(
    "Revision",
    s.record(
        {
            "slug": s.text(),
            "backend": s.one_of("reference", "api", "hf", "vllm"),
            "hub_id": s.text("repository on the Hub, empty where there is none"),
            "commit_sha": s.text("40 hexadecimal digits, empty where it is not on the Hub"),
            "api_name": s.text("the name it is served under"),
            "dtype": s.text(),
            "quantization": s.text(),
            "chat_template_sha": s.text(),
            "size_bytes": s.or_null(s.integer()),
            "state": s.one_of("ok", "gone", "gated", "moved"),
            "alias": s.one_of("candidate", "listed", "retired"),
        }
    ),
)
BRIEF = s.component(
    "RunBrief",
    s.record(
        {
            "id": s.integer(),
            "revision": s.text(),
            "suite": s.text(),
            "suite_version": s.integer(),
            "status": s.one_of("queued", "running", "judging", "finished", "failed", "cancelled"),
            "is_imported": s.flag(),
            "is_withdrawn": s.flag(),
            "error_kind": s.text("empty unless an attempt failed"),
            "created_at": s.time(),
            "finished_at": s.or_null(s.time()),
        }
    ),
)
MODEL = s.component(
    "Model",
    s.record(
        {
            "slug": s.text(),
            "name": s.text(),
            "organization": s.text(),
            "kind": s.one_of("open", "api", "reference"),
            "tuning": s.one_of("base", "instruct", "unknown"),
            "n_parameters": s.or_null(s.integer()),
            "licence": s.text(),
            "url": s.text(),
            "is_korean": s.or_null(s.flag(), "built or tuned for Korean, as its makers state; null: not stated"),
            "revisions": s.array(REVISION),
            "runs": s.array(BRIEF, "newest first"),
            "ratings": s.array(s.free("one rating of one source")),
        }
    ),
)
EXAMPLE = {
    "slug": "maker/model-7b",
    "name": "model-7b",
    "organization": "maker",
    "kind": "open",
    "tuning": "instruct",
    "n_parameters": 7_000_000_000,
    "licence": "apache-2.0",
    "url": "https://huggingface.co/maker/model-7b",
    "is_korean": True,
    "revisions": [
        {
            "slug": "maker/model-7b@0123abcd-bfloat16",
            "backend": "hf",
            "hub_id": "maker/model-7b",
            "commit_sha": "0123abcd0123abcd0123abcd0123abcd0123abcd",
            "api_name": "",
            "dtype": "bfloat16",
            "quantization": "",
            "chat_template_sha": "",
            "size_bytes": 14_000_000_000,
            "state": "ok",
            "alias": "listed",
        }
    ],
    "runs": [
        {
            "id": 12,
            "revision": "maker/model-7b@0123abcd-bfloat16",
            "suite": "ko-basic",
            "suite_version": 1,
            "status": "finished",
            "is_imported": False,
            "is_withdrawn": False,
            "error_kind": "",
            "created_at": "2026-09-01T09:00:00Z",
            "finished_at": "2026-09-01T09:20:00Z",
        }
    ],
    "ratings": [],
}


@endpoint(
    path="/api/v1/models",
    route="models",
    name="models",
    summary=gettext_lazy("Models"),
    description=gettext_lazy("Every model with its revisions, runs and ratings, 50 a page, by slug."),
    response=s.paged(MODEL),
    example={"page": 1, "pages": 1, "total": 1, "rows": [EXAMPLE]},
    parameters=(
        words("q", gettext_lazy("Part of a slug, a name or an organisation.")),
        choice("kind", list(KINDS), gettext_lazy("How the model can be had.")),
        PAGE,
    ),
    trial="/api/v1/models",
    statuses=(400, 404),
)
def models(request: HttpRequest, q: str, kind: str | None, page: int) -> dict[str, Any]:
    """Four queries and those of the ratings, whatever the number of models."""
    found = LanguageModel.objects.filter(hidden_reason="").order_by("slug")
    if kind:
        found = found.filter(kind=kind)
    if q:
        found = found.filter(Q(slug__icontains=q) | Q(name__icontains=q) | Q(organization__icontains=q))
    return page_of(found, page, PER_PAGE, lambda rows: described(_whole(LanguageModel.objects.filter(pk__in=rows))))


@endpoint(
    path="/api/v1/models/{slug}",
    route="models/<path:slug>",
    name="model",
    summary=gettext_lazy("Model"),
    description=gettext_lazy("One model; the slug is written with its slash: /api/v1/models/reference/random."),
    response=MODEL,
    example=EXAMPLE,
    path_parameters={"slug": s.text(gettext_noop("slug of a model; may hold slashes"))},
    trial="/api/v1/models/reference/random",
    statuses=(400, 404),
)
def model(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Three queries and those of the ratings."""
    found = described(_whole(LanguageModel.objects.filter(slug=slug, hidden_reason="")))
    if not found:
        message = _("There is no model “%(slug)s”. /api/v1/models lists them.") % {"slug": slug[:200]}
        raise ApiError(404, message, "slug", slug[:200])
    return found[0]


def described(models: Sequence[LanguageModel]) -> list[dict[str, Any]]:
    """Models whose revisions and runs have been read with them, as JSON."""
    ratings: dict[int, list[dict[str, Any]]] = {model.pk: [] for model in models}
    for read in RATINGS:
        for pk, rows in read(models).items():
            ratings[pk] += rows
    return [_model(model, ratings[model.pk]) for model in models]


def _whole(models: QuerySet[LanguageModel]) -> list[LanguageModel]:
    runs = EvaluationRun.objects.select_related("suite").order_by("-created_at", "-pk")
    brief = runs.defer("log_tail", "environment", "attempts_log", "error_text", "settings", "reason")
    revisions = ModelRevision.objects.order_by("slug").select_related("alias").prefetch_related(Prefetch("runs", brief))
    return list(models.order_by("slug").prefetch_related(Prefetch("revisions", revisions)))


def _model(model: LanguageModel, ratings: list[dict[str, Any]]) -> dict[str, Any]:
    revisions = list(model.revisions.all())
    runs = [(run, revision) for revision in revisions for run in revision.runs.all()]
    runs.sort(key=lambda pair: (pair[0].created_at, pair[0].pk), reverse=True)
    return {
        "slug": model.slug,
        "name": model.name,
        "organization": model.organization,
        "kind": model.kind,
        "tuning": model.tuning,
        "n_parameters": model.n_parameters,
        "licence": model.licence,
        "url": model.url,
        "is_korean": model.is_korean,
        "revisions": [_revision(revision) for revision in revisions],
        "runs": [_brief(run, revision) for run, revision in runs],
        "ratings": ratings,
    }


_REVISION = ("slug", "backend", "hub_id", "commit_sha", "api_name", "dtype", "quantization", "chat_template_sha",
             "size_bytes", "state")  # fmt: skip


def _revision(revision: ModelRevision) -> dict[str, Any]:
    return {**{name: getattr(revision, name) for name in _REVISION}, "alias": listing.alias_of(revision)}


def _brief(run: EvaluationRun, revision: ModelRevision) -> dict[str, Any]:
    return {
        "id": run.pk,
        "revision": revision.slug,
        "suite": run.suite.slug,
        "suite_version": run.suite.version,
        "status": run.status,
        "is_imported": run.is_imported,
        "is_withdrawn": run.withdrawn_at is not None,
        "error_kind": run.error_kind,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }
