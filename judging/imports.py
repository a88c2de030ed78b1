"""Recorded answers and judgments of other programs become rows, all of the files or nothing of them.

Every file is read twice: once to find its faults, once to store. Files with a fault are refused unless the bad rows
are to be skipped; storing is one transaction. Doing it again changes nothing that is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from django.db import transaction

from judging import fidelity, formats, judges, tally, trials
from judging.formats import Format, Intake, PairJudgment, SingleJudgment, read_answers, read_judgments
from judging.models import Answer, Judge, Judgment, QuestionSet
from judging.shelf import Shelf
from judging.verdicts import SWAPPED, Label
from runners import runs
from runners.models import EvaluationRun, Message

Row = TypeVar("Row")
BATCH = 400
NAMED = 30
RECORDED_FAILURE = "recorded_failure"


class Refused(Exception):
    """The files have faults and nothing was stored; `intake` names each with its file and line."""

    def __init__(self, intake: Intake) -> None:
        super().__init__(f"{intake.errors} faulty row(s); nothing was stored")
        self.intake = intake


@dataclass
class Imported:
    """What an import did. `there` counts rows that had been imported before.

    `unread` names the first verdicts that could not be read with file, line, question, turn and reason, of `n_unread`.
    """

    intake: Intake
    unread: list[str] = field(default_factory=list)
    n_unread: int = 0
    models: int = 0
    stored: int = 0
    there: int = 0
    judge: Judge | None = None


def import_answers(
    paths: Sequence[Path],
    question_set: QuestionSet,
    form: Format,
    *,
    model: str | None = None,
    mode: str = "default",
    skip_bad: bool = False,
) -> Imported:
    """Stores recorded answers. Raises Refused, and OSError for a file that cannot be opened."""

    def rows(intake: Intake) -> Iterator[formats.Answer]:
        for path in paths:
            yield from read_answers(path, form, intake, model=model, mode=mode)

    intake = _examine(question_set, rows, skip_bad)
    done = Imported(intake)
    shelf = Shelf(question_set, ", ".join(path.name for path in paths)[:200])
    with transaction.atomic():
        for batch in _batches(rows(_fresh(question_set)), BATCH):
            _store_answers(shelf, batch, done)
        runs.touch("boards")
    done.models = len({model for model, _ in shelf.runs})
    return done


def import_judgments(
    paths: Sequence[Path],
    question_set: QuestionSet,
    slug: str,
    form: Format,
    *,
    model: str | None = None,
    mode: str = "default",
    skip_bad: bool = False,
) -> Imported:
    """Stores recorded judgments of the judge `slug` and works out its standings.

    Raises Refused, judges.JudgeError, and OSError for a file that cannot be opened.
    """
    seen: set[str] = set()

    def rows(intake: Intake) -> Iterator[SingleJudgment | PairJudgment]:
        for path in paths:
            for one in read_judgments(path, form, intake, judge=slug, model=model, mode=mode):
                if form == "llmbar" and one.judge != slug:
                    continue  # a file of many judges, imported one by one
                seen.add("single" if isinstance(one, SingleJudgment) else "five" if form == "arena-hard" else "pair")
                yield one

    intake = _examine(question_set, rows, skip_bad)
    if len(seen) != 1:
        raise judges.JudgeError(
            "These files hold single and pairwise judgments; import each kind by itself, under its own --judge."
            if seen
            else "These files hold no judgment of this set."
        )
    done = Imported(intake)
    shelf = Shelf(question_set, ", ".join(path.name for path in paths)[:200])
    with transaction.atomic():
        judge = done.judge = judges.imported(slug, seen.pop())
        before = Judgment.objects.filter(judge=judge).count()
        met = 0
        for batch in _batches(rows(_fresh(question_set)), BATCH):
            met += _store_judgments(shelf, batch, judge)
            _name_unread(done, batch)
        done.stored = Judgment.objects.filter(judge=judge).count() - before
        done.there = met - done.stored
        runs.touch("boards")
    done.models = len({model for model, _ in shelf.runs})
    for run in shelf.runs.values():
        if judge.mode == Judge.Mode.SINGLE or Judgment.objects.filter(run=run, judge=judge).exists():
            tally.compute(run, judge, question_set)
    trials.compute(judge, question_set)
    return done


def _name_unread(done: Imported, batch: Iterable[SingleJudgment | PairJudgment]) -> None:
    for one in batch:
        reasons = [one.reason] if isinstance(one, SingleJudgment) else [game.reason for game in one.games]
        for reason in filter(None, reasons):
            done.n_unread += 1
            if len(done.unread) < NAMED:
                where = f"{one.place.file}:{one.place.line}"
                done.unread.append(f"{where}: question {one.question_id}, turn {one.turn}: {reason}")


def judges_in(paths: Sequence[Path], form: Format) -> list[str]:
    """The judges that the rows of these files name, in alphabetical order."""
    return sorted({one.judge for path in paths for one in read_judgments(path, form, Intake())})


def _fresh(question_set: QuestionSet) -> Intake:
    return Intake({key: len(turns) for key, turns in question_set.questions.values_list("key", "turns")})


def _examine(question_set: QuestionSet, rows: Callable[[Intake], Iterable[object]], skip_bad: bool) -> Intake:
    """The faults of all files. Raises Refused where there are some that are not to be skipped."""
    intake = _fresh(question_set)
    for _ in rows(intake):
        pass
    if intake.errors and not skip_bad:
        raise Refused(intake)
    return intake


def _batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while batch := list(islice(rows, size)):
        yield batch


def _store_answers(shelf: Shelf, batch: Sequence[formats.Answer], done: Imported) -> None:
    placed = [(shelf.run_of(one.model, one.mode), one) for one in batch]
    shelf.open((run, one.mode, one.question_id) for run, one in placed)
    keys = [shelf.conversations[run.pk, one.question_id] for run, one in placed]
    told = set(Message.objects.filter(conversation__in=keys).values_list("conversation_id", flat=True))
    answers = {answer.conversation_id: answer for answer in Answer.objects.filter(conversation__in=keys)}
    messages: list[Message] = []
    for key, (_, one) in zip(keys, placed, strict=True):
        if key in told:
            done.there += 1
            answers.pop(key, None)
            continue
        question = shelf.questions[one.question_id]
        answers[key].quality = one.quality
        messages += [_message(key, turn, text) for turn, text in enumerate(one.turns, 1)]
        answers[key].fidelity = [
            fidelity.of_answer(text, "\n".join(question.turns[:turn])) if text and text.strip() else None
            for turn, text in enumerate(one.turns, 1)
        ]
        done.stored += 1
    Message.objects.bulk_create(messages, batch_size=BATCH)
    # Each further column of a bulk update costs as much as the first.
    columns = ["fidelity", "quality"] if any(one.quality for _, one in placed) else ["fidelity"]
    Answer.objects.bulk_update(answers.values(), columns, batch_size=100)


def _message(conversation: int, turn: int, text: str | None) -> Message:
    status = Message.Status.OK if text and text.strip() else Message.Status.EMPTY
    return Message(
        conversation_id=conversation,
        position=2 * turn - 1,
        turn=turn,
        role=Message.Role.ASSISTANT,
        text=text or "",
        status=Message.Status.ERROR if text is None else status,
        error_kind=RECORDED_FAILURE if text is None else "",
    )


def _store_judgments(shelf: Shelf, batch: Sequence[SingleJudgment | PairJudgment], judge: Judge) -> int:
    """Stores a batch; how many judgments it held (each game of a pair is one)."""
    wanted = []
    for one in batch:
        for model, mode in _players(one):
            wanted.append((shelf.run_of(model, mode), mode, one.question_id))
    shelf.open(wanted)
    rows: list[Judgment] = []
    for one in batch:
        rows += [_single(shelf, one, judge)] if isinstance(one, SingleJudgment) else _games(shelf, one, judge)
    Judgment.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
    return len(rows)


def _players(one: SingleJudgment | PairJudgment) -> list[tuple[str, str]]:
    return (
        [(one.model, one.mode)] if isinstance(one, SingleJudgment) else [(one.left, "default"), (one.right, "default")]
    )


def _single(shelf: Shelf, one: SingleJudgment, judge: Judge) -> Judgment:
    run = shelf.runs[one.model, one.mode]
    return _judgment(
        judge,
        run,
        shelf.conversations[run.pk, one.question_id],
        turn=one.turn,
        failure=one.reason,
        text=one.text,
        score=one.score,
        prompt=one.prompt[:80],
        published="" if one.published is None else f"{one.published:g}",
    )


def _games(shelf: Shelf, one: PairJudgment, judge: Judge) -> list[Judgment]:
    """Both orders of a pair; the right side is the subject, as in Arena-Hard, whose left side is the baseline."""
    subject, rival = shelf.runs[one.right, "default"], shelf.runs[one.left, "default"]
    return [
        _judgment(
            judge,
            subject,
            shelf.conversations[subject.pk, one.question_id],
            turn=one.turn,
            rival_id=shelf.conversations[rival.pk, one.question_id],
            swapped=game.first == "left",
            failure=game.reason,
            text=game.text,
            verdict=_for_subject(game.label, game.first == "left"),
            prompt=one.prompt[:80],
            published=_for_subject(game.published, game.first == "left"),
        )
        for game in one.games
    ]


def _for_subject(label: Label | None, swapped: bool) -> str:
    if label is None:
        return ""
    return SWAPPED[label] if swapped else label


def _judgment(
    judge: Judge, run: EvaluationRun, subject: int, *, turn: int, failure: str | None, text: str, **values: Any
) -> Judgment:
    status = Judgment.Status.DONE
    if failure is not None:
        kinds = {"request_failed": Judgment.Status.ERROR, "refusal": Judgment.Status.REFUSED}
        status = kinds.get(failure, Judgment.Status.UNPARSABLE)
    said = f"import|{judge.pk}|{subject}|{values.get('rival_id')}|{turn}|{values.get('swapped', False)}"
    return Judgment(
        judge=judge,
        run=run,
        subject_id=subject,
        turn=turn,
        status=status,
        failure=(failure or "")[:40],
        reason=text,
        is_imported=True,
        call_key=hashlib.sha256(said.encode()).hexdigest(),
        **values,
    )
