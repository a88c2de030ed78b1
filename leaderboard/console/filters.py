"""Which runs: the filters of the console as they stand in an address, and the query they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from leaderboard.models import AuditEntry
from runners.models import EvaluationRun, ModelRevision, Suite

STATUSES = ("queued", "running", "judging", "finished", "failed", "cancelled")
AGES: dict[str, tuple[str | Promise, timedelta]] = {
    "1h": (_("the last hour"), timedelta(hours=1)),
    "24h": (_("the last day"), timedelta(days=1)),
    "7d": (_("the last week"), timedelta(days=7)),
    "30d": (_("the last 30 days"), timedelta(days=30)),
}


@dataclass(frozen=True)
class RunFilter:
    """Everything one may filter by; an empty field does not filter. `suite` is slug or slug@version."""

    status: str = ""
    suite: str = ""
    model: str = ""
    worker: str = ""
    error: str = ""
    age: str = ""
    batch: str = ""
    open: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> RunFilter:
        """The filter of an address; what is no filter, or has no sense, is left out."""
        found = cls(**{field.name: query.get(field.name, "").strip()[:200] for field in fields(cls)})
        return replace(
            found,
            status=found.status if found.status in STATUSES else "",
            age=found.age if found.age in AGES else "",
            open="1" if found.open else "",
        )

    @property
    def query(self) -> str:
        """The filter as the part of an address after the question mark."""
        return urlencode({field.name: value for field in fields(self) if (value := getattr(self, field.name))})

    def runs(self) -> QuerySet[EvaluationRun]:
        """The runs, newest first."""
        found = EvaluationRun.objects.filter(self._condition()).order_by("-pk")
        if self.open:
            found = found.filter(~Exists(EvaluationRun.objects.filter(rerun_of=OuterRef("pk"))))
        return found

    def _condition(self) -> Q:
        condition = Q(status=self.status) if self.status else Q()
        if self.error:
            condition &= Q(error_kind=self.error)
        if self.worker:
            condition &= Q(worker=self.worker)
        if self.suite:
            slug, _at, version = self.suite.partition("@")
            suites = Suite.objects.filter(slug=slug, **({"version": version} if version.isdecimal() else {}))
            condition &= Q(suite__in=suites)
        if self.model:
            condition &= Q(revision__in=ModelRevision.objects.filter(slug__icontains=self.model))
        if self.age:
            condition &= Q(created_at__gte=timezone.now() - AGES[self.age][1])
        if self.batch:
            condition &= Q(pk__in=AuditEntry.objects.filter(batch=self.batch, made__isnull=False).values("made"))
        return condition
