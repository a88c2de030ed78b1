"""The extractor against real predictions: published accuracy beside ours, file by file, and why they differ.

`python -m tests.runners.real_predictions` writes docs/extraction.md from the public prediction files beside
a checkout. Each reply was read once by the upstream script (its `pred` column: the first capital A-E of the
reply, as the files show) and once by `runners.korean.extract_choice`; both are compared with the same
answer column.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runners.korean import LETTERS, extract_choice

ROOT = Path(__file__).resolve().parents[2]
N_OPTIONS = {"CLIcK": 5, "HAERAE": 5, "KMMLU-HARD": 4, "KorMedMCQA": 5}
FAILURES = frozenset({"BAD_REQUEST_ERROR", "RATE_LIMIT_ERROR", "CONTENT_FILTER_ERROR"})
EMPTY = frozenset({"", "[EMPTY_RESPONSE]"})
REASONS = {
    "read by ours only": "the reply names an option, the published pred is empty",
    "listed options": "published takes the first letter of a list of options",
    "no label": "published takes the first capital A-E of a word or a truncated reply",
    "last cue": "published takes the first letter, ours the answer stated last",
}


@dataclass
class FileResult:
    """Counts of one file; accuracies are shares of rows (0..1), `reasons` counts rows read differently."""

    dataset: str
    model: str
    rows: int = 0
    published_correct: int = 0
    correct: int = 0
    no_answer: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def published(self) -> float:
        return self.published_correct / self.rows

    @property
    def ours(self) -> float:
        return self.correct / self.rows

    @property
    def ours_without_failed(self) -> float:
        return self.correct / (self.rows - self.failed)


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of one gzipped CSV file; replies may hold line breaks."""
    csv.field_size_limit(sys.maxsize)
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines)


def read_choice(response: str, n_options: int) -> str:
    """The letter our extractor reads, or ""."""
    index = extract_choice(response, n_options, labels=LETTERS[:n_options])
    return "" if index is None else LETTERS[index]


def reason(response: str, published: str, ours: str) -> str:
    """Why a row is read differently, one of `REASONS`."""
    if published not in LETTERS:
        return "read by ours only"
    if ours:
        return "last cue"
    letters = {letter for letter in LETTERS if letter in response[:60]}
    return "listed options" if len(letters) > 1 and response[:1] in LETTERS else "no label"


def compare(path: Path) -> FileResult:
    """Read every reply of one file again and count."""
    result = FileResult(path.parent.name, path.name.removesuffix(".csv.gz"))
    n_options = N_OPTIONS[result.dataset]
    for row in read_rows(path):
        response, published = row["response"], row["pred"]
        failed = response in FAILURES
        ours = "" if failed else read_choice(response, n_options)
        result.rows += 1
        result.failed += failed
        result.no_answer += not ours and not failed
        result.correct += ours == row["answer"]
        result.published_correct += published == row["answer"]
        if ours != (published if published in LETTERS else ""):
            result.reasons[reason(response, published, ours)] += 1
    return result


def compare_all(data: Path) -> list[FileResult]:
    """Every prediction file below `data`, by dataset and model."""
    return [compare(path) for path in sorted((data / "ko_predictions").glob("*/*.csv.gz"))]


def table(results: list[FileResult], expected: dict[tuple[str, str], dict[str, object]]) -> str:
    """The Markdown page."""
    total = sum((r.reasons for r in results), Counter[str]())
    lines = [
        "# Extraction: published predictions read again",
        "",
        "Made by `python -m tests.runners.real_predictions`. Sixty public files of real replies (CLIcK,",
        "HAE-RAE Bench, KMMLU-HARD, KorMedMCQA; source: hsr87/evaluate-llm-on-korean-dataset, MIT).",
        "*Published* is the share of rows whose `pred` column equals the answer, *ours* the share by",
        "`extract_choice` from the raw reply, both over all rows. *No answer* counts replies that name no",
        "single option (empty ones included), *failed* requests that never got a reply. The source leaves",
        "failed requests out of the totals of its newer models; the last column does so, with the total",
        "the source printed beside it. A request stopped by a content filter is a failed one here; the",
        "source counts it as a wrong answer.",
        "",
        "| why a row is read differently | rows |",
        "| --- | ---: |",
        *(f"| {name}: {REASONS[name]} | {n:,} |" for name, n in total.most_common()),
        f"| all rows | {sum(r.rows for r in results):,} |",
        "",
        "| dataset | model | rows | published % | ours % | difference, rows | no answer | failed"
        " | read differently | ours without failed % (published table %) |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for r in results:
        why = ", ".join(f"{name} {n}" for name, n in r.reasons.most_common()) or "–"
        shown = expected.get((r.dataset, r.model), {}).get("published_overall_percent", "–")
        lines.append(
            f"| {r.dataset} | {r.model} | {r.rows:,} | {r.published:.2%} | {r.ours:.2%} "
            f"| {r.correct - r.published_correct:+d} | {r.no_answer} | {r.failed} | {why} "
            f"| {r.ours_without_failed:.2%} ({shown}) |".replace("%", "")
        )
    return "\n".join(lines) + "\n"


def expected_files(data: Path) -> dict[tuple[str, str], dict[str, object]]:
    """(dataset, model) → the reference numbers of that file."""
    raw = json.loads((data / "expected" / "ko_predictions.json").read_text(encoding="utf-8"))
    return {(f["dataset"], f["model"]): f for f in raw["files"]}


if __name__ == "__main__":
    data = ROOT.parent / "shared" / "data"
    page = table(compare_all(data), expected_files(data))
    (ROOT / "docs" / "extraction.md").write_text(page, encoding="utf-8")
