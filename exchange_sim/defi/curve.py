"""Stableswap pool of the Curve NG kind: invariant, exchange and dynamic fee, in exact integers.

Balances and amounts are scaled to 18 decimals; fees have 10.  The integer steps and their order
follow the contract, so results agree to the last digit.
Source: https://github.com/curvefi/stableswap-ng (CurveStableSwapNGMath.vy, CurveStableSwapNG.vy).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

A_PRECISION: Final = 100
FEE_DENOMINATOR: Final = 10**10
ITERATIONS_MAX: Final = 255


def invariant(balances: Sequence[int], amplification: int) -> int:
    """D of the pool by Newton's method; ``amplification`` is A times ``A_PRECISION``.

    Raises ``ValueError`` for a balance that is not positive, or when the iteration does not settle
    (it may not in a pool that is out of balance by four powers of ten; the contract reverts too).
    """
    n, total = len(balances), sum(balances)
    if total == 0:
        return 0
    if min(balances) <= 0:
        raise ValueError("a pool with an empty side has no invariant")
    ann, d = amplification * n, total
    power: int = n**n
    for _ in range(ITERATIONS_MAX):
        product = d
        for balance in balances:
            product = product * d // balance
        product //= power
        previous = d
        upper = (ann * total // A_PRECISION + product * n) * d
        d = upper // ((ann - A_PRECISION) * d // A_PRECISION + (n + 1) * product)
        if abs(d - previous) <= 1:
            return d
    raise ValueError("the invariant did not converge")


def balance_after(
    i: int, j: int, x: int, balances: Sequence[int], amplification: int, d: int
) -> int:
    """Balance of coin ``j`` when coin ``i`` holds ``x`` and the invariant stays ``d``.

    Raises ``ValueError`` when the iteration does not settle.
    """
    n = len(balances)
    ann, c, held = amplification * n, d, 0
    for k in range(n):
        if k == j:
            continue
        value = x if k == i else balances[k]
        held += value
        c = c * d // (value * n)
    c = c * d * A_PRECISION // (ann * n)
    b = held + d * A_PRECISION // ann
    y = d
    for _ in range(ITERATIONS_MAX):
        previous = y
        y = (y * y + c) // (2 * y + b - d)
        if abs(y - previous) <= 1:
            return y
    raise ValueError("the balance did not converge")


def dynamic_fee(x: int, y: int, fee: int, multiplier: int) -> int:
    """Fee rate that grows off the peg up to ``multiplier`` (both with 10 decimals)."""
    if multiplier <= FEE_DENOMINATOR:
        return fee
    square = (x + y) ** 2
    spread = (multiplier - FEE_DENOMINATOR) * 4 * x * y // square
    return multiplier * fee // (spread + FEE_DENOMINATOR)


@attrs.frozen
class Exchange:
    """Outcome of a swap: invariant before it, output before and after the fee, fee rate."""

    invariant: int
    before_fee: int
    fee_rate: int
    out: int


def exchange(
    balances: Sequence[int],
    amplification: int,
    i: int,
    j: int,
    dx: int,
    fee: int,
    multiplier: int,
) -> Exchange:
    """Swap ``dx`` of coin ``i`` into coin ``j``; the pool keeps the last unit of every rounding.

    Raises ``ValueError`` for equal or unknown coins or an amount that is not positive.
    """
    n = len(balances)
    if i == j or not (0 <= i < n and 0 <= j < n):
        raise ValueError(f"coins {i} and {j} are not two different coins of {n}")
    if dx <= 0:
        raise ValueError(f"the amount must be positive, not {dx}")
    d = invariant(balances, amplification)
    x = balances[i] + dx
    y = balance_after(i, j, x, balances, amplification, d)
    dy = balances[j] - y - 1
    rate = dynamic_fee((balances[i] + x) // 2, (balances[j] + y) // 2, fee, multiplier)
    return Exchange(d, dy, rate, dy - dy * rate // FEE_DENOMINATOR)
