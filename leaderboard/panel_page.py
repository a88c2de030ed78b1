"""The panel: two or three judges chosen by the reader, side by side on the answers that all of them judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

import numpy as np
from django.db.models import Q

from judging.models import Answer, Judge, Judgment, QuestionSet
from leaderboard import panel
from leaderboard.answer_page import NEAR
from leaderboard.inference import Interval

SEATS = 3
SHOWN = 30
POINTS = {panel.WIN: 1.0, panel.TIE: 0.5, panel.LOSS: 0.0}
# (conversation, rival's conversation or None, turn) → what a judge says: a score, or a code of panel
Key = tuple[int, int | None, int]
Said = Mapping[Key, float]


@dataclass(frozen=True)
class Line:
    """One answer, or pair, and turn: what each judge says in the order of the table, their vote, how far apart."""

    answer: Answer
    rival: Answer | None
    turn: int
    said: list[float]
    vote: float | None
    apart: float


@dataclass(frozen=True)
class Standing:
    """One model: its mean by each judge and by the vote (points of pairs: won 1, a tie ½), over `n` turns."""

    answer: Answer
    means: list[float]
    vote: float | None
    n: int


@dataclass(frozen=True)
class Kappa:
    """How far two of the judges agree beyond chance; `same` is the share of equal verdicts."""

    one: Judge
    other: Judge
    value: Interval | None
    same: float


@dataclass(frozen=True)
class Panel:
    """What the judges say together. `unanimous` turns are within a point of each other, or have one winner."""

    judges: list[Judge]
    is_pairs: bool
    kappas: list[Kappa]
    alpha: Interval | None
    n: int
    questions: int
    unanimous: int
    undecided: int
    standings: list[Standing]
    lines: list[Line]


def sets() -> list[QuestionSet]:
    """The current question sets that two judges or more have judged."""
    found: dict[int, set[int]] = defaultdict(set)
    for set_id, judge in Judge.objects.values_list("judged__question_set", "pk").distinct():
        if set_id is not None:
            found[set_id].add(judge)
    wanted = [pk for pk, judges in found.items() if len(judges) > 1]
    rows = QuestionSet.objects.filter(pk__in=wanted, suite__retired_at=None).select_related("suite")
    return list(rows.order_by("suite__order", "pk"))


def seat(judges: Sequence[Judge], wanted: Sequence[str]) -> list[Judge]:
    """The judges named `slug@version`, at most three of one kind of verdict; those who judged most are added to two."""
    named = {f"{judge.slug}@{judge.version}": judge for judge in judges}
    chosen = [named[name] for name in dict.fromkeys(wanted) if name in named][:SEATS]
    if not chosen:
        chosen = list(judges[:1])
    alike = [one for one in judges if _gives_scores(one) == _gives_scores(chosen[0])] if chosen else []
    chosen = [one for one in chosen if one in alike]
    if len(chosen) < 2:
        chosen += [one for one in alike if one not in chosen][: (2 if wanted else SEATS) - len(chosen)]
    return chosen


def build(question_set: QuestionSet, judges: Sequence[Judge], generation: int) -> Panel | None:
    """The panel, kept until the boards change; None where these judges have nothing in common. Three queries."""
    return _build(question_set.pk, tuple(judge.pk for judge in judges), generation)


@lru_cache(maxsize=32)
def _build(set_id: int, judge_ids: tuple[int, ...], generation: int) -> Panel | None:
    known = Judge.objects.in_bulk(judge_ids)
    judges = [known[pk] for pk in judge_ids]
    is_pairs = not _gives_scores(judges[0])
    said = _said(set_id, judge_ids, is_pairs)
    told = [said[pk] for pk in judge_ids]
    shared = [key for key in told[0] if all(key in one for one in told)]
    answers = _answers(key for keys in shared for key in keys[:2])
    shared = [key for key in shared if key[0] in answers and (key[1] is None or key[1] in answers)]
    if len(judges) < 2 or not shared:
        return None
    rows = [[one[key] for one in told] for key in shared]
    questions = [answers[key[0]].question_id for key in shared]
    codes = [[int(code) for code in row] for row in rows]
    agreed = panel.pairs_agree(questions, codes) if is_pairs else panel.scores_agree(questions, np.array(rows))
    lines = [_line(key, row, answers, is_pairs) for key, row in zip(shared, rows, strict=True)]
    kappas = [
        Kappa(judges[i], judges[j], value, fmean(row[i] == row[j] for row in rows))
        for (i, j), value in agreed.kappas.items()
    ]
    lines.sort(key=lambda line: (-line.apart, line.answer.question.position, line.turn, line.answer.pk))
    return Panel(
        judges, is_pairs, kappas, agreed.alpha, agreed.n, agreed.questions,
        sum(line.apart <= (0 if is_pairs else NEAR) for line in lines), sum(line.vote is None for line in lines),
        _standings(lines, is_pairs), lines[:SHOWN],
    )  # fmt: skip


def _gives_scores(judge: Judge) -> bool:
    return judge.mode == Judge.Mode.SINGLE


def _said(set_id: int, judges: Sequence[int], is_pairs: bool) -> dict[int, dict[Key, float]]:
    """Mean score over repeats, or the winner of both orders, by judge."""
    rows = Judgment.objects.filter(
        Q(rival__isnull=not is_pairs), judge__in=judges, canary="", status="done", run__withdrawn_at=None,
        subject__answer__question__question_set=set_id,
    )  # fmt: skip
    found: dict[int, dict[Key, list[float]]] = {judge: defaultdict(list) for judge in judges}
    columns = ("judge_id", "subject_id", "rival_id", "turn", "score", "verdict")
    for judge, subject, rival, turn, score, verdict in rows.values_list(*columns).iterator(chunk_size=5000):
        value = _code(verdict) if is_pairs else score
        if value is not None:
            found[judge][subject, rival, turn].append(value)
    merge = _winner if is_pairs else fmean
    return {judge: {key: merge(values) for key, values in told.items()} for judge, told in found.items()}


def _code(verdict: str) -> int | None:
    if not verdict:
        return None
    return panel.TIE if verdict == "A=B" else panel.WIN if verdict.startswith("A") else panel.LOSS


def _winner(codes: Sequence[float]) -> float:
    """The winner that all orders and repeats name; a tie where they differ."""
    return codes[0] if len(set(codes)) == 1 else panel.TIE


def _answers(conversations: object) -> dict[int, Answer]:
    wanted = {key for key in conversations if key is not None}  # type: ignore[attr-defined]
    rows = Answer.objects.filter(conversation__in=wanted, revision__language_model__hidden_reason="")
    return {row.conversation_id: row for row in rows.select_related("question", "revision__language_model")}


def _line(key: Key, said: list[float], answers: Mapping[int, Answer], is_pairs: bool) -> Line:
    conversation, rival, turn = key
    vote = panel.majority([int(code) for code in said]) if is_pairs else panel.score_vote(said)
    other = None if rival is None else answers[rival]
    return Line(answers[conversation], other, turn, said, vote, max(said) - min(said))


def _standings(lines: Sequence[Line], is_pairs: bool) -> list[Standing]:
    groups: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        groups[line.answer.revision_id].append(line)

    def points(value: float) -> float:
        return POINTS[int(value)] if is_pairs else value

    found = []
    for group in groups.values():
        means = [
            fmean(points(value) for value in column) for column in zip(*(line.said for line in group), strict=True)
        ]
        votes = [points(line.vote) for line in group if line.vote is not None]
        found.append(Standing(group[0].answer, means, fmean(votes) if votes else None, len(group)))
    return sorted(found, key=lambda one: (-(one.vote or 0.0), one.answer.revision.slug))
