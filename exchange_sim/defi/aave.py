"""Lending pool of the Aave v3.3 kind: health factor, close factor, seizure, dust rule, deficit.

Values are integers of one base unit (for instance 10**-8 USD), amounts integers of the token,
prices integers of base units per token unit times a common scale; only ratios of prices matter.
Rounding is always against whoever takes value out of the pool.  Sources:
https://github.com/aave-dao/aave-v3-origin (LiquidationLogic.sol, docs/3.3/Aave-v3.3-features.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

import attrs

from exchange_sim.units import PPM, mul_div_ceil, mul_div_floor

WAD: Final = 10**18
HF_INFINITE: Final = 10**36
CLOSE_FACTOR_PPM: Final = 500_000
CLOSE_FACTOR_HF: Final = 950_000
"""At or below this health factor (ppm) everything may be repaid."""
MIN_BASE_USD: Final = 2_000
"""Collateral or debt below this (whole USD) may be closed in one go."""
MIN_LEFTOVER_USD: Final = 1_000
FLASH_PREMIUM_PPM: Final = 500


def health_factor(collaterals: Iterable[tuple[int, int]], debt: int, scale: int = PPM) -> int:
    """``SUM value * liquidation threshold / debt`` in 1/``scale``, rounded down.

    ``collaterals`` are ``(value, threshold_ppm)``.  Without debt it is ``HF_INFINITE``.
    """
    if debt <= 0:
        return HF_INFINITE
    weighted = sum(value * threshold for value, threshold in collaterals)
    return weighted * scale // (debt * PPM)


def max_repay(
    hf: int,
    collateral: int,
    reserve_debt: int,
    total_debt: int,
    min_base: int,
    scale: int = PPM,
) -> int:
    """How much of one reserve's debt a liquidator may repay; 0 for a healthy account.

    The close factor of 50 % applies to the total debt and may be used on one reserve (v3.3); it
    does not apply at a health factor of 0.95 or below, nor to a collateral or debt under
    ``min_base``.
    """
    if hf >= scale:
        return 0
    small = collateral < min_base or reserve_debt < min_base
    if small or hf * PPM <= CLOSE_FACTOR_HF * scale:
        return reserve_debt
    return min(reserve_debt, mul_div_floor(total_debt, CLOSE_FACTOR_PPM, PPM))


def leaves_dust(left_collateral: int, left_debt: int, min_leftover: int) -> bool:
    """Whether a liquidation would leave a remainder too small for the next liquidator.

    Both sides must keep at least ``min_leftover``, unless one side is closed.
    """
    if left_collateral <= 0 or left_debt <= 0:
        return False
    return left_collateral < min_leftover or left_debt < min_leftover


def largest_partial(collateral: int, allowed: int, min_leftover: int) -> int:
    """The largest seizure that leaves no dust without closing the collateral, or 0."""
    return max(0, min(allowed, collateral - min_leftover))


@attrs.frozen
class Seizure:
    """Result of one liquidation call, in token units."""

    repaid: int
    seized: int
    protocol_fee: int
    to_liquidator: int


def liquidate(
    debt_to_cover: int,
    debt_price: int,
    collateral: int,
    collateral_price: int,
    bonus_ppm: int,
    protocol_fee_ppm: int,
) -> Seizure:
    """Collateral for a repaid debt, capped by the collateral there is.

    ``bonus_ppm`` includes the principal (1_050_000 is 5 %); the protocol takes its fee from the
    bonus part only.  The seizure rounds down, a debt reduced to fit the collateral up.
    """
    value = debt_to_cover * debt_price
    seized = value * bonus_ppm // (collateral_price * PPM)
    repaid = debt_to_cover
    if seized > collateral:
        seized = collateral
        repaid = -(-collateral * collateral_price * PPM // (debt_price * bonus_ppm))
    bonus_part = seized - mul_div_ceil(seized, PPM, bonus_ppm)
    fee = mul_div_ceil(bonus_part, protocol_fee_ppm, PPM)
    return Seizure(repaid, seized, fee, seized - fee)


def deficit(debt: int, repaid: int, collateral_left: int) -> int:
    """Debt that is burned and booked against the reserve once no collateral is left."""
    return max(0, debt - repaid) if collateral_left <= 0 else 0


def loop_max_leverage(ltv: Fraction) -> Fraction:
    """Collateral over equity of an endless loop.  ``ValueError`` unless 0 <= ltv < 1."""
    if not 0 <= ltv < 1:
        raise ValueError(f"the loan-to-value must be in [0, 1), not {float(ltv)}")
    return 1 / (1 - ltv)


def loop_drop_to_liquidation(ltv: Fraction, threshold: Fraction) -> Fraction:
    """Fall of the collateral's oracle price at which a loop at ``ltv`` reaches health factor 1."""
    return 1 - ltv / threshold


def utilisation_rate(
    utilisation_ppm: int, optimal_ppm: int, base_ppm: int, slope1_ppm: int, slope2_ppm: int
) -> int:
    """Yearly borrow rate in ppm on the two-slope curve, rounded up.

    Raises ``ValueError`` unless the kink lies strictly between 0 and 1.
    """
    if not 0 < optimal_ppm < PPM:
        raise ValueError(f"the optimal utilisation must be in (0, {PPM}) ppm, not {optimal_ppm}")
    if utilisation_ppm <= optimal_ppm:
        return base_ppm + mul_div_ceil(slope1_ppm, utilisation_ppm, optimal_ppm)
    excess = utilisation_ppm - optimal_ppm
    return base_ppm + slope1_ppm + mul_div_ceil(slope2_ppm, excess, PPM - optimal_ppm)
