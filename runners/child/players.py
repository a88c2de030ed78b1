"""Reference players: four models that know nothing, to show what a score is worth and to try the whole way.

`reference/random` picks an option by a seeded hash of the item, `reference/constant` always the first one,
`reference/echo` repeats the prompt (by likelihood: the option that shares most with it), `reference/ngram`
the option that a character trigram model finds most likely. They see the prompt and nothing else, as any
model does.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from lm_eval.api.model import LM

from runners.child.backends import Loaded
from runners.child.errors import ChildError
from runners.reports import RunSpec

OPTION = re.compile(r"^[ \t]*(?:\(?([A-Ea-e]|[1-9]|[가나다라마]|[ㄱ-ㅁ])[.):](?!\d)|([①-⑨]))[ \t]*(\S.*)$")
FIRST_LABELS = ("A", "a", "1", "가", "ㄱ", "①")
BUNDLED = Path(__file__).resolve().parents[1] / "data"
CHUNK: int | None = 256  # requests per inner call
ALPHABET = 12_000  # Hangul syllables and what else a Korean text has; the uniform floor of the n-gram model


def last_turn(prompt: str) -> str:
    """The text of the last user message where `prompt` is the JSON of a chat, else `prompt` itself."""
    if not prompt.startswith("[{"):
        return prompt
    try:
        messages = json.loads(prompt)
        return next(str(m["content"]) for m in reversed(messages) if m["role"] == "user")
    except (ValueError, KeyError, TypeError, StopIteration):
        return prompt


def options_of(text: str) -> list[tuple[str, str]]:
    """(label, text) of the last block of option lines, such as `A. …`, `(1) …`, `② …`; empty where there is
    none.
    """
    block: list[tuple[str, str]] = []
    for line in reversed(text.split("\n")):
        if found := OPTION.match(line):
            block.append((found[1] or found[2], found[3].strip()))
            if block[-1][0] in FIRST_LABELS:  # a list in the question itself may stand right above
                break
        elif block and line.strip():
            break
    return block[::-1]


@lru_cache(64)
def labelled(text: str) -> dict[str, str]:
    """The option under each label."""
    return dict(options_of(text))


def draw(seed: int, *parts: object) -> float:
    """A number in (0, 1) that the seed and the parts decide."""
    digest = hashlib.blake2b("\0".join([str(seed), *map(str, parts)]).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2**64


class Player(LM):  # type: ignore[misc]
    """Answers both kinds of request. `pick` chooses among the options of a prompt, `score` rates one
    continuation.
    """

    tokenizer_name = "reference"

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def score(self, context: str, continuation: str, index: int) -> float:
        raise NotImplementedError

    def pick(self, text: str, options: list[tuple[str, str]]) -> int:
        """The index of the chosen option: the best score, the first one of equals."""
        scores = [self.score(text, option, index) for index, (_, option) in enumerate(options)]
        return scores.index(max(scores))

    def reply(self, text: str) -> str:
        options = options_of(text)
        return options[self.pick(text, options)][0] if options else self.without_options(text)

    def without_options(self, text: str) -> str:
        """The reply to a prompt that offers no options."""
        return "A"

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        return [(self._likelihood(last_turn(r.args[0]), r.args[1].strip(), r.idx), False) for r in requests]

    def _likelihood(self, text: str, continuation: str, index: int) -> float:
        # A letter stands for the option that the prompt lists under it.
        return self.score(text, labelled(text).get(continuation, continuation), index)

    def generate_until(self, requests: list[Any]) -> list[str]:
        return [self.reply(last_turn(request.args[0])) for request in requests]

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        return [self.score("", request.args[0], 0) for request in requests]

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return json.dumps(chat_history, ensure_ascii=False)


class Random(Player):
    """Every option alike; the same item gets the same answer whenever it is asked with the same seed."""

    def score(self, context: str, continuation: str, index: int) -> float:
        return math.log(draw(self.seed, context, index))

    def without_options(self, text: str) -> str:
        return str(int(draw(self.seed, text) * 100))


class Constant(Player):
    """Always the first option: what a majority-class baseline gets when labels are not balanced."""

    def score(self, context: str, continuation: str, index: int) -> float:
        return -float(index)


class Echo(Player):
    """Repeats the prompt; by likelihood, the option whose character bigrams the prompt has most of."""

    def score(self, context: str, continuation: str, index: int) -> float:
        pairs = [continuation[at : at + 2] for at in range(max(len(continuation) - 1, 1))]
        return sum(pair in context for pair in pairs) / len(pairs) - 1.0

    def reply(self, text: str) -> str:
        return text


class NGram(Player):
    """A character trigram model of the bundled questions and the prompt at hand; it never sees which option
    is right.

    Witten-Bell-like interpolation of trigram, bigram and unigram counts over a uniform floor; options are
    compared by their mean log-probability a character, natural log.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._corpus = count_ngrams(bundled_text())
        self._of_prompt = lru_cache(64)(count_ngrams)

    def score(self, context: str, continuation: str, index: int) -> float:
        here = self._of_prompt(context)
        text = context[-2:] + " " + continuation
        start = len(text) - len(continuation)
        total = sum(math.log(self._probability(here, text[:at], text[at])) for at in range(start, len(text)))
        return total / max(len(continuation), 1)

    def _probability(self, here: Counter[str], before: str, char: str) -> float:
        """P(char | the two characters before), from the prompt's counts and the corpus' together."""
        chance = 1.0 / ALPHABET
        for order in (0, 1, 2):
            history = before[len(before) - order :]
            seen = here[history + char] + self._corpus[history + char]
            total = here["\0" + history] + self._corpus["\0" + history]
            chance = (seen + 2.0 * chance) / (total + 2.0)
        return chance

    def without_options(self, text: str) -> str:
        numbers = re.findall(r"\d+", text)
        return str(numbers[-1]) if numbers else "A"


def count_ngrams(text: str) -> Counter[str]:
    """Counts of 1-, 2- and 3-grams, and under "\\0" + history how often that history was followed by
    anything.
    """
    counts: Counter[str] = Counter()
    for order in (1, 2, 3):
        grams = Counter(text[at : at + order] for at in range(len(text) - order + 1))
        counts.update(grams)
        for gram, count in grams.items():
            counts["\0" + gram[:-1]] += count
    return counts


@lru_cache(1)
def bundled_text() -> str:
    """Questions and all their options of the bundled items, without the answers."""
    lines = []
    for path in sorted(BUNDLED.glob("**/*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            lines.append(str(item.get("question", "")))
            lines += [str(option) for option in item.get("choices") or item.get("options") or []]
    return "\n".join(lines)


PLAYERS: dict[str, type[Player]] = {
    "reference/random": Random,
    "reference/constant": Constant,
    "reference/echo": Echo,
    "reference/ngram": NGram,
}


def load(spec: RunSpec) -> Loaded:
    """The player called `spec.model.name`. Raises ChildError("model_missing")."""
    if spec.model.name not in PLAYERS:
        known = ", ".join(PLAYERS)
        raise ChildError(
            "model_missing", f"No reference player {spec.model.name!r}; there are {known}.", permanent=True
        )
    player = PLAYERS[spec.model.name](spec.seed)
    templated = spec.apply_chat_template
    return Loaded(
        models={"generate": player, "likelihood": player},
        templated={"generate": templated, "likelihood": templated},
        identity={"seed": spec.seed},
        environment={"engine": "reference", "seed": spec.seed},
        chunk=CHUNK,
    )
