"""The verdict rules of public protocols, exactly as their programs apply them, faults included.

Only for imports and comparisons, where their number must stand beside ours. A rule that finds nothing gives
None; what the original then does (-1, 0.0, "error") is said at each function. Sources: FastChat
`llm_judge/common.py`, LogicKor `evaluator.py` and branch old-v1 `judgement.py`, arena-hard-auto
`gen_judgment.py` (v0.1 and v2), LLMBar `evaluate.py` with its evaluator configs, KUDGE `data_processing.py`.
"""

from __future__ import annotations

import re
from typing import Literal

_ONE = re.compile(r"\[\[(\d+\.?\d*)\]\]")
_ONE_BACKUP = re.compile(r"\[(\d+\.?\d*)\]")
_TWO = re.compile(r"\[\[(\d+\.?\d*),\s?(\d+\.?\d*)\]\]")
_TWO_BACKUP = re.compile(r"\[(\d+\.?\d*),\s?(\d+\.?\d*)\]")
_LOGICKOR = re.compile(r"점수:\s*(\d+(\.\d+)?)")
_LOGICKOR_MESSAGE = re.compile(r"평가:(.*?)점수:", re.DOTALL)
_ARENA_HARD = re.compile(r"\[\[([AB<>=]+)\]\]")
_ARENA_HARD_BACKUP = re.compile(r"\[([AB<>=]+)\]")
_KUDGE_PAIR = re.compile(r"\[\[(.*?)\]\]")
_KUDGE_POINT = re.compile(r"\[RESULT\]\s*\d")
_LLMBAR = {
    "better": (r"Output \(a\) is better.", r"Output \(b\) is better."),
    "start": (r"(?:^|\n) ?Output \(a\)", r"(?:^|\n) ?Output \(b\)"),
}
FastChatWinner = Literal["A", "B", "tie"]


def fastchat_single(text: str) -> float | None:
    """MT-Bench, KoMT-Bench and Horangi's `[[평가]]`: first double bracket, else first single one; no range
    check.

    None is stored there as -1 and left out of the mean (Horangi 1 kept it). Also None where `08` or a
    non-ASCII digit makes the original stop with an error.
    """
    match = _ONE.search(text) or _ONE_BACKUP.search(text)
    return _literal(match[1]) if match else None


def fastchat_pair(text: str) -> FastChatWinner | None:
    """MT-Bench pairwise: `[[A]]` anywhere, else `[[B]]`, else `[[C]]`; None is stored there as "error"."""
    if "[[A]]" in text:
        return "A"
    if "[[B]]" in text:
        return "B"
    return "tie" if "[[C]]" in text else None


def fastchat_two_scores(text: str) -> FastChatWinner | None:
    """MT-Bench pairwise by two ratings: a tie up to a difference of 0.1; None is stored there as "error"."""
    match = _TWO.search(text) or _TWO_BACKUP.search(text)
    if not match:
        return None
    first, second = _literal(match[1]), _literal(match[2])
    if first is None or second is None:
        return None
    if abs(first - second) <= 0.1:
        return "tie"
    return "A" if first > second else "B"


def logickor(text: str) -> tuple[float | None, str]:
    """LogicKor: (first `점수: n` once asterisks are gone, message). None is asked again and at last stored
    as 0.0.
    """
    plain = text.replace("*", "")
    score, message = _LOGICKOR.search(plain), _LOGICKOR_MESSAGE.search(plain)
    return float(score[1]) if score else None, message[1].strip() if message else "No judge message found"


def logickor_v1(text: str) -> float | None:
    """LogicKor's first version: whatever follows the last `점수:` to the end, as a number; None is asked
    again.
    """
    start = text.rfind("점수:")
    try:
        return float(text[start + len("점수:") :].strip())
    except ValueError:
        return None


def arena_hard_v1(text: str) -> str | None:
    """Arena-Hard v0.1 and Ko-Arena-Hard: the one distinct label; None when there is none or when they
    differ.
    """
    labels = {label for label in _ARENA_HARD.findall(text) if label}
    return labels.pop() if len(labels) == 1 else None


def arena_hard_v2(text: str) -> str | None:
    """Arena-Hard v2: the last label in double brackets, else in single ones, case ignored; None is a null
    game.
    """
    for pattern in (_ARENA_HARD, _ARENA_HARD_BACKUP):
        labels = [str(label) for label in pattern.findall(text.upper()) if label]
        if labels:
            return labels[-1]
    return None


def llmbar(text: str, strategy: str, evaluator: str = "") -> Literal["1", "2"] | None:
    """LLMBar: (a) first, then (b). `CoT` looks for "is better", the others for a line that starts with the
    output.

    PaLM2 reads `CoT` like the others. `Swap` keeps the text of its last step: the first step is a `CoT`, the
    second, of at most 50 tokens (400 characters are more), is like the others. None is neither right nor
    wrong for "equal".
    """
    text = text.strip()
    rules = ["start"]
    if strategy == "CoT" and evaluator != "PaLM2":
        rules = ["better"]
    elif strategy == "Swap":
        rules = ["better", "start"] if len(text) <= 400 else ["better"]
    for rule in rules:
        first, second = _LLMBAR[rule]
        if re.search(first, text):
            return "1"
        if re.search(second, text):
            return "2"
    return None


def llmbar_rating(score_1: str, score_2: str) -> tuple[Literal["1", "2"], Literal["1", "2"]]:
    """LLMBar's Rating: winners of the (original, swapped) order from two single ratings; always a winner.

    Equal ratings count for output 2 in the original order and for output 1 in the swapped one, unreadable
    ones the other way round: half right whatever the label.
    """
    try:
        first, second = int(score_1), int(score_2)
    except ValueError:
        return "1", "2"
    return ("1" if first > second else "2"), ("2" if second > first else "1")


def kudge_pair(text: str) -> str | None:
    """KUDGE pairwise: whatever stands in the last double brackets; None is asked again up to twice."""
    found = _KUDGE_PAIR.findall(text)
    return str(found[-1]) if found else None


def kudge_point(text: str) -> int | None:
    """KUDGE pointwise: the one digit after the last `[RESULT]`; None is asked again up to twice."""
    found = _KUDGE_POINT.findall(text)
    return int(found[-1][-1]) if found else None


def _literal(digits: str) -> float | None:
    """A number as Python's own literal reads it: no leading zero before an integer, ASCII digits only."""
    whole = "." not in digits
    if not digits.isascii() or (whole and len(digits) > 1 and digits[0] == "0" and digits.strip("0")):
        return None
    return float(digits)
