"""Liquidity of a stableswap pool: shares for deposits and withdrawals, in exact integers.

Balances here are scaled by precision and rate to 18 decimals (``scaled``), as in ``curve``.  A
deposit or withdrawal that changes the proportions pays a fee as if it had swapped the difference.
Source: https://github.com/curvefi/stableswap-ng (CurveStableSwapNG.vy: add_liquidity,
_calc_withdraw_one_coin, get_y_D).

Simplifications
---------------
Shares have six decimals instead of eighteen, so that they fit 64 bits.  Half of the fee goes to the
protocol on mainnet; here all of it stays in the pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from exchange_sim.defi.curve import A_PRECISION, FEE_DENOMINATOR, ITERATIONS_MAX, invariant
from exchange_sim.units import mul_div_floor

SHARE_UNIT: Final = 10**12
"""18-decimal invariant per unit of a share (shares have six decimals)."""


def minted(
    before: Sequence[int], after: Sequence[int], amplification: int, fee: int, supply: int
) -> int:
    """Shares for a deposit that moved the balances from ``before`` to ``after``, rounded down.

    Raises ``ValueError`` when a side is empty or the invariant does not settle.
    """
    grown = invariant(after, amplification)
    if not supply:
        return grown // SHARE_UNIT
    start = invariant(before, amplification)
    n = len(before)
    charged = []
    for old, new in zip(before, after, strict=True):
        ideal = grown * old // start
        difference = abs(ideal - new)
        charged.append(new - difference * (fee * n) // (4 * (n - 1) * FEE_DENOMINATOR) - 1)
    kept = invariant(charged, amplification)
    return max(0, supply * (kept - start) // start)


def proportional(balances: Sequence[int], shares: int, supply: int) -> list[int]:
    """What a withdrawal in proportion gives of each coin, rounded down."""
    return [mul_div_floor(balance, shares, supply) for balance in balances]


def one_coin(
    balances: Sequence[int], amplification: int, fee: int, i: int, shares: int, supply: int
) -> int:
    """Scaled amount of coin ``i`` for burning ``shares``, after the fee on the imbalance.

    Raises ``ValueError`` when the iteration does not settle.
    """
    n = len(balances)
    d0 = invariant(balances, amplification)
    d1 = d0 - shares * d0 // supply
    new_y = _balance_at(i, balances, amplification, d1)
    reduced = []
    base_fee = fee * n // (4 * (n - 1))
    for j, balance in enumerate(balances):
        expected = balance * d1 // d0 - new_y if j == i else balance - balance * d1 // d0
        reduced.append(balance - base_fee * expected // FEE_DENOMINATOR)
    return max(0, reduced[i] - _balance_at(i, reduced, amplification, d1) - 1)


def _balance_at(i: int, balances: Sequence[int], amplification: int, d: int) -> int:
    """Balance of coin ``i`` for the invariant ``d`` when the others stay (get_y_D)."""
    n = len(balances)
    ann, c, held = amplification * n, d, 0
    for k in range(n):
        if k != i:
            held += balances[k]
            c = c * d // (balances[k] * n)
    c = c * d * A_PRECISION // (ann * n)
    b = held + d * A_PRECISION // ann
    y = d
    for _ in range(ITERATIONS_MAX):
        previous = y
        y = (y * y + c) // (2 * y + b - d)
        if abs(y - previous) <= 1:
            return y
    raise ValueError("the balance did not converge")


def spot_price(balances: Sequence[int], amplification: int, i: int, j: int, scale: int) -> int:
    """Marginal price of coin ``i`` in coin ``j`` without fee, in 1/``scale``, rounded down.

    ``dx_j/dx_i`` on the invariant: with ``Ann = A n`` and ``P = D^(n+1) / (n^n prod x)``,
    ``(Ann + P/x_i) / (Ann + P/x_j)`` (both scaled by precision).
    """
    n = len(balances)
    d = invariant(balances, amplification)
    p = d
    for balance in balances:
        p = p * d // (balance * n)
    ann = amplification * n
    up = ann * balances[i] + p * A_PRECISION
    down = ann * balances[j] + p * A_PRECISION
    return up * balances[j] * scale // (down * balances[i])
