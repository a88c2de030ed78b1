"""A language model as its page tells it: what it is, where it stands, what it knows, and every run it had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery

from judging.models import QuestionSet
from leaderboard import boards, drift_page, multi_turn
from leaderboard.boards import Board, Cell, Row
from leaderboard.drift_page import DriftPage
from leaderboard.explanations import Explanation, explain
from leaderboard.knowledge import Knowledge, knowledge, pairs
from leaderboard.multi_turn import MultiTurnBoard
from leaderboard.multi_turn import Row as JudgedRow
from leaderboard.multi_turn_choice import Choice
from leaderboard.published import publisher
from runners import canary
from runners.models import EvaluationRun, LanguageModel, ModelRevision, Suite, Task, TaskResult

RUNS = 60


@dataclass(frozen=True)
class TaskKnowledge:
    """What the model knows of one task's items; `result` names the generation result that its pages belong to."""

    task: Task
    knowledge: Knowledge


@dataclass(frozen=True)
class Standing:
    """One revision's line on one board, with its knowledge-or-format counts where both modes were scored."""

    board: Board
    row: Row
    tasks: list[TaskKnowledge] = field(default_factory=list)

    @property
    def total(self) -> Knowledge:
        total = Knowledge()
        for part in self.tasks:
            total += part.knowledge
        return total

    @property
    def n_items(self) -> int:
        """Items that count in the average."""
        headline = {column.task_id for column in self.board.columns if column.in_headline}
        return sum(cell.n_scored for task_id, cell in self.row.cells.items() if task_id in headline)

    @property
    def n_ranked(self) -> int:
        return sum(row.rank_low is not None for row in self.board.rows)

    @property
    def status(self) -> str:
        """The run's status in the reader's words."""
        return str(EvaluationRun.Status(self.row.status).label)

    @property
    def lines(self) -> list[tuple[boards.Column, Cell | None]]:
        return [(column, self.row.cells.get(column.task_id)) for column in self.board.columns]


@dataclass(frozen=True)
class JudgedStanding:
    """One run's line on the board of a question set, by the judge and switches that the board opens with."""

    board: MultiTurnBoard
    row: JudgedRow


@dataclass(frozen=True)
class PastRun:
    run: EvaluationRun
    explanation: Explanation | None


@dataclass(frozen=True)
class ModelPage:
    language_model: LanguageModel
    revisions: Sequence[ModelRevision]
    standings: list[Standing]
    judged: list[JudgedStanding]
    runs: list[PastRun]
    drift: DriftPage | None = None


def listing(search: str, kind: str) -> QuerySet[LanguageModel]:
    """Models that are not hidden, by name, with how many runs finished and when the last one did."""
    shown = LanguageModel.objects.filter(hidden_reason="")
    if kind:
        shown = shown.filter(kind=kind)
    wanted = Q()
    for word in (part.strip() for part in search.split(";")):
        if word:
            wanted |= Q(slug__icontains=word) | Q(name__icontains=word) | Q(organization__icontains=word)
    good = Q(revisions__runs__status="finished", revisions__runs__withdrawn_at=None)
    return (
        shown.filter(wanted)
        .annotate(
            n_finished=Count("revisions__runs", filter=good, distinct=True),
            n_failed=Count("revisions__runs", filter=Q(revisions__runs__status="failed"), distinct=True),
            last_finished=Max("revisions__runs__finished_at", filter=good),
        )
        .order_by("name", "slug")
    )


def read(language_model: LanguageModel) -> ModelPage:
    """The page of a model. Six queries once the boards are in memory, six per question set it was judged on, and four
    for a served model's drift watch, whose canary runs stand there alone."""
    asked = (
        EvaluationRun.objects.filter(revision=OuterRef("pk"))
        .exclude(requested_by=canary.BY)
        .order_by("pk")
        .values("requested_by")[:1]
    )
    revisions = list(
        language_model.revisions.select_related("endpoint", "alias").annotate(asked_by=Subquery(asked)).order_by("pk")
    )
    runs = list(
        EvaluationRun.objects.filter(revision__language_model=language_model)
        .exclude(requested_by=canary.BY)
        .select_related("suite", "revision")
        .defer("log_tail", "environment", "attempts_log")
        .order_by("-pk")[:RUNS]
    )
    return ModelPage(
        language_model=language_model,
        revisions=revisions,
        standings=_standings(language_model, {run.suite.slug for run in runs}),
        judged=_judged(runs),
        runs=[PastRun(run, explain(run.error_kind) if run.error_kind else None) for run in runs],
        drift=drift_page.read(language_model, revisions),
    )


def _standings(language_model: LanguageModel, slugs: set[str]) -> list[Standing]:
    found: list[tuple[Board, Row]] = []
    for suite in boards.published_suites():
        board = publisher.board(suite.slug) if suite.slug in slugs else None
        if board is not None and board.columns:
            found += [(board, row) for row in board.rows if row.model.pk == language_model.pk]
    known = _knowledge(row.run_id for _board, row in found)
    return [Standing(board, row, known.get(row.run_id, [])) for board, row in found]


def _judged(runs: list[EvaluationRun]) -> list[JudgedStanding]:
    own = {run.pk for run in runs}
    suites = {run.suite for run in runs if run.suite.kind == Suite.Kind.MULTI_TURN}
    found = []
    for suite in sorted(suites, key=lambda suite: (suite.order, suite.slug, -suite.version)):
        try:
            board = multi_turn.build(suite, Choice())
        except QuestionSet.DoesNotExist:
            continue
        found += [JudgedStanding(board, row) for row in board.rows if row.judged.run_id in own]
    return found


def _knowledge(run_ids: Iterable[int]) -> dict[int, list[TaskKnowledge]]:
    """Per run what is known of each task that it answered in both modes. Two queries."""
    results = list(
        TaskResult.objects.filter(run__in=list(run_ids)).select_related("task").defer("item_scores").order_by("pk")
    )
    paired: dict[int, int] = {}
    for run_id in {result.run_id for result in results}:
        own = (r for r in results if r.run_id == run_id)
        paired |= pairs((r.pk, r.task.name, r.task.mode, r.task.num_fewshot) for r in own)
    counted = knowledge(paired)
    found: dict[int, list[TaskKnowledge]] = {}
    for result in results:
        if result.pk in counted:
            found.setdefault(result.run_id, []).append(TaskKnowledge(result.task, counted[result.pk]))
    return found
