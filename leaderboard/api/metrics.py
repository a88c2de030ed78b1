"""/metrics: the state of the queue for Prometheus, read from the database at every scrape.

Nothing is counted in memory, so every web process says the same and a restart loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db.models import Count, F, Max, Q, Subquery, Sum, Value
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from arena.models import Exclusion, PairTally
from judging.models import Budget
from leaderboard import boards
from leaderboard.api import schemas as s
from leaderboard.api import state
from leaderboard.api.registry import endpoint
from runners.models import Alarm, EvaluationRun, Message, TaskResult, Worker

# Seconds; a stream without a token in 20 s is given up.
FIRST_TOKEN: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
FIRST_TOKEN_SPAN: Final = timedelta(minutes=15)


class Queue(Collector):
    """Nine queries a scrape, none of them over all votes or samples."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        now = state.read()
        yield from _runs()
        waiting = GaugeMetricFamily("gyeoru_oldest_waiting_seconds", "Age of the oldest waiting run.", labels=["lane"])
        alive = GaugeMetricFamily("gyeoru_workers", "Workers alive and taking runs.", labels=["lane"])
        for lane in now.lanes:
            waiting.add_metric([lane.lane], lane.oldest_waiting_seconds or 0.0)
            alive.add_metric([lane.lane], lane.workers)
        yield waiting
        yield alive
        beats = GaugeMetricFamily(
            "gyeoru_worker_heartbeat_age_seconds", "Since a worker's last sign of life.", labels=["worker", "lane"]
        )
        for worker in now.workers:
            beats.add_metric([worker.name, worker.lane], state.age(worker, now.at))
        yield beats
        yield from _gpus([worker for worker in now.workers if state.is_alive(worker, now.at)])
        if now.reconciler_age is not None:
            name = "gyeoru_reconciler_heartbeat_age_seconds"
            yield GaugeMetricFamily(name, "Since the reconciler's last sign of life.", now.reconciler_age)
        yield from _items()
        yield _first_token()
        yield from _money_and_votes()
        yield GaugeMetricFamily("gyeoru_boards_generation", "Grows whenever a board changes.", boards.generation())


def _runs() -> Iterable[Metric]:
    """Runs by status, and what running attempts have answered so far (and may answer again)."""
    family = GaugeMetricFamily("gyeoru_runs", "Runs by status and lane.", labels=["status", "lane"])
    rows = EvaluationRun.objects.order_by("status", "lane").values_list("status", "lane")
    done = 0
    for status, lane, n, items in rows.annotate(n=Count("pk"), items=Sum("progress_done")):
        family.add_metric([status, lane], n)
        done += items if status == "running" else 0
    yield family
    yield GaugeMetricFamily("gyeoru_running_items_done", "Items answered by running attempts.", done)


def _items() -> Iterable[Metric]:
    """What has been published for good."""
    total = TaskResult.objects.filter(run__is_imported=False).aggregate(
        items=Sum("n_docs"), failed=Sum("n_failed"), tokens=Sum("completion_tokens")
    )
    yield CounterMetricFamily("gyeoru_items", "Items of published tasks.", total["items"] or 0)
    yield CounterMetricFamily("gyeoru_items_failed", "Items whose request failed.", total["failed"] or 0)
    yield CounterMetricFamily("gyeoru_completion_tokens", "Tokens that models wrote.", total["tokens"] or 0)


def _first_token() -> Metric:
    """A histogram of now, not since ever: use histogram_quantile on it without rate.

    Without names of models: who watched the counts could tell who answers a battle that is not decided.
    """
    asked = {
        f"le_{number}": Count("pk", filter=Q(first_token_seconds__lte=bound))
        for number, bound in enumerate(FIRST_TOKEN)
    }
    recent = Message.objects.order_by().filter(
        first_token_seconds__isnull=False, created_at__gte=timezone.now() - FIRST_TOKEN_SPAN
    )
    found = recent.aggregate(**asked, n=Count("pk"), total=Sum("first_token_seconds"))
    buckets = [(str(bound), found[f"le_{number}"]) for number, bound in enumerate(FIRST_TOKEN)]
    return HistogramMetricFamily(
        "gyeoru_first_token_seconds",
        "Until the first token of answers that were streamed in the last 15 minutes.",
        buckets=[*buckets, ("+Inf", found["n"])],
        sum_value=found["total"] or 0.0,
    )


def _gpus(workers: Iterable[Worker]) -> Iterable[Metric]:
    """What the workers' last heartbeats told of their GPUs; no series where they told nothing."""
    labels = ["worker", "gpu", "name"]
    families = {
        "utilisation": GaugeMetricFamily("gyeoru_gpu_utilisation_ratio", "Share of time in use.", labels=labels),
        "memory_used": GaugeMetricFamily("gyeoru_gpu_memory_used_bytes", "Memory in use.", labels=labels),
        "memory_total": GaugeMetricFamily("gyeoru_gpu_memory_total_bytes", "Memory of the GPU.", labels=labels),
    }
    for worker in workers:
        for gpu in worker.gpus or []:
            for key, family in families.items():
                if gpu[key] is not None:
                    family.add_metric([worker.name, gpu["index"], gpu["name"]], gpu[key])
    return [family for family in families.values() if family.samples]


def _money_and_votes() -> Iterable[Metric]:
    """Budgets of the site (those of single runs would be too many), counted votes, exclusions in force, open alarms."""
    spent = GaugeMetricFamily("gyeoru_budget_spent_usd", "Dollars spent and reserved.", labels=["budget"])
    cap = GaugeMetricFamily("gyeoru_budget_cap_usd", "The cap of the budget in dollars.", labels=["budget"])
    for budget in Budget.objects.exclude(name__startswith="run:"):
        spent.add_metric([budget.name], float(budget.spent_usd + budget.reserved_usd))
        cap.add_metric([budget.name], float(budget.cap_usd))
    yield spent
    yield cap
    kinds = F("left_wins") + F("right_wins") + F("ties") + F("both_bad")
    out = (
        Exclusion.objects.filter(lifted_at=None)
        .order_by()
        .values(one=Value(1))
        .annotate(n=Count("vote", distinct=True))
    )
    votes = PairTally.objects.filter(category="overall").aggregate(n=Sum(kinds), out=Max(Subquery(out.values("n"))))
    # Gauges: a vote that is excluded later counts no more.
    yield GaugeMetricFamily("gyeoru_votes", "Votes that count.", votes["n"] or 0)
    yield GaugeMetricFamily("gyeoru_votes_excluded", "Votes that do not count, for a rule in force.", votes["out"] or 0)
    alarms = GaugeMetricFamily("gyeoru_alarms_open", "Open alarms by kind.", labels=["kind"])
    found = Alarm.objects.filter(cleared_at=None).order_by().values_list("kind").annotate(n=Count("pk"))
    for kind, n in found:
        alarms.add_metric([kind], n)
    yield alarms


@endpoint(
    path="/metrics",
    route="metrics",
    name="metrics",
    summary=gettext_lazy("Metrics"),
    description=gettext_lazy("Runs by state and lane, waiting ages, workers, items done; Prometheus text."),
    response=s.text(),
    example='gyeoru_runs{lane="eval",status="queued"} 1.0\n',
    trial="/metrics",
    statuses=(),
    content_type="text/plain",
    is_live=True,
    is_strict=False,
)
def metrics(request: HttpRequest) -> HttpResponse:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Queue())
    response = HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    response["Cache-Control"] = "no-store"
    return response
