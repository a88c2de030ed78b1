"""KMMLU (Son et al. 2024, arXiv 2402.11548): 45 subjects in four groups."""

from __future__ import annotations

from collections.abc import Sequence

from runners.child.datasets import Doc, Part
from runners.child.sets.rows import lettered, table
from runners.child.tables import Row

GROUPS = {
    "stem": "Biology Chemical-Engineering Chemistry Civil-Engineering Computer-Science Ecology Electrical-Engineering "
    "Information-Technology Materials-Engineering Math Mechanical-Engineering",
    "applied_science": "Aviation-Engineering-and-Maintenance Electronics-Engineering Energy-Management "
    "Environmental-Science Gas-Technology-and-Engineering Geomatics Industrial-Engineer "
    "Machine-Design-and-Manufacturing Maritime-Engineering Nondestructive-Testing "
    "Railway-and-Automotive-Engineering Telecommunications-and-Wireless-Technology",
    "humss": "Accounting Criminal-Law Economics Education Korean-History Law Management "
    "Political-Science-and-Sociology Psychology Social-Welfare Taxation",
    "other": "Agricultural-Sciences Construction Fashion Food-Processing Health Interior-Architecture-and-Design "
    "Marketing Patent Public-Safety Real-Estate Refrigerating-Machinery",
}


def subjects(hub: str, configs: Sequence[str]) -> list[Part]:
    def part(config: str) -> Part:
        def doc(raw: Row, index: int) -> Doc:
            return {**lettered(config, raw, index, "ABCD"), "subject": config}

        return table(hub, config, doc, test="test", dev="dev")

    return [part(config) for config in configs]


def parts(subset: str) -> list[Part]:
    """One of the four groups; `item_id` begins with the subject."""
    return subjects("HAERAE-HUB/KMMLU", GROUPS[subset].split())
