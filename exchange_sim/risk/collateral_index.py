"""How a venue prices the collateral of synthetic dollars and staking wrappers.

Until 11-14 October 2025 Binance priced USDe, WBETH and BNSOL off its own spot books; afterwards
wrappers follow their conversion rate and USDe blends in its redemption price above a floor.  The
weights and the floor were never published and are parameters here.
Sources: https://www.binance.bh/en/square/post/30886289453337,
https://www.binance.bh/fr-AF/square/post/30952419865713.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from exchange_sim.units import PPM, mul_div_ceil, mul_div_floor, parse_utc

Number = int | Fraction

COMPENSATION_FROM_NS: Final = parse_utc("2025-10-10T21:36:00Z")
COMPENSATION_TO_NS: Final = parse_utc("2025-10-10T22:16:00Z")


def wrapper_price(underlying_index: int, conversion_ppm: int) -> int:
    """Margin price of a staking wrapper at its full conversion rate, rounded down."""
    return mul_div_floor(underlying_index, conversion_ppm, PPM)


def blended_index(spot: int, redemption: int, redemption_weight_ppm: int, floor: int = 0) -> int:
    """``max(floor, w * redemption + (1 - w) * spot)``, rounded down."""
    w = redemption_weight_ppm
    return max(floor, (w * redemption + (PPM - w) * spot) // PPM)


def discount(price: Number, fair: Number) -> Fraction:
    """How far ``price`` is below ``fair``, as a share of ``fair``."""
    return 1 - Fraction(price) / fair


def compensation(
    qty: Number,
    liquidation_price: Number,
    reference_price: Number,
    fee_paid: Number = 0,
    liquidated_at_ns: int | None = None,
) -> Number:
    """What the venue repaid for a liquidation inside the window: price gap plus fees.

    ``reference_price`` is the market price at 2025-10-11 00:00 UTC.  Never negative.
    """
    if liquidated_at_ns is not None and not (
        COMPENSATION_FROM_NS <= liquidated_at_ns <= COMPENSATION_TO_NS
    ):
        return 0
    return max(0, reference_price - liquidation_price) * qty + fee_paid


def collateral_after_shock(value: int, drop_ppm: int) -> int:
    """Value left after a price fall, rounded down."""
    return value - mul_div_ceil(value, drop_ppm, PPM)
