"""Five sets of one's own, in the form of the Open Ko-LLM board; never shown nor exported."""

from __future__ import annotations

from runners.child.datasets import Doc, Part
from runners.child.sets.rows import text, whole
from runners.child.tables import Row


def parts(subset: str) -> list[Part]:
    """`<name>.jsonl` with query, choices and gold (0-based), and `<name>.dev.jsonl` for shots."""

    def doc(raw: Row, index: int) -> Doc:
        query, options = text(raw["query"], "query"), [text(choice, "choice") for choice in raw["choices"]]
        gold = whole(raw["gold"], 0, len(options) - 1, "gold")
        return {
            "item_id": f"{subset}/{index}",
            "query": query,
            "stem": query,
            "options": options,
            "gold": gold,
        }

    return [Part(files={"test": [f"{subset}.jsonl"], "dev": [f"{subset}.dev.jsonl"]}, doc=doc)]
