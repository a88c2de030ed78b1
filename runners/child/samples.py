"""From lm-eval's results of one task to our report: statuses, counts and one sample an item."""

from __future__ import annotations

import json
import math
import numbers
from typing import Any

from runners.child.answers import Meta
from runners.child.loading import LoadedTask
from runners.child.markers import FAILED
from runners.reports import Metric, SampleReport, SampleStatus

NOT_FOUND = ("", "[invalid]")


def number(value: Any) -> float | None:
    """A finite float, or None for anything else ("N/A", NaN, tuples of an aggregated metric)."""
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    return None


def metrics_of(row: dict[str, Any], more: dict[str, Metric]) -> dict[str, Metric]:
    """lm-eval's `{"acc,none": …, "acc_stderr,none": …}` as `{"acc": Metric}`.

    The first filter's metrics have plain names, those of others are called `metric,filter`. `more` fills in
    values and errors that lm-eval does not give.
    """
    found: dict[str, Metric] = {}
    first: str | None = None
    for key, value in row.items():
        name, _, filtered = key.partition(",")
        if not filtered or name.endswith("_stderr"):
            continue
        first = first or filtered
        stderr = number(row.get(f"{name}_stderr,{filtered}"))
        found[name if filtered == first else key] = Metric(number(value), stderr)
    for name, metric in more.items():
        known = found.get(name, metric)
        value = metric.value if known.value is None else known.value
        found[name] = Metric(value, metric.stderr if known.stderr is None else known.stderr)
    return found


def first_filter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """lm-eval gives a row per item per filter; ours are the first filter's."""
    return [row for row in rows if row["filter"] == rows[0]["filter"]]


def sample_report(row: dict[str, Any], task: LoadedTask, metas: list[Meta]) -> SampleReport:
    """One item as it was asked and answered. `metas`: what is known about its requests, one each at most."""
    failed = any(has_failed(reply) for repeats in row["resps"] for reply in repeats)
    scores = {name: value for name in row["metrics"] if (value := number(row[name])) is not None}
    choices = _choices(row["doc"], task)
    reply, extracted, logprobs = "", None, None
    if not failed and task.spec.mode == "likelihood":
        reply, logprobs = _chosen(row, choices)
        extracted = reply
    elif not failed:
        reply = str(row["resps"][0][0])
        extracted = _filtered(row["filtered_resps"][0])
    status = _status(failed, reply, extracted, scores)
    error = next((meta["error"] for meta in metas if meta.get("error")), None)
    return SampleReport(
        doc_id=row["doc_id"],
        item_id=str(row["doc"].get("item_id", row["doc_id"])),
        status=status,
        prompt=row["arguments"][0][0],
        reply=reply,
        extracted=extracted if status == "scored" else None,
        target=_target(row["target"], choices),
        correct=None if failed else scores.get(task.metric, scores.get("acc")),
        metrics=scores,
        choices=choices,
        logprobs=logprobs,
        finish_reason=next((meta["finish_reason"] for meta in metas if meta.get("finish_reason")), None),
        prompt_tokens=total(metas, "prompt_tokens"),
        completion_tokens=total(metas, "completion_tokens"),
        error=(error or "no answer from the model") if failed else None,
        doc_hash=row["doc_hash"],
        prompt_hash=row["prompt_hash"],
        target_hash=row["target_hash"],
    )


def total(metas: list[Meta], name: str) -> int | None:
    """The sum where anything is known, else None: missing is never zero."""
    known = [meta[name] for meta in metas if meta.get(name) is not None]
    return sum(known) if known else None


def has_failed(reply: Any) -> bool:
    """Whether a request never got an answer: FAILED, or a likelihood that is not a number."""
    return reply == FAILED if isinstance(reply, str) else isinstance(reply, tuple) and math.isnan(reply[0])


def _choices(doc: Any, task: LoadedTask) -> list[str] | None:
    """The options as a person reads them, even where only their letters were scored."""
    scored = task.task.doc_to_choice(doc) if task.task.config.doc_to_choice is not None else None
    options = doc.get("options")
    if isinstance(options, list) and options and (scored is None or len(scored) == len(options)):
        scored = options
    return None if scored is None else [str(option) for option in scored]


def _chosen(row: dict[str, Any], choices: list[str] | None) -> tuple[str, list[float]]:
    """The most likely option and every option's log-likelihood."""
    logprobs = [float(repeats[0][0]) for repeats in row["resps"]][: len(choices or row["resps"])]
    best = logprobs.index(max(logprobs))
    return choices[best] if choices else row["arguments"][best][1], logprobs


def _filtered(resp: Any) -> str | None:
    first = resp[0] if isinstance(resp, list) and resp else resp
    return None if first is None or first == [] or first in NOT_FOUND else str(first)


def _status(failed: bool, reply: str, extracted: str | None, scores: dict[str, float]) -> SampleStatus:
    if failed:
        return "error"
    nothing = extracted is None or not reply.strip()
    return "no_answer" if scores.get("no_answer", float(nothing)) else "scored"


def _target(target: Any, choices: list[str] | None) -> str:
    if choices and isinstance(target, int) and 0 <= target < len(choices):
        return choices[target]
    return target if isinstance(target, str) else json.dumps(target, ensure_ascii=False, default=str)
