"""A judge on trial: noise, order on answers of known quality, canaries, position, length, its own family.

Worked out from every judgment of the judge on a set and stored as a `JudgeTrial`; pages only read it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.db.models import Q, Sum
from django.db.models.functions import Length as TextLength

from judging import bias, canaries, tally
from judging.bias import Quality, Share
from judging.formats import PairJudgment
from judging.models import Answer, Judge, JudgeTrial, Judgment, QuestionSet
from judging.packing import share_to_json
from judging.tally import Told
from runners.models import LanguageModel, Message

Scores = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True)
class Who:
    """Whose answer a conversation is: the model, its family, the question, and its quality where it is known."""

    model: str
    family: str
    is_reference: bool
    question: str
    quality: str

    @property
    def is_real(self) -> bool:
        """Whether a worthless answer must not beat it: a real model, or an answer known to be right."""
        return not self.is_reference or self.quality in ("complete", "terse")


def compute(judge: Judge, question_set: QuestionSet) -> JudgeTrial:
    """Works out and stores the judge's trial on a set, over all of its runs that are not withdrawn."""
    conditions: dict[str, Any] = {
        "judge": judge,
        "subject__answer__question__question_set": question_set,
        "run__withdrawn_at": None,
    }
    rows = [row for row in tally.told(**conditions) if row.status != "pending"]
    people = players_of(question_set)
    single = judge.mode == Judge.Mode.SINGLE
    real = [row for row in rows if not row.canary]
    noise = bias.noise_floor(_repeats(real))
    known = bias.known_order(known_scores(against_complete(judge, real, people), people, single))
    # An imported judge never saw our canaries: that proves nothing, and is no missing canary either.
    expected = [] if judge.kind == Judge.Kind.IMPORTED else [canary.slug for canary in canaries.CANARIES]
    checked = canaries.check(*_rated(rows, people), _duels(rows), expected)
    pairs = tally.pairs_of(real)
    report = {
        "noise": _noise(noise),
        "known_order": _known_order(known),
        "canaries": {
            "is_red": checked.is_red,
            "beaten": [list(pair) for pair in checked.beaten],
            "missing": list(checked.missing),
            "rows": _canary_rows(rows, checked),
        },
        "position": tally.position_to_json(bias.position(pairs)) if pairs else None,
        "length": _length(real, pairs, question_set),
        "self_preference": _self_preference(judge, real, people, question_set) if single else None,
        "counts": dict(Counter(row.status for row in rows)),
        "failures": dict(Counter(row.failure for row in rows if row.failure)),
        "repaired": Judgment.objects.filter(**conditions, calls__gt=1, status="done").count(),
    }
    stored, _ = JudgeTrial.objects.update_or_create(
        judge=judge,
        question_set=question_set,
        defaults={
            "report": report,
            "noise": noise.deviation,
            "repeats": noise.repeats,
            "known_order": known.hits.value,
            "is_red": checked.is_red,
            "n_judgments": len(rows),
            "cost_usd": Judgment.objects.filter(**conditions).aggregate(all=Sum("cost_usd"))["all"],
        },
    )
    return stored


def _noise(found: bias.NoiseFloor) -> dict[str, Any]:
    agreement = share_to_json(found.agreement)
    return {"deviation": found.deviation, "turns": found.turns, "repeats": found.repeats, "agreement": agreement}


def _known_order(found: bias.KnownOrder) -> dict[str, Any]:
    pairs = [
        {"better": better, "worse": worse, "share": share_to_json(share)}
        for (better, worse), share in found.pairs.items()
        if share.n
    ]
    return {"hits": share_to_json(found.hits), "ties": found.ties, "missing": found.missing, "pairs": pairs}


def players_of(question_set: QuestionSet) -> dict[int, Who]:
    rows = Answer.objects.filter(question__question_set=question_set).values_list(
        "conversation_id",
        "revision__slug",
        "revision__language_model__organization",
        "revision__language_model__kind",
        "question__key",
        "quality",
    )
    return {
        key: Who(model, family.lower(), kind == LanguageModel.Kind.REFERENCE, question, quality)
        for key, model, family, kind, question, quality in rows
    }


def _repeats(rows: Iterable[Told]) -> list[list[float | None]]:
    """The ratings of each turn that was judged again and again; points 0, ½, 1 of the subject where pairs are."""
    found: dict[tuple[Any, ...], list[float | None]] = defaultdict(list)
    for row in rows:
        found[row.subject_id, row.rival_id, row.turn, row.swapped].append(points_of(row))
    return list(found.values())


def points_of(row: Told) -> float | None:
    if row.rival_id is None:
        return row.score
    if not row.verdict:
        return None
    return 0.5 if row.verdict == "A=B" else 1.0 if row.verdict.startswith("A") else 0.0


def _mean_points(rows: Iterable[Told]) -> dict[tuple[int, int], float | None]:
    """(conversation, turn) → mean of the points that were given; None where every verdict failed."""
    found: dict[tuple[int, int], list[float | None]] = defaultdict(list)
    for row in rows:
        found[row.subject_id, row.turn].append(points_of(row))
    return {key: _mean(points) for key, points in found.items()}


def _mean(points: Iterable[float | None]) -> float | None:
    known = [one for one in points if one is not None]
    return sum(known) / len(known) if known else None


def against_complete(judge: Judge, rows: list[Told], people: Mapping[int, Who]) -> list[Told]:
    """Of a judge of all pairs only what it said of answers beside the complete one; of others every row."""
    if not judge.plays_all:
        return rows
    both = [turned for row in rows if row.rival_id is not None for turned in (row, tally.turned(row))]
    return [row for row in both if (who := people.get(row.rival_id or 0)) is not None and who.quality == "complete"]


def known_scores(rows: Iterable[Told], people: Mapping[int, Who], single: bool) -> list[dict[Quality, float | None]]:
    """One mapping quality → score per question and turn; for pairs the rival, itself of known quality, has a half."""
    found: dict[tuple[str, int], dict[Quality, float | None]] = defaultdict(dict)
    against = {row.subject_id: people.get(row.rival_id or 0) for row in rows}
    for (conversation, turn), score in _mean_points(rows).items():
        who, rival = people.get(conversation), against.get(conversation)
        if who is None or not who.quality:
            continue
        if single:
            found[who.question, turn][cast(Quality, who.quality)] = score
        elif rival is not None and rival.quality:
            found[who.question, turn] |= {cast(Quality, rival.quality): 0.5, cast(Quality, who.quality): score}
    return list(found.values())


def _rated(rows: Iterable[Told], people: Mapping[int, Who]) -> tuple[Scores, Scores]:
    """Ratings of the first turn by question: of canaries, and of models that no canary may beat."""
    told_of: tuple[dict[str, dict[str, list[float | None]]], ...] = (
        defaultdict(lambda: defaultdict(list)),
        defaultdict(lambda: defaultdict(list)),
    )
    for row in rows:
        who = people.get(row.subject_id)
        if who is None or row.turn != 1 or row.rival_id is not None:
            continue
        if row.canary:
            told_of[0][row.canary][who.question].append(row.score)
        elif who.is_real:
            told_of[1][who.model][who.question].append(row.score)
    canary, model = ({name: _means(one) for name, one in side.items()} for side in told_of)
    return canary, model


def _means(by_question: Mapping[str, list[float | None]]) -> dict[str, float | None]:
    return {question: _mean(said) for question, said in by_question.items()}


def _duels(rows: Iterable[Told]) -> list[tuple[str, bool]]:
    """(canary, whether both orders gave it the win) of every pair with two verdicts."""
    pairs = tally.pairs_of(row for row in rows if row.canary)
    return [(pair.prompt, pair.winner == "right") for pair in pairs if pair.winner is not None]


def _canary_rows(rows: Iterable[Told], checked: canaries.CanaryCheck) -> list[dict[str, Any]]:
    found: dict[str, list[float | None]] = defaultdict(list)
    for row in rows:
        if row.canary:
            found[row.canary].append(row.score if row.rival_id is None else points_of(row))
    return [
        {
            "canary": name,
            "mean": _mean(said),
            "n": sum(one is not None for one in said),
            "failed": sum(one is None for one in said),
            "duels": share_to_json(checked.wins.get(name, Share(0, 0))),
        }
        for name, said in sorted(found.items())
    ]


def _length(rows: list[Told], pairs: list[PairJudgment], question_set: QuestionSet) -> dict[str, Any]:
    """How much more the judge likes the longer of two answers, or the longer answers of all."""
    said = Message.objects.filter(conversation__answer__question__question_set=question_set, role="assistant")
    measured = said.annotate(size=TextLength("text")).values_list("conversation_id", "turn", "size")
    sizes = {(conversation, turn): size for conversation, turn, size in measured}
    points = [] if pairs else [(sizes.get(key), score) for key, score in _mean_points(rows).items()]
    found = bias.length(
        (sizes.get((int(pair.left), pair.turn), 0), sizes.get((int(pair.right), pair.turn), 0), pair.winner)
        for pair in pairs
    )
    known = [(float(size), score) for size, score in points if size is not None and score is not None]
    return {
        "longer_wins": share_to_json(found.longer_wins),
        "equal_length": found.equal_length,
        "correlation": bias.rank_correlation(known) if len(known) > 2 else None,
    }


def _self_preference(
    judge: Judge, rows: list[Told], people: Mapping[int, Who], question_set: QuestionSet
) -> dict[str, Any] | None:
    """Own family against others, by this judge and by the mean of the other families' judges on the same answers."""
    family = judge.family.lower()
    if not family:
        return None
    others = tally.told(
        ~Q(judge__family__iexact=family),
        subject__answer__question__question_set=question_set,
        canary="",
        status="done",
        judge__mode=Judge.Mode.SINGLE,
    )
    by_judge = _mean_points(rows)
    foreign = _mean_points(row for row in others if (row.subject_id, row.turn) in by_judge)
    groups: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for key in by_judge:
        if key[0] in people:
            groups[people[key[0]].question, key[1]].append(key)
    points = []
    for group in groups.values():
        own = [key for key in group if people[key[0]].family == family]
        rest = [key for key in group if people[key[0]].family != family]
        points += [(_win(by_judge[a], by_judge[b]), _win(foreign.get(a), foreign.get(b))) for a in own for b in rest]
    found = bias.self_preference((a, b) for a, b in points if a is not None and b is not None)
    low, high = found.interval or (None, None)
    return {
        "by_judge": share_to_json(found.by_judge),
        "by_others": share_to_json(found.by_others),
        "difference": found.difference,
        "low": low,
        "high": high,
    }


def _win(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return None
    return 0.5 if first == second else float(first > second)
