"""One line of lm-eval's sample file as our own sample. lm-eval writes every number of a reply as text."""

from __future__ import annotations

import json
from typing import Any

from runners.child.markers import FAILED
from runners.child.samples import NOT_FOUND, number
from runners.harness_files import MOST
from runners.reports import SampleReport, SampleStatus

NEEDED = ("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "metrics")


def sample_report(row: dict[str, Any], metric: str, *, likelihood: bool) -> SampleReport:
    """The item as it was asked and answered. Raises ValueError with what is wrong with the line."""
    if missing := [name for name in NEEDED if name not in row]:
        raise ValueError(f"has no {', '.join(missing)}: write the samples again with lm-eval's --log_samples.")
    doc_id = row["doc_id"]
    if not isinstance(doc_id, int) or isinstance(doc_id, bool) or not 0 <= doc_id <= MOST:
        raise ValueError(f"doc_id is {doc_id!r}: it has to be a whole number from 0.")
    try:
        return _report(row, metric, likelihood=likelihood)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        kind = "log-likelihoods" if likelihood else "replies"
        raise ValueError(f"its {kind} are not as lm-eval writes them ({error!r}): write the samples again.") from error


def _report(row: dict[str, Any], metric: str, *, likelihood: bool) -> SampleReport:
    doc = row["doc"] if isinstance(row["doc"], dict) else {}
    arguments = _arguments(row["arguments"])
    scores = {name: value for name in row["metrics"] if (value := number(row.get(name))) is not None}
    choices, logprobs, extracted = None, None, None
    if likelihood:
        choices = _choices(doc, arguments)
        logprobs = [float(_first(resp)[0]) for resp in row["resps"]][: len(choices)]
        failed = not logprobs or any(value != value for value in logprobs)
        reply = "" if failed else choices[logprobs.index(max(logprobs))]
        extracted = None if failed else reply
    else:
        reply = _text(_first(row["resps"][0]))
        failed = reply == FAILED
        extracted = None if failed else _extracted(row["filtered_resps"][0])
    status = _status(failed, reply, extracted, scores)
    return SampleReport(
        doc_id=row["doc_id"],
        item_id=str(doc.get("item_id", row["doc_id"]))[:120],
        status=status,
        prompt=_text(arguments[0][0]),
        reply="" if failed else reply,
        extracted=extracted if status == "scored" else None,
        target=_target(row["target"], choices),
        correct=None if failed else scores.get(metric, scores.get("acc")),
        metrics={} if failed else scores,
        choices=choices,
        logprobs=None if failed else logprobs,
        error="no answer from the model" if failed else None,
        doc_hash=str(row.get("doc_hash", ""))[:64],
        prompt_hash=str(row.get("prompt_hash", ""))[:64],
        target_hash=str(row.get("target_hash", ""))[:64],
    )


def _arguments(arguments: Any) -> list[list[Any]]:
    """`{"gen_args_0": {"arg_0": …}}`, or the lists that it is made of."""
    if isinstance(arguments, dict):
        return [[part[f"arg_{j}"] for j in range(len(part))] for part in arguments.values()]
    return [list(part) for part in arguments]


def _choices(doc: dict[str, Any], arguments: list[list[Any]]) -> list[str]:
    """The options as a person reads them, else the continuations that were scored."""
    options = doc.get("options", doc.get("choices"))
    if isinstance(options, list) and options and len(arguments) % len(options) == 0:
        return [str(option) for option in options]
    return [str(argument[1]).strip() for argument in arguments]


def _first(resp: Any) -> Any:
    """The first repeat of a reply."""
    return resp[0] if isinstance(resp, list) else resp


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _extracted(resp: Any) -> str | None:
    first = resp[0] if isinstance(resp, list) and resp else resp
    return None if first is None or first == [] or first in NOT_FOUND else str(first)


def _status(failed: bool, reply: str, extracted: str | None, scores: dict[str, float]) -> SampleStatus:
    if failed:
        return "error"
    nothing = extracted is None or not reply.strip()
    return "no_answer" if scores.get("no_answer", float(nothing)) else "scored"


def _target(target: Any, choices: list[str] | None) -> str:
    """An option's text where the target is its number."""
    text = _text(target)
    if choices and text.isascii() and text.isdigit() and int(text) < len(choices):
        return choices[int(text)]
    return text
