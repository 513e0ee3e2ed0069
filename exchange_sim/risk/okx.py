"""Multi-currency and portfolio margin rules of the OKX profile.

Discount rates by tier are ``collateral.CollateralTable``; the scaling of MR7 is ``tax_by_tier``.
Sources: https://www.okx.com/help/iv-multi-currency-margin-mode-cross-margin-trading,
https://www.okx.com/support/hc/en-us/articles/4417291853837 (portfolio margin),
https://www.okx.com/help-center/360054690531 (liquidation and ADL).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

Number = int | Fraction

ADL_DROP: Final = Fraction(30, 100)
PARTIAL_TIER_STEP: Final = 2


def margin_level(adjusted_equity: Number, maintenance: Number, fees: Number = 0) -> Fraction | None:
    """Adjusted equity over maintenance margin and closing fees; liquidation at 100 % or below."""
    needed = maintenance + fees
    return Fraction(adjusted_equity) / needed if needed > 0 else None


def portfolio_maintenance(mr: Number, mr7_adjusted: Number) -> Number:
    """Portfolio maintenance margin: the stress loss, but at least the scaled minimum charge."""
    return max(mr, mr7_adjusted)


def contracts_to_close_legacy(contracts: int, tier1_max: int, tier3_min: int) -> int:
    """Older swap text: tier 3 and above is cut to tier 1, a smaller position closed whole."""
    return contracts - tier1_max if contracts >= tier3_min else contracts


def contracts_to_close(contracts: int, tier_max: Sequence[int]) -> int:
    """Current text: lower the position by two tiers per step; tiers 1 and 2 are closed whole.

    ``tier_max`` are the rising upper bounds of the tiers in contracts.
    """
    tier = bisect_left(tier_max, contracts)
    if tier < PARTIAL_TIER_STEP:
        return contracts
    return contracts - tier_max[min(tier, len(tier_max)) - PARTIAL_TIER_STEP]


def fund_drop(peak_8h: Number, now: Number) -> Fraction:
    """Fall of the insurance fund from its eight-hour peak; 0 without a peak."""
    return Fraction(peak_8h - now) / peak_8h if peak_8h > 0 else Fraction(0)


def adl_due(
    peak_8h: Number, now: Number, *, insufficient: bool = False, drop: Fraction = ADL_DROP
) -> bool:
    """ADL runs when the fund cannot pay or has fallen 30 % from its peak.

    Its fills are at the current mark price, not at bankruptcy.
    """
    return insufficient or now <= 0 or fund_drop(peak_8h, now) >= drop
