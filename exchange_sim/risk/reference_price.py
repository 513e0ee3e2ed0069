"""Reference price and range of the spot execution rule (a counterfactual: published in March 2026).

Trades are counted in fixed buckets; a bucket that the window's edge cuts is taken in proportion.
Source: https://github.com/binance/binance-spot-api-docs (faqs/price_range_execution_rules.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import attrs

from exchange_sim.units import PPM


@attrs.frozen
class Bucket:
    """Trades of one bucket: opening time in ms, how many, and the sum of their prices."""

    opened_ms: int
    count: int
    total: int | Fraction


@attrs.frozen
class Reference:
    """Arithmetic mean of trade prices in the window; None without trades."""

    cutoff_ms: int
    expired_fraction: Fraction
    price: Fraction | None


def bucketed_reference(
    buckets: Sequence[Bucket], now_ms: int, width_ms: int, bucket_count: int
) -> Reference:
    """Reference over the last ``bucket_count`` widths.  ``ValueError`` unless both are positive."""
    if width_ms <= 0 or bucket_count <= 0:
        raise ValueError("bucket width and count must be positive")
    cutoff = now_ms - width_ms * bucket_count
    expired, trades, total = Fraction(0), Fraction(0), Fraction(0)
    for bucket in buckets:
        if bucket.opened_ms > now_ms:
            continue
        gone = Fraction(cutoff - bucket.opened_ms, width_ms)
        if gone >= 1:
            continue
        if gone > 0:
            expired = gone
        kept = 1 - max(Fraction(0), gone)
        trades += kept * bucket.count
        total += kept * bucket.total
    return Reference(cutoff, expired, total / trades if trades else None)


def price_range(reference: int | Fraction, up_ppm: int, down_ppm: int) -> tuple[int, int]:
    """Lowest and highest price in ticks that may trade, bounds inclusive."""
    return -(-reference * down_ppm // PPM), reference * up_ppm // PPM
