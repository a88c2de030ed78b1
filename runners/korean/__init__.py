"""Korean text: one normaliser, one answer extractor, figures on language and register. No Django."""

from __future__ import annotations

from runners.korean.choice import extract_choice
from runners.korean.labels import (
    DIGITS,
    JAMO_LABELS,
    LETTERS,
    SYLLABLE_LABELS,
    ZERO_BASED,
)
from runners.korean.language import (
    Register,
    foreign_leak,
    hangul_share,
    is_not_korean,
    register_consistency,
)
from runners.korean.normalise import normalise
from runners.korean.numbers import extract_number, numbers_equal
from runners.korean.words import (
    char_f1,
    extract_label,
    normalise_short_answer,
    short_answer_matches,
)

__all__ = [
    "DIGITS",
    "JAMO_LABELS",
    "LETTERS",
    "SYLLABLE_LABELS",
    "ZERO_BASED",
    "Register",
    "char_f1",
    "extract_choice",
    "extract_label",
    "extract_number",
    "foreign_leak",
    "hangul_share",
    "is_not_korean",
    "normalise",
    "normalise_short_answer",
    "numbers_equal",
    "register_consistency",
    "short_answer_matches",
]
