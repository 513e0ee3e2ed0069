"""Dutch discount liquidation of the Euler v2 kind.

    discount = 1 - risk-adjusted collateral / liability, at most the vault's maximum

Source: https://github.com/euler-xyz/euler-vault-kit (src/EVault/modules/Liquidation.sol).
"""

from __future__ import annotations

import attrs

from exchange_sim.units import PPM, mul_div_floor


@attrs.frozen
class Offer:
    """Largest liquidation of an account: discount in 1/scale, values in base units."""

    discount: int
    repay: int
    yield_value: int
    bad_debt: int


def liquidation_offer(
    collateral_adjusted: int,
    liability: int,
    collateral_value: int,
    max_discount: int,
    scale: int = PPM,
) -> Offer:
    """What a liquidator may repay and receive; nothing for a healthy account.

    The repayment is the whole liability, or what the whole collateral is worth after the discount.
    The yield rounds down.
    """
    if collateral_adjusted >= liability or liability <= 0:
        return Offer(0, 0, 0, 0)
    factor = max(mul_div_floor(collateral_adjusted, scale, liability), scale - max_discount)
    repay = liability
    if factor <= 0:
        return Offer(scale, 0, collateral_value, liability)
    gets = mul_div_floor(repay, scale, factor)
    if gets >= collateral_value:
        repay = mul_div_floor(collateral_value, factor, scale)
        gets = collateral_value
    bad = liability - repay if gets == collateral_value else 0
    return Offer(scale - factor, repay, gets, bad)
