"""State of an account that is not money: orders, positions, loans, margin.  Hot path:
``__slots__``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import attrs

from exchange_sim.model.enums import FLAG_REDUCE_ONLY, FLAG_SHORT, STOP_MARKET
from exchange_sim.model.order import Order


class AccountMode(IntEnum):
    """How an account is margined."""

    CASH = 0
    """Spot only; every order is fully paid for; never liquidated."""
    PORTFOLIO = 1
    """Unified account: all assets are collateral, liquidation below uniMMR 1.05 and absorbing."""
    CROSS = 2
    """Cross-margin futures account: liquidation when equity falls below maintenance; stops
    early.
    """
    ISOLATED = 3
    """Each perpetual position is margined by a wallet of its own; everything else is fully paid."""
    MARGIN_3X = 4
    """Spot margin, classic, at most three times: assets count without haircut."""
    MARGIN_5X = 5
    """Spot margin, classic, at most five times."""
    MARGIN_PRO = 6
    """Spot margin with haircuts, against maintenance margin."""
    ISOLATED_MARGIN_3X = 7
    """Spot margin of one pair, at most three times."""
    ISOLATED_MARGIN_5X = 8
    """Spot margin of one pair, at most five times."""
    ISOLATED_MARGIN_10X = 9
    """Spot margin of one pair, at most ten times."""


CASH: Final = 0
PORTFOLIO: Final = 1
CROSS: Final = 2
ISOLATED: Final = 3


@attrs.frozen
class SpotMargin:
    """Rules of a spot margin account, on its loans alone.  Rates are ppm of what is owed.

    It is liquidated when equity falls below ``loan_mmr_ppm`` of the loans, and left alone again
    once equity is ``stop_ppm`` of that; 0 as rates: those of the venue.
    """

    loan_mmr_ppm: int
    loan_imr_ppm: int
    stop_ppm: int
    haircuts: bool = False


SPOT_MARGIN: Final[dict[int, SpotMargin]] = {
    AccountMode.MARGIN_3X: SpotMargin(100_000, 500_000, 5_000_000),
    AccountMode.MARGIN_5X: SpotMargin(100_000, 250_000, 2_500_000),
    AccountMode.MARGIN_PRO: SpotMargin(0, 0, 2_000_000, haircuts=True),
    AccountMode.ISOLATED_MARGIN_3X: SpotMargin(180_000, 500_000, 2_777_778),
    AccountMode.ISOLATED_MARGIN_5X: SpotMargin(150_000, 250_000, 1_666_667),
    AccountMode.ISOLATED_MARGIN_10X: SpotMargin(50_000, 111_111, 2_222_220),
}
"""A margin level of 1.10 (assets over loans) is equity of 10 % of the loans, and so on; an isolated
pair stops at its initial level.
"""


class AccountModes:
    """How an account differs from the plain case: one-way positions in one common margin.

    ``isolated`` is the margin mode of every perpetual that ``chosen`` does not name; ``wallets``
    maps (instrument, position side) to the ledger account that margins that position.  ``margin``
    are the rules of a spot margin account, which holds no perpetuals.
    """

    __slots__ = ("chosen", "hedge", "isolated", "margin", "wallets")

    def __init__(self, isolated: bool = False) -> None:
        self.isolated = isolated
        self.hedge = False
        self.margin: SpotMargin | None = None
        self.chosen: dict[int, bool] = {}
        self.wallets: dict[tuple[int, int], int] = {}

    def isolates(self, instrument: int) -> bool:
        """Whether positions in an instrument have wallets of their own."""
        return self.chosen.get(instrument, self.isolated)


class Position:
    """A signed holding of a perpetual.

    ``qty`` is lots (negative: short); ``entry_notional`` is the signed sum of ``qty * price`` in
    quote units that built it.  The average entry price is a report, never state.
    """

    __slots__ = ("entry_notional", "leverage", "qty")
    legs: tuple[Position, Position] | None = None
    """Long and short position of hedge mode; None for a position of its own."""

    def __init__(self) -> None:
        self.qty = 0
        self.entry_notional = 0
        self.leverage = 0

    @property
    def held(self) -> int:
        """Lots of the position, or of its legs together; 0 when it is flat."""
        if self.legs is None:
            return abs(self.qty)
        return self.legs[0].qty - self.legs[1].qty

    @property
    def parts(self) -> tuple[Position, ...]:
        """What is margined by itself: the position, or its two legs."""
        return self.legs or (self,)

    def choose(self, leverage: int) -> None:
        """Set the leverage, 0 for none chosen."""
        for part in (self, *(self.legs or ())):
            part.leverage = leverage


class HedgedPosition(Position):
    """The sum of a long and a short position in the same perpetual (hedge mode)."""

    __slots__ = ("legs",)

    def __init__(self) -> None:
        super().__init__()
        self.legs = (Position(), Position())

    def leg(self, flags: int) -> Position:
        """The position that an order is about: that of its side flag."""
        assert self.legs is not None
        return self.legs[1 if flags & FLAG_SHORT else 0]


class Account:
    """One account of one owner at one venue.

    ``order_margin`` (numeraire units) is held for open orders of perpetuals; ``available`` is
    equity less initial margin, valid at the marks of ``band_epoch`` while ``stale`` is False and
    only a lower bound while ``loose`` is True; ``requirements`` (equity, initial and maintenance
    margin) belong to it.  ``hold_ppm`` is the higher of the two fee rates.
    ``loans`` holds liabilities in units; ``auto_loans`` is the part that the venue lent by itself
    to cover a shortfall.  ``modes`` is None for the plain case; ``parent`` is the account that an
    isolated wallet belongs to, -1 for all others.  ``open_counts`` are open and armed orders by
    instrument: None until an account has so many orders that somebody asks.
    """

    __slots__ = (
        "auto_loans",
        "available",
        "band",
        "band_epoch",
        "fee_tier",
        "hold_ppm",
        "id",
        "liquidating",
        "loans",
        "loose",
        "maker_ppm",
        "mode",
        "modes",
        "open_counts",
        "order_margin",
        "orders",
        "owner",
        "parent",
        "positions",
        "reduce_only_orders",
        "requirements",
        "stale",
        "taker_ppm",
        "trigger_orders",
        "venue",
    )

    def __init__(
        self, id: int, venue: int, owner: int, mode: int, fee_tier: int, maker: int, taker: int
    ) -> None:
        self.id = id
        self.venue = venue
        self.owner = owner
        self.mode = mode
        self.fee_tier = fee_tier
        self.maker_ppm = maker
        self.taker_ppm = taker
        self.hold_ppm = max(maker, taker)
        self.orders: dict[int, Order] = {}
        self.positions: dict[int, Position] = {}
        self.loans: dict[int, int] = {}
        self.auto_loans: dict[int, int] = {}
        self.order_margin = 0
        self.available = 0
        self.requirements = (0, 0, 0)
        self.stale = True
        self.loose = False
        self.band = 0
        self.band_epoch = -1
        self.liquidating = False
        self.reduce_only_orders = 0
        self.trigger_orders = 0
        self.open_counts: dict[int, list[int]] | None = None
        self.modes: AccountModes | None = None
        self.parent = -1

    def enter(self, order: Order) -> None:
        """Take in an order; ``settlement.finish`` forgets it."""
        self.orders[order.client_order_id] = order
        if order.flags & FLAG_REDUCE_ONLY:
            self.reduce_only_orders += 1
        if order.order_type >= STOP_MARKET:
            self.trigger_orders += 1
        if self.open_counts is not None:
            self.count(order, 1)

    def open_in(self, instrument: int) -> tuple[int, int]:
        """Open and armed orders in one instrument.  O(orders) the first time, then O(1)."""
        if self.open_counts is None:
            self.open_counts = {}
            for order in self.orders.values():
                self.count(order, 1)
        found = self.open_counts.get(instrument)
        return (found[0], found[1]) if found else (0, 0)

    def count(self, order: Order, change: int) -> None:
        """Take an order that was entered (1) or has ended (-1) into ``open_counts``."""
        if self.open_counts is not None:
            found = self.open_counts.setdefault(order.instrument, [0, 0])
            found[0] += change
            if order.order_type >= STOP_MARKET:
                found[1] += change
