"""Price adapters of lending pools: capped stable feeds and capped exchange-rate feeds.

A capped feed has a ceiling and no floor; a feed that is not positive reads as 0.
Source: https://github.com/bgd-labs/aave-capo (PriceCapAdapterStable.sol, PriceCapAdapterBase.sol).
"""

from __future__ import annotations

from typing import Final

from exchange_sim.units import PPM

SECONDS_PER_YEAR: Final = 365 * 86_400
STABLE_CAP_PPM: Final = 1_040_000


def capped_stable(feed: int, cap: int) -> int:
    """``min(feed, cap)``; 0 for a feed that is not positive."""
    return min(feed, cap) if feed > 0 else 0


def max_ratio(snapshot_ratio: int, yearly_growth_ppm: int, seconds: int) -> int:
    """Highest exchange rate that growth since the snapshot allows (linear), rounded down."""
    grown = snapshot_ratio * yearly_growth_ppm * seconds // (PPM * SECONDS_PER_YEAR)
    return snapshot_ratio + grown


def capped_ratio(
    current_ratio: int, snapshot_ratio: int, yearly_growth_ppm: int, seconds: int
) -> int:
    """The exchange rate that the adapter uses; 0 for a ratio that is not positive."""
    if current_ratio <= 0:
        return 0
    return min(current_ratio, max_ratio(snapshot_ratio, yearly_growth_ppm, seconds))
