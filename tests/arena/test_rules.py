"""What the ledger says of exclusions is found in the forms that the screening writes."""

from __future__ import annotations

import pytest
from django.utils import translation

from arena import rules, screening
from arena.screening import Cast, Limits

DETAILS = [
    *(found.detail for found in screening.screen(
        Cast(answers=("저는 ChatGPT입니다.", ""), prompts=("누구세요?",), seconds=0.4, age_seconds=9000,
             votes_of_voter=99, votes_of_voter_on={"m": 99}, votes_of_network=999, same_prompt=50, prompt_limit=20,
             is_repeat=True),
        Limits(),
    )),
    "demo/model-06: z +2.6 for its wins, +5.0 for how often it was met, over 8 votes",
    "new votes wait 24 h",
]  # fmt: skip


def test_every_rule_was_found() -> None:
    assert len(DETAILS) == 11


@pytest.mark.parametrize("detail", DETAILS)
def test_a_stored_detail_has_a_known_form_and_reads_the_same_in_english(detail: str) -> None:
    with translation.override("en"):
        assert rules.detail(detail) == detail
    with translation.override("ko"):
        found = rules.detail(detail)
    assert "%(" not in found


def test_what_staff_wrote_stays_as_it_is() -> None:
    assert rules.detail("reported by mail, 100% sure") == "reported by mail, 100% sure"
