"""Every term there is, read from where it is kept: site-wide ones, models in the draw, judges, budgets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from django.db.models import Model, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arena import roster
from arena.models import Entry
from judging import budgets, standings
from judging.models import Budget, Judge
from leaderboard import quota
from leaderboard.console.terms import UNLIMITED, Term, Value
from runners import overrides
from runners.models import ModelRevision

MODELS = 50
# Label, kind, lowest and highest value, environment variable of the site-wide terms.
SITE = {
    "quota.open": (gettext_lazy("Submissions of one network under way at once"), "whole", 0, 1000,
                   "GYEORU_SUBMISSIONS_OPEN"),
    "quota.week": (gettext_lazy("Submissions of one network in seven days"), "whole", 0, 10_000,
                   "GYEORU_SUBMISSIONS_WEEK"),
    "arena.boost": (gettext_lazy("How many times as often a new model is drawn first"), "number", 1, 100, ""),
    "arena.new_until": (gettext_lazy("Votes from which a model is new no more"), "whole", 0, 100_000, ""),
    "arena.gold_share": (gettext_lazy("Weight of reference players beside real models"), "number", 0, 1, ""),
    "arena.share_uncertain": (gettext_lazy("Share of draws that go where votes help most"), "number", 0, 1, ""),
}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """Terms that stand together on the page; `left_out`: how many rows more there are than are shown."""

    name: str
    title: str
    terms: list[Term]
    left_out: int = 0


def sections(model: str = "") -> list[Section]:
    """The page's sections; `model` narrows the models in the draw to slugs that hold it. Seven queries."""
    models, left_out = _models(model)
    site = list(_site())
    return [
        Section("quota", _("Quotas"), [term for term in site if term.key.startswith("site:quota.")]),
        Section("arena", _("The arena's draw"), [term for term in site if term.key.startswith("site:arena.")]),
        Section("models", _("Models in the draw"), models, left_out),
        Section("judges", _("Judges"), [*_defaults(), *_judges(Judge.objects.all())]),
        Section("budgets", _("Budgets"), list(_budgets())),
    ]


def find(key: str) -> Term | None:
    """The term of a key; None where there is none."""
    kind, _colon, name = key.partition(":")
    found: Iterator[Term] = iter(())
    if kind == "site":
        found = _site()
    elif kind in ("weight", "out"):
        found = (term for one in _drawn().filter(slug=name) for term in _entry(one))
    elif kind == "default":
        found = _defaults()
    elif kind.startswith("judge."):
        slug, _at, version = name.rpartition("@")
        number = int(version) if version.isdecimal() and len(version) < 9 else 0
        found = _judges(Judge.objects.filter(slug=slug, version=number))
    elif kind.startswith("budget."):
        found = _budgets()
    return next((term for term in found if term.key == key), None)


def _site() -> Iterator[Term]:
    defaults: dict[str, Any] = {**quota.defaults(), **roster.defaults()}
    stored = overrides.stored(SITE)
    for name, (label, kind, low, high, source) in SITE.items():
        yield Term(
            f"site:{name}", label, kind, stored.get(name), partial(overrides.put, name),
            default=defaults[name], low=low, high=high, can_be_empty=True, source=source,
        )  # fmt: skip


def _drawn() -> Any:
    """Revisions that may be in a draw, or have terms of their own."""
    live = Q(endpoint__is_active=True, endpoint__purposes__icontains="arena")
    known = Q(pk__in=roster.recorded_ids()) | live | Q(arena_entry__isnull=False)
    return ModelRevision.objects.filter(known).select_related("arena_entry", "language_model").order_by("slug")


def _models(text: str) -> tuple[list[Term], int]:
    found = _drawn().filter(slug__icontains=text)
    shown = list(found[:MODELS])
    left_out = found.count() - len(shown) if len(shown) == MODELS else 0
    return [term for revision in shown for term in _entry(revision)], left_out


def _entry(revision: ModelRevision) -> Iterator[Term]:
    entry, slug = roster.entry_of(revision), revision.slug
    weight, out = _("Weight of %(model)s"), _("%(model)s is out of the draw, as in an outage")

    def write(name: str, value: Value) -> None:
        Entry.objects.update_or_create(revision=revision, defaults={name: value})

    yield Term(
        f"weight:{slug}", weight % {"model": slug}, "number", entry.weight, partial(write, "weight"), 1.0, high=100
    )
    yield Term(f"out:{slug}", out % {"model": slug}, "flag", entry.is_out, partial(write, "is_out"), False)


def _defaults() -> Iterator[Term]:
    """Whose numbers a set's board shows first, where more than one judge has some."""
    rows = Judge.objects.filter(judged__isnull=False).values_list("judged__question_set__slug", "slug").distinct()
    judges: dict[str, set[str]] = {}
    for slug, judge in rows:
        judges.setdefault(slug, set()).add(judge)
    stored = overrides.stored({standings.default_name(slug): "" for slug in judges})
    for slug, named in sorted(judges.items()):
        name = standings.default_name(slug)
        if len(named) > 1 or name in stored:
            yield Term(
                f"default:{slug}", _("Judge whose numbers %(set)s shows first") % {"set": slug}, "choice",
                stored.get(name), partial(overrides.put, name), options=tuple(sorted(named)), can_be_empty=True,
                empty=gettext_lazy("the newest active language model"), on_boards=True,
            )  # fmt: skip


def _judges(found: Any) -> Iterator[Term]:
    for judge in found.exclude(kind=Judge.Kind.IMPORTED).order_by("slug", "-version"):
        name, write = f"{judge.slug}@{judge.version}", partial(_write, judge)
        yield Term(
            f"judge.active:{name}", _("%(judge)s judges new runs") % {"judge": judge}, "flag", judge.is_active,
            partial(write, "is_active"), on_boards=True,
        )  # fmt: skip
        if judge.kind == Judge.Kind.LLM and judge.is_active:
            yield Term(
                f"judge.cap:{name}", _("Cap of %(judge)s per run") % {"judge": judge}, "money", judge.cap_usd,
                partial(write, "cap_usd"), can_be_empty=True, empty=UNLIMITED,
            )  # fmt: skip
            yield Term(
                f"judge.repeats:{name}", _("Judgments of %(judge)s of the same answer") % {"judge": judge}, "whole",
                judge.repeats, partial(write, "repeats"), low=1, high=20, can_be_empty=True,
                empty=gettext_lazy("as the question set says"),
            )  # fmt: skip


def _budgets() -> Iterator[Term]:
    """The budgets of the site; those of single runs follow their judge's cap."""
    rows = {row.name: row for row in Budget.objects.exclude(name__startswith="run:").order_by("name")}
    caps = {budgets.GLOBAL: budgets.GLOBAL_CAP, budgets.ARENA: budgets.ARENA_CAP}
    sources = {budgets.GLOBAL: "GYEORU_JUDGING_CAP_USD", budgets.ARENA: "GYEORU_ARENA_JUDGING_CAP_USD"}
    for name in dict.fromkeys([*caps, *rows]):
        row = rows.get(name)
        write = partial(_write_budget, name, caps.get(name, Decimal(0)))
        yield Term(
            f"budget.cap:{name}", _("Cap of the budget “%(name)s”") % {"name": name}, "money",
            row.cap_usd if row and row.cap_usd != caps.get(name) else None, partial(write, "cap_usd"),
            default=caps.get(name), can_be_empty=name in caps, source=sources.get(name, ""),
        )  # fmt: skip
        yield Term(
            f"budget.stopped:{name}", _("The budget “%(name)s” is stopped: no call is made") % {"name": name}, "flag",
            bool(row and row.is_stopped), partial(write, "is_stopped"), False,
        )  # fmt: skip


def _write(row: Model, name: str, value: Value) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**{name: value})


def _write_budget(name: str, cap: Decimal, column: str, value: Value) -> None:
    Budget.objects.get_or_create(name=name, defaults={"cap_usd": cap})
    Budget.objects.filter(name=name).update(**{column: cap if value is None else value})
