"""What an answer is worth: per item in lm-eval's filters and `process_results`, then a task's numbers and their errors.

A filter takes the answer out of a reply, so that lm-eval's own samples show it; a reply from which nothing could be
taken becomes INVALID, is wrong, and is counted in `no_answer` as well. An item whose request failed yields no metric
at all, so that it is in no value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from runners.child.markers import FAILED
from runners.child.mathematics import last_boxed, same
from runners.korean import extract_choice, extract_number, normalise_short_answer, short_answer_matches
from runners.korean.normalise import strip_reasoning
from runners.reports import Metric

Doc = dict[str, Any]
Pair = tuple[int, int]
LETTERS = "ABCDE"
INVALID = "[invalid]"
NO_ANSWER = -1
DRAWS = 1000


def has_failed(answer: Any) -> bool:
    """Whether the request behind an answer never got one: FAILED, or a likelihood that is not a number."""
    return answer == FAILED if isinstance(answer, str) else math.isnan(answer[0])


# --- generation: filters, as lm-eval's YAML names them ---


class Extract:
    """A filter over the replies of one task: `take` gives the answer as a person would read it, or None."""

    def take(self, doc: Doc, reply: str) -> str | None:
        raise NotImplementedError

    def apply(self, resps: Iterable[Sequence[str]], docs: Sequence[Doc]) -> list[list[str]]:
        return [
            [reply if has_failed(reply) else self.take(doc, reply) or INVALID for reply in replies]
            for replies, doc in zip(resps, docs, strict=True)
        ]


class Choice(Extract):
    """The letter of the option that a reply chooses; an option's own text counts as well."""

    def take(self, doc: Doc, reply: str) -> str | None:
        options = doc["options"]
        chosen = extract_choice(reply, len(options), labels=LETTERS[: len(options)], options=options)
        return None if chosen is None else LETTERS[chosen]


class StatedChoice(Extract):
    """The same where the question itself holds the options and only their letters are known."""

    def take(self, doc: Doc, reply: str) -> str | None:
        n_options = len(doc["options"])
        chosen = extract_choice(reply, n_options, labels=LETTERS[:n_options])
        return None if chosen is None else LETTERS[chosen]


class ItemAnswer(Choice):
    """Our own items: a letter, or a short answer (the first accepted spelling where it is accepted)."""

    def take(self, doc: Doc, reply: str) -> str | None:
        if doc["accepted"] is None:
            return super().take(doc, reply)
        if short_answer_matches(reply, doc["accepted"]):
            return str(doc["accepted"][0])
        return normalise_short_answer(reply) or None


class Number(Extract):
    """A solution's final answer: the last box, else the number it ends on."""

    def take(self, doc: Doc, reply: str) -> str | None:
        boxed = last_boxed(strip_reasoning(reply))
        if boxed:
            return boxed
        number = extract_number(reply)
        return None if number is None else f"{number:f}"


# --- generation: what the answer is worth ---


def _chosen(answer: str) -> int:
    return NO_ANSWER if answer == INVALID else LETTERS.index(answer)


def choice_reply(doc: Doc, results: Sequence[str]) -> dict[str, Any]:
    answer = results[0]
    if has_failed(answer):
        return {}
    return {"acc": float(_chosen(answer) == doc["gold"]), "no_answer": float(answer == INVALID)}


def choice_reply_f1(doc: Doc, results: Sequence[str]) -> dict[str, Any]:
    """With the (gold, chosen) pair that macro F1 is made of."""
    metrics = choice_reply(doc, results)
    return {**metrics, "f1": (doc["gold"], _chosen(results[0]))} if metrics else {}


def item_reply(doc: Doc, results: Sequence[str]) -> dict[str, Any]:
    """Our own items: a chosen option, or a short answer that equals an accepted one."""
    answer = results[0]
    if doc["accepted"] is None or has_failed(answer):
        return choice_reply(doc, results)
    return {"acc": float(answer == doc["accepted"][0]), "no_answer": float(answer == INVALID)}


def number_reply(doc: Doc, results: Sequence[str]) -> dict[str, Any]:
    answer = results[0]
    if has_failed(answer):
        return {}
    right = answer != INVALID and same(answer, doc["answer"])
    return {"exact_match": float(right), "no_answer": float(answer == INVALID)}


# --- likelihood ---


def _likelihood_metrics(doc: Doc, results: Sequence[tuple[float, bool]], lengths: Sequence[int]) -> dict[str, Any]:
    if any(has_failed(result) for result in results):
        return {}
    sums = np.array([result[0] for result in results])
    best, best_per_character = int(np.argmax(sums)), int(np.argmax(sums / np.array(lengths, dtype=float)))
    gold = doc["gold"]
    return {"acc": float(best == gold), "acc_norm": float(best_per_character == gold), "f1": (gold, best)}


def text_likelihoods(doc: Doc, results: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """The options' texts as continuations; acc_norm divides by the number of characters, as lm-eval does."""
    return _likelihood_metrics(doc, results, [len(option) for option in doc["options"]])


def letter_likelihoods(doc: Doc, results: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """Labels of one length as continuations, so that acc_norm is acc."""
    metrics = _likelihood_metrics(doc, results, [1] * len(doc["options"]))
    return {name: value for name, value in metrics.items() if name != "f1"}


# --- the numbers of a task ---


def macro_f1(pairs: Sequence[Pair]) -> float:
    """Mean over the labels of the per-label F1 of (gold, chosen) pairs, as scikit-learn's `average="macro"`.

    The labels are those that occur as gold or as choice; "no answer" is no label, it costs recall alone.
    """
    gold, chosen = np.asarray(pairs, dtype=int).reshape(-1, 2).T
    labels = np.unique(np.concatenate([gold, chosen[chosen != NO_ANSWER]]))
    scores = []
    for label in labels:
        hits = int(np.sum((gold == label) & (chosen == label)))
        asked, given = int(np.sum(gold == label)), int(np.sum(chosen == label))
        scores.append(2 * hits / (asked + given) if asked + given else 0.0)
    return float(np.mean(scores))


def mean(values: Sequence[float]) -> float:
    return float(sum(values) / len(values))


def mean_stderr(values: Sequence[float]) -> float | None:
    """Standard error of a mean, s / sqrt(n) with n - 1 in s; None below two values."""
    return None if len(values) < 2 else float(np.std(values, ddof=1) / math.sqrt(len(values)))


def bootstrap_stderr(statistic: Callable[[Any], float], items: Sequence[Any], seed: int = 1234) -> float | None:
    """Standard deviation of a statistic over 1,000 resamples of the items (Efron 1979), the same for the same seed."""
    if len(items) < 2:
        return None
    table, draw = np.asarray(items), np.random.default_rng(seed)
    return float(np.std([statistic(table[draw.integers(len(table), size=len(table))]) for _ in range(DRAWS)], ddof=1))


def summarise(samples: Sequence[dict[str, Any]], seed: int = 1234) -> dict[str, Metric]:
    """The metrics of a task from lm-eval's logged samples (each with a list `metrics` of its keys).

    A metric that no sample has is None with a None error.
    """
    names = dict.fromkeys(name for sample in samples for name in sample["metrics"])
    found = {}
    for name in names:
        items = [sample[name] for sample in samples if name in sample["metrics"]]
        if name == "f1":
            found[name] = Metric(macro_f1(items), bootstrap_stderr(macro_f1, items, seed))
        else:
            found[name] = Metric(mean(items), mean_stderr(items))
    return found
