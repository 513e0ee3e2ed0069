"""Steps of the learners' environment.

Run ``python -m benchmarks learn``.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.figures import Figure, at_least
from exchange_sim.gym import MakerEnv

STEPS = 3_000
TARGET = 2_000.0


def rate(seed: int) -> float:
    """Steps of 100 ms per second of processor time in the calm market, quotes that move."""
    env = MakerEnv("gym_calm", step="100ms")
    env.reset(seed=seed)
    dice = np.random.default_rng(seed)
    actions = dice.random((STEPS, 4), dtype=np.float32)
    started = time.process_time()
    for action in actions:
        env.step(action)
    seconds = time.process_time() - started
    env.close()
    return STEPS / seconds


def figures() -> list[Figure]:
    """The best of three episodes."""
    best = max(rate(seed) for seed in (1, 2, 3))
    return [at_least("MakerEnv.step of 100 ms in gym_calm", best, TARGET, "steps/s")]
