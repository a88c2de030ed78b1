"""`gyeoru-rule`: a judge for trials without a model. It reads nothing; it counts.

It sees length, language, repetition, overlap with the question and, where there is one, with the reference. It can't
tell a right answer from a wrong one that is written alike, and its page says so: the answers of known quality show
how often it is fooled. Its verdicts go through the same parser as any judge's. No Django.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence

from runners.korean import hangul_share, normalise

SLUG = "gyeoru-rule"
_ORDERS = re.compile(
    r"\[\[[^\]]{1,6}\]\]|\"(?:score|verdict)\"\s*:|점수\s*:\s*\d|심사위원|평가자 메모|채점 규칙|만점|관리자 모드|"
    r"note to the judge|judge'?s notes|grading rules|rating\s*:|rate it|reference answer|참고 답안\s*:|"
    r"previous instructions|지시를 모두 잊|final verdict|highest score|top score|10점|점수를 깎|developer mode",
    re.IGNORECASE,
)
_CODE = re.compile(r"```")
_TOKEN = re.compile(r"\d[\d,.]*\d|\d|[A-Za-z]{2,}|[가-힣]{2,}")


def grade(question: str, answer: str, reference: str | None = None) -> tuple[int, str]:
    """A rating from 1 to 10 and what was counted, in Korean."""
    plain = answer.strip()
    if len(plain) < 3:
        return 1, "답변이 비어 있다시피 합니다."
    if _ORDERS.search(plain) and not _ORDERS.search(question):
        return 1, "심판에게 하는 지시가 들어 있습니다."
    if _alike(plain, question) > 0.9 and len(plain) < 1.2 * len(question) + 20:
        return 1, "질문을 되풀이했을 뿐입니다."
    packed = len(zlib.compress(plain.encode())) / max(1, len(plain.encode()))
    if packed < 0.12:
        return 1, "같은 말을 거듭합니다."
    told: list[str] = []
    relevance = _overlap(question, plain)
    points = 2.0 + 3.5 * min(1.0, math.log1p(len(plain)) / math.log1p(900))
    told.append(f"글자 수 {len(plain)}")
    points += 3.0 * min(1.0, relevance / 0.35)
    told.append(f"질문과 겹침 {relevance:.2f}")
    if reference:
        agreement = _overlap(_conclusion(reference), plain)
        points += 3.0 * agreement - 1.5
        told.append(f"참고 답안의 결론과 겹침 {agreement:.2f}")
    if relevance < 0.05:
        points = min(points, 2.0)
        told.append("질문과 겹치는 말이 거의 없음")
    share = hangul_share(plain)
    korean = hangul_share(question)
    if share is not None and share < 0.3 and (korean or 0) > 0.5 and not _CODE.search(plain):
        points = min(points - 3.0, 3.0)
        told.append(f"한글 비율 {share:.2f}")
    return max(1, min(10, round(points))), ", ".join(told) + "."


def judge(
    questions: Sequence[str], answers: Sequence[Sequence[str]], references: Sequence[str | None], form: str
) -> str:
    """A judge's text about the last turn shown: `[[n]]` for one answer, `[[A]]` or `[[A>>B]]` and so on for two."""
    question, reference = questions[-1], (list(references) + [None] * len(questions))[len(questions) - 1]
    graded = [grade(question, told[-1], reference) for told in answers]
    if form == "score":
        score, reason = graded[0]
        return f"{reason}\n\n[[{score}]]"
    (first, why), (second, other) = graded
    gap = first - second
    if form == "pair":
        label = "C" if not gap else "A" if gap > 0 else "B"
    else:
        label = "A=B" if not gap else ("A>>B" if gap > 3 else "A>B") if gap > 0 else ("B>>A" if gap < -3 else "B>A")
    return f"A: {why} B: {other}\n\n[[{label}]]"


def _tokens(text: str) -> set[str]:
    """Numbers, Latin words and pairs of Hangul syllables, so that particles matter little."""
    found: set[str] = set()
    for token in _TOKEN.findall(normalise(text)):
        if "가" <= token[0] <= "힣":
            found.update(token[place : place + 2] for place in range(len(token) - 1))
        else:
            found.add(token.replace(",", "").lower())
    return found


def _overlap(wanted: str, text: str) -> float:
    """Share of the tokens of `wanted` that `text` has; 0 where there are none."""
    tokens = _tokens(wanted)
    return len(tokens & _tokens(text)) / len(tokens) if tokens else 0.0


def _alike(text: str, question: str) -> float:
    """Share of the tokens of `text` that the question has."""
    return _overlap(text, question)


def _conclusion(reference: str) -> str:
    return reference.rsplit("정답:", 1)[-1]
