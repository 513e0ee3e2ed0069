"""Formulas of market making and order flow that strategies build on.

Floats throughout: these decide quotes, never money.  Names follow the papers:

* Avellaneda and Stoikov (2008), Quant. Finance 8(3): reservation price and spread;
* Gueant, Lehalle, Fernandez-Tapia, https://arxiv.org/abs/1605.01862 (4.6, 4.7): asymptotic quotes;
* Easley, Lopez de Prado, O'Hara (2012), https://ssrn.com/abstract=1695596: VPIN;
* https://arxiv.org/abs/1302.1405, https://arxiv.org/abs/1403.5227: self-exciting arrivals;
* Brunnermeier and Pedersen (2009), https://doi.org/10.1093/rfs/hhn098: margins that rise with
moves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist

import attrs

_NORMAL = NormalDist()


def reservation_price(
    mid: float, inventory: float, gamma: float, variance: float, horizon: float
) -> float:
    """Price at which a maker with this inventory is indifferent: ``s - q * gamma * var * tau``."""
    return mid - inventory * gamma * variance * horizon


def optimal_spread(gamma: float, variance: float, horizon: float, k: float) -> float:
    """Full spread ``gamma * var * tau + (2 / gamma) * ln(1 + gamma / k)``.

    Raises ``ValueError`` unless ``gamma`` and ``k`` are positive.
    """
    if gamma <= 0 or k <= 0:
        raise ValueError("risk aversion and the decay of arrivals must be positive")
    return gamma * variance * horizon + 2 / gamma * math.log1p(gamma / k)


@attrs.frozen
class GlftQuotes:
    """Constants and depths of both quotes from the mid; a negative depth is marketable."""

    c1: float
    c2: float
    bid_depth: float
    ask_depth: float


def glft_quotes(
    a: float, k: float, gamma: float, xi: float, sigma: float, delta: float, inventory: float
) -> GlftQuotes:
    """Quotes for arrivals ``a * exp(-k * depth)``, order size ``delta`` and inventory in orders.

    Raises ``ValueError`` unless every parameter but ``sigma`` and ``inventory`` is positive.
    """
    if min(a, k, gamma, xi, delta) <= 0:
        raise ValueError("a, k, gamma, xi and delta must be positive")
    step = xi * delta
    c1 = math.log1p(step / k) / step
    c2 = math.sqrt(gamma / (2 * a * delta * k) * (1 + step / k) ** (k / step + 1))
    half, skew = c1 + delta / 2 * sigma * c2, inventory * sigma * c2
    return GlftQuotes(c1, c2, half + skew, half - skew)


def arrival_intensity(a: float, k: float, depth: float) -> float:
    """Fills per second of a quote at ``depth`` from the mid."""
    return a * math.exp(-k * depth)


def vpin(buckets: Sequence[tuple[float, float]], bucket_volume: float | None = None) -> float:
    """``SUM |sell - buy| / (n * volume)`` over volume buckets; 0 without volume."""
    volume = bucket_volume
    if volume is None:
        volume = sum(buy + sell for buy, sell in buckets) / len(buckets) if buckets else 0.0
    if not buckets or volume <= 0:
        return 0.0
    return sum(abs(sell - buy) for buy, sell in buckets) / (len(buckets) * volume)


def bulk_buy_volume(volume: float, price_change: float, sigma: float) -> float:
    """Part of a bar's volume that counts as buying: ``V * Phi(dP / sigma)``."""
    if sigma <= 0:
        return volume * (0.5 if price_change == 0 else float(price_change > 0))
    return volume * _NORMAL.cdf(price_change / sigma)


def branching_ratio(alpha: float, beta: float) -> float:
    """Children per event of an exponential Hawkes process.  ``ValueError`` unless beta > 0."""
    if beta <= 0:
        raise ValueError(f"the decay must be positive, not {beta}")
    return alpha / beta


def hawkes_mean(mu: float, branching: float) -> float:
    """Stationary intensity ``mu / (1 - n)``; infinite at a branching ratio of 1 or more."""
    return mu / (1 - branching) if branching < 1 else math.inf


def hawkes_intensity(
    mu: float, alpha: float, beta: float, event_times: Iterable[float], t: float
) -> float:
    """Intensity at ``t``: ``mu`` plus the decaying kick of every event before it."""
    return mu + sum(alpha * math.exp(-beta * (t - event)) for event in event_times if event < t)


def branching_estimate(mean: float, variance: float) -> float:
    """Branching ratio from the counts of long windows: ``1 - sqrt(mean / variance)``.

    Raises ``ValueError`` for a variance that is not positive.
    """
    if variance <= 0:
        raise ValueError(f"the variance of the counts must be positive, not {variance}")
    return 1 - math.sqrt(mean / variance)


def value_at_risk_margin(tail: float, sigma: float, theta: float, last_move: float) -> float:
    """Margin per unit of a financier who cannot tell news from noise.

    ``Phi^-1(1 - tail) * (sigma + theta * |last move|)``.  ``ValueError`` unless 0 < tail < 1.
    """
    if not 0 < tail < 1:
        raise ValueError(f"the tail probability must be in (0, 1), not {tail}")
    return _NORMAL.inv_cdf(1 - tail) * (sigma + theta * abs(last_move))
