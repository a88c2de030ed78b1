"""The tables that evidence gives: boards, one line per model and task, and samples, one line per item."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from django.core.files.storage import default_storage

from leaderboard import boards
from leaderboard.exports import Column, Kind, Row, register
from runners.models import Sample, TaskResult
from runners.reports import SampleReport

log = logging.getLogger(__name__)
READ_AT_ONCE = 100

BOARD_COLUMNS = (
    Column("suite"),
    Column("suite_version", "integer"),
    Column("model"),
    Column("revision"),
    Column("run", "integer"),
    Column("status"),
    Column("is_imported", "boolean"),
    Column("rank_low", "integer"),
    Column("rank_high", "integer"),
    Column("average", "number"),
    Column("average_stderr", "number"),
    Column("task"),
    Column("mode"),
    Column("metric"),
    Column("in_headline", "boolean"),
    Column("value", "number"),
    Column("stderr", "number"),
    Column("n_docs", "integer"),
    Column("n_scored", "integer"),
    Column("n_failed", "integer"),
    Column("n_no_answer", "integer"),
)
SAMPLE_COLUMNS = (
    Column("suite"),
    Column("suite_version", "integer"),
    Column("model"),
    Column("revision"),
    Column("run", "integer"),
    Column("task"),
    Column("doc_id", "integer"),
    Column("item_id"),
    Column("status"),
    Column("correct", "number"),
    Column("extracted"),
    Column("target"),
    Column("prompt"),
    Column("reply"),
    Column("metrics", "json"),
    Column("choices", "json"),
    Column("logprobs", "json"),
    Column("finish_reason"),
    Column("error"),
    Column("doc_hash"),
    Column("prompt_hash"),
    Column("target_hash"),
)


def board_rows(suite: str | None) -> Iterator[Row]:
    """Every cell of every current board (or of one), values 0..1 as in the API; a task that was not run has no line."""
    for shown in boards.published_suites():
        if suite is not None and shown.slug != suite:
            continue
        board = boards.build(shown)
        for row in board.rows:
            for column in board.columns:
                if column.task_id in row.cells:
                    yield _board_row(board, row, column)


def _board_row(board: boards.Board, row: boards.Row, column: boards.Column) -> Row:
    cell = row.cells[column.task_id]
    return (
        board.suite.slug,
        board.suite.version,
        row.model.slug,
        row.revision,
        row.run_id,
        row.status,
        row.is_imported,
        row.rank_low,
        row.rank_high,
        row.average,
        row.stderr,
        column.name,
        column.mode,
        column.metric,
        column.in_headline,
        cell.value,
        cell.stderr,
        cell.n_docs,
        cell.n_scored,
        cell.n_failed,
        cell.n_no_answer,
    )


def sample_rows(suite: str | None) -> Iterator[Row]:
    """Every item of every public run, with its whole prompt and reply; read file by file, never all at once.

    Where a run's file is gone, the row has what the database knows and neither prompt nor reply.
    """
    results = (
        TaskResult.objects.filter(
            run__withdrawn_at=None,
            run__revision__language_model__hidden_reason="",
            task__benchmark__is_private=False,
        )
        .exclude(run__status="cancelled")
        .select_related("task", "artifact", "run__suite", "run__revision__language_model")
        .defer("item_scores", "run__log_tail", "run__environment", "run__attempts_log")
        .order_by("pk")
    )
    if suite is not None:
        results = results.filter(run__suite__slug=suite)
    for result in results.iterator(chunk_size=READ_AT_ONCE):
        for sample in _samples(result):
            yield _sample_row(result, sample)


def _samples(result: TaskResult) -> Iterator[SampleReport | Sample]:
    artifact = getattr(result, "artifact", None)
    if artifact is not None and default_storage.exists(artifact.path):
        with default_storage.open(artifact.path, "rb") as file:
            for line in file:
                yield SampleReport.from_dict(json.loads(line))
        return
    if artifact is not None:
        log.warning("run %s: the file %s is gone; its items come without texts", result.run_id, artifact.path)
    yield from Sample.objects.filter(result=result).order_by("doc_id").iterator()


def _sample_row(result: TaskResult, sample: SampleReport | Sample) -> Row:
    run = result.run
    whole = sample if isinstance(sample, SampleReport) else None
    return (
        run.suite.slug,
        run.suite.version,
        run.revision.language_model.slug,
        run.revision.slug,
        run.pk,
        result.task.name,
        sample.doc_id,
        sample.item_id,
        sample.status,
        sample.correct,
        sample.extracted,
        sample.target,
        whole.prompt if whole else None,
        whole.reply if whole else None,
        _finite(sample.metrics),
        whole.choices if whole else None,
        _finite(whole.logprobs) if whole else None,
        sample.finish_reason or None,
        whole.error if whole else None,
        sample.doc_hash,
        sample.prompt_hash,
        sample.target_hash,
    )


def _finite(value: Any) -> Any:
    """JSON has no infinities: an option that was impossible has no log-likelihood here."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


BOARDS = register(Kind("boards", BOARD_COLUMNS, board_rows))
SAMPLES = register(Kind("samples", SAMPLE_COLUMNS, sample_rows))
