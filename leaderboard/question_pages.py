"""A question set as a list of questions, and two to four models on it: where they differ most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from django.db.models import Avg, Count, Q

from judging import standings
from judging.bias import NoiseFloor
from judging.models import Answer, Judge, Judgment, Question, QuestionSet
from leaderboard.answer_page import mean_of
from leaderboard.inference import normal_quantile
from leaderboard.multi_turn import Trust, chosen_judge

PREVIEW = 120


@dataclass(frozen=True)
class Line:
    """A question in the list: how models fare on it, and how one of them did."""

    question: Question
    average: float | None
    judged: int
    unread: int
    own: float | None
    answer: int | None

    @property
    def preview(self) -> str:
        first = " ".join(str(self.question.turns[0]).split())
        return first if len(first) <= PREVIEW else f"{first[:PREVIEW]}…"


def current_set(slug: str) -> QuestionSet | None:
    """The question set of the newest published suite of this name."""
    sets = QuestionSet.objects.filter(suite__slug=slug, suite__published_at__isnull=False)
    return sets.select_related("suite").order_by("-suite__version").first()


def judge_of(question_set: QuestionSet, asked: str) -> tuple[Judge | None, list[Judge]]:
    """The judge an address names, or the first of those that judged this set; and all of them."""
    judges = standings.judges_of(question_set)
    return chosen_judge(judges, asked), judges


def lines(question_set: QuestionSet, judge: Judge | None, run: int | None = None) -> list[Line]:
    """Every question with its mean over all models by one judge, and one run's mean and answer. Three queries."""
    told = Judgment.objects.filter(
        judge=judge, canary="", rival=None, subject__answer__question__question_set=question_set
    )
    by_question = {
        row["subject__answer__question"]: row
        for row in told.values("subject__answer__question").annotate(
            average=Avg("score"),
            judged=Count("pk"),
            unread=Count("pk", filter=Q(status__in=("unparsable", "refused", "error"))),
            own=Avg("score", filter=Q(run_id=run)),
        )
    }
    answers = dict(Answer.objects.filter(run_id=run).values_list("question_id", "pk")) if run else {}
    found = []
    for question in question_set.questions.all():
        row: Mapping[str, Any] = by_question.get(question.pk, {})
        numbers = row.get("average"), row.get("judged", 0), row.get("unread", 0), row.get("own")
        found.append(Line(question, *numbers, answer=answers.get(question.pk)))
    return found


@dataclass(frozen=True)
class Contrast:
    """One question on which the compared models differ: their means in order, and their answers."""

    question: Question
    scores: list[float | None]
    answers: list[int | None]
    spread: float
    is_noise: bool


def contrasts(question_set: QuestionSet, judge: Judge, runs: Sequence[int]) -> list[Contrast]:
    """The questions of the set by how far the runs' mean scores (as the judge said) lie apart; four queries.

    Questions that fewer than two of the runs have a score on are left out: they tell no difference.
    """
    trust = Trust.of(standings.trial(judge, question_set))
    told = Judgment.objects.filter(judge=judge, run__in=runs, canary="", rival=None)
    scores: dict[tuple[int, int], list[float | None]] = defaultdict(list)
    for key, run, score in told.values_list("subject__answer__question_id", "run_id", "score"):
        scores[key, run].append(score)
    places = Answer.objects.filter(run__in=runs).values_list("question_id", "run_id", "pk")
    answers = {(key, run): pk for key, run, pk in places}
    found = []
    for question in question_set.questions.all():
        means = [mean_of(scores.get((question.pk, run), ())) for run in runs]
        known = [mean for mean in means if mean is not None]
        if len(known) < 2:
            continue
        spread = max(known) - min(known)
        turns = len(question.turns)
        found.append(
            Contrast(
                question, means, [answers.get((question.pk, run)) for run in runs], spread,
                _is_noise(trust.noise, spread, turns),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (-one.spread, one.question.position))


@dataclass(frozen=True)
class Paired:
    """Two runs on the questions that both have a score on: the mean of the first minus the second, 95 % interval.

    `place` is the second's among the runs. The interval is that of paired differences, questions as the sample; None
    below two questions.
    """

    place: int
    n: int
    difference: float | None
    low: float | None
    high: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def paired(found: Sequence[Contrast], runs: int) -> list[Paired]:
    """The first of so many compared runs against each of the others, question by question."""
    return [_paired(found, place) for place in range(1, runs)]


def _paired(found: Sequence[Contrast], place: int) -> Paired:
    both = [(one.scores[0], one.scores[place]) for one in found]
    apart = [first - other for first, other in both if first is not None and other is not None]
    if len(apart) < 2:
        return Paired(place, len(apart), apart[0] if apart else None, None, None)
    mean, half = fmean(apart), normal_quantile() * stdev(apart) / len(apart) ** 0.5
    return Paired(place, len(apart), mean, mean - half, mean + half)


def _is_noise(noise: NoiseFloor | None, spread: float, turns: int) -> bool:
    return noise is not None and noise.is_noise(spread, turns, max(noise.repeats, 1.0))


def summary(question_set: QuestionSet, judge: Judge, runs: Sequence[int]) -> list[Any]:
    """The stored numbers of the runs by this judge, in the order asked for; unknown ones are left out."""
    known = {row.run_id: row for row in standings.judged_runs(question_set, judge, every=True)}
    return [known[run] for run in runs if run in known]
