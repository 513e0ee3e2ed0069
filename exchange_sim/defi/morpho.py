"""Isolated lending market of the Morpho Blue kind.

Fixed point with 18 decimals as in the contract; divisions round in the market's favour.
Source: https://github.com/morpho-org/morpho-blue (src/Morpho.sol).
"""

from __future__ import annotations

from typing import Final

import attrs

from exchange_sim.units import mul_div_ceil, mul_div_floor

WAD: Final = 10**18
CURSOR: Final = 3 * 10**17
MAX_FACTOR: Final = 115 * 10**16


def incentive_factor(lltv: int) -> int:
    """Liquidation incentive ``min(1.15, 1 / (1 - 0.3 * (1 - LLTV)))`` in WAD, rounded down.

    Raises ``ValueError`` unless 0 <= lltv <= 1 (in WAD).
    """
    if not 0 <= lltv <= WAD:
        raise ValueError(f"the liquidation loan-to-value must be in [0, 1], not {lltv / WAD}")
    below_one = mul_div_floor(CURSOR, WAD - lltv, WAD)
    return min(MAX_FACTOR, mul_div_floor(WAD, WAD, WAD - below_one))


def max_borrow(collateral: int, price: int, lltv: int) -> int:
    """Debt that the collateral carries, rounded down; ``price`` is debt per collateral in WAD."""
    return mul_div_floor(mul_div_floor(collateral, price, WAD), lltv, WAD)


def is_healthy(debt: int, collateral: int, price: int, lltv: int) -> bool:
    """Whether the debt is within what the collateral carries."""
    return debt <= max_borrow(collateral, price, lltv)


@attrs.frozen
class Liquidation:
    """Debt repaid, collateral seized, and bad debt socialised when no collateral is left."""

    repaid: int
    seized: int
    collateral_left: int
    debt_left: int
    bad_debt: int


def liquidate(debt: int, collateral: int, price: int, lltv: int, repay: int) -> Liquidation:
    """Repay up to the whole debt (there is no close factor) for collateral at a discount.

    If the collateral does not suffice, all of it is seized and the repayment shrinks to its worth;
    what debt then remains is bad and written off against the lenders.
    """
    factor = incentive_factor(lltv)
    repaid = min(repay, debt)
    seized = mul_div_floor(mul_div_floor(repaid, factor, WAD), WAD, price)
    if seized > collateral:
        seized = collateral
        repaid = min(debt, mul_div_ceil(mul_div_ceil(collateral, price, WAD), WAD, factor))
    left, debt_left = collateral - seized, debt - repaid
    bad = debt_left if left == 0 else 0
    return Liquidation(repaid, seized, left, debt_left - bad, bad)
