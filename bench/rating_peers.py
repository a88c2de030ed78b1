"""The peers of `bench.ratings`, each timed on the same votes; None and a printed reason where one is absent."""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from leaderboard.bradley_terry import POINTS_PER_UNIT

SCORE = np.array([1.0, 0.0, 0.5])


def best(run: Callable[[], Any], rounds: int = 5) -> float:
    """Seconds of the quickest of several runs, of the clock or (on a busy machine) of the processor, the lesser."""
    times = []
    for _ in range(rounds):
        begin, used = time.perf_counter(), time.process_time()
        run()
        times += [time.perf_counter() - begin, time.process_time() - used]
    return min(times)


def evalica(data: dict[str, Any], names: list[str]) -> dict[str, Any] | None:
    try:
        import evalica as peer
    except ImportError:
        print("skipped: evalica is not installed (pip install evalica)")
        return None
    winners = [(peer.Winner.X, peer.Winner.Y, peer.Winner.Draw)[code] for code in data["outcome"]]
    xs, ys = data["left"].tolist(), data["right"].tolist()
    xs_named, ys_named = [names[i] for i in xs], [names[i] for i in ys]
    weights, total = [1.0] * len(xs), len(names)

    def kernel() -> Any:
        return peer._brzo.bradley_terry(
            xs=xs, ys=ys, winners=winners, weights=weights, total=total,
            win_weight=1.0, tie_weight=0.5, tolerance=1e-6, limit=100,
        )  # fmt: skip

    exact = peer.bradley_terry(xs_named, ys_named, winners, tolerance=1e-13, limit=100_000).scores
    log_scores = np.log(exact.reindex(names).to_numpy())
    return {
        "point": best(kernel, 5),
        "public": best(lambda: peer.bradley_terry(xs_named, ys_named, winners), 2),
        "elo": best(lambda: peer.elo(xs_named, ys_named, winners), 2),
        "ratings": 1000 + POINTS_PER_UNIT * (log_scores - log_scores.mean()),
    }


def arena_rank(data: dict[str, Any], python: str | None) -> dict[str, Any] | None:
    if not python:
        print("skipped: arena-rank needs an environment of its own; name its interpreter with --peer")
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "votes.npz"
        np.savez(file, **data)
        script = Path(__file__).with_name("peer_arena_rank.py")
        done = subprocess.run([python, str(script), str(file), "3"], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"skipped: arena-rank failed under {python}: {done.stderr.strip().splitlines()[-1]}")
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def fastchat_unique_rows(data: dict[str, Any], names: list[str]) -> float:
    """Seconds for its way from a data frame of names to unique (left, right, outcome) rows with their counts."""
    import pandas as pd

    named = np.array(names)
    frame = pd.DataFrame({"a": named[data["left"]], "b": named[data["right"]], "winner": data["outcome"]})

    def unique() -> None:
        index, _ = pd.factorize(pd.concat([frame["a"], frame["b"]]))
        rows = np.column_stack([index[: len(frame)], index[len(frame) :], frame["winner"]]).astype(np.int32)
        np.unique(rows, return_counts=True, axis=0)

    return best(unique, 1)


def fastchat(data: dict[str, Any], bootstraps: int) -> dict[str, Any] | None:
    """The published procedure: unique (left, right, outcome) rows, both orders of a pair apart as it keeps them;
    natural ratings, alpha = ln 10; the bootstraps draw the rows' counts from a multinomial."""
    try:
        from scipy.optimize import minimize
        from scipy.special import expit
    except ImportError:
        print("skipped: FastChat's procedure needs SciPy")
        return None
    m, alpha = int(data["models"]), math.log(10)
    cells, counts = np.unique((data["left"] * m + data["right"]) * 3 + data["outcome"], return_counts=True)
    pairs, y, weights = np.column_stack([cells // 3 // m, cells // 3 % m]), SCORE[cells % 3], counts.astype(float)

    def fit(w: np.ndarray) -> np.ndarray:
        def loss(r: np.ndarray) -> tuple[float, np.ndarray]:
            both = r[pairs]
            p = expit(alpha * (both[:, 0] - both[:, 1]))
            slope = -alpha * (y - p) * w
            gradient = np.zeros(m)
            np.add.at(gradient, pairs, slope[:, None] * np.array([1.0, -1.0]))
            return -float(((np.log(p) * y + np.log(1 - p) * (1 - y)) * w).sum()), gradient

        options = {"maxiter": 100, "gtol": 1e-6}
        return np.asarray(minimize(loss, np.zeros(m), jac=True, method="L-BFGS-B", options=options).x)

    found: dict[str, Any] = {"point": best(lambda: fit(weights), 2), "rows": len(cells)}
    if bootstraps:
        drawn = np.random.default_rng(0).multinomial(int(weights.sum()), weights / weights.sum(), size=bootstraps)
        found["interval"] = best(lambda: [fit(sample / weights.sum()) for sample in drawn], 1) * 100 / bootstraps
    return found


def fastchat_metadata(raw: np.ndarray) -> float:
    """Seconds for its way from one dictionary a row (headers, lists and bold in dictionaries of their kinds, as its
    logs have them) to z-scored relative differences of four features. Timed on a tenth of the rows."""
    import pandas as pd

    kinds = {"header_count": ("h1", "h2", "h3", "h4", "h5", "h6"), "list_count": ("ordered", "unordered"),
             "bold_count": ("**", "__")}  # fmt: skip
    keys = [f"{name}_{side}" for side in "ab" for name in ("tokens", *kinds)]

    def logged(key: str, value: int) -> int | dict[str, int]:
        names = kinds.get(key[:-2])
        return value if names is None else {**dict.fromkeys(names, 0), names[0]: value}

    rows = raw.T[::10].tolist()
    metadata = pd.Series([{key: logged(key, n) for key, n in zip(keys, row, strict=True)} for row in rows])

    def number(one: dict[str, Any], key: str) -> int:
        value = one[key]
        return value if isinstance(value, int) else sum(value.values())

    def read() -> None:
        columns = np.array([metadata.map(partial(number, key=key)).to_numpy() for key in keys], dtype=float)
        ratio = (columns[:4] - columns[4:]) / (columns[:4] + columns[4:] + 1)
        (ratio - ratio.mean(axis=1, keepdims=True)) / ratio.std(axis=1, keepdims=True)

    return best(read, 1) * raw.shape[1] / len(rows)


def fastchat_style(data: dict[str, Any]) -> tuple[float, np.ndarray] | None:
    """FastChat's contextual fit (reg 0.5 on everything, L-BFGS-B, gtol 1e-6) and, untimed, the same to 1e-9."""
    try:
        from scipy.optimize import minimize
        from scipy.special import expit
    except ImportError:
        return None
    m, alpha, y = int(data["models"]), math.log(10), SCORE[data["outcome"]]
    pairs, rows = np.column_stack([data["left"], data["right"]]), data["features"].T
    sides = np.array([1.0, -1.0])

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        both = w[:m][pairs]
        p = expit(alpha * (both[:, 0] - both[:, 1]) + np.dot(rows, w[m:]))
        error = y - p
        gradient = 0.5 * w
        np.add.at(gradient[:m], pairs, (-alpha * error)[:, None] * sides)
        gradient[m:] -= np.dot(rows.T, error)
        return -float((np.log(p) * y + np.log(1 - p) * (1 - y)).sum()) + 0.25 * float(w @ w), gradient

    def fit(**options: float) -> np.ndarray:
        return np.asarray(minimize(loss, np.zeros(m + rows.shape[1]), jac=True, method="L-BFGS-B", options=options).x)

    seconds = best(lambda: fit(maxiter=100, gtol=1e-6), 2)
    return seconds, 1000 + 400 * fit(maxiter=2000, gtol=1e-9, ftol=1e-15)[:m]
