"""What a judge is asked: our own prompt texts in Korean and English, and the messages of one call.

Question, reference and answer are data between marks that are drawn anew for every call, so that no answer
can end its own fence or speak as the judge's instructions. The verdict is a JSON object where the server
enforces a schema, else one pair of double brackets. A prompt's sha is that of its text before the mark is
put in: it names the prompt, not the call. `prompt_texts` holds the words.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from judging.prompt_texts import TEXTS, Words

Language = Literal["ko", "en"]
PromptForm = Literal["score", "pair", "five"]
Output = Literal["json", "brackets"]
MARK = "{mark}"
MAX_REPLY_IN_REPAIR = 8000


@dataclass(frozen=True)
class Prompt:
    """One prompt: what is judged, in which language, and how the verdict is to be given.

    `multi_turn` judges the second answer of a two-turn conversation; `reference` shows the reference answer.
    """

    form: PromptForm
    language: Language
    output: Output = "json"
    multi_turn: bool = False
    reference: bool = False

    @property
    def name(self) -> str:
        """For example `score-multi-turn-reference.ko.json`."""
        parts = [self.form, *["multi-turn"] * self.multi_turn, *["reference"] * self.reference]
        return f"{'-'.join(parts)}.{self.language}.{self.output}"

    @property
    def text(self) -> str:
        """The system message, with `{mark}` where the call's own mark goes."""
        words = TEXTS[self.language]
        single = self.form == "score"
        parts = [
            words.single if single else words.pair,
            (words.second_turn if single else words.second_turn_pair) if self.multi_turn else "",
            words.criteria,
            words.reference if self.reference else "",
            {"score": words.scale, "pair": words.sides, "five": words.sides + "\n" + words.steps}[self.form],
            words.data,
            words.outputs[self.form, self.output],
        ]
        return "\n\n".join(part for part in parts if part)

    @property
    def sha(self) -> str:
        """SHA-256 of everything fixed that the judge reads: system text and the names of the fences."""
        words = TEXTS[self.language]
        fixed = "\0".join([self.text, *words.fences, words.end, words.ask])
        return hashlib.sha256(fixed.encode()).hexdigest()

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of the verdict for servers that enforce one; None for brackets."""
        if self.output == "brackets":
            return None
        verdicts: dict[PromptForm, tuple[str, dict[str, Any]]] = {
            "score": ("score", {"type": "integer", "enum": list(range(1, 11))}),
            "pair": ("verdict", {"type": "string", "enum": ["A", "B", "tie"]}),
            "five": ("verdict", {"type": "string", "enum": ["A>>B", "A>B", "A=B", "B>A", "B>>A"]}),
        }
        key, values = verdicts[self.form]
        # The reason comes first: a judge that decides before it thinks makes more mistakes.
        return {
            "type": "object",
            "properties": {"reason": {"type": "string"}, key: values},
            "required": ["reason", key],
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Call:
    """One request to a judge: chat messages, the schema where there is one, and which prompt made it."""

    messages: tuple[Mapping[str, str], ...]
    schema: dict[str, Any] | None
    prompt: Prompt
    mark: str


def all_prompts() -> list[Prompt]:
    """Every prompt there is, for listing them with their sha."""
    forms: tuple[PromptForm, ...] = ("score", "pair", "five")
    languages: tuple[Language, ...] = ("ko", "en")
    outputs: tuple[Output, ...] = ("json", "brackets")
    flags = (False, True)
    return [Prompt(*one) for one in product(forms, languages, outputs, flags, flags)]


def ask(
    prompt: Prompt,
    questions: Sequence[str],
    answers: Sequence[Sequence[str]],
    references: Sequence[str | None] = (),
    *,
    new_mark: Callable[[], str] = lambda: secrets.token_hex(8),
) -> Call:
    """The call that judges one answer, or two in the order they are given (A, then B).

    `answers` holds one list of turns per answer. A single-turn prompt shows turn 1 only. Raises ValueError
    when turns are missing, or a reference-guided prompt gets no reference.
    """
    turns = 2 if prompt.multi_turn else 1
    sides = 1 if prompt.form == "score" else 2
    if len(answers) != sides:
        raise ValueError(f"{prompt.name} judges {sides} answer(s), got {len(answers)}")
    if any(len(given) < turns for given in (questions, *answers)):
        raise ValueError(f"{prompt.name} needs {turns} turn(s) of the question and of every answer")
    shown = [text or "" for text in (*references, "", "")[:turns]] if prompt.reference else []
    if prompt.reference and not any(shown):
        raise ValueError(f"{prompt.name} needs a reference answer")
    words = TEXTS[prompt.language]
    pieces = _pieces(words, questions[:turns], [given[:turns] for given in answers], shown)
    mark = _unused_mark([text for _, text in pieces], new_mark)
    fenced = "\n".join(f"<<<{mark} {name}>>>\n{text}\n<<<{mark} {words.end}>>>\n" for name, text in pieces)
    system = prompt.text.replace(MARK, mark)
    user = f"{fenced}\n{words.ask}"
    messages = ({"role": "system", "content": system}, {"role": "user", "content": user})
    return Call(messages, prompt.schema, prompt, mark)


def repair(call: Call, reply: str) -> Call:
    """The one further call when a reply held no verdict that could be read: the same verdict, in the right
    form.
    """
    words = TEXTS[call.prompt.language]
    wanted = words.repair + "\n" + words.outputs[call.prompt.form, call.prompt.output]
    turns: list[Mapping[str, str]] = [{"role": "user", "content": wanted}]
    if reply.strip():
        turns.insert(0, {"role": "assistant", "content": reply[:MAX_REPLY_IN_REPAIR]})
    else:
        # Two user messages in a row are refused by some chat templates.
        first, last = call.messages
        turns = [{"role": "user", "content": f"{last['content']}\n\n{wanted}"}]
        return Call((first, *turns), call.schema, call.prompt, call.mark)
    return Call((*call.messages, *turns), call.schema, call.prompt, call.mark)


def _pieces(
    words: Words, questions: Sequence[str], answers: Sequence[Sequence[str]], references: Sequence[str]
) -> list[tuple[str, str]]:
    """(fence name, text): questions and answers in the order of the conversation, each answer on its own."""
    question, reference, answer = words.fences
    many = len(questions) > 1
    pieces = []
    for index, text in enumerate(references):
        if text:
            pieces.append((f"{reference} {index + 1}" if many else reference, text))
    if len(answers) == 1:
        for index, (asked, answered) in enumerate(zip(questions, answers[0], strict=True)):
            number = f" {index + 1}" if many else ""
            pieces += [(question + number, asked), (answer + number, answered)]
        return pieces
    for index, asked in enumerate(questions):
        pieces.append((f"{question} {index + 1}" if many else question, asked))
    for side, turns in zip("AB", answers, strict=True):
        for index, answered in enumerate(turns):
            pieces.append((f"{answer} {side} {index + 1}" if many else f"{answer} {side}", answered))
    return pieces


def _unused_mark(texts: Sequence[str], new_mark: Callable[[], str]) -> str:
    """A mark that occurs in none of the texts. Raises ValueError after 100 draws (a broken source
    of marks).
    """
    for _ in range(100):
        mark = new_mark()
        if mark and not any(mark in text for text in texts):
            return mark
    raise ValueError("no unused mark after 100 draws; the source of marks must be random")
