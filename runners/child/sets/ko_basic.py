"""Our own bundled items, as in `runners/data/ko-basic/<category>.jsonl`."""

from __future__ import annotations

import hashlib

from runners.child.datasets import Doc, Part
from runners.child.sets.rows import text, whole
from runners.child.tables import Row


def parts(subset: str) -> list[Part]:
    """One category.

    A short answer has no options to show; for likelihood its first accepted answer stands among its distractors, at a
    place that depends on the item's id alone.
    """

    def doc(raw: Row, _: int) -> Doc:
        question, item = text(raw["question"], "question"), text(raw["id"], "id")
        common = {"item_id": item, "question": question, "stem": question}
        if raw.get("choices"):
            gold = whole(raw["answer"], 0, len(raw["choices"]) - 1, "answer")
            return {**common, "options": list(raw["choices"]), "gold": gold, "accepted": None}
        accepted, options = list(raw["accepted"]), list(raw["distractors"])
        gold = int(hashlib.sha256(item.encode()).hexdigest(), 16) % (len(options) + 1)
        options.insert(gold, text(accepted[0], "accepted answer"))
        return {**common, "options": options, "gold": gold, "accepted": accepted}

    return [Part(files={"test": [f"{subset}.jsonl"]}, doc=doc)]
