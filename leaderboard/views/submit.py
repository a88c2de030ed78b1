"""The submission form with its live checks; it works the same without a script."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from leaderboard import attached, costs, precheck, precheck_site, quota, submissions
from leaderboard.boards import published_suites
from leaderboard.forms import BACKENDS, DTYPES, HUB, SERVED, SubmissionForm, new_form_key
from leaderboard.precheck import Check, Findings
from runners.adapters.hub import HubModel
from runners.models import ModelRevision, Suite, Task

# Where a refusal stands: beside the field that has to change.
FIELDS = {"revision": "revision", "suites": "suites", "quota": None, "duplicate": None}


@dataclass(frozen=True)
class Offer:
    """A suite as the form offers it: how many questions, and in how many ways each is scored."""

    suite: Suite
    questions: int | None
    modes: int
    is_private: bool


@dataclass(frozen=True)
class Examined:
    """What was found about the form as it stands. `model` is what would be measured, where it could be told."""

    checks: list[Check]
    estimate: costs.Estimate | None
    model: HubModel | ModelRevision | None

    @property
    def refusals(self) -> list[Check]:
        return Findings(self.checks).refusals()


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def submit(request: HttpRequest) -> HttpResponse:
    """The form; POST checks (action=check) or sends it and leads to the receipt."""
    suites, served = _suites(), offered_models()
    if request.method != "POST":
        return _page(request, _fresh(request, suites, served), None)
    form = SubmissionForm(request.POST, suites=suites, served=served)
    valid, sends = form.is_valid(), request.POST.get("action") == "send"
    if sends and (sent := submissions.sent_before(form.cleaned_data.get("form_key", ""))):
        # Looked up before the checks: the first press may have used up the quota of the second.
        return redirect(f"/{get_language()}/submissions/{sent.receipt}/")
    examined = _examine(request, form)
    if not sends:
        return _page(request, form, examined)
    if valid and not examined.refusals:
        try:
            made = submissions.accept(_wanted(request, form, examined))
        except submissions.SubmissionError as error:
            form.add_error(error.field or None, str(error))
        else:
            return redirect(f"/{get_language()}/submissions/{made.receipt}/")
    for check in examined.refusals:
        _beside_its_field(form, check)
    return _page(request, form, examined, status=422)


@never_cache
@require_POST
def checks(request: HttpRequest) -> HttpResponse:
    """The check list and the expected cost for the form as it stands, as a fragment."""
    form = SubmissionForm(request.POST, suites=_suites(), served=offered_models())
    form.is_valid()
    return render(request, "submissions/_checks.html", {"examined": _examine(request, form)})


def _examine(request: HttpRequest, form: SubmissionForm) -> Examined:
    """Everything that can be looked at with what has been typed so far; waits for other machines, at most 10 s."""
    values = form.cleaned_data
    suites: list[Suite] = values.get("suites") or []
    revision: ModelRevision = ModelRevision(backend=values.get("backend") or ModelRevision.Backend.HF)
    model: HubModel | ModelRevision | None = None
    found = Findings()
    if values.get("source") == SERVED:
        if (chosen := values.get("served")) is None:
            return Examined([], None, None)
        revision = model = chosen
        assert chosen.endpoint is not None
        found = precheck.served_findings(chosen.endpoint)
    elif values.get("hub_id"):
        found = precheck.hub_findings(values["hub_id"], values["revision"])
        if found.model is not None:
            model = found.model
            revision = precheck_site.candidate(found.model, values["backend"], values.get("dtype", ""))
    else:
        return Examined([], costs.estimate(revision, suites) if suites else None, None)
    own = precheck_site.site_checks(revision, suites, quota.network_of(request), is_staff=_is_staff(request))
    return Examined([*found.checks, *own], costs.estimate(revision, suites), model)


def _wanted(request: HttpRequest, form: SubmissionForm, examined: Examined) -> submissions.Wanted:
    values = form.cleaned_data
    assert examined.model is not None
    wanted = submissions.Wanted(
        form_key=values["form_key"],
        network=quota.network_of(request),
        model=examined.model,
        suites=values["suites"],
        submitter=values["submitter"],
        email=values["email"],
        note=values["note"],
        checks=examined.checks,
        is_staff=_is_staff(request),
    )
    if values["source"] == HUB:
        wanted = replace(wanted, backend=values["backend"], dtype=values["dtype"])
    return wanted


def _beside_its_field(form: SubmissionForm, check: Check) -> None:
    """A refusal as an error of the field to change; once, where the form's own rule said it already."""
    source = SERVED if form.cleaned_data.get("source") == SERVED else "hub_id"
    field = FIELDS.get(check.key, source)
    if field is None or field not in form.errors:
        form.add_error(field, f"{check.text} {check.remedy}".strip())


def _fresh(request: HttpRequest, suites: list[Suite], served: list[ModelRevision]) -> SubmissionForm:
    """An empty form; ?suite= and ?model= fill it in."""
    asked = request.GET.getlist("suite") or [suite.slug for suite in suites[:1]]
    initial = {
        "form_key": new_form_key(),
        "source": HUB if request.GET.get("model") or not served else SERVED,
        "hub_id": request.GET.get("model", "")[:200],
        "revision": "main",
        "dtype": "",
        "backend": ModelRevision.Backend.HF.value,
        "served": served[0].slug if len(served) == 1 else "",
        "suites": asked,
    }
    return SubmissionForm(initial=initial, suites=suites, served=served)


def _page(request: HttpRequest, form: SubmissionForm, examined: Examined | None, status: int = 200) -> HttpResponse:
    typed = {name: form.typed(name) for name in form.fields}
    if "form_key" in form.errors:
        typed["form_key"] = new_form_key()
    context: dict[str, Any] = {
        "section": "submit",
        "form": form,
        "typed": typed,
        "offers": [_offer(suite) for suite in form.by_slug.values()],
        "served": list(form.offered.values()),
        "dtypes": DTYPES,
        "backends": BACKENDS,
        "examined": examined,
        "has_mail": submissions.has_mail(),
        "offer": attached.offer(request.user, list(form.offered.values())) if examined is None else None,
        "start_key": new_form_key(),
    }
    return render(request, "submissions/submit.html", context, status=status)


def _suites() -> list[Suite]:
    """What may be chosen: published suites of tasks, and sets of questions for conversations. Three queries."""
    found = Suite.objects.filter(pk__in=[suite.pk for suite in published_suites()]).annotate(
        n_questions=Count("question_set__questions")
    )
    return [s for s in found.prefetch_related("tasks__benchmark") if s.tasks.all() or s.n_questions]


def offered_models() -> list[ModelRevision]:
    """Models behind endpoints that staff, or OPENAI_BASE_URL, offered for evaluation."""
    revisions = ModelRevision.objects.filter(endpoint__is_active=True).select_related("endpoint", "language_model")
    return [r for r in revisions.order_by("slug") if r.endpoint is not None and "harness" in r.endpoint.purposes]


def _offer(suite: Suite) -> Offer:
    if suite.kind == Suite.Kind.MULTI_TURN:
        return Offer(suite, getattr(suite, "n_questions", None), 1, False)
    tasks = list(suite.tasks.all())
    by_mode = {mode: [task.n_docs for task in tasks if task.mode == mode] for mode in Task.Mode.values}
    totals = [_sum(sizes) for sizes in by_mode.values() if sizes]
    known = [total for total in totals if total is not None]
    return Offer(suite, max(known) if known and len(known) == len(totals) else None, len(totals),
                 any(task.benchmark.is_private for task in tasks))  # fmt: skip


def _sum(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _is_staff(request: HttpRequest) -> bool:
    return bool(request.user.is_authenticated and request.user.is_staff)
