"""Boards: which runs stand on them, the numbers of every cell, and who is surely above whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Count, Q
from django.utils import timezone

from leaderboard import listing
from leaderboard.aggregate import Cell as Number
from leaderboard.aggregate import macro_average
from leaderboard.models import Rollback
from runners.models import Alarm, EvaluationRun, Generation, LanguageModel, ModelRevision, Suite, SuiteTask, TaskResult

if TYPE_CHECKING:
    from leaderboard.ranking import Ranks


@dataclass(frozen=True)
class Column:
    """One task of the suite as a column. `chance` and values are 0..1."""

    task_id: int
    name: str
    title_ko: str
    title_en: str
    group_ko: str
    group_en: str
    mode: str
    metric: str
    chance: float | None
    n_docs: int | None
    num_fewshot: int
    in_headline: bool


@dataclass(frozen=True)
class Cell:
    """One task's outcome for one model; `value` is None exactly when n_scored is 0. `stderr` is in the value's unit."""

    result_id: int
    run_id: int
    value: float | None
    stderr: float | None
    n_docs: int
    n_scored: int
    n_failed: int
    n_no_answer: int


@dataclass
class Row:
    """One model's line. `average` is None until every headline task has a value: a mean of fewer is another number.

    `rollback`: staff chose this run over a later one. `drift`: the model behind this name has changed.
    """

    model: LanguageModel
    revision: str
    backend: str
    run_id: int
    status: str
    cells: dict[int, Cell] = field(default_factory=dict)
    average: float | None = None
    stderr: float | None = None
    partial: float | None = None
    n_present: int = 0
    rank_low: int | None = None
    rank_high: int | None = None
    band: int | None = None
    progress: tuple[int, int | None] = (0, None)
    finished_at: datetime | None = None
    is_imported: bool = False
    rollback: Rollback | None = None
    drift: Alarm | None = None


@dataclass
class Board:
    """A suite's board as it stood at `generated_at`; rows in order, unranked ones last.

    `rows` were asked with the suite's own number of shots; `by_shots` holds the boards of other numbers.
    """

    suite: Suite
    columns: list[Column]
    rows: list[Row]
    generated_at: datetime
    generation: int
    separable: tuple[int, int] = (0, 0)
    by_shots: dict[int, Board] = field(default_factory=dict)

    @property
    def n_headline(self) -> int:
        return sum(column.in_headline for column in self.columns)


def published_suites() -> list[Suite]:
    """The current version of every published suite, in the order of the tabs."""
    return list(Suite.objects.filter(published_at__isnull=False, retired_at=None))


def current_suite(slug: str) -> Suite | None:
    """The newest published version of a suite."""
    return Suite.objects.filter(slug=slug, published_at__isnull=False).order_by("-version").first()


def generation() -> int:
    """What the boards were last changed to; one query."""
    return Generation.objects.filter(pk="boards").values_list("value", flat=True).first() or 0


def listed_runs(
    suite: Suite, backs: Mapping[listing.Place, Rollback] | None = None, revision: ModelRevision | None = None
) -> list[EvaluationRun]:
    """Per revision and number of shots the run that stands on the board: the newest finished one with the most tasks,
    else the newest with any sign of life.

    Later evidence replaces earlier, but an import of a few tasks does not push a whole run off the board, and neither
    does a failed or running attempt. Trials of a few items measure something else and stand on their own pages alone.
    Where staff rolled a run back (`backs`, read where not given) the chosen one stands, or what came before it.
    `revision` asks for the runs of one alone, whether boards show it or not.
    """
    backs = listing.rollbacks(suite) if backs is None else backs
    shown = Q(revision__language_model__hidden_reason="") & ~Q(revision__in=listing.off_boards())
    runs = (
        EvaluationRun.objects.published()
        .filter(shown if revision is None else Q(revision=revision), suite=suite)
        .exclude(settings__has_key="limit")
        .select_related("revision__language_model")
        .annotate(n_tasks=Count("results"))
        .order_by("created_at", "id")
        .defer("log_tail", "environment", "attempts_log", "error_text")
    )
    listed: dict[listing.Place, tuple[tuple[bool, bool, int], EvaluationRun]] = {}
    for run in runs:
        n_tasks: int = run.n_tasks  # type: ignore[attr-defined]
        place = listing.place_of(run)
        back = backs.get(place)
        if not listing.admits(back, run):
            continue
        chosen, finished = back is not None and back.run_id == run.pk, run.status == "finished"
        weight = (chosen, finished, n_tasks if finished else 0)
        known = listed.get(place)
        if known is None or weight >= known[0]:
            listed[place] = (weight, run)
    return [run for _weight, run in listed.values()]


def build(suite: Suite) -> Board:
    """The board from stored results. Seven queries whatever its size, and one more per result not yet in memory."""
    mark, columns, now = generation(), _columns(suite), timezone.now()
    backs, drifts = listing.rollbacks(suite), listing.drifts()
    runs = listed_runs(suite, backs)
    rows = {run.pk: _row(run, backs.get(listing.place_of(run)), drifts.get(run.revision_id)) for run in runs}
    results = TaskResult.objects.filter(run__in=rows.keys()).values_list(
        "task_id", "id", "run_id", "value", "stderr", "n_docs", "n_scored", "n_failed", "n_no_answer"
    )
    for task_id, result_id, run_id, value, stderr, docs, scored, failed, no_answer in results.iterator(chunk_size=5000):
        rows[run_id].cells[task_id] = Cell(result_id, run_id, value, stderr, docs, scored, failed, no_answer)
    shots = {run.pk: run.settings.get("shots") for run in runs}
    parts = {
        asked: _standing(Board(suite, columns, [rows[pk] for pk in rows if shots[pk] == asked], now, mark))
        for asked in {None, *shots.values()}
    }
    board = parts.pop(None)
    board.by_shots = {asked: parts[asked] for asked in sorted(asked for asked in parts if asked is not None)}
    return board


def _standing(board: Board) -> Board:
    """The board with averages and ranks: models are compared among those asked with the same number of shots."""
    from leaderboard.ranking import ranks

    _average(board)
    _rank(board, ranks(board))
    return board


def _columns(suite: Suite) -> list[Column]:
    places = SuiteTask.objects.filter(suite=suite).select_related("task").order_by("order")
    return [
        Column(
            place.task_id,
            place.task.name,
            place.task.title_ko,
            place.task.title_en,
            place.group_ko,
            place.group_en,
            place.task.mode,
            place.task.metric,
            place.task.chance_level,
            place.task.n_docs,
            place.task.num_fewshot,
            place.in_headline,
        )
        for place in places
    ]


def _row(run: EvaluationRun, back: Rollback | None, drift: Alarm | None) -> Row:
    return Row(
        rollback=back,
        drift=drift,
        model=run.revision.language_model,
        revision=run.revision.slug,
        backend=run.revision.backend,
        run_id=run.pk,
        status=run.status,
        progress=(run.progress_done, run.progress_total),
        finished_at=run.finished_at,
        is_imported=run.is_imported,
    )


def _average(board: Board) -> None:
    headline = [column.task_id for column in board.columns if column.in_headline]
    for row in board.rows:
        numbers = [_number(row.cells.get(task_id)) for task_id in headline]
        average = macro_average(numbers)
        row.average, row.stderr = average.value, average.stderr
        row.partial, row.n_present = average.partial, average.n_present


def _number(cell: Cell | None) -> Number:
    return Number(None) if cell is None else Number(cell.value, cell.stderr)


def _rank(board: Board, ranked: Ranks) -> None:
    """Rank intervals into the rows, then the display order: best first, the unranked by how far they have come."""
    for row, low, high, band in zip(board.rows, ranked.low, ranked.high, ranked.band, strict=True):
        if low:
            row.rank_low, row.rank_high, row.band = low, high, band
    board.separable = ranked.separable
    board.rows.sort(key=_display_order)


def _display_order(row: Row) -> tuple[bool, float, int, float, str, str]:
    ranked = row.average is not None
    return (not ranked, -(row.average if row.average is not None else -1.0), -row.n_present, -(row.partial or 0.0),
            row.model.slug, row.revision)  # fmt: skip
