"""The vote log: what was sealed cannot be changed without being seen."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from arena import chain, tallies
from arena.models import Vote, VoteLogRoot
from tests.arena.votes import make_source, make_vote

pytestmark = pytest.mark.django_db
LATER = timedelta(minutes=5)


def test_a_root_is_the_end_of_the_chain_that_anybody_can_compute() -> None:
    source = make_source()
    for winner in ("a", "tie", "b"):
        make_vote(source, "x", "y", winner, voter="somebody")
    root = chain.seal(source, timezone.now() + LATER)
    link = hashlib.sha256(b"gyeoru vote log 1\npeople").hexdigest()
    for entry in chain.log(source):
        text = json.dumps(entry.values, ensure_ascii=False, separators=(",", ":"))
        link = hashlib.sha256(f"{link}\n{text}".encode()).hexdigest()
        assert "somebody" not in text
    assert root is not None
    assert (root.root, root.n_votes) == (link, 3)


def test_sealing_goes_on_from_the_last_root() -> None:
    source = make_source()
    make_vote(source, "x", "y")
    first = chain.seal(source, timezone.now() + LATER)
    assert chain.seal(source, timezone.now() + LATER) is None
    make_vote(source, "y", "z")
    second = chain.seal(source, timezone.now() + LATER)
    assert first
    assert second
    assert second.n_votes == 2
    assert chain.verify(source) == chain.Verification(2, 2, None)


def test_a_vote_that_may_still_be_on_its_way_is_not_sealed() -> None:
    source = make_source()
    make_vote(source, "x", "y")
    assert chain.seal(source) is None


@pytest.mark.parametrize("tamper", ["change", "remove", "exclude"])
def test_a_changed_or_missing_vote_breaks_the_log_and_an_exclusion_does_not(tamper: str) -> None:
    source = make_source()
    votes = [make_vote(source, "x", "y") for _ in range(4)]
    chain.seal(source, timezone.now() + LATER)
    if tamper == "change":
        Vote.objects.filter(pk=votes[1].pk).update(winner="b")
    elif tamper == "remove":
        Vote.objects.filter(pk=votes[3].pk).delete()
    else:
        tallies.exclude([votes[1].pk], rule="leak", actor="t")
    assert (chain.verify(source).broken is None) == (tamper == "exclude")


def test_the_command_says_whether_everything_holds(capsys: pytest.CaptureFixture[str]) -> None:
    source = make_source()
    vote = make_vote(source, "x", "y")
    Vote.objects.update(cast_at=timezone.now() - LATER)
    call_command("votelog", seal=True)
    call_command("votelog", verify=True)
    assert "1 roots over 1 votes hold; counts are right" in capsys.readouterr().out
    Vote.objects.filter(pk=vote.pk).update(winner="b")
    with pytest.raises(CommandError, match="people"):
        call_command("votelog", verify=True)
    assert VoteLogRoot.objects.count() == 1
