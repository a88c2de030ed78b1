"""Knowledge or format? The same item asked twice: by likelihood of its options, and by generation and match.

A model that ranks the right option first knows the answer; one that also writes it so that it can be read off has the
form as well. Right by generation alone is a guess as far as the likelihoods can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import connection

from leaderboard.inference import Interval, wilson_interval
from runners.models import Task

SUFFIX = "_gen"

# One pass per mode over the items of its results (an index serves it), then one join: no row is read per other model.
_QUERY = """
WITH pair(likelihood, generation) AS (VALUES {pairs}),
l AS MATERIALIZED (
    SELECT p.likelihood AS pair, s.item_id, s.correct FROM pair p
    JOIN runners_sample s ON s.result_id = p.likelihood WHERE s.correct IS NOT NULL),
g AS MATERIALIZED (
    SELECT p.likelihood AS pair, s.item_id, s.correct FROM pair p
    JOIN runners_sample s ON s.result_id = p.generation WHERE s.correct IS NOT NULL)
SELECT l.pair,
    SUM(CASE WHEN l.correct >= 1 AND g.correct >= 1 THEN 1 ELSE 0 END),
    SUM(CASE WHEN l.correct >= 1 AND g.correct < 1 THEN 1 ELSE 0 END),
    SUM(CASE WHEN l.correct < 1 AND g.correct >= 1 THEN 1 ELSE 0 END),
    SUM(CASE WHEN l.correct < 1 AND g.correct < 1 THEN 1 ELSE 0 END)
FROM l JOIN g ON g.pair = l.pair AND g.item_id = l.item_id GROUP BY l.pair
"""


@dataclass(frozen=True)
class Knowledge:
    """Counts of items that both modes scored: right in both, by likelihood alone, by generation alone, in neither."""

    both: int = 0
    knows: int = 0
    guesses: int = 0
    neither: int = 0

    @property
    def n(self) -> int:
        return self.both + self.knows + self.guesses + self.neither

    def shares(self) -> tuple[float, float, float, float] | None:
        """The four parts as shares (0..1) in the order of the fields; None where no item was scored twice."""
        if not self.n:
            return None
        return self.both / self.n, self.knows / self.n, self.guesses / self.n, self.neither / self.n

    def parts(self) -> list[tuple[int, Interval | None]]:
        """The four parts in the order of the fields: count, and share (0..1) with its 95 % Wilson interval."""
        return [(k, wilson_interval(k, self.n)) for k in (self.both, self.knows, self.guesses, self.neither)]

    def __add__(self, other: Knowledge) -> Knowledge:
        return Knowledge(
            self.both + other.both,
            self.knows + other.knows,
            self.guesses + other.guesses,
            self.neither + other.neither,
        )


def pairs(results: Iterable[tuple[int, str, str, int]]) -> dict[int, int]:
    """Likelihood result → generation result of the same items, from (result id, task name, mode, shots) of one run.

    A set's task by likelihood is called `name`, by generation `name_gen`; shots must agree.
    """
    rows = list(results)
    generation = {(name, shots): pk for pk, name, mode, shots in rows if mode == Task.Mode.GENERATE}
    found = {}
    for pk, name, mode, shots in rows:
        twin = generation.get((name + SUFFIX, shots))
        if mode == Task.Mode.LIKELIHOOD and twin is not None:
            found[pk] = twin
    return found


def knowledge(paired: Mapping[int, int]) -> dict[int, Knowledge]:
    """Per likelihood result of `paired` (likelihood → generation result) what the model knows. One query at most.

    Items are matched by `Sample.item_id`; items without a score in either mode (a failed request) are left out.
    """
    if not paired:
        return {}
    query = _QUERY.format(pairs=", ".join(["(%s, %s)"] * len(paired)))
    with connection.cursor() as cursor:
        cursor.execute(query, [pk for pair in paired.items() for pk in pair])
        counted = {pk: Knowledge(*(int(count) for count in counts)) for pk, *counts in cursor.fetchall()}
    return {pk: counted.get(pk, Knowledge()) for pk in paired}
