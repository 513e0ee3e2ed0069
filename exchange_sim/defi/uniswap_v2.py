"""Constant product pool of the Uniswap v2 kind, in exact integers.

Source: https://github.com/Uniswap/v2-core (UniswapV2Pair.sol and its tests).
"""

from __future__ import annotations

FEE_UNITS = 1_000
FEE_KEPT = 997


def amount_out(
    amount_in: int,
    reserve_in: int,
    reserve_out: int,
    fee_kept: int = FEE_KEPT,
    fee_units: int = FEE_UNITS,
) -> int:
    """Output of an exact input after the fee of 0.3 %, rounded down.

    Raises ``ValueError`` unless all three amounts are positive.
    """
    _check(amount_in, reserve_in, reserve_out)
    kept = amount_in * fee_kept
    return kept * reserve_out // (reserve_in * fee_units + kept)


def amount_in(
    amount_out: int,
    reserve_in: int,
    reserve_out: int,
    fee_kept: int = FEE_KEPT,
    fee_units: int = FEE_UNITS,
) -> int:
    """Input that buys an exact output, rounded up.  ``ValueError`` if the pool cannot pay it."""
    _check(amount_out, reserve_in, reserve_out)
    if amount_out >= reserve_out:
        raise ValueError(f"the pool holds {reserve_out}, not {amount_out}")
    return reserve_in * amount_out * fee_units // ((reserve_out - amount_out) * fee_kept) + 1


def _check(amount: int, reserve_in: int, reserve_out: int) -> None:
    if min(amount, reserve_in, reserve_out) <= 0:
        raise ValueError("amounts and reserves must be positive")
