"""Question sets become rows: the bundled one at every start, public ones by `load_question_set`.

A set that has been answered is never changed: other questions under the same name are a new version with a board of
its own, and the older version retires.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from judging import formats
from judging.formats import PROTOCOLS, Format, Intake, Protocol
from judging.formats.llmbar import LLMBAR
from judging.formats.protocols import FASTCHAT_CATEGORIES, FASTCHAT_TEMPERATURES, Note
from judging.models import Answer, Question, QuestionSet
from runners.catalog import Changes
from runners.models import Suite

FOLDER = Path(__file__).parent / "data" / "ko-mt"
KO_MT_VERSION = 1
KO_MT = Protocol(
    slug="ko-mt",
    title="ko-mt",
    source="Gyeoru (judging/data/ko-mt)",
    language="ko",
    form="single",
    questions=80,
    turns=2,
    categories=FASTCHAT_CATEGORIES,
    temperatures=FASTCHAT_TEMPERATURES,
    default_temperature=0.7,
    # Korean takes up to twice the tokens of English: MT-Bench's 1,024 would cut good answers.
    max_tokens=2048,
    referenced=("math", "reasoning", "coding", "extraction"),
    judge="gyeoru-rule",
    judge_temperature=0.0,
    judge_max_tokens=2048,
    aggregate="categories",
    failures="dropped",
    exempt_categories=("coding",),
    notes=(
        Note(
            "There is no original: the questions, references and judge prompts are our own. Categories and "
            "temperatures are those of MT-Bench, and extraction is graded with a reference as well.",
            "원본이 따로 없습니다. 질문과 참고 답안, 채점 지시문을 모두 새로 썼습니다. 영역과 온도는 MT-Bench를 "
            "따르고, 정보 추출도 참고 답안을 보며 채점합니다.",
        ),
    ),
)
KNOWN = {**PROTOCOLS, LLMBAR.slug: LLMBAR, KO_MT.slug: KO_MT}
OF_FORMAT: dict[Format, str] = {
    "fastchat": "mt-bench", "logickor": "logickor", "arena-hard": "arena-hard", "llmbar": "llmbar"
}  # fmt: skip
# The order of tabs: ours first, then as the sets are known in Korea.
# The site's own conversation set stands beside its own zero-shot set; both have results from the first minute.
ORDER = {KO_MT.slug: 15, "logickor": 51, "komt-bench": 52, "korean-mt-bench": 53}


def protocol_of(question_set: QuestionSet) -> Protocol:
    """The protocol a set is asked and graded by."""
    return KNOWN[question_set.protocol]


@transaction.atomic
def publish(
    slug: str, form: str, questions: Sequence[formats.Question], protocol: Protocol, *, version: int | None = None
) -> tuple[QuestionSet, bool]:
    """The set with exactly these questions, and whether it was made just now.

    The same questions give the set that is there. Others give its next version; a set nobody answered is replaced.
    """
    sha = _sha(questions, protocol)
    current = QuestionSet.objects.current(slug)
    if current is not None:
        if current.sha256 == sha:
            return current, False
        version = version or current.suite.version + 1
        if not Answer.objects.filter(question__question_set=current).exists() and not current.suite.runs.exists():
            current.delete()
            current.suite.delete()
    suite = _suite(slug, version or 1, protocol)
    question_set = QuestionSet.objects.create(
        slug=slug,
        suite=suite,
        format=form,
        protocol=protocol.slug,
        language=protocol.language,
        sha256=sha,
        settings=_settings(protocol),
        repeats=2 if protocol is KO_MT else 1,
    )
    Question.objects.bulk_create(
        Question(
            question_set=question_set,
            key=one.id,
            position=position,
            category=one.category,
            turns=list(one.turns),
            references=list(one.references) if any(one.references) else None,
        )
        for position, one in enumerate(questions)
    )
    return question_set, True


def read(path: Path, form: Format, intake: Intake, references: Path | None = None) -> list[formats.Question]:
    """The questions of a file with the references of theirs or of a second file; faults go to the intake."""
    questions = list(formats.read_questions(path, form, intake))
    if references is None:
        return questions
    return formats.attach_references(questions, formats.read_references(references, intake), intake)


def synchronise() -> Changes:
    """Publishes the bundled set. Once answered it never changes: another text needs another version here."""
    questions = read(FOLDER / "questions.jsonl", "logickor", Intake())
    current = QuestionSet.objects.current(KO_MT.slug)
    if current is not None and current.suite.version == KO_MT_VERSION:
        drifted = [KO_MT.slug] if current.sha256 != _sha(questions, KO_MT) else []
        if not drifted or current.suite.runs.exists():
            return Changes([], drifted)
    publish(KO_MT.slug, QuestionSet.Format.ROWS, questions, KO_MT, version=KO_MT_VERSION)
    return Changes([KO_MT.slug], [])


@cache
def known_quality() -> dict[tuple[str, str], tuple[str, ...]]:
    """Answers of known quality of the bundled set: (question key, quality) → one text per turn."""
    lines = (FOLDER / "known_quality.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line.strip()]
    return {(row["question_id"], row["quality"]): tuple(row["outputs"]) for row in rows}


def recorded_answer(quality: str, asked: Sequence[str]) -> str | None:
    """What the player of a quality says after these questions of the bundled set; None where none is recorded."""
    key = _keys().get(asked[0])
    told = known_quality().get((key, quality)) if key is not None else None
    return None if told is None or len(asked) > len(told) else told[len(asked) - 1]


@cache
def _keys() -> dict[str, str]:
    return {one.turns[0]: one.id for one in read(FOLDER / "questions.jsonl", "logickor", Intake())}


def _sha(questions: Sequence[formats.Question], protocol: Protocol) -> str:
    rows = [[one.id, one.category, one.turns, one.references] for one in questions]
    text = json.dumps([protocol.slug, _settings(protocol), rows], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _settings(protocol: Protocol) -> dict[str, Any]:
    return {
        "temperatures": dict(protocol.temperatures),
        "default_temperature": protocol.default_temperature,
        "max_tokens": protocol.max_tokens,
        "referenced": list(protocol.referenced),
        "aggregate": protocol.aggregate,
        "scale": [protocol.low, protocol.high],
        "penalty": protocol.penalty,
        "turns": protocol.turns,
    }


def _suite(slug: str, version: int, protocol: Protocol) -> Suite:
    """The board of a set; older versions retire and stay readable."""
    now = timezone.now()
    Suite.objects.filter(slug=slug, version__lt=version, retired_at=None).update(retired_at=now)
    titles = (
        ("한국어 대화 (ko-mt)", "Korean conversations (ko-mt)")
        if protocol is KO_MT
        else (protocol.title,) * 2
        if slug == protocol.slug
        else (slug, slug)
    )
    return Suite.objects.create(
        slug=slug,
        version=version,
        kind=Suite.Kind.MULTI_TURN,
        title_ko=titles[0],
        title_en=titles[1],
        description_ko=f"{protocol.turns}턴 질문에 답하고 심판 모델이 채점합니다. 출처: {protocol.source}",
        description_en=f"Questions of {protocol.turns} turn(s), graded by judges. Source: {protocol.source}",
        differences_ko="\n".join(note.ko for note in protocol.notes),
        differences_en="\n".join(note.en for note in protocol.notes),
        order=ORDER.get(slug, 70),
        published_at=now,
    )
