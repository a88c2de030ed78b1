"""What a judge said: judge text in, `Score`, `Verdict` or `Unparsable` out. No default winner and no unsaid
zero.

The parsers here are strict: a verdict counts only when it is said once, or several times alike, in one of
the forms the prompt asked for, on the first or the last line. Everything else is `Unparsable` with a named
reason, to be repaired by one more call or counted as a failure. The looser rules of the public protocols are
in `published`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from judging.grammar import FAILURE_TEXTS, Reason, Scale, Unparsable, said

__all__ = [
    "FAILURE_TEXTS",
    "ONE_TO_TEN",
    "BothOrders",
    "Form",
    "Label",
    "Reason",
    "Scale",
    "Score",
    "Unparsable",
    "Verdict",
    "both_orders",
    "parse",
    "parse_five",
    "parse_pair",
    "parse_score",
    "parse_two_scores",
]

Form = Literal["score", "pair", "five", "two-scores"]
Label = Literal["A>>B", "A>B", "A=B", "B>A", "B>>A"]
ONE_TO_TEN = Scale()
SWAPPED: dict[Label, Label] = {"A>>B": "B>>A", "A>B": "B>A", "A=B": "A=B", "B>A": "A>B", "B>>A": "A>>B"}
PAIR_LABELS: dict[str, Label] = {"A": "A>B", "B": "B>A", "C": "A=B"}
JSON_PAIR_LABELS: dict[str, Label] = {"A": "A>B", "B": "B>A", "tie": "A=B"}


@dataclass(frozen=True)
class Score:
    """A rating that was said, on the scale that was asked for, with the judge's reasons."""

    value: float
    explanation: str


@dataclass(frozen=True)
class Verdict:
    """Who is better, with the judge's reasons. A is the answer that was shown first."""

    label: Label
    explanation: str

    @property
    def winner(self) -> Literal["A", "B", "tie"]:
        if self.label == "A=B":
            return "tie"
        return "A" if self.label.startswith("A") else "B"

    @property
    def weight(self) -> int:
        """Rows this verdict counts for in Arena-Hard: 3 when one side is much better, else 1."""
        return 3 if ">>" in self.label else 1

    def swapped(self) -> Verdict:
        """The same verdict told with the two answers in the other order."""
        return Verdict(SWAPPED[self.label], self.explanation)


@dataclass(frozen=True)
class BothOrders:
    """Two games of one pair, the second with sides swapped. The winner is A or B of the first game.

    Unequal winners are a tie and `consistent` is False; a game without a verdict leaves both None.
    """

    winner: Literal["A", "B", "tie"] | None
    consistent: bool | None


def both_orders(first: Verdict | Unparsable, second: Verdict | Unparsable) -> BothOrders:
    """One result out of two orders (MT-Bench): agreement stands, disagreement is a tie, a failure is no
    result.
    """
    if isinstance(first, Unparsable) or isinstance(second, Unparsable):
        return BothOrders(None, None)
    again = second.swapped()
    if first.winner == again.winner:
        return BothOrders(first.winner, True)
    return BothOrders("tie", False)


def parse(text: str | None, form: Form, scale: Scale = ONE_TO_TEN) -> Score | Verdict | Unparsable:
    """Read a judge's text in the form that was asked for. Never raises, whatever the text."""
    if form == "score":
        return parse_score(text, scale)
    if form == "pair":
        return parse_pair(text)
    if form == "five":
        return parse_five(text)
    return parse_two_scores(text, scale)


def parse_score(text: str | None, scale: Scale = ONE_TO_TEN) -> Score | Unparsable:
    """One rating: `{"score": 7, "reason": …}`, `[[7]]` or `점수: 7`."""
    found = said(text, {"score"}, scale)
    if isinstance(found, Unparsable):
        return found
    value = found.values[0]
    if len(found.values) > 1:
        return Unparsable("contradictory", str(found.values))
    return Score(value, found.explanation) if isinstance(value, float) else Unparsable("wrong_form", value)


def parse_pair(text: str | None) -> Verdict | Unparsable:
    """A winner or a tie: `{"verdict": "A" | "B" | "tie", "reason": …}`, `[[A]]`, `[[B]]`, `[[C]]`."""
    return _verdict(text, JSON_PAIR_LABELS, PAIR_LABELS)


def parse_five(text: str | None) -> Verdict | Unparsable:
    """Arena-Hard's five steps: `{"verdict": "A>>B", "reason": …}` or `[[A>>B]]` … `[[B>>A]]`."""
    labels: dict[str, Label] = {label: label for label in SWAPPED}
    return _verdict(text, labels, labels)


def parse_two_scores(text: str | None, scale: Scale = ONE_TO_TEN, tie_delta: float = 0.1) -> Verdict | Unparsable:
    """Two ratings, A's first: `[[8, 6.5]]` or `{"score_a": 8, "score_b": 6.5, "reason": …}`.

    A difference of at most `tie_delta` is a tie (MT-Bench: 0.1).
    """
    found = said(text, {"score_a", "score_b"}, scale)
    if isinstance(found, Unparsable):
        return found
    if len(found.values) != 2:
        return Unparsable("wrong_form", str(found.values[0]))
    difference = float(found.values[0]) - float(found.values[1])
    label: Label = "A=B" if abs(difference) <= tie_delta + 1e-9 else "A>B" if difference > 0 else "B>A"
    return Verdict(label, found.explanation)


def _verdict(text: str | None, in_json: dict[str, Label], in_text: dict[str, Label]) -> Verdict | Unparsable:
    found = said(text, {"verdict"}, ONE_TO_TEN)
    if isinstance(found, Unparsable):
        return found
    labels = in_json if found.is_json else in_text
    label = labels.get(str(found.values[0])) if len(found.values) == 1 else None
    return Verdict(label, found.explanation) if label else Unparsable("wrong_form", str(found.values[0]))
