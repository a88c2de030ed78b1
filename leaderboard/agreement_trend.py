"""How agreement went over time: S1 and S2 of the votes cast in each week or month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from leaderboard.agreement import Verdict, agreement
from leaderboard.verdict_rows import PeopleVote

MOST_WEEKS: Final = 26
"""So many weeks are shown week by week, more of them by month."""


def trend(judge: Iterable[Verdict], votes: Sequence[PeopleVote]) -> dict[str, Any] | None:
    """S1 and S2 by week (by month beyond half a year of weeks), oldest first; None with fewer than two periods."""
    said = {one.item: one for one in judge}
    met = [vote for vote in votes if vote.verdict.item in said]
    step = "week" if len({vote.week for vote in met}) <= MOST_WEEKS else "month"
    periods: defaultdict[str, list[Verdict]] = defaultdict(list)
    for vote in met:
        periods[vote.week if step == "week" else vote.month].append(vote.verdict)
    if len(periods) < 2:
        return None
    rows = []
    for start, chosen in sorted(periods.items()):
        found = agreement([said[one.item] for one in chosen], chosen, rounds=2)
        rows.append({"start": start, "s1": asdict(found.s1), "s2": asdict(found.s2), "n_items": found.n_items})
    return {"step": step, "rows": rows}
