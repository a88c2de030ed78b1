"""The public multi-turn protocols as they were published, and where ours differs from each and why.

Sources: lm-sys/FastChat `llm_judge` (Zheng et al., 2023, arXiv 2306.05685), wandb/FastChat (branch korean),
LG-AI-EXAONE/KoMT-Bench, instructkr/LogicKor, lmarena/arena-hard-auto, qwopqwop200/ko-arena-hard-auto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Aggregate = Literal["judgments", "turns", "categories", "battles"]
Failures = Literal["dropped", "zero", "minus-one"]
Penalty = Literal["none", "sqrt", "zero"]

FASTCHAT_CATEGORIES = (
    "writing",
    "roleplay",
    "reasoning",
    "math",
    "coding",
    "extraction",
    "stem",
    "humanities",
)
FASTCHAT_TEMPERATURES: Mapping[str, float] = MappingProxyType(
    {
        "writing": 0.7,
        "roleplay": 0.7,
        "extraction": 0.0,
        "math": 0.0,
        "coding": 0.0,
        "reasoning": 0.0,
        "stem": 0.1,
        "humanities": 0.1,
    }
)
FASTCHAT_REFERENCED = ("math", "reasoning", "coding")


@dataclass(frozen=True)
class Note:
    """One difference between a published protocol and ours, in both languages of the site."""

    en: str
    ko: str


@dataclass(frozen=True)
class Protocol:
    """A published protocol. Tokens are limits on new tokens; `referenced` names the reference-guided
    categories.

    `aggregate`: mean over all judgments; mean of the two turn means; mean of category means; or weighted
    battles against a baseline. `failures` and `penalty` are what the original does with unread verdicts and
    with answers that are not in Korean; `exempt` lists the questions whose answers may be in another
    language.
    """

    slug: str
    title: str
    source: str
    language: Literal["ko", "en"]
    form: Literal["single", "pair", "five"]
    questions: int
    turns: int
    categories: tuple[str, ...]
    max_tokens: int
    judge: str
    judge_temperature: float
    judge_max_tokens: int | None
    aggregate: Aggregate
    failures: Failures
    temperatures: Mapping[str, float] = field(default_factory=dict)
    default_temperature: float = 0.0
    referenced: tuple[str, ...] = ()
    low: float = 1.0
    high: float = 10.0
    penalty: Penalty = "none"
    exempt: frozenset[str] = frozenset()
    exempt_categories: tuple[str, ...] = ()
    modes: tuple[str, ...] = ("default",)
    baseline: str | None = None
    prompts: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    def temperature(self, category: str) -> float:
        """The sampling temperature of answers in this category."""
        return self.temperatures.get(category, self.default_temperature)

    def uses_reference(self, category: str) -> bool:
        """Whether the judge sees the reference answer; LogicKor shows every one there is (`*`)."""
        return category in self.referenced or self.referenced == ("*",)

    def is_exempt(self, question_id: str, turn: int, category: str) -> bool:
        """Whether an answer to this turn may be in another language than Korean."""
        return category in self.exempt_categories or not self.exempt.isdisjoint({question_id, f"{question_id}:{turn}"})


_STRICT = Note(
    "A verdict counts only when it is said once and clearly; an unread one is repaired by one more call, "
    "then counted as a failure. The original takes the first number in brackets, a footnote or 11 included.",
    "판정은 분명하게 한 번 말한 것만 인정합니다. 읽지 못하면 한 번 더 묻고, "
    "그래도 읽지 못하면 실패로 셉니다. 원본은 각주나 11점이라도 괄호 안의 첫 숫자를 그대로 씁니다.",
)
_ERROR = Note(
    "A failed request is a failure. The original stores $ERROR$ as an answer and grades it.",
    "요청이 실패하면 실패로 기록합니다. 원본은 $ERROR$를 답변으로 저장하고 채점합니다.",
)
_LANGUAGE = Note(
    "Whether an answer is in Korean is decided by a program and shown as a column; the penalty is a switch. "
    "The original leaves it to the judge; in LogicKor's public judgments 29 % of clearly non-Korean answers "
    "kept points.",
    "답변이 한국어인지는 프로그램이 판단해 열로 보여 주고, 벌점은 선택할 수 있습니다. "
    "원본은 심판에게 맡기는데, LogicKor 공개 채점에서는 명백히 한국어가 아닌 답변의 29%가 점수를 받았습니다.",
)
_DETECTOR = Note(
    "Korean is told by the share of Hangul. The original takes the last language its detector lists, so a "
    "Korean answer with a second language is penalised as well.",
    "한국어 여부는 한글 비율로 판단합니다. "
    "원본은 언어 감지기가 마지막에 적은 언어를 쓰므로 다른 언어가 섞인 한국어 답변도 감점됩니다.",
)
_BOOTSTRAP = Note(
    "Intervals come from a bootstrap over questions. The original resamples rows, which counts the two games "
    "and the triple weight of one question as independent.",
    "신뢰구간은 문항 단위 부트스트랩으로 구합니다. "
    "원본은 행 단위로 뽑아 한 문항의 두 판과 세 배 가중을 서로 독립으로 봅니다.",
)
_BOTH_TURNS = Note(
    "Both turns are judged. The fork's own script judges turn 1 only unless told otherwise.",
    "두 턴을 모두 채점합니다. 포크의 기본 스크립트는 따로 지정하지 않으면 1턴만 채점합니다.",
)
_SINGLE_PROMPTS = ("single-v1", "single-math-v1", "single-v1-multi-turn", "single-math-v1-multi-turn")

MT_BENCH = Protocol(
    slug="mt-bench",
    title="MT-Bench",
    source="lm-sys/FastChat",
    language="en",
    form="single",
    questions=80,
    turns=2,
    categories=FASTCHAT_CATEGORIES,
    temperatures=FASTCHAT_TEMPERATURES,
    default_temperature=0.7,
    max_tokens=1024,
    referenced=FASTCHAT_REFERENCED,
    judge="gpt-4",
    judge_temperature=0.0,
    judge_max_tokens=2048,
    aggregate="judgments",
    failures="dropped",
    prompts=_SINGLE_PROMPTS,
    notes=(_STRICT, _ERROR),
)
KOREAN_MT_BENCH = Protocol(
    slug="korean-mt-bench",
    title="Korean MT-Bench (Horangi)",
    source="wandb/FastChat",
    language="ko",
    form="single",
    questions=80,
    turns=2,
    categories=FASTCHAT_CATEGORIES,
    temperatures=FASTCHAT_TEMPERATURES,
    default_temperature=0.7,
    max_tokens=1024,
    referenced=FASTCHAT_REFERENCED,
    judge="gpt-4",
    judge_temperature=0.0,
    judge_max_tokens=2048,
    aggregate="categories",
    failures="minus-one",
    prompts=_SINGLE_PROMPTS,
    notes=(_STRICT, _ERROR, _LANGUAGE, _BOTH_TURNS),
)
KOMT_BENCH = Protocol(
    slug="komt-bench",
    title="KoMT-Bench",
    source="LG-AI-EXAONE/KoMT-Bench",
    language="ko",
    form="single",
    questions=80,
    turns=2,
    categories=FASTCHAT_CATEGORIES,
    temperatures=FASTCHAT_TEMPERATURES,
    default_temperature=0.7,
    max_tokens=1024,
    referenced=FASTCHAT_REFERENCED,
    judge="gpt-4",
    judge_temperature=0.0,
    judge_max_tokens=2048,
    aggregate="judgments",
    failures="dropped",
    penalty="sqrt",
    exempt=frozenset({"138", "140"}),
    prompts=_SINGLE_PROMPTS,
    notes=(_STRICT, _ERROR, _DETECTOR),
)
LOGICKOR = Protocol(
    slug="logickor",
    title="LogicKor",
    source="instructkr/LogicKor",
    language="ko",
    form="single",
    questions=42,
    turns=2,
    categories=(
        "추론(Reasoning)",
        "수학(Math)",
        "글쓰기(Writing)",
        "코딩(Coding)",
        "이해(Understanding)",
        "문법(Grammar)",
    ),
    max_tokens=4096,
    referenced=("*",),
    judge="gpt-4-1106-preview",
    judge_temperature=0.0,
    judge_max_tokens=None,
    aggregate="turns",
    failures="zero",
    low=0.0,
    penalty="zero",
    # Turn 2 of question 1 asks for English; 29, 31 and 32 may well be answered in it; code speaks for itself.
    exempt=frozenset({"1:2", "29", "31", "32"}),
    exempt_categories=("코딩(Coding)",),
    modes=("default", "1-shot", "cot-1-shot"),
    prompts=("single_turn", "multi_turn"),
    notes=(
        Note(
            "A judgment that failed five times is left out and counted. The original stores 0.0.",
            "다섯 번 실패한 채점은 빼고 따로 셉니다. 원본은 0.0점으로 저장합니다.",
        ),
        _LANGUAGE,
    ),
)
ARENA_HARD = Protocol(
    slug="arena-hard",
    title="Arena-Hard v0.1",
    source="lmarena/arena-hard-auto",
    language="en",
    form="five",
    questions=500,
    turns=1,
    categories=("arena-hard-v0.1",),
    max_tokens=4096,
    judge="gpt-4-1106-preview",
    judge_temperature=0.0,
    judge_max_tokens=4096,
    aggregate="battles",
    failures="dropped",
    baseline="gpt-4-0314",
    notes=(_STRICT, _BOOTSTRAP),
)
KO_ARENA_HARD = Protocol(
    slug="ko-arena-hard",
    title="Ko-Arena-Hard-Auto v0.1",
    source="qwopqwop200/ko-arena-hard-auto",
    language="ko",
    form="five",
    questions=500,
    turns=1,
    categories=("arena-hard-v0.1",),
    max_tokens=4096,
    judge="ensemble",
    judge_temperature=0.0,
    judge_max_tokens=16384,
    aggregate="battles",
    failures="dropped",
    baseline="claude-3.7-sonnet",
    notes=(_STRICT, _BOOTSTRAP),
)
PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.slug: protocol
        for protocol in (MT_BENCH, KOREAN_MT_BENCH, KOMT_BENCH, LOGICKOR, ARENA_HARD, KO_ARENA_HARD)
    }
)
