"""Loops by the thousand: positions on a lending pool as plain data for the first instant.

A loop deposits its equity, borrows at a loan-to-value, buys more of the collateral and deposits
that, for some rounds::

    collateral = E * (1 - L^(n+1)) / (1 - L);   debt = collateral - E

Equities are log-normal and loan-to-values uniform, both stratified (one quantile per account), so
that what stands near the edge does not depend on a few draws.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import attrs

from exchange_sim.rng import Stream

_GOLDEN: Final = (math.sqrt(5.0) - 1.0) / 2.0
ROUNDS_MAX: Final = 50


@attrs.frozen
class LooperCrowd:
    """A population of loops in one pool.

    ``accounts`` own ``total_usd`` of equity together; each goes ``rounds_low`` to ``rounds_high``
    rounds at a loan-to-value between ``ltv_low`` and ``ltv_high``.  A share of ``unwinders`` gives
    up ``unwind_share`` of the loop, when its health factor falls to about ``unwind_health`` or the
    collateral trades ``unwind_discount`` below its oracle price in ``amm`` (0: never for that
    reason); each has its own trigger within ``spread`` of these, and acts after a gamma reaction
    time.  ``slippage`` is the most that the sale may lose; ``gas`` what the wallet has for gas.
    """

    pool: str
    collateral: str
    debt: str
    category: str = ""
    accounts: int = 1000
    total_usd: float = 100e6
    size_log_sd: float = 1.5
    rounds_low: int = 3
    rounds_high: int = 8
    ltv_low: float = 0.6
    ltv_high: float = 0.85
    unwinders: float = 0.0
    unwind_health: float = 1.02
    unwind_discount: float = 0.01
    unwind_share: float = 0.5
    spread: float = 0.5
    reaction_mean_s: float = 300.0
    reaction_sd_s: float = 150.0
    slippage: float = 0.02
    amm: str = ""
    gas: float = 0.05


@attrs.frozen
class LooperSpec:
    """One loop in dollars, and when it is given up (0: never for that reason)."""

    equity_usd: float
    collateral_usd: float
    debt_usd: float
    unwind_health: float
    unwind_discount: float
    unwind_share: float


def draw_loopers(crowd: LooperCrowd, stream: Stream) -> list[LooperSpec]:
    """All loops of a population, in random order.  Raises ``ValueError`` for bad parameters."""
    if crowd.accounts < 1 or crowd.total_usd <= 0:
        raise ValueError("loopers need accounts and total_usd above 0")
    if not 0 <= crowd.rounds_low <= crowd.rounds_high <= ROUNDS_MAX:
        raise ValueError(f"rounds must rise within 0 and {ROUNDS_MAX}: rounds_low, rounds_high")
    if not 0 < crowd.ltv_low <= crowd.ltv_high < 1:
        raise ValueError("loan-to-values must rise within (0, 1): ltv_low, ltv_high")
    if not 0 <= crowd.unwinders <= 1 or not 0 < crowd.unwind_share <= 1:
        raise ValueError("unwinders must lie in [0, 1], unwind_share in (0, 1]")
    normal, n = NormalDist(), crowd.accounts
    sizes = [math.exp(crowd.size_log_sd * normal.inv_cdf((i + 0.5) / n)) for i in range(n)]
    scale, shift = crowd.total_usd / sum(sizes), stream.random()
    found = []
    for i, size in enumerate(sizes):
        place = (shift + i * _GOLDEN) % 1.0
        ltv = crowd.ltv_low + (crowd.ltv_high - crowd.ltv_low) * place
        rounds = stream.randrange(crowd.rounds_low, crowd.rounds_high + 1)
        equity = size * scale
        collateral = equity * (1 - ltv ** (rounds + 1)) / (1 - ltv)
        gives_up, tilt = stream.random() < crowd.unwinders, stream.uniform(-1.0, 1.0)
        factor = gives_up * (1 + crowd.spread * tilt)
        health = 1 + (crowd.unwind_health - 1) * factor if gives_up else 0.0
        found.append(
            LooperSpec(
                equity,
                collateral,
                collateral - equity,
                health if crowd.unwind_health else 0.0,
                crowd.unwind_discount * factor,
                crowd.unwind_share,
            )
        )
    stream.shuffle(found)
    return found
