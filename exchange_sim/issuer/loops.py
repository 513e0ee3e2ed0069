"""Recursive deposits: borrow against a yield-bearing asset, buy more of it, deposit again.

::

    collateral after n rounds = E * (1 - LTV^(n+1)) / (1 - LTV);   debt = collateral - E

All figures are exact rationals.  The five-round table at 80 % is the one of the public account of
the crash that circulated in October 2025.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import attrs

Number = int | Fraction

ROUNDS_MAX: Final = 1_000
"""More rounds than any looper makes; exact fractions grow with each."""


@attrs.frozen
class Loop:
    """A loop after its last round."""

    deposits: tuple[Fraction, ...]
    collateral: Fraction
    debt: Fraction

    @property
    def leverage(self) -> Fraction:
        """Collateral over equity."""
        return self.collateral / (self.collateral - self.debt)


def loop(equity: Number, ltv: Fraction, rounds: int) -> Loop:
    """The loop after ``rounds`` re-deposits at ``ltv``.

    Raises ``ValueError`` for rounds outside 0..``ROUNDS_MAX``, no equity, or an LTV outside [0, 1].
    """
    if not 0 <= rounds <= ROUNDS_MAX or equity <= 0 or not 0 <= ltv <= 1:
        raise ValueError(
            f"a loop needs equity, an LTV within [0, 1] and between 0 and {ROUNDS_MAX} rounds"
        )
    deposits = [Fraction(equity)]
    for _ in range(rounds):
        deposits.append(deposits[-1] * ltv)
    collateral = sum(deposits, Fraction(0))
    return Loop(tuple(deposits), collateral, collateral - equity)


def loop_limit(equity: Number, ltv: Fraction) -> Loop:
    """The loop without an end.  ``ValueError`` unless 0 <= ltv < 1."""
    if not 0 <= ltv < 1:
        raise ValueError(f"an endless loop needs an LTV below 1, not {float(ltv)}")
    collateral = Fraction(equity) / (1 - ltv)
    return Loop((Fraction(equity),), collateral, collateral - equity)


def equity_wipe(collateral: Number, debt: Number) -> Fraction:
    """Fall of the asset's price that takes the whole equity."""
    return 1 - Fraction(debt) / collateral


def liquidation_price(
    collateral: Number, debt: Number, threshold: Fraction, price: Number = 1
) -> Fraction:
    """Asset price at the liquidation threshold; ``collateral`` is valued at ``price`` now."""
    return Fraction(debt) * price / (collateral * threshold)


def margin_loop_price(level: Number, assets: Number, debt: Number, price: Number = 1) -> Fraction:
    """Asset price at which assets over debt equal ``level`` (cross margin loops)."""
    return Fraction(level) * debt * price / assets


def net_yield(leverage: Number, asset_apy: Number, borrow_apr: Number) -> Fraction:
    """Yearly yield on equity: leverage times the asset's less (leverage - 1) times the loan's."""
    return Fraction(leverage * asset_apy - (leverage - 1) * borrow_apr)


@attrs.frozen
class TwoLayers:
    """A loan against altcoins that funds a loop: what it holds and owes."""

    borrowed: Fraction
    position: Fraction
    debt: Fraction
    gross_over_equity: Fraction


def two_layers(
    equity: Number, layer1_ltv: Fraction, layer2_ltv: Fraction, rounds: int
) -> TwoLayers:
    """Layer 1 borrows stable coins against ``equity`` of altcoins, layer 2 loops them."""
    borrowed = Fraction(equity) * layer1_ltv
    inner = loop(borrowed, layer2_ltv, rounds)
    gross = (equity + inner.collateral) / equity
    return TwoLayers(borrowed, inner.collateral, borrowed + inner.debt, gross)
