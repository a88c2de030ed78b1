"""Ratings against their peers on the same votes in one run: evalica, arena-rank and FastChat's procedure.

    .venv/bin/python -m bench.ratings [--votes 1000000] [--models 200] [--peer PYTHON]

`--peer` (or ARENA_RANK_PYTHON) is the interpreter of an environment with arena-rank (`bench/peer_arena_rank.py`
says how to make one); without it that peer is skipped. FastChat's procedure (L-BFGS-B on unique outcomes, gtol 1e-6,
100 multinomial bootstraps; features read row by row from the conversations' metadata) is written anew with SciPy, one
process; it is skipped without SciPy. One BLAS thread. Times are the best of several, in seconds; ratios count.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from typing import Any

import numpy as np

from bench.rating_peers import (
    SCORE,
    arena_rank,
    best,
    evalica,
    fastchat,
    fastchat_metadata,
    fastchat_style,
    fastchat_unique_rows,
)
from leaderboard.bradley_terry import PairCounts, rate
from leaderboard.bt.likelihood import (
    fit,
    inverse_information,
    maximum_likelihood,
    sandwich_variances,
    score_variance,
)
from leaderboard.bt.live import LiveStrengths
from leaderboard.bt.rows import Rows, estimate
from leaderboard.bt.table import POINTS_PER_UNIT
from leaderboard.elo import replay
from leaderboard.style import FASTCHAT_RIDGE, rate_with_style, style_features

Z = 1.959963984540054


def votes(n: int, m: int, styled: bool, seed: int = 0) -> dict[str, Any]:
    """n votes among m models: skewed pairs, 25 % ties.

    With `styled`, four features (4, N) of which length and bold matter to the voters, and every model its own style.
    """
    random = np.random.default_rng(seed)
    exposure = random.pareto(1.5, m) + 0.1
    left = random.choice(m, n, p=exposure / exposure.sum())
    right = (left + random.integers(1, m, n)) % m
    theta = random.normal(0, 0.6, m)
    gap, more = theta[left] - theta[right], {}
    if styled:
        means = np.array([[300], [3], [6], [5]]) * np.exp(random.normal(0, 0.3, (4, m)))
        counts = [random.poisson(means[:, side]) for side in (left, right)]
        more = {"features": style_features(counts[0], counts[1], "fastchat")}
        gap = gap + 0.4 * more["features"][0] + 0.1 * more["features"][3]
    outcome = np.where(random.random(n) < 0.25, 2, np.where(random.random(n) < 1 / (1 + np.exp(-gap)), 0, 1))
    return {"left": left, "right": right, "outcome": outcome.astype(np.int8), "models": m, **more}


def ours(data: dict[str, Any], names: list[str]) -> dict[str, Any]:
    counts = PairCounts.from_votes(names, data["left"], data["right"], data["outcome"])
    battles, points = counts.battles, counts.points
    theta = maximum_likelihood(battles, points)

    def interval() -> tuple[np.ndarray, np.ndarray]:
        found = fit(counts.wins, counts.ties)
        return found.theta, sandwich_variances(found.inverse, found.score)

    live = LiveStrengths.of(battles, points)
    found = {
        "count": best(lambda: PairCounts.from_votes(names, data["left"], data["right"], data["outcome"]), 3),
        "point": best(lambda: maximum_likelihood(battles, points), 30),
        "warm": best(lambda: maximum_likelihood(battles, points, theta), 30),
        "one vote": best(lambda: live.after(0, 1, 1.0), 15),
        "interval": best(interval, 30),
        "table": best(lambda: rate(counts), 3),
    }
    _, variances = interval()
    found["ratings"] = 1000 + POINTS_PER_UNIT * theta
    found["widths"] = Z * POINTS_PER_UNIT * np.sqrt(variances)
    found["counts"] = counts
    found["theta"] = theta
    return found


def against(label: str, mine: float, theirs: float | None) -> None:
    if theirs is not None:
        print(f"  {label:<58}{theirs:10.4f}  {theirs / mine:9.1f} x")


def same_ridge_widths(counts: PairCounts, theta: np.ndarray, ridge: float) -> np.ndarray:
    k = inverse_information(counts.battles, theta, ridge=ridge)
    return Z * POINTS_PER_UNIT * np.sqrt(sandwich_variances(k, score_variance(counts.wins, counts.ties, theta)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--models", type=int, default=200)
    python = os.environ.get("ARENA_RANK_PYTHON")
    parser.add_argument("--peer", default=python, help="interpreter of an environment with arena-rank")
    parser.add_argument("--bootstraps", type=int, default=100, help="of FastChat's 100; fewer are scaled up")
    parser.add_argument("--no-style", action="store_true")
    options = parser.parse_args()
    data = votes(options.votes, options.models, not options.no_style)
    names = [f"model-{i:04d}" for i in range(options.models)]
    begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mine = ours(data, names)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin) / 1024
    print(f"{options.votes:,} votes x {options.models} models, one BLAS thread, seconds")
    for key in ("count", "point", "warm", "one vote", "interval", "table"):
        print(f"  ours: {key:<52}{mine[key]:10.5f}")
    print(f"  ours: memory grown by counting and fitting, MB{grown:17.0f}")
    elo = best(lambda: replay(data["left"], data["right"], SCORE[data["outcome"]], [1000.0] * options.models), 2)
    print(f"  ours: Elo replay{'':<42}{elo:10.5f}")
    compare(data, names, mine, elo, options)


def compare(data: dict[str, Any], names: list[str], mine: dict[str, Any], elo: float, options: Any) -> None:
    if peer := evalica(data, names):
        against("evalica: point (kernel on indices) / kept counts", mine["point"], peer["point"])
        against("evalica: point / from rows, counting included", mine["count"] + mine["point"], peer["point"])
        against("evalica: point (public function, names) / from rows", mine["count"] + mine["point"], peer["public"])
        against("evalica: Elo", elo, peer["elo"])
        print(
            f"  largest difference to evalica at 1e-13, points{np.abs(mine['ratings'] - peer['ratings']).max():17.2e}"
        )
    if peer := arena_rank(data, options.peer):
        against("arena-rank: point / kept counts", mine["point"], peer["point"])
        against("arena-rank: sandwich / kept counts", mine["interval"], peer["interval"])
        # Neither peer keeps counts: with every new vote it starts from all rows again, where we start from the counts.
        against("arena-rank: a refit with intervals", mine["interval"], peer["interval"] + peer["dataset"])
        from_rows = mine["count"] + mine["interval"]
        against("arena-rank: sandwich / from rows", from_rows, peer["interval"] + peer["dataset"])
        widths = np.array([peer["widths"][name] for name in names])
        theirs = (np.array([peer["ratings"][name] for name in names]) - 1000) / POINTS_PER_UNIT
        ridge = 1e-5 * mine["counts"].n_votes
        for where, theta in (("our ratings", mine["theta"]), ("its ratings", theirs)):
            ridged = same_ridge_widths(mine["counts"], theta, ridge)
            gap = np.abs(widths / ridged - 1).max()
            print(f"  largest width ratio - 1 to arena-rank, same ridge, at {where}{gap:11.2e}")
        off = POINTS_PER_UNIT * np.abs(theirs - mine["theta"]).max()
        print(f"  its largest distance from the optimum, points{off:18.3f}")
        print(f"  its default ridge narrows widths by up to{1 - (widths / mine['widths']).min():22.2%}")
        print(f"  arena-rank: peak memory, MB{peer['peak_mb']:36.0f}")
    if peer := fastchat(data, options.bootstraps):
        against("FastChat's procedure: point (fit alone) / kept counts", mine["point"], peer["point"])
        unique = fastchat_unique_rows(data, names)
        against("FastChat's procedure: point / from rows", mine["count"] + mine["point"], unique + peer["point"])
        if interval := peer.get("interval"):
            label = f"FastChat's procedure: 100 bootstraps (from {options.bootstraps})"
            against(label, mine["interval"], interval)
            against("FastChat's procedure: a refit with intervals", mine["interval"], unique + interval)
    if not options.no_style:
        compare_style(data, names, options.peer)


def style_point(data: dict[str, Any], names: list[str]) -> np.ndarray:
    """The strengths alone, cold, from the columns of votes: what FastChat's fit gives."""
    counts = PairCounts.from_votes(names, data["left"], data["right"], data["outcome"])
    start = maximum_likelihood(counts.battles, counts.points)
    rows = Rows.of(len(names), data["left"], data["right"], SCORE[data["outcome"]], data["features"])
    return estimate(rows, start, FASTCHAT_RIDGE)[: len(names)]


def compare_style(data: dict[str, Any], names: list[str], python: str | None) -> None:
    columns = data["left"], data["right"], data["outcome"], data["features"]
    point = best(lambda: style_point(data, names), 5)
    whole = best(lambda: rate_with_style(names, *columns, ridge=FASTCHAT_RIDGE), 4)
    print(f"  ours: style control, ratings from rows, counting included{point:11.4f}")
    print(f"  ours: style control, with intervals and the table{whole:18.4f}")
    if peer := arena_rank(data, python):
        against("arena-rank: style control, rating and interval", whole, peer["style"])
    if peer := fastchat_style(data):
        against("FastChat's procedure: style control, fit alone, no intervals", point, peer[0])
        against("the same against ours with intervals and the table", whole, peer[0])
        raw = np.random.default_rng(1).poisson(5, (8, len(data["left"])))
        prepared = best(lambda: style_features(raw[:4], raw[4:], "fastchat"), 2)
        read = fastchat_metadata(raw)
        against("FastChat's procedure: style control, features included", point + prepared, peer[0] + read)
        gap = np.abs(1000 + POINTS_PER_UNIT * style_point(data, names) - peer[1]).max()
        print(f"  largest difference to FastChat's optimum, points{gap:15.2e}")


if __name__ == "__main__":
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, "-m", "bench.ratings", *sys.argv[1:]], {**os.environ, **one})
    main()
