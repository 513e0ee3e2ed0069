"""Index and mark prices as exact integers.

Prices are in micro-ticks (millionths of a tick), so that averages keep their fraction; every
division rounds to the nearest, halves upwards, because a mark favours neither side.

Index of a venue (https://www.binance.com/en/support/faq/547ba48141474ab3bddc5d7898f97928)::

    index = SUM w_i * p_i / SUM w_i
    no update for more than 10 s         -> weight 0
    more than 5 % from the median of all -> weight 0; more than one such source -> the median itself

A single source is its own median, so none of this protects it.

Mark (https://www.binance.com/en/support/faq/360033525071)::

    P1 = index * (1 + last funding rate * time to funding / funding interval)
    P2 = index + mean of 30 one-second samples of (best bid + best ask) / 2 - index
    mark = median(P1, P2, last contract price)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from exchange_sim.units import NANOS_PER_HOUR, NANOS_PER_S, PPM, mul_div_nearest

MICRO: Final = 1_000_000
"""Micro-ticks per tick."""

PPB: Final = 1_000_000_000
"""One, in parts per billion: the scale of funding rates and premiums."""

INDEX_OUTLIER_PPM: Final = 50_000
INDEX_STALE_NS: Final = 10 * NANOS_PER_S
BASIS_SAMPLES: Final = 30
FUNDING_INTERVAL_NS: Final = 8 * NANOS_PER_HOUR


def median3(a: int, b: int, c: int) -> int:
    """The middle one of three prices."""
    if a > b:
        a, b = b, a
    if c <= a:
        return a
    return min(b, c)


def median(prices: Sequence[int]) -> int:
    """Middle price; with an even number the mean of the middle two, to the nearest.

    Raises ``ValueError`` without prices.
    """
    if not prices:
        raise ValueError("a median needs at least one price")
    ordered = sorted(prices)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    return mul_div_nearest(ordered[half - 1] + ordered[half], 1, 2)


def weighted_median(prices: Sequence[int], weights: Sequence[int]) -> int:
    """The lowest price at which at least half of the weight lies at or below it.

    When the half falls exactly between two prices, their mean.  Raises ``ValueError`` without
    weight.
    """
    pairs = sorted((p, w) for p, w in zip(prices, weights, strict=True) if w > 0)
    if not pairs:
        raise ValueError("a weighted median needs a source with positive weight")
    total, reached = sum(w for _, w in pairs), 0
    for k, (price, weight) in enumerate(pairs):
        reached += weight
        if 2 * reached > total:
            return price
        if 2 * reached == total:
            return mul_div_nearest(price + pairs[k + 1][0], 1, 2)
    raise AssertionError("unreachable: the last source reaches the whole weight")


def weighted_mean(prices: Sequence[int], weights: Sequence[int]) -> int:
    """``SUM w p / SUM w`` to the nearest.  Raises ``ValueError`` without positive weight."""
    total = sum(weights)
    if total <= 0:
        raise ValueError("a weighted mean needs a source with positive weight")
    weighted = sum(p * w for p, w in zip(prices, weights, strict=True))
    return mul_div_nearest(weighted, 1, total)


def index_price(
    prices: Sequence[int],
    weights: Sequence[int],
    ages_ns: Sequence[int] | None = None,
    *,
    outlier_ppm: int = INDEX_OUTLIER_PPM,
    stale_ns: int = INDEX_STALE_NS,
) -> int | None:
    """Index of a venue from its sources, or None when no source is fresh (keep the last index).

    ``weights`` are integers of any scale; a source without a price has price 0.  ``ages_ns`` is the
    time since each source's last update.  Outliers are judged against the median of fresh sources.
    """
    fresh = [
        (price, weight)
        for k, (price, weight) in enumerate(zip(prices, weights, strict=True))
        if weight > 0 and price > 0 and (ages_ns is None or ages_ns[k] <= stale_ns)
    ]
    if not fresh:
        return None
    if len(fresh) == 1:
        return fresh[0][0]
    middle = median([price for price, _ in fresh])
    kept = [pair for pair in fresh if abs(pair[0] - middle) * PPM <= outlier_ppm * middle]
    if len(fresh) - len(kept) > 1:
        return middle
    return weighted_mean([price for price, _ in kept], [weight for _, weight in kept])


class BasisWindow:
    """Moving average of the contract's mid price less its index, over the last samples.

    One ``add`` per second and 30 samples are the rule in force since 2025-09-18; O(1) per sample.
    """

    __slots__ = ("_next", "_samples", "_total", "capacity")

    def __init__(self, capacity: int = BASIS_SAMPLES) -> None:
        if capacity < 1:
            raise ValueError(f"a basis window needs at least one sample, not {capacity}")
        self.capacity = capacity
        self._samples: list[int] = []
        self._next = 0
        self._total = 0

    def add(self, basis: int) -> None:
        """Take the sample of this second; the oldest drops out once the window is full."""
        self._total += basis
        if len(self._samples) < self.capacity:
            self._samples.append(basis)
            return
        self._total -= self._samples[self._next]
        self._samples[self._next] = basis
        self._next = (self._next + 1) % self.capacity

    def mean(self) -> int:
        """Average of the samples held, to the nearest; 0 before the first."""
        held = len(self._samples)
        return mul_div_nearest(self._total, 1, held) if held else 0

    def state(self) -> tuple[int, ...]:
        """Samples from oldest to newest: what a state digest needs."""
        return tuple(self._samples[self._next :] + self._samples[: self._next])


def price_1(
    index: int,
    last_funding_ppb: int,
    to_funding_ns: int,
    interval_ns: int = FUNDING_INTERVAL_NS,
) -> int:
    """The index carried by the funding still to be paid in this interval."""
    return index + mul_div_nearest(index * last_funding_ppb, to_funding_ns, PPB * interval_ns)


def mark_price(price1: int, price2: int, contract_price: int) -> int:
    """Median of the two fair prices and the last contract price: always inside their range."""
    return median3(price1, price2, contract_price)


def usd_index(coin_usdt: int, btc_usd: int, btc_usdt: int) -> int:
    """A coin's USD index from its USDT index and the two BTC indices (Bybit unified account)."""
    return mul_div_nearest(coin_usdt, btc_usd, btc_usdt)
