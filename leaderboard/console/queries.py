"""What the console's pages show; each read tells how many queries it makes, whatever the number of runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, Exists, F, Max, Min, OuterRef, Q, Sum, Value, When
from django.utils import timezone
from django.utils.translation import gettext

from judging.models import Budget
from leaderboard.console.filters import RunFilter
from leaderboard.console.forecast import Ended, Forecast, Held, Waiting, forecasts, held
from leaderboard.explanations import Explanation, explain
from leaderboard.queue_page import RECONCILER, Seat, life
from runners import extraction, specify
from runners.models import EvaluationRun, LanguageModel, Suite, SuiteTask, Task, TaskResult, Worker

if TYPE_CHECKING:
    from django.db.models import QuerySet

PAGE, GROUPS, MEASURED, BUDGETS = 50, 30, 500, 50
# What a row of the table does not need, and may be long.
HEAVY = ("log_tail", "environment", "attempts_log", "settings")
# As `runners.waiting.who_answers`.
WHO = Case(When(settings__has_key="answers_of", then=Value("stored")), default=F("revision__backend"))


@dataclass(frozen=True)
class RunsPage:
    """One page of the table. `counts`: runs by status over everything, `errors`: failed runs by kind."""

    page: Page[int]
    rows: list[EvaluationRun]
    counts: dict[str, int]
    errors: dict[str, int]

    @property
    def is_live(self) -> bool:
        return any(run.is_active for run in self.rows)


@dataclass(frozen=True)
class Group:
    """Failed runs of one kind on one worker that nobody has asked again yet."""

    error_kind: str
    worker: str
    n: int
    first_id: int
    last_id: int
    text: str
    explanation: Explanation

    @property
    def filter(self) -> RunFilter:
        return RunFilter(status="failed", error=self.error_kind, worker=self.worker, open="1")


@dataclass(frozen=True)
class Older:
    """A run on an older version of a suite; `why_not` its stored answers cannot be scored as the new one does."""

    run: EvaluationRun
    why_not: str


@dataclass(frozen=True)
class FleetPage:
    """Who works, what waits, how fast it goes and what it may cost. `per_hour`: runs and items of the last hour."""

    seats: list[Seat]
    reconcilers: list[Seat]
    lanes: list[Forecast]
    counts: dict[str, int]
    runs_per_hour: int
    runs_per_day: int
    items_per_hour: int
    held: Held
    budgets: Sequence[Budget]


def runs_page(chosen: RunFilter, number: str | None) -> RunsPage:
    """Four queries: the counts of all, the number of the chosen, the ids of a page, its rows."""
    counts: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for status, kind, n in EvaluationRun.objects.values_list("status", "error_kind").annotate(n=Count("pk")):
        counts[status] += n
        if status == "failed":
            errors[kind] += n
    page = _page(chosen.runs().values_list("pk", flat=True), number)
    rows = EvaluationRun.objects.filter(pk__in=page.object_list).order_by("-pk").defer(*HEAVY)
    return RunsPage(page, list(rows.select_related("suite", "revision__language_model")), dict(counts), dict(errors))


def failure_groups() -> list[Group]:
    """Open failures by kind and worker, the largest first. Two queries."""
    again = EvaluationRun.objects.filter(rerun_of=OuterRef("pk"))
    found = list(
        EvaluationRun.objects.filter(~Exists(again), status="failed", withdrawn_at=None)
        .values("error_kind", "worker")
        .annotate(n=Count("pk"), first=Min("pk"), last=Max("pk"))
        .order_by("-n", "-last")[:GROUPS]
    )
    texts = dict(EvaluationRun.objects.filter(pk__in=[row["last"] for row in found]).values_list("pk", "error_text"))
    return [
        Group(
            row["error_kind"], row["worker"], row["n"], row["first"], row["last"],
            texts.get(row["last"], ""), explain(row["error_kind"]),
        )
        for row in found
    ]  # fmt: skip


def fleet_page() -> FleetPage:
    """Seven queries."""
    now = timezone.now()
    seats = [Seat(worker, life(worker.heartbeat_age())) for worker in _workers()]
    at_work = [seat for seat in seats if seat.worker.lane != RECONCILER]
    able = Counter(s.worker.lane for s in at_work if s.life != "silent" and not s.worker.is_draining and not s.is_unfit)
    ended = _ended()
    waiting = EvaluationRun.objects.filter(status="queued").order_by().values_list("lane", "suite", WHO)
    line = [Waiting(lane, (suite, backend), n) for lane, suite, backend, n in waiting.annotate(n=Count("pk"))]
    day = EvaluationRun.objects.filter(status="finished", finished_at__gte=now - timedelta(days=1), is_imported=False)
    hour = day.filter(finished_at__gte=now - timedelta(hours=1))
    finished = day.aggregate(day=Count("pk"), hour=Count("pk", filter=Q(finished_at__gte=now - timedelta(hours=1))))
    return FleetPage(
        seats=at_work,
        reconcilers=[seat for seat in seats if seat.worker.lane == RECONCILER],
        lanes=forecasts(line, ended, dict(able)),
        counts=dict(EvaluationRun.objects.active().order_by().values_list("status").annotate(n=Count("pk"))),
        runs_per_hour=finished["hour"],
        runs_per_day=finished["day"],
        items_per_hour=TaskResult.objects.filter(run__in=hour).aggregate(n=Sum("n_docs"))["n"] or 0,
        held=held(ended),
        budgets=list(Budget.objects.order_by(F("is_stopped").desc(), "-spent_usd")[:BUDGETS]),
    )


def bumps(suite: Suite) -> list[Older]:
    """Per revision its newest finished run on an older version of the suite, where the present version has none that
    is finished or under way. Trials are left out. Three queries, and one per older version.
    """
    present = EvaluationRun.objects.filter(suite=suite).exclude(status__in=("failed", "cancelled"))
    covered = set(present.values_list("revision", flat=True))
    older = (
        EvaluationRun.objects.published()
        .filter(suite__slug=suite.slug, suite__version__lt=suite.version, status="finished", is_imported=False)
        .filter(revision__language_model__hidden_reason="")
        .exclude(settings__has_any_keys=["limit", "shots"])
        .select_related("suite", "revision__language_model", "revision__endpoint")
        .annotate(has_lost=Exists(TaskResult.objects.filter(run=OuterRef("pk"), artifact=None)))
        .order_by("suite__version", "pk")
        .defer("log_tail", "environment", "attempts_log")
    )
    newest = {run.revision_id: run for run in older if run.revision_id not in covered}
    before = {run.suite_id: list(run.suite.tasks.all()) for run in {r.suite_id: r for r in newest.values()}.values()}
    now = list(suite.tasks.all())
    found = [Older(run, _no_answers(run, before[run.suite_id], now)) for run in newest.values()]
    return sorted(found, key=lambda entry: entry.run.revision.slug)


def _no_answers(run: EvaluationRun, before: list[Task], now: list[Task]) -> str:
    """Why the run's answers cannot be scored as the new version does; the job looks at the files themselves."""
    if run.suite.kind == Suite.Kind.MULTI_TURN:
        return gettext("Judges rate its answers; nothing is extracted from them.")
    if run.has_lost:  # type: ignore[attr-defined]
        return gettext("Its stored answers are gone. Repeat it instead.")
    return extraction.unlike(before, [task for task in now if specify.can_run(run.revision, task)])


def bumped_suites() -> list[Suite]:
    """Published suites that have replaced an older version. One query."""
    before = Suite.objects.filter(slug=OuterRef("slug"), version__lt=OuterRef("version"), published_at__isnull=False)
    return list(Suite.objects.filter(Exists(before), published_at__isnull=False, retired_at=None))


def hidden_models() -> list[LanguageModel]:
    return list(LanguageModel.objects.exclude(hidden_reason="").order_by("slug")[:200])


def is_private(run: EvaluationRun) -> bool:
    """Whether the run's suite has items of a private set, whose logs nobody is shown."""
    return SuiteTask.objects.filter(suite=run.suite_id, task__benchmark__is_private=True).exists()


def _page(ids: QuerySet[EvaluationRun, int], number: str | None) -> Page[int]:
    """The page of ids, counted from the nearer end: a database walks over every row that it leaves out."""
    paginator = Paginator(ids, PAGE)
    found, n = paginator.get_page(number), paginator.count
    start = (found.number - 1) * PAGE
    if start <= n // 2:
        return Page(list(ids[start : start + PAGE]), found.number, paginator)
    return Page(list(ids.reverse()[max(n - start - PAGE, 0) : n - start])[::-1], found.number, paginator)


def _workers() -> QuerySet[Worker]:
    related = ("current_run__suite", "current_run__revision")
    return Worker.objects.select_related(*related).defer(*(f"current_run__{name}" for name in HEAVY)).order_by("name")


def _ended() -> list[Ended]:
    """The newest runs that finished in one attempt here."""
    rows = (
        EvaluationRun.objects.filter(status="finished", finished_at__isnull=False, started_at__isnull=False)
        .filter(is_imported=False, attempt=1)
        .order_by("-finished_at")
        .values_list("suite", WHO, "started_at", "finished_at")[:MEASURED]
    )
    return [
        Ended((suite, backend), end, (end - start).total_seconds())
        for suite, backend, start, end in rows
        if start is not None and end is not None
    ]
