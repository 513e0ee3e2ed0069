"""Figures of a delta-neutral synthetic dollar: reserve, backstop, hedge and rewards.

Sources: https://gov.ethenafoundation.com/t/712 (backstop), https://gov.ethenafoundation.com/t/703
(reserve), https://www.binance.bh/en-NZ/square/post/31361872446577 (rewards).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

Number = int | Fraction

BACKSTOP_BID_MAX: Final = Fraction(99, 100)
DAYS_PER_YEAR: Final = 365


def implied_backing(amount: Number, share: Number) -> Fraction:
    """Backing of which ``amount`` is ``share``."""
    return Fraction(amount) / share


def buyback(
    spent: Number, price: Number, supply: Number, backing: Number
) -> tuple[Fraction, Fraction | None]:
    """Tokens burned by buying below par, and backing over supply afterwards.

    None instead of the ratio when everything is burned.  Raises ``ValueError`` for a price not > 0.
    """
    if price <= 0:
        raise ValueError(f"the price must be positive, not {float(price)}")
    burned = Fraction(spent) / price
    left = supply - burned
    return burned, (backing - spent) / left if left > 0 else None


def backstop_bids(price: Number, limit: Number = BACKSTOP_BID_MAX) -> bool:
    """Whether the backstop buys at this price."""
    return price <= limit


def reserve_ratio(reserve: Number, supply: Number) -> Fraction:
    """Reserve fund over supply."""
    return Fraction(reserve) / supply


def short_gain(qty: Number, entry: Number, mark: Number) -> Number:
    """Unrealised gain of the hedge."""
    return qty * (entry - mark)


def short_funding_paid(qty: Number, mark: Number, rate: Number) -> Number:
    """What the hedge pays at funding: positive when the rate is negative."""
    return -rate * qty * mark


def daily_reward(min_snapshot: Number, apr: Number) -> Fraction:
    """Reward of one day on the smallest balance seen that day."""
    return Fraction(min_snapshot * apr) / DAYS_PER_YEAR
