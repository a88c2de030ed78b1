"""Who is surely above whom on a multi-turn board: paired differences on the questions both models answered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from judging.bias import penalised
from judging.models import Answer, Judge, JudgedRun, Judgment, QuestionSet
from judging.question_sets import protocol_of
from judging.scores import FILL, Mean
from leaderboard.aggregate import Standings, standings, standings_from_summaries
from leaderboard.inference import Floats, normal_quantile
from leaderboard.multi_turn_choice import Choice

Span = tuple[int | None, int | None]


def possible_ranks(
    judged: Sequence[JudgedRun], means: Sequence[Mean], question_set: QuestionSet, judge: Judge, choice: Choice
) -> list[Span]:
    """The best and worst rank of each run, Holm's correction over all pairs; None where there is no mean.

    A judge of single answers is compared question by question (two queries). For a judge of pairs there is only the
    interval of each share, which is wider.
    """
    known = [i for i, mean in enumerate(means) if mean.value is not None]
    if not known:
        return [(None, None)] * len(means)
    scores: list[Floats] = []
    if judge.mode == Judge.Mode.SINGLE:
        scores = question_scores([judged[i] for i in known], question_set, judge, choice)
    table = standings(scores) if scores else _from_intervals([means[i] for i in known])
    spans: list[Span] = [(None, None)] * len(means)
    for place, i in enumerate(known):
        spans[i] = int(table.rank_low[place]) or None, int(table.rank_high[place]) or None
    return spans


def question_scores(
    judged: Sequence[JudgedRun], question_set: QuestionSet, judge: Judge, choice: Choice
) -> list[Floats]:
    """Mean score of each run (row) on each question (column) under the switches, NaN where there is none.

    One array per category where the protocol averages categories, else one for all; two queries.
    """
    protocol = protocol_of(question_set)
    place = {row.run_id: index for index, row in enumerate(judged)}
    fields = ("conversation_id", "run_id", "question_id", "question__key", "question__category", "fidelity")
    answers = {row[0]: row[1:] for row in Answer.objects.filter(run__in=place).values_list(*fields)}
    told: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    said = Judgment.objects.filter(judge=judge, run__in=place, canary="", rival=None).exclude(status="pending")
    for subject, turn, raw in said.values_list("subject_id", "turn", "score"):
        if subject not in answers:
            continue
        run, question, key, category, fidelity = answers[subject]
        measured = fidelity[turn - 1] if 0 < turn <= len(fidelity) else None
        korean = None if not measured else not measured["not_korean"]
        exempt = protocol.is_exempt(key, turn, category)
        score = penalised(raw, korean, choice.language, exempt=exempt)
        score = FILL[choice.failures] if score is None else score
        if score is not None:
            told[category if protocol.aggregate == "categories" else "", question, place[run]].append(score)
    return _arrays(told, len(judged))


def _arrays(told: dict[tuple[str, int, int], list[float]], models: int) -> list[Floats]:
    columns: dict[str, dict[int, int]] = defaultdict(dict)
    for group, question, _row in told:
        columns[group].setdefault(question, len(columns[group]))
    arrays = {group: np.full((models, len(questions)), np.nan) for group, questions in columns.items()}
    for (group, question, row), scores in told.items():
        arrays[group][row, columns[group][question]] = sum(scores) / len(scores)
    return list(arrays.values())


def _from_intervals(means: Sequence[Mean]) -> Standings:
    z = normal_quantile()
    values = np.array([mean.value for mean in means], dtype=np.float64)
    errors = [np.nan if m.low is None or m.high is None else (m.high - m.low) / (2 * z) for m in means]
    return standings_from_summaries(values, np.array(errors))
