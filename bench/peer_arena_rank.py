"""Times arena-rank on votes that `bench/ratings.py` wrote; runs in an environment of its own and prints JSON.

    python -m venv /some/where && /some/where/bin/pip install arena-rank

The PyPI release pins numpy and jax to single versions, so it cannot share the project's environment.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from arena_rank.models.bradley_terry import BradleyTerry
from arena_rank.models.contextual_bradley_terry import ContextualBradleyTerry
from arena_rank.utils.data_utils import ContextualPairDataset, PairDataset


def main(file: str, rounds: int) -> None:
    votes = np.load(file)
    names = np.array([f"model-{i:04d}" for i in range(int(votes["models"]))])
    winner = np.array(["model_a", "model_b", "tie", "both_bad"])[votes["outcome"]]
    frame = pd.DataFrame({"model_a": names[votes["left"]], "model_b": names[votes["right"]], "winner": winner})
    found: dict[str, Any] = {}
    begin, used = time.perf_counter(), time.process_time()
    dataset = PairDataset.from_pandas(frame)
    found["dataset"] = spent(begin, used)
    for _ in range(rounds):
        model = BradleyTerry(dataset.n_competitors)
        begin, used = time.perf_counter(), time.process_time()
        model.fit(dataset)
        np.asarray(model.params["ratings"])
        found["point"] = min(found.get("point", np.inf), spent(begin, used))
        begin, used = time.perf_counter(), time.process_time()
        result = model.compute_ratings_and_cis(dataset)
        np.asarray(result["rating_upper"])
        interval = found["point"] + spent(begin, used)
        found["interval"] = min(found.get("interval", np.inf), interval)
    widths = np.asarray(result["rating_upper"] - result["ratings"])
    found["ratings"] = dict(zip(result["competitors"], np.asarray(result["ratings"]).tolist(), strict=True))
    found["widths"] = dict(zip(result["competitors"], widths.tolist(), strict=True))
    if "features" in votes:
        found.update(style(votes, names))
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


def style(votes: Any, names: Any) -> dict[str, Any]:
    import jax.numpy as jnp

    y = np.choose(votes["outcome"], [1.0, 0.0, 0.5, 0.5])
    pairs = np.column_stack([votes["left"], votes["right"]]).astype(np.int32)
    dataset = ContextualPairDataset(
        competitors=names.tolist(),
        pairs=jnp.array(pairs),
        outcomes=jnp.array(y),
        features=jnp.array(votes["features"].T),
        weights=jnp.ones(len(y)),
    )
    model = ContextualBradleyTerry(len(names), len(votes["features"]))
    begin, used = time.perf_counter(), time.process_time()
    model.fit(dataset)
    result = model.compute_ratings_and_cis(dataset)
    np.asarray(result["rating_upper"])
    return {"style": spent(begin, used)}


def spent(begin: float, used: float) -> float:
    """Seconds of the clock or, on a busy machine, of the processor where that is less."""
    return min(time.perf_counter() - begin, time.process_time() - used)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
