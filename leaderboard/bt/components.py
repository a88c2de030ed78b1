"""Who can be rated: strong components of the graph "has beaten or tied" (Zermelo 1929, Ford 1957).

A finite maximum of the likelihood exists exactly within one strongly connected component. The largest one is the core
that gets ratings; everybody else is listed with the reason.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from leaderboard.inference import Bools, Floats, Ints

Status = Literal["rated", "no_votes", "only_wins", "only_losses", "not_connected"]
STATUSES: Final[dict[Status, str]] = {
    "rated": "has a finite rating",
    "no_votes": "has no counted vote yet",
    "only_wins": "has won every counted vote, so that no finite rating fits",
    "only_losses": "has lost every counted vote, so that no finite rating fits",
    "not_connected": "is not joined to the rated models by both wins and losses (or ties)",
}


def strong_components(points: Floats) -> Ints:
    """Component number (M,) of every model, from 0 by models, then by votes within; `points` (M, M) is positive where
    row has beaten or tied column.

    Forward and backward reachability from a pivot after trimming sources and sinks (Fleischer, Hendrickson and Pinar
    2000): two breadth-first searches when everybody is connected.
    """
    beaten: Bools = points > 0
    size = beaten.shape[0]
    label = np.full(size, -1, dtype=np.int64)
    next_label = 0
    pending = [np.arange(size)]
    while pending:
        nodes = pending.pop()
        nodes, trimmed = _trim(beaten, nodes)
        label[trimmed] = next_label + np.arange(trimmed.size)
        next_label += trimmed.size
        if nodes.size == 0:
            continue
        graph = beaten[np.ix_(nodes, nodes)]
        pivot = int(np.argmax(graph.sum(axis=0) + graph.sum(axis=1)))
        forward, backward = _reached(graph, pivot), _reached(graph.T, pivot)
        label[nodes[forward & backward]] = next_label
        next_label += 1
        rests = (nodes[forward & ~backward], nodes[backward & ~forward], nodes[~forward & ~backward])
        pending.extend(rest for rest in rests if rest.size)
    return _by_size(label, points)


def statuses(battles: Floats, points: Floats, component: Ints) -> list[Status]:
    """Why each model is or is not in the core, which is component 0 where that has two models or more."""
    played, won = battles.sum(axis=1), points.sum(axis=1)
    has_core = int((component == 0).sum()) > 1
    result: list[Status] = []
    for model in range(played.size):
        if played[model] == 0:
            result.append("no_votes")
        elif has_core and component[model] == 0:
            result.append("rated")
        elif won[model] == played[model]:
            result.append("only_wins")
        elif won[model] == 0:
            result.append("only_losses")
        else:
            result.append("not_connected")
    return result


def _trim(graph: Bools, nodes: Ints) -> tuple[Ints, Ints]:
    """Peel off models that nobody among the rest beats, or that beat nobody: each is a component of its own."""
    trimmed: list[Ints] = []
    while nodes.size:
        here = graph[np.ix_(nodes, nodes)]
        alone = ~(here.any(axis=0) & here.any(axis=1))
        if not alone.any():
            break
        trimmed.append(nodes[alone])
        nodes = nodes[~alone]
    return nodes, np.concatenate(trimmed) if trimmed else np.zeros(0, dtype=np.int64)


def _reached(graph: Bools, start: int) -> Bools:
    seen = np.zeros(graph.shape[0], dtype=np.bool_)
    seen[start] = True
    frontier = np.array([start])
    while frontier.size:
        fresh = graph[frontier].any(axis=0) & ~seen
        seen |= fresh
        frontier = np.flatnonzero(fresh)
    return seen


def _by_size(label: Ints, points: Floats) -> Ints:
    sizes = np.bincount(label)
    within = np.where(label[:, None] == label, points, 0.0).sum(axis=1)
    votes = np.bincount(label, weights=within)
    first = np.full(sizes.size, label.size)
    np.minimum.at(first, label, np.arange(label.size))
    number = np.empty(sizes.size, dtype=np.int64)
    number[np.lexsort((first, -votes, -sizes))] = np.arange(sizes.size)
    return number[label]
