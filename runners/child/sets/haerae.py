"""HAE-RAE Bench (Son et al. 2023, arXiv 2309.02706): vocabulary, history and general knowledge."""

from __future__ import annotations

from runners.child.datasets import Doc, Part
from runners.child.sets.rows import LETTERS, text
from runners.child.tables import Row

_FILES = {
    "general_knowledge": "KGK",
    "history": "HI",
    "loan_words": "LW",
    "rare_words": "RW",
    "standard_nomenclature": "SN",
}


def parts(subset: str) -> list[Part]:
    """One task. The options are part of the release's query."""

    def doc(raw: Row, index: int) -> Doc:
        letter = raw["answer"].strip().strip("()")
        if letter not in LETTERS or len(letter) != 1:
            raise ValueError(f"the answer is {raw['answer']!r}, not (A) to (E)")
        query = text(raw["query"], "query")
        options = [f"({other})" for other in LETTERS]
        return {
            "item_id": f"{subset}/{index}",
            "query": query,
            "answer": f"({letter})",
            "stem": query.strip(),
            "options": options,
            "gold": LETTERS.index(letter),
        }

    files = {
        "test": [
            f"data/HAERAE-Bench-v1-{_FILES[subset]}.csv",
            f"{subset}/test-*.parquet",
            f"{subset}/test.csv",
            f"data/{subset}-test.csv",
        ]
    }
    return [Part(files=files, doc=doc, hub=("HAERAE-HUB/HAE_RAE_BENCH", subset))]
