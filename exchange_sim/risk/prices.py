"""Bankruptcy prices, liquidation prices and the liquidation fee.

``side`` is 1 for a long position and -1 for a short one.  What the engine trades at is integer
ticks with the rounding in the name; prices that are only shown are exact ``Fraction``.

Linear, with WB the wallet (isolated: its own margin), formula of
https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93::

    LP = (WB - MM_other + UPnL_other + cum - side * Q * EP) / (Q * MMR - side * Q)

Inverse, N the contracts' value in USD and margins in coin::

    LP = N * (MMR + side) / (WB - MM_other + UPnL_other + cum + side * N / EP)

The bankruptcy price is the same with MMR = 0 and cum = 0.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from exchange_sim.risk.brackets import BracketTable
from exchange_sim.units import PPM

Number = int | Fraction

BUST_PRICE_MAX_GAP: Final = Fraction(5, 100)
"""Bybit settles ADL at the mark when the bankruptcy price is further from it than this."""


def liquidation_price(
    side: int,
    qty: Number,
    entry: Number,
    wallet: Number,
    mmr: Number,
    cum: Number = 0,
    other_maintenance: Number = 0,
    other_upnl: Number = 0,
) -> Fraction | None:
    """Mark price at which a linear position's margin equals its maintenance, or None.

    A price that is not positive means that no fall of this instrument alone can liquidate the
    account.
    """
    free = wallet - other_maintenance + other_upnl + cum
    slope = Fraction(qty) * (mmr - side)
    if not slope:
        return None
    price = (free - side * qty * entry) / slope
    return price if price > 0 else None


def liquidation_price_by_table(
    side: int,
    qty: Number,
    entry: Number,
    wallet: Number,
    table: BracketTable,
    other_maintenance: Number = 0,
    other_upnl: Number = 0,
) -> Fraction | None:
    """``liquidation_price`` in the bracket that the notional falls in at that very price.

    Prices and quantities must give notionals in the quote units of ``table``.
    """
    for k, floor in enumerate(table.floors):
        price = liquidation_price(
            side,
            qty,
            entry,
            wallet,
            Fraction(table.mmr_ppm[k], PPM),
            Fraction(table.cum_ppm[k], PPM),
            other_maintenance,
            other_upnl,
        )
        if price is None:
            continue
        notional = qty * price
        last = k + 1 == len(table.floors)
        if floor <= notional and (last or notional <= table.floors[k + 1]):
            return price
    return None


def inverse_liquidation_price(
    side: int,
    usd_value: Number,
    entry: Number,
    wallet: Number,
    mmr: Number,
    cum: Number = 0,
    other_maintenance: Number = 0,
    other_upnl: Number = 0,
) -> Fraction | None:
    """As ``liquidation_price`` for a coin-margined contract worth ``usd_value`` at any price."""
    free = wallet - other_maintenance + other_upnl + cum + side * Fraction(usd_value) / entry
    if not free:
        return None
    price = usd_value * (mmr + side) / free
    return price if price > 0 else None


def linear_bankruptcy(side: int, entry: Number, margin_per_unit: Number) -> Fraction:
    """Price at which the margin (quote per unit of size) is used up: below entry for a long."""
    return Fraction(entry) - side * margin_per_unit


def linear_bankruptcy_at_leverage(side: int, entry: Number, leverage: Number) -> Fraction:
    """``entry * (1 - side / leverage)``, fees ignored."""
    return linear_bankruptcy(side, entry, Fraction(entry) / Fraction(leverage))


def inverse_bankruptcy(
    side: int, usd_value: Number, entry: Number, margin: Number
) -> Fraction | None:
    """Price at which a coin-margined position has lost ``margin`` coins; None if no price does."""
    return inverse_liquidation_price(side, usd_value, entry, margin, 0)


def inverse_bankruptcy_at_leverage(side: int, entry: Number, leverage: Number) -> Fraction | None:
    """``entry * L / (L + side)``; None for a short at leverage 1, which no rise can bankrupt."""
    below = Fraction(leverage) + side
    return Fraction(entry) * Fraction(leverage) / below if below > 0 else None


def settle_price(bankruptcy: Number, mark: Number, max_gap: Number = BUST_PRICE_MAX_GAP) -> Number:
    """Price of an ADL fill (Bybit): bankruptcy, but the mark if they are more than 5 % apart."""
    gap = Fraction(bankruptcy) - mark
    return mark if abs(gap) > max_gap * mark else bankruptcy


def bankruptcy_ticks(side: int, entry_value: int, margin: int, unit_value: int) -> int:
    """Limit price in ticks for closing a whole position without loss beyond its margin.

    ``entry_value`` and ``margin`` are quote units, ``unit_value`` the quote units that one tick is
    worth on the whole position (lots * value per tick and lot).  Rounded in the fund's favour: up
    when a long is sold, down when a short is bought back; never below one tick.
    """
    worth = entry_value - side * margin
    ticks = -(-worth // unit_value) if side > 0 else worth // unit_value
    return max(1, ticks)


def liquidation_fee(notional_units: int, fee_ppm: int) -> int:
    """Clearance fee on the liquidated notional only, rounded up."""
    return -(-notional_units * fee_ppm // PPM)
