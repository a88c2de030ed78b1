"""LaTeX of a model's answer as MathML without any power: known elements, known attributes, escaped text.

latex2mathml reads TeX that nobody trusts (`\\href`, `\\style`, `\\text` with markup in it), so its tree is written out
again by an allow-list instead of being taken as a string (MathML Core, W3C 2024, less links, events and styles).
"""

from __future__ import annotations

import re
from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

# Longer formulas are shown as their source: the converter is quadratic in the worst case.
MAX_FORMULA = 1_000
MAX_DEPTH = 24
ELEMENTS = frozenset(
    re.findall(
        r"\w+",
        "math mrow mi mn mo ms mtext mspace msup msub msubsup mfrac msqrt mroot munder mover munderover mtable mtr mtd "
        "mstyle mpadded mphantom menclose merror mmultiscripts mprescripts none",
    )
)
_TOKENS = frozenset(("mi", "mn", "mo", "ms", "mtext"))
_WORD = re.compile(r"[a-z-]{1,20}")
_SMALL = re.compile(r"[0-4](\.\d{1,4})?(em|ex)?")
ATTRIBUTES: dict[str, re.Pattern[str]] = {
    **dict.fromkeys(("display", "mathvariant", "stretchy", "fence", "separator", "accent", "form"), _WORD),
    **dict.fromkeys(("movablelimits", "largeop", "displaystyle", "columnalign", "notation"), _WORD),
    **dict.fromkeys(("linethickness", "width", "scriptlevel"), _SMALL),
}


def mathml(latex: str, *, block: bool = False) -> str | None:
    """The formula as a `<math>` element of allowed parts only; None where it is too long or cannot be read."""
    if len(latex) > MAX_FORMULA or _depth(latex) > MAX_DEPTH:
        return None
    try:
        tree = convert_to_element(latex, display="block" if block else "inline")
        return _written(tree, 0)
    except Exception:  # noqa: BLE001 - the converter raises whatever it trips over; the source is shown instead
        return None


def _depth(latex: str) -> int:
    """How deep braces and environments nest, an upper bound of the tree's depth and of the converter's recursion."""
    deepest = depth = 0
    for opened in re.findall(r"[{}]|\\left\b|\\right\b|\\begin\b|\\end\b", latex):
        depth += 1 if opened in ("{", "\\left", "\\begin") else -1
        deepest = max(deepest, depth)
    return deepest


def _written(node: Element, depth: int) -> str:
    """One element and what it holds. An unknown element is left out; what it holds stays."""
    if depth > 4 * MAX_DEPTH:
        raise ValueError("formula too deep")
    name = node.tag.rpartition("}")[2]
    # The converter writes symbols as references (&#x0002B;), to be read once and escaped again.
    text = escape(unescape(node.text)) if node.text and name in _TOKENS else ""
    inner = text + "".join(_written(child, depth + 1) for child in node)
    if name not in ELEMENTS:
        return inner
    kept = "".join(
        f' {key}="{escape(value)}"'
        for key, value in node.attrib.items()
        if key in ATTRIBUTES and ATTRIBUTES[key].fullmatch(value)
    )
    return f"<{name}{kept}>{inner}</{name}>"
