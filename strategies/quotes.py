"""Desired ladder against live orders: send the fewest messages that make them agree.

Each level of a side owns at most one order.  A level is left alone while its order is near enough
in price and size, is changed with one replace message, and is cancelled when it is not wanted.
After a fill the level comes back gradually: the missing lots decay with the refill rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from exchange_sim.model.enums import BUY, FLAG_SLIDE, GTX, LIMIT, OrderStatus, StpMode
from exchange_sim.strategy.api import Market, OrderHandle, Strategy

SIZE_TOLERANCE: Final = 0.15
"""A level whose open lots are within this share of the desired size is left alone."""

_STP: Final = int(StpMode.EXPIRE_MAKER)
_PENDING_NEW: Final = int(OrderStatus.PENDING_NEW)


class QuoteSide:
    """One side of a maker's ladder in one market.

    ``missing[i]`` are lots of level i that were hit and have not been refilled yet (``is_short``:
    any). ``waiting_ns`` is when the oldest request without an answer was sent, 0 when there is
    none.
    """

    __slots__ = (
        "_filled",
        "_sent_ns",
        "is_short",
        "market",
        "missing",
        "orders",
        "owner",
        "side",
        "waiting_ns",
    )

    def __init__(self, owner: Strategy, market: Market, side: int, levels: int) -> None:
        self.owner = owner
        self.market = market
        self.side = side
        self.missing = [0.0] * levels
        self.is_short = False
        self.orders: list[OrderHandle | None] = [None] * levels
        self.waiting_ns = 0
        self._filled = [0] * levels
        self._sent_ns = 0

    def collect(self) -> bool:
        """Take in what happened since the last call; True when an order traded or ended."""
        changed = waiting = False
        for level, order in enumerate(self.orders):
            if order is None:
                continue
            if order.filled_lots != self._filled[level]:
                self.missing[level] += order.filled_lots - self._filled[level]
                self._filled[level] = order.filled_lots
                changed = self.is_short = True
            if not order.is_open:
                self.orders[level] = None
                changed = True
            elif order.pending_replace or order.status_code == _PENDING_NEW:
                waiting = True
        self.waiting_ns = (self.waiting_ns or self._sent_ns) if waiting else 0
        return changed

    def refill(self, kept: float) -> None:
        """Let the missing lots decay to the share ``kept``."""
        if self.is_short:
            self.missing = [lots * kept if lots * kept >= 0.5 else 0.0 for lots in self.missing]
            self.is_short = any(self.missing)

    def quote(
        self,
        prices: Sequence[int],
        sizes: Sequence[float],
        tolerances: Sequence[float],
        min_lots: int,
        now_ns: int,
    ) -> int:
        """Send what is needed to quote ``sizes`` lots less the missing ones; returns messages sent.

        Prices in ticks; ``tolerances`` in ticks per level.  Sizes under ``min_lots`` are not
        quoted.
        """
        sent = 0
        owner, orders, missing = self.owner, self.orders, self.missing
        for level, price in enumerate(prices):
            size = sizes[level]
            missing[level] = min(missing[level], size)
            lots = int(size - missing[level])
            order = orders[level]
            if order is None:
                if lots >= min_lots and price > 0:
                    order = owner.submit(
                        self.market, self.side, lots, price, LIMIT, GTX, FLAG_SLIDE, stp_mode=_STP
                    )
                    orders[level] = order
                    self._filled[level] = 0
                    sent += 1
            elif order.pending_cancel or order.pending_replace:
                continue
            elif lots < min_lots or price <= 0:
                owner.cancel(order)
                sent += 1
            elif abs(order.price_ticks - price) > tolerances[level]:
                owner.modify(order, price, lots)
                sent += 1
            elif abs(order.leaves_lots - lots) > SIZE_TOLERANCE * lots:
                owner.modify(order, 0, lots)
                sent += 1
        if sent:
            self._sent_ns = now_ns
        return sent

    def cancel_all(self) -> int:
        """Cancel every level with its own message; returns messages sent."""
        sent = 0
        for order in self.orders:
            if order is not None and order.is_open and not order.pending_cancel:
                self.owner.cancel(order)
                sent += 1
        return sent


def ladder_prices(
    side: int, centre: float, half_bp: float, offsets_bp: Sequence[float]
) -> list[int]:
    """Prices in ticks at ``half_bp + offset`` from ``centre``, rounded away from it on both sides.

    Symmetric rounding matters: rounding both sides down makes the market drift.
    """
    step = centre / 10_000.0
    if side == BUY:
        return [int(centre - step * (half_bp + offset)) for offset in offsets_bp]
    return [math.ceil(centre + step * (half_bp + offset)) for offset in offsets_bp]
