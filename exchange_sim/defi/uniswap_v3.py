"""One price range of the Uniswap v3 kind: square-root prices, amounts and the swap step.

Square-root prices are Q64.96 integers, fees are pips (millionths); rounding is as in the contracts:
inputs up, outputs down.  Source: https://github.com/Uniswap/v3-core (SqrtPriceMath.sol,
SwapMath.sol).
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import Final

import attrs

from exchange_sim.units import mul_div_ceil, mul_div_floor

Q96: Final = 1 << 96
PIPS: Final = 1_000_000


def encode_sqrt(price: Fraction) -> int:
    """Square root of a price (token1 per token0) as Q64.96, rounded down."""
    return encode_ratio(price.numerator, price.denominator)


def encode_ratio(numerator: int, denominator: int) -> int:
    """Square root of the price ``numerator / denominator`` as Q64.96, rounded down."""
    return isqrt((numerator << 192) // denominator)


def next_from_input(sqrt_price: int, liquidity: int, amount: int, *, zero_for_one: bool) -> int:
    """Price after ``amount`` came in; rounded so that it does not pass the true price."""
    _check(sqrt_price, liquidity)
    if not zero_for_one:
        return sqrt_price + amount * Q96 // liquidity
    if amount == 0:
        return sqrt_price
    shifted = liquidity << 96
    return mul_div_ceil(shifted, sqrt_price, shifted + amount * sqrt_price)


def next_from_output(sqrt_price: int, liquidity: int, amount: int, *, zero_for_one: bool) -> int:
    """Price after ``amount`` went out.  ``ValueError`` when the range cannot pay it."""
    _check(sqrt_price, liquidity)
    if zero_for_one:
        moved = sqrt_price - mul_div_ceil(amount, Q96, liquidity)
        if moved <= 0:
            raise ValueError("the range does not hold that much of token1")
        return moved
    shifted = liquidity << 96
    left = shifted - amount * sqrt_price
    if left <= 0:
        raise ValueError("the range does not hold that much of token0")
    return mul_div_ceil(shifted, sqrt_price, left)


def amount0_delta(sqrt_a: int, sqrt_b: int, liquidity: int, *, round_up: bool) -> int:
    """Token0 between two prices: ``L * (1/sqrt_a - 1/sqrt_b)``."""
    low, high = sorted((sqrt_a, sqrt_b))
    if low <= 0:
        raise ValueError("a square-root price must be positive")
    shifted = liquidity << 96
    if round_up:
        return -(-mul_div_ceil(shifted, high - low, high) // low)
    return mul_div_floor(shifted, high - low, high) // low


def amount1_delta(sqrt_a: int, sqrt_b: int, liquidity: int, *, round_up: bool) -> int:
    """Token1 between two prices: ``L * (sqrt_b - sqrt_a)``."""
    gap = abs(sqrt_b - sqrt_a)
    return (mul_div_ceil if round_up else mul_div_floor)(liquidity, gap, Q96)


@attrs.frozen
class SwapStep:
    """Price reached inside the range, amounts in and out, and the fee (on the input)."""

    sqrt_price: int
    amount_in: int
    amount_out: int
    fee: int


def swap_step(
    sqrt_price: int, sqrt_target: int, liquidity: int, remaining: int, fee_pips: int
) -> SwapStep:
    """Move towards the target with an exact input (``remaining`` > 0) or output (< 0).

    Raises ``ValueError`` for a fee outside [0, 1) or a range without liquidity or price.
    """
    if not 0 <= fee_pips < PIPS:
        raise ValueError(f"the fee must be in [0, {PIPS}) pips, not {fee_pips}")
    _check(sqrt_price, liquidity)
    down, exact_in = sqrt_price >= sqrt_target, remaining >= 0
    usable = mul_div_floor(remaining, PIPS - fee_pips, PIPS) if exact_in else -remaining
    to_target = _amount(sqrt_price, sqrt_target, liquidity, zero=down == exact_in, up=exact_in)
    if usable >= to_target:
        reached = sqrt_target
    elif exact_in:
        reached = next_from_input(sqrt_price, liquidity, usable, zero_for_one=down)
    else:
        reached = next_from_output(sqrt_price, liquidity, usable, zero_for_one=down)
    paid = _amount(sqrt_price, reached, liquidity, zero=down, up=True)
    got = _amount(sqrt_price, reached, liquidity, zero=not down, up=False)
    if not exact_in:
        got = min(got, -remaining)
    if exact_in and reached != sqrt_target:
        fee = remaining - paid
    else:
        fee = mul_div_ceil(paid, fee_pips, PIPS - fee_pips)
    return SwapStep(reached, paid, got, fee)


def _amount(sqrt_a: int, sqrt_b: int, liquidity: int, *, zero: bool, up: bool) -> int:
    return (amount0_delta if zero else amount1_delta)(sqrt_a, sqrt_b, liquidity, round_up=up)


def _check(sqrt_price: int, liquidity: int) -> None:
    if sqrt_price <= 0 or liquidity <= 0:
        raise ValueError("price and liquidity must be positive")
