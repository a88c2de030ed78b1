"""A judge as its pages show it: its stored trials, its words, what it said, and how it agrees with other judges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

from django.db.models import Avg, Count, Q, QuerySet

from judging import bias
from judging.bias import Share
from judging.canaries import CANARIES
from judging.models import Answer, Judge, JudgeTrial, Judgment
from leaderboard.answer_page import NEAR, vote

GALLERY = 12
DISPUTED = 10
UNREAD = ("unparsable", "refused", "error")
CANARY_TEXTS = {canary.slug: canary.text for canary in CANARIES}
# (conversation, turn) → mean score
Scores = Mapping[tuple[int, int], float]


@dataclass(frozen=True)
class Card:
    """A judge in the list, with its trials, the one with the most judgments first."""

    judge: Judge
    trials: list[JudgeTrial]

    @property
    def trial(self) -> JudgeTrial | None:
        return self.trials[0] if self.trials else None

    @property
    def is_red(self) -> bool:
        return any(trial.is_red for trial in self.trials)


def cards() -> list[Card]:
    """Every judge that is active or has judged; language models first. Two queries."""
    trials: dict[int, list[JudgeTrial]] = defaultdict(list)
    for trial in JudgeTrial.objects.select_related("question_set__suite").order_by("-n_judgments"):
        trials[trial.judge_id].append(trial)
    order = {Judge.Kind.LLM: 0, Judge.Kind.IMPORTED: 1, Judge.Kind.BUILTIN: 2}
    found = [
        Card(judge, trials.get(judge.pk, []))
        for judge in Judge.objects.select_related("endpoint").order_by("slug", "-version")
        if judge.is_active or judge.pk in trials
    ]
    return sorted(found, key=lambda card: (order[Judge.Kind(card.judge.kind)], not card.trials))


def find(slug: str, version: str) -> tuple[Judge | None, list[Judge]]:
    """The judge of this slug in the version asked for, else its newest; and all its versions, newest first."""
    versions = list(Judge.objects.filter(slug=slug).select_related("endpoint", "baseline").order_by("-version"))
    named = [judge for judge in versions if str(judge.version) == version]
    return next(iter(named or versions), None), versions


def trials_of(judge: Judge) -> list[JudgeTrial]:
    return list(judge.trials.select_related("question_set__suite").order_by("-n_judgments"))


def distribution(judge: Judge) -> list[tuple[str, int]]:
    """How often each score or verdict was given to real answers, highest first."""
    said = Judgment.objects.filter(judge=judge, canary="", status="done")
    if judge.mode == Judge.Mode.SINGLE:
        rows = said.values_list("score").annotate(n=Count("pk")).order_by("-score")
        return [(f"{score:g}", n) for score, n in rows if score is not None]
    return [(verdict, n) for verdict, n in said.values_list("verdict").annotate(n=Count("pk")).order_by("verdict")]


def gallery(judge: Judge, kind: str) -> list[tuple[Judgment, Answer | None]]:
    """The newest reasons of one kind: a score or verdict, `unread`, `canary`, or any; two queries."""
    said: QuerySet[Judgment] = Judgment.objects.filter(judge=judge, run__withdrawn_at=None, repeat=0)
    said = said.filter(subject__revision__language_model__hidden_reason="")
    # What a visitor wrote, and what a judge quotes of it, is shown on the page of that battle alone.
    said = said.exclude(run=None, subject__is_recorded=False)
    if kind == "canary":
        said = said.exclude(canary="")
    elif kind == "unread":
        said = said.filter(status__in=UNREAD)
    else:
        said = said.filter(canary="", status="done").exclude(reason="")
        score = _number(kind)
        if score is not None:
            said = said.filter(score=score)
        elif kind:
            said = said.filter(verdict=kind[:5])
    shown = list(said.select_related("subject__revision__language_model").order_by("-pk")[:GALLERY])
    answers = Answer.objects.filter(conversation__in=[one.subject_id for one in shown]).select_related("question")
    known = {answer.conversation_id: answer for answer in answers}
    return [(one, known.get(one.subject_id)) for one in shown]


def _number(text: str) -> float | None:
    try:
        return float(text[:8])
    except ValueError:
        return None


@dataclass(frozen=True)
class Pairing:
    """Two judges on the same turns: how often they say the same, or within a point; the other's mean is higher by
    `difference`; `correlation` is Spearman's."""

    other: Judge
    n: int
    same: Share
    near: Share
    difference: float
    correlation: float | None


@dataclass(frozen=True)
class Disputed:
    """A turn on which judges are far apart: their scores in the order of the table."""

    answer: Answer
    turn: int
    scores: list[float | None]
    apart: float


@dataclass(frozen=True)
class Bench:
    """This judge beside the others on the same answers. `trio` are up to three judges whose vote is taken, this one
    first; `agree` is the share of turns that all of them judged within a point."""

    pairings: list[Pairing]
    trio: list[Judge]
    agree: Share
    disputed: list[Disputed]


def bench(judge: Judge, generation: int) -> Bench:
    """The comparison, kept until the boards change. Three queries; one row per judged turn of the common answers."""
    return _bench(judge.pk, generation)


@lru_cache(maxsize=32)
def _bench(judge_id: int, generation: int) -> Bench:
    scores = _scores(judge_id)
    own = scores.pop(judge_id, {})
    common = {other: [key for key in told if key in own] for other, told in scores.items()}
    judges = Judge.objects.in_bulk([judge_id, *(other for other, keys in common.items() if keys)])
    ranked = sorted((other for other in common if common[other]), key=lambda other: (-len(common[other]), other))
    pairings = [_pairing(judges[other], own, scores[other], common[other]) for other in ranked]
    trio = [judge_id, *ranked[:2]] if ranked else []
    told = [own, *(scores[other] for other in trio[1:])]
    shared = [key for key in own if all(key in one for one in told)] if trio else []
    near = sum(all(abs(a[key] - b[key]) <= NEAR for a, b in combinations(told, 2)) for key in shared)
    return Bench(
        pairings, [judges[one] for one in trio], Share(near, len(shared)), _disputed(shared, told)
    )  # fmt: skip


def _scores(judge_id: int) -> dict[int, dict[tuple[int, int], float]]:
    """Mean score per judge and turn, over the conversations that this judge graded one by one."""
    mine = Judgment.objects.filter(judge=judge_id, canary="", rival=None, status="done").values("subject")
    rows = Judgment.objects.filter(Q(judge=judge_id) | Q(subject__in=mine), canary="", rival=None, status="done")
    found: dict[int, dict[tuple[int, int], float]] = defaultdict(dict)
    means = rows.values_list("judge_id", "subject_id", "turn").annotate(mean=Avg("score"))
    for judge, subject, turn, mean in means.iterator(chunk_size=5000):
        if mean is not None:
            found[judge][subject, turn] = mean
    return found


def _pairing(other: Judge, own: Scores, theirs: Scores, keys: list[tuple[int, int]]) -> Pairing:
    pairs = [(own[key], theirs[key]) for key in keys]
    return Pairing(
        other,
        len(pairs),
        Share(sum(a == b for a, b in pairs), len(pairs)),
        Share(sum(abs(a - b) <= NEAR for a, b in pairs), len(pairs)),
        sum(b - a for a, b in pairs) / len(pairs),
        bias.rank_correlation(pairs) if len(pairs) > 2 else None,
    )


def _disputed(shared: list[tuple[int, int]], told: list[Any]) -> list[Disputed]:
    """The turns with the widest span, widest first."""
    spans = [(found.apart, key) for key in shared if (found := vote([one[key] for one in told])) and not found.agree]
    widest = sorted(spans, key=lambda span: (-span[0], span[1]))[:DISPUTED]
    answers = Answer.objects.filter(
        conversation__in=[key[0] for _apart, key in widest],
        run__withdrawn_at=None,
        revision__language_model__hidden_reason="",
    ).select_related("question", "revision__language_model")
    known = {answer.conversation_id: answer for answer in answers}
    return [
        Disputed(known[key[0]], key[1], [one[key] for one in told], apart) for apart, key in widest if key[0] in known
    ]
