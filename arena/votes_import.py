"""Votes from outside become votes here: all of a file or nothing, each row once however often it is imported.

First the whole file is read and checked into a spool, then everything is stored in one transaction, so that the lock on
the database is short. The pair counts are taken from what was really stored.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, cast

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from arena import answer_files, tallies
from arena.models import Vote, Voter, VoteSource
from arena.vote_files import ALIASES, Fault, RawVote, Refused, VoteFile
from runners.catalog import register_imported
from runners.models import ModelRevision

CHUNK: Final = 20_000
FAULTS_SHOWN: Final = 20
JUDGE: Final = "judge:"
_COLUMNS: Final = (
    "source_id", "external_id", "left_id", "right_id", "winner", "voter_id", "item", "turn", "category", "language",
    "reasons", "comment", "cast_at",
)  # fmt: skip


class BadRows(Refused):
    """Rows at fault; `faults` are the first of them."""

    def __init__(self, faults: list[Fault]) -> None:
        lines = "\n".join(f"  line {fault.line}: {fault.message}" for fault in faults)
        super().__init__(f"Nothing was taken; skip such rows with --skip-bad:\n{lines}")
        self.faults = faults


@dataclass
class Report:
    """What an import did. `known` rows had been imported before (or stand twice in the file); `styled`: rows whose
    answers' length and Markdown could be counted.
    """

    source: str
    rows: int = 0
    stored: int = 0
    skipped: int = 0
    faults: list[Fault] = field(default_factory=list)
    new_models: int = 0
    styled: int = 0
    seconds: float = 0.0

    @property
    def known(self) -> int:
        return self.rows - self.stored


def import_votes(
    path: Path,
    source: str,
    *,
    columns: Mapping[str, str] | None = None,
    judge: str = "",
    skip_bad: bool = False,
    answers: Path | None = None,
) -> Report:
    """Takes the votes of people of a file into `source`, or with `judge` that judge's verdicts on the same items.

    The style of the answers is counted where the file has their texts, or `answers` has (`arena.answer_files`).

    Raises Refused, with nothing stored, for a file that cannot be read or (unless `skip_bad`) has a faulty row.
    """
    began = time.monotonic()
    report = Report(f"{JUDGE}{judge}" if judge else source)
    file = VoteFile(path, columns or {})
    styles = answer_files.read(answers) if answers is not None else None
    with tempfile.TemporaryFile() as spool:
        staged = _Staged(spool, source, styles)
        for row in file.rows():
            if isinstance(row, Fault):
                report.skipped += 1
                if len(report.faults) < FAULTS_SHOWN:
                    report.faults.append(row)
                if not skip_bad and len(report.faults) == FAULTS_SHOWN:
                    break
            else:
                report.rows += 1
                staged.add(row)
        if report.faults and not skip_bad:
            raise BadRows(report.faults)
        staged.flush()
        mapping = json.dumps([source, sorted(file.columns.items())])
        digest = hashlib.sha256(f"{file.sha256}{mapping}".encode()).hexdigest()
        with transaction.atomic():
            _store(staged, _source(report.source, judge), digest, report)
    report.seconds = time.monotonic() - began
    return report


class _Staged:
    """Checked rows on disk, names replaced by numbers: what is kept in memory are the distinct models and voters."""

    def __init__(self, spool: IO[bytes], source: str, styles: answer_files.Styles | None = None) -> None:
        self.spool, self.source, self.styles = spool, source, styles
        self.styled = 0
        self.models: dict[str, int] = {}
        self.voters: dict[str, int] = {}
        self.tags: dict[str, str] = {"": ""}
        self.chunk: list[tuple[Any, ...]] = []

    def add(self, vote: RawVote) -> None:
        """One row as (line, left, right, winner, voter or -1, id, item, turn, category, language, time, flag)."""
        left = self.models.setdefault(vote.model_a, len(self.models))
        right = self.models.setdefault(vote.model_b, len(self.models))
        voter = self.voters.setdefault(vote.voter, len(self.voters)) if vote.voter else -1
        # The id of a pair that many people vote on is no id of a vote: it is one together with the voter and the turn.
        tag = self.tags.get(vote.voter)
        if tag is None:  # never the voter's name: the log of votes is public
            tag = self.tags[vote.voter] = hashlib.sha256(vote.voter.encode()).hexdigest()[:12]
        vote_id = f"{self.source}/{vote.id}/{tag}/{vote.turn or ''}" if vote.id else ""
        asked = vote.prompt or vote.id
        self.chunk.append((
            vote.line, left, right, vote.winner, voter, vote_id and _short(vote_id, 80),
            _short(f"{self.source}/{asked}", 160) if asked else "", vote.turn, vote.category, vote.language,
            vote.cast_at, vote.is_inconsistent, self._style(vote, asked),
        ))  # fmt: skip
        if len(self.chunk) >= CHUNK:
            self.flush()

    def _style(self, vote: RawVote, asked: str) -> str | None:
        """What both answers look like as JSON; None where one of them is not known."""
        found = None
        if vote.answers is not None and all(vote.answers):
            found = answer_files.style(vote.answers, vote.turn)
        elif self.styles is not None:
            found = self.styles.of(asked, (vote.model_a, vote.model_b), vote.turn)
        self.styled += found is not None
        return found

    def flush(self) -> None:
        if self.chunk:
            marshal.dump(self.chunk, self.spool)
            self.chunk = []

    def chunks(self) -> Iterator[list[tuple[Any, ...]]]:
        end = self.spool.tell()
        self.spool.seek(0)
        while self.spool.tell() < end:
            yield marshal.load(self.spool)  # noqa: S302  our own temporary file


def _source(slug: str, judge: str) -> VoteSource:
    """The source, locked. Raises Refused for this site's own arena."""
    source, _ = VoteSource.objects.get_or_create(slug=slug, defaults={"name": slug, "judge": judge})
    source = VoteSource.objects.select_for_update().get(pk=source.pk)
    if Vote.objects.filter(source=source, battle__isnull=False).exists():
        raise Refused(f"“{slug}” are the votes of this site's own battles. Choose another source.")
    return source


def _store(staged: _Staged, source: VoteSource, digest: str, report: Report) -> None:
    models = ModelRevision.objects.count()
    revisions = register_imported(staged.models)
    report.new_models = ModelRevision.objects.count() - models
    ids = [revisions[name].pk for name in staged.models]
    if len(set(ids)) < len(ids):
        raise Refused("Two names of the file mean the same model; give one of them another name.")
    voters = [*_voters(staged.source, staged.voters), None]
    before = Vote.objects.filter(source=source).aggregate(last=Max("pk"))["last"] or 0
    now = connection.ops.adapt_datetimefield_value(timezone.now())

    def rows() -> Iterator[tuple[Any, ...]]:
        for chunk in staged.chunks():
            for (
                line,
                left,
                right,
                winner,
                voter,
                vote_id,
                item,
                turn,
                category,
                language,
                cast_at,
                flag,
                style,
            ) in chunk:
                row = (
                    source.pk, vote_id or f"{digest[:16]}:{line}", ids[left], ids[right], winner, voters[voter],
                    item, turn, category, language, '["inconsistent"]' if flag else "[]", "",
                    now if cast_at is None else _moment(cast_at),
                )  # fmt: skip
                yield (*row, style) if staged.styled else row

    _insert(rows(), (*_COLUMNS, "style") if staged.styled else _COLUMNS)
    report.styled = staged.styled
    fresh = Vote.objects.filter(source=source, pk__gt=before)
    table = tallies.tabulate(tallies.groups(fresh))
    report.stored = sum(sum(counts) for cell, counts in table.items() if cell.category == tallies.OVERALL)
    tallies.add(source.pk, table)


def _insert(rows: Iterable[tuple[Any, ...]], columns: tuple[str, ...]) -> None:
    """Rows of these columns; those whose id the source already has are left out."""
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("PRAGMA cache_size = -262144")  # 256 MB for this connection: indexes are written at random
            marks = ", ".join(["%s"] * len(columns))
            statement = f"INSERT INTO arena_vote ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
            cursor.executemany(statement, cast(Any, rows))
            return
        cursor.execute("SET LOCAL work_mem = '256MB'")  # for the order of the rows
        cursor.execute(f"CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT {names} FROM arena_vote LIMIT 0")  # noqa: S608
        with cursor.copy(f"COPY staged ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        in_order = f"SELECT {names} FROM staged ORDER BY ctid"  # noqa: S608
        cursor.execute(f"INSERT INTO arena_vote ({names}) {in_order} ON CONFLICT DO NOTHING")
        cursor.execute("DROP TABLE staged")


def _voters(source: str, names: Iterable[str]) -> list[int]:
    """The ids of the voters a file names, in order; the names themselves are not kept, only the group they tell."""
    keyed = {name: "i" + hashlib.sha256(f"{source}\x1f{name}".encode()).hexdigest()[:40] for name in names}
    ordered = list(keyed.items())
    ids: dict[str, int] = {}
    at_once = 10_000 if connection.vendor == "postgresql" else 500
    for start in range(0, len(ordered), at_once):
        part = ordered[start : start + at_once]
        keys = [key for _, key in part]
        if connection.vendor == "postgresql":
            _insert_voters(keys, [_kind(name) for name, _ in part])
        else:
            Voter.objects.bulk_create((Voter(key=key, kind=_kind(name)) for name, key in part), ignore_conflicts=True)
        ids |= dict(Voter.objects.filter(key__in=keys).values_list("key", "pk"))
    return [ids[key] for key in keyed.values()]


def _insert_voters(keys: list[str], kinds: list[str]) -> None:
    """On PostgreSQL: one statement for all of them. Known ones stay as they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO arena_voter (key, kind, network_hash, first_seen) "
            "SELECT key, kind, '', %s FROM unnest(%s::text[], %s::text[]) AS given (key, kind) ON CONFLICT DO NOTHING",
            [timezone.now(), keys, kinds],
        )


def _kind(name: str) -> str:
    """The group in an id such as expert_17 or author-2; empty where the id tells none."""
    stem = name.rstrip("0123456789").rstrip("_- ")
    return stem[:40] if stem and stem != name and stem.isalpha() else ""


def _short(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit - 33]}#{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _moment(seconds: float) -> Any:
    return connection.ops.adapt_datetimefield_value(datetime.fromtimestamp(seconds, UTC))


__all__ = ["ALIASES", "BadRows", "Refused", "Report", "import_votes"]
