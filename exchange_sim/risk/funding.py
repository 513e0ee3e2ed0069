"""Funding of perpetuals: premium index, its time-weighted average, rate, cap and payment.

::

    premium = [max(0, impact bid - index) - max(0, index - impact ask)] / index
    average = SUM i * P_i / SUM i                        (later samples weigh more)
    rate    = [average + clamp(interest - average, -0.05 %, +0.05 %)] / (8 / N)
    cap     = k * maintenance rate at maximum leverage   (k = 0.75, 1 in stress)

N is the funding interval in hours and ``interest`` the rate per 8 hours (0.01 %).  Rates are ppb
unless a function takes its ``scale``; they round to the nearest.  Payments round against both
sides: the payer up, the receiver down.  Source:
https://www.binance.com/en/support/faq/360033525031.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from exchange_sim.risk.marks import PPB
from exchange_sim.units import PPM, mul_div_floor, mul_div_nearest

Number = int | Fraction

INTEREST_8H_PPB: Final = 100_000
CLAMP_PPB: Final = 500_000
CAP_MULTIPLIER_PPM: Final = 750_000
IMPACT_MARGIN_USDT: Final = 200
HIGH_CAP_PPB: Final = 30_000_000
"""Cap of contracts whose maximum leverage is at most ``HIGH_CAP_LEVERAGE`` (since October 2023)."""
HIGH_CAP_LEVERAGE: Final = 25


def clamp(value: int, low: int, high: int) -> int:
    """``value`` moved into ``low``..``high``."""
    return low if value < low else min(value, high)


def premium_index(impact_bid: int, impact_ask: int, index: int, scale: int = PPB) -> int:
    """Premium of the contract over its index, in 1/``scale``.

    An impact price of 0 means that side of the book cannot fill the impact notional; it then
    contributes nothing.  Raises ``ValueError`` for an index that is not positive.
    """
    if index <= 0:
        raise ValueError(f"the index must be positive, not {index}")
    above = max(0, impact_bid - index) if impact_bid > 0 else 0
    below = max(0, index - impact_ask) if impact_ask > 0 else 0
    return mul_div_nearest(above - below, scale, index)


class PremiumAverage:
    """Running average of premium samples; the i-th sample since ``reset`` has weight i."""

    __slots__ = ("count", "weighted")

    def __init__(self) -> None:
        self.count = 0
        self.weighted = 0

    def add(self, premium: int) -> None:
        """Take the next sample (Binance samples every 5 seconds)."""
        self.count += 1
        self.weighted += self.count * premium

    def mean(self) -> int:
        """Average in the unit of the samples, to the nearest; 0 before the first sample."""
        if not self.count:
            return 0
        return mul_div_nearest(self.weighted, 2, self.count * (self.count + 1))

    def reset(self) -> None:
        """Start a new funding interval."""
        self.count = 0
        self.weighted = 0


def funding_rate(
    average_premium: int,
    interest_8h: int = INTEREST_8H_PPB,
    *,
    interval_hours: int = 8,
    clamp_to: int = CLAMP_PPB,
    cap: int | None = None,
) -> int:
    """Rate of one funding interval, to the nearest; every rate in the same unit (ppb by default).

    ``cap`` bounds the result on both sides.  Raises ``ValueError`` for an interval below one hour.
    """
    if interval_hours < 1:
        raise ValueError(f"the funding interval must be at least one hour, not {interval_hours}")
    eight_hours = average_premium + clamp(interest_8h - average_premium, -clamp_to, clamp_to)
    rate = mul_div_nearest(eight_hours, interval_hours, 8)
    return rate if cap is None else clamp(rate, -cap, cap)


def funding_cap(mmr_ppm: int, multiplier_ppm: int = CAP_MULTIPLIER_PPM) -> int:
    """Cap in ppb: multiplier times the maintenance rate at maximum leverage, rounded down."""
    return mul_div_floor(mmr_ppm * multiplier_ppm, PPB, PPM * PPM)


def impact_margin_notional(margin_units: Number, max_leverage: Number) -> Number:
    """Notional behind the impact prices: 200 USDT times the maximum leverage."""
    return margin_units * max_leverage


def funding_flow(position_value: int, rate_ppb: int) -> int:
    """Cash flow of a position at funding, rounded down: negative for whoever pays.

    ``position_value`` is signed (positive when long) in quote units at the mark or oracle price.
    Because every flow rounds down, the sum over a market is zero or a few units of dust below.
    """
    return -position_value * rate_ppb // PPB
