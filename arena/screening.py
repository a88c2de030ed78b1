"""Which votes count, and why not: every rule is a pure function of what is known when a vote is cast.

A vote that a rule names is kept and left out of the count, with the rule in the public ledger.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from arena import names

LEAK: Final = "leak"
ERROR: Final = "error_text"
TOO_FAST: Final = "too_fast"
TOO_LATE: Final = "too_late"
DUPLICATE: Final = "duplicate_prompt"
VOTER_CAP: Final = "voter_cap"
VOTER_MODEL_CAP: Final = "voter_model_cap"
NETWORK_CAP: Final = "network_cap"
REPEAT: Final = "swapped_repeat"
TARGETED: Final = "targeted_voter"
POOLED: Final = "pooled_day"
QUARANTINE: Final = "quarantine"

_ERROR = re.compile(
    r"^\s*(?:\*\*)?(?:error|exception|traceback|internal server error|bad gateway|service unavailable|rate limit|"
    r"too many requests|오류가 발생했습니다|네트워크 오류|\{?\"?error\"?\s*:)|"
    r"network error due to high traffic|\$moderation\$|your input violates our content moderation|"
    r"lmeval_model_none_answer_placeholder|error code:? \d{3}|"
    r"model is currently overloaded|api key|context length exceeded|<html|<!doctype",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"(?:죄송하지만|죄송합니다|미안하지만).{0,80}(?:도와드릴|도울|드릴|답할|할) 수 없|"
    r"(?:죄송하지만|죄송합니다).{0,80}어렵습니다|"
    r"(?:i'm sorry|i am sorry|sorry|i apologize).{0,40}(?:can't|cannot|can not|unable)|"
    r"^i (?:can't|cannot) (?:help|assist|comply)|as an ai.{0,60}(?:can't|cannot|unable)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Limits:
    """What counts as honest use. Seconds, votes a day, and a share of prompts (see `over_represented`)."""

    min_seconds: float = 3.0
    max_seconds: float = 3600.0
    voter_day: int = 50
    voter_model_day: int = 5
    network_day: int = 200

    def for_models(self, models: int) -> Limits:
        """The same with a cap per (voter, model) that a small arena can live with.

        Honest voters who use up their day meet each of n models 2 * voter_day / n times on average; twice that is room
        enough, and never less than 5 (20 models and more).
        """
        fair = math.ceil(4 * self.voter_day / max(models, 1))
        return Limits(
            self.min_seconds, self.max_seconds, self.voter_day, max(self.voter_model_day, fair), self.network_day
        )


@dataclass(frozen=True)
class Cast:
    """What is known of a vote when it is cast. Counts are of votes the same day (UTC) before this one."""

    answers: Sequence[str]
    prompts: Sequence[str]
    seconds: float | None
    age_seconds: float
    votes_of_voter: int = 0
    votes_of_voter_on: Mapping[str, int] = field(default_factory=dict)
    votes_of_network: int = 0
    same_prompt: int = 0
    prompt_limit: int | None = None
    own_names: Sequence[str] = ()
    is_repeat: bool = False


@dataclass(frozen=True)
class Finding:
    """A rule that leaves a vote out, with what was found, in words for the ledger; `detail` never quotes a text."""

    rule: str
    detail: str = ""


def screen(cast: Cast, limits: Limits) -> list[Finding]:
    """The rules a vote falls under, all of them, the weightiest first."""
    found = [*of_answers(cast.answers, cast.prompts, cast.own_names)]
    if cast.is_repeat:
        found.append(Finding(REPEAT, "shown again with sides swapped to measure reliability"))
    if cast.seconds is not None and cast.seconds < limits.min_seconds:
        found.append(Finding(TOO_FAST, f"{cast.seconds:.1f} s after both answers stood there"))
    if cast.age_seconds > limits.max_seconds:
        found.append(Finding(TOO_LATE, f"{cast.age_seconds / 60:.0f} min after the battle began"))
    if cast.prompt_limit is not None and cast.same_prompt >= cast.prompt_limit:
        found.append(Finding(DUPLICATE, f"the prompt had {cast.same_prompt} votes already"))
    if cast.votes_of_voter >= limits.voter_day:
        found.append(Finding(VOTER_CAP, f"over {limits.voter_day} votes a day"))
    if any(count >= limits.voter_model_day for count in cast.votes_of_voter_on.values()):
        found.append(Finding(VOTER_MODEL_CAP, f"over {limits.voter_model_day} votes a day on one model"))
    if cast.votes_of_network >= limits.network_day:
        found.append(Finding(NETWORK_CAP, f"over {limits.network_day} votes a day from one network"))
    return found


def of_answers(answers: Iterable[str], prompts: Sequence[str], own_names: Sequence[str] = ()) -> list[Finding]:
    """Answers that betray their model, or that are an error or nothing."""
    asked, found = "\n".join(prompts), []
    for answer in answers:
        if hits := names.leaks(answer, asked, own_names):
            found.append(Finding(LEAK, f"an answer names {hits[0].name}"))
            break
    if any(is_error(answer) for answer in answers):
        found.append(Finding(ERROR, "an answer is an error or empty"))
    return found


def is_error(text: str) -> bool:
    """An answer that is a server's error, a moderation mark, or empty; long texts may speak of errors."""
    return not text.strip() or (len(text) < 400 and _ERROR.search(text) is not None)


def is_refusal(text: str) -> bool:
    """A short answer that declines. It is no reason to leave a vote out; categories may."""
    return len(text) < 600 and _REFUSAL.search(text[:400]) is not None


def prompt_key(prompts: Sequence[str]) -> str:
    """The same for prompts that differ in case, width, space and punctuation alone; 32 hexadecimal digits."""
    text = unicodedata.normalize("NFKC", "\n".join(prompts)).casefold()
    return hashlib.sha256(re.sub(r"[\W_]+", "", text).encode()).hexdigest()[:32]


def over_represented(counts: Sequence[int], quantile: float = 0.999, least: int = 20) -> int:
    """How many votes one prompt may bring: the given quantile of votes per prompt, at least `least`.

    Chatbot Arena down-samples prompts above the 99.9 % quantile; `least` keeps a young arena from having no votes.
    """
    if not counts:
        return least
    ordered = sorted(counts)
    place = min(len(ordered) - 1, math.ceil(quantile * len(ordered)) - 1)
    return max(least, ordered[max(0, place)])
