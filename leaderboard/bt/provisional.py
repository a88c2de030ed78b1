"""Provisional strengths for models outside the rated core: shown apart, never ranked."""

from __future__ import annotations

from typing import Final

import numpy as np

from leaderboard.inference import Bools, Floats

PSEUDO_BATTLES: Final = 0.5
"""Half a tie against a model of the core's mean strength keeps every provisional strength finite."""


def provisional_strengths(battles: Floats, points: Floats, core: Bools, theta: Floats) -> Floats:
    """Strengths (M,) with the core's fixed at `theta` (M,) and the rest fitted under half a pseudo-tie each.

    The core's votes decide the scale; a component that never met the core is rated around the core's mean.
    """
    rest = np.flatnonzero(~core)
    strengths = np.where(core, theta, 0.0)
    if rest.size == 0:
        return strengths
    n, won = battles[rest], points[rest].sum(axis=1)
    for _ in range(200):
        p = 1 / (1 + np.exp(np.clip(strengths - strengths[rest, None], -700, 700)))
        pseudo = 1 / (1 + np.exp(-strengths[rest]))
        slope = won - (n * p).sum(axis=1) + PSEUDO_BATTLES * (0.5 - pseudo)
        h = n * p * (1 - p)
        diagonal = h.sum(axis=1) + PSEUDO_BATTLES * pseudo * (1 - pseudo)
        step = np.linalg.solve(np.diag(diagonal) - h[:, rest], slope)
        moved = float(np.abs(step).max())
        strengths[rest] += step * min(1.0, 1.0 / moved) if moved > 0 else 0.0
        if moved < 1e-9:
            break
    return strengths
