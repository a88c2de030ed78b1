"""KoBEST v1.0 (Jang et al. 2022, arXiv 2204.04541): five tasks."""

from __future__ import annotations

from collections.abc import Callable

from runners.child.datasets import Doc, Part
from runners.child.sets.rows import text, truth, whole
from runners.child.tables import Row


def _boolq_row(row: Row) -> Row:
    return {"paragraph": row["Text"], "question": row["Question"], "label": truth(row["Answer"])}


def _boolq(row: Row) -> Row:
    stem = f"{text(row['paragraph'], 'paragraph')}\n\n{text(row['question'], 'question')}"
    return {"stem": stem, "options": ["아니오", "예"], "gold": whole(row["label"], 0, 1)}


def _copa_row(row: Row) -> Row:
    return {
        "premise": row["sentence"],
        "question": row["question"],
        "alternative_1": row["1"],
        "alternative_2": row["2"],
        "label": whole(row["Answer"], 1, 2) - 1,
    }


def _copa(row: Row) -> Row:
    asked = {"원인": "원인으로", "결과": "결과로"}[row["question"].strip()]
    options = [
        text(row["alternative_1"], "first alternative"),
        text(row["alternative_2"], "second alternative"),
    ]
    stem = f"{text(row['premise'], 'premise')}\n\n위 문장의 {asked} 더 알맞은 것은 무엇인가?"
    return {"stem": stem, "options": options, "gold": whole(row["label"], 0, 1)}


def _hellaswag_row(row: Row) -> Row:
    endings = {f"ending_{n}": row[f"choice{n}"] for n in range(1, 5)}
    return {"context": row["context"], **endings, "label": whole(row["label"], 0, 3)}


def _hellaswag(row: Row) -> Row:
    options = [text(row[f"ending_{n}"], f"ending {n}") for n in range(1, 5)]
    stem = f"{text(row['context'], 'context')}\n\n다음에 이어질 문장으로 가장 알맞은 것은 무엇인가?"
    return {"stem": stem, "options": options, "gold": whole(row["label"], 0, 3)}


def _sentineg_row(row: Row) -> Row:
    return {"sentence": row["Text"], "label": whole(row["Label"], 0, 1)}


def _sentineg(row: Row) -> Row:
    stem = f"{text(row['sentence'], 'sentence')}\n\n위 문장은 긍정인가, 부정인가?"
    return {"stem": stem, "options": ["부정", "긍정"], "gold": whole(row["label"], 0, 1)}


def _wic_row(row: Row) -> Row:
    return {
        "word": row["Target"],
        "context_1": row["SENTENCE1"],
        "context_2": row["SENTENCE2"],
        "label": truth(row["ANSWER"]),
    }


def _wic(row: Row) -> Row:
    first, second = text(row["context_1"], "first sentence"), text(row["context_2"], "second sentence")
    stem = f"문장 1: {first}\n문장 2: {second}\n\n두 문장에서 '{text(row['word'], 'word')}'은(는) 같은 뜻으로 쓰였는가?"
    return {"stem": stem, "options": ["아니오", "예"], "gold": whole(row["label"], 0, 1)}


_TASKS: dict[str, tuple[str, Callable[[Row], Row], Callable[[Row], Row]]] = {
    "boolq": ("BoolQ", _boolq_row, _boolq),
    "copa": ("COPA", _copa_row, _copa),
    "hellaswag": ("HellaSwag", _hellaswag_row, _hellaswag),
    "sentineg": ("SentiNeg", _sentineg_row, _sentineg),
    "wic": ("WiC", _wic_row, _wic),
}


def parts(subset: str) -> list[Part]:
    """KoBEST: the repository's `<Task>/<split>.tsv`; items are numbered in the file's order, from 0."""
    folder, row, shape = _TASKS[subset]

    def doc(raw: Row, index: int) -> Doc:
        return {"item_id": f"{subset}/{index}", **raw, **shape(raw)}

    return [
        Part(
            files={"test": [f"{folder}/test.tsv"], "dev": [f"{folder}/dev.tsv"]},
            row=row,
            doc=doc,
            hub=("skt/kobest_v1", subset),
            hub_splits={"dev": "validation"},
        )
    ]
