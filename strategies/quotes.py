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
from exchange_sim.units import NANOS_PER_S

SIZE_TOLERANCE: Final = 0.15
"""A level whose open lots are within this share of the desired size is left alone."""

_STP: Final = int(StpMode.EXPIRE_MAKER)
_PAUSE_NS: Final = 10 * NANOS_PER_S
"""After a refusal (no money, no margin) a side only shrinks for so long."""
_CAPACITY_CUT: Final = 0.7
_CAPACITY_GROWTH: Final = 1.01
_CAPACITY_MIN: Final = 0.02
"""A refusal cuts the sizes of its side; they grow back a little at each wake-up."""
_PENDING_NEW: Final = int(OrderStatus.PENDING_NEW)
_PARTIALLY_FILLED: Final = int(OrderStatus.PARTIALLY_FILLED)
"""Later states are ends, but for the first state of all, which has the highest number."""


class QuoteSide:
    """One side of a maker's ladder in one market.

    ``missing[i]`` are lots of level i that were hit and have not been refilled yet (``is_short``:
    any).  ``capacity`` is the part of the sizes that the venue's checks let pass.  ``waiting_ns``
    is when the oldest request without an answer was sent, 0 when there is none.
    """

    __slots__ = (
        "_filled",
        "_refused_ns",
        "_sent_ns",
        "capacity",
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
        self.capacity = 1.0
        self.is_short = False
        self.orders: list[OrderHandle | None] = [None] * levels
        self.waiting_ns = 0
        self._filled = [0] * levels
        self._sent_ns = 0
        self._refused_ns = 0

    def collect(self, now_ns: int) -> bool:
        """Take in what happened since the last call; True when an order traded or ended."""
        changed = waiting = refused = False
        orders, seen = self.orders, self._filled
        for level, order in enumerate(orders):
            if order is None:
                continue
            if order.reject_code:
                order.reject_code = 0
                refused = True
            filled = order.filled_lots
            if filled != seen[level]:
                self.missing[level] += filled - seen[level]
                seen[level] = filled
                changed = self.is_short = True
            status = order.status_code
            if status == _PENDING_NEW:
                waiting = True
            elif status > _PARTIALLY_FILLED:
                orders[level] = None
                changed = True
            elif order.pending_replace:
                waiting = True
        if refused:
            self._refused_ns = now_ns
            self.capacity = max(_CAPACITY_MIN, self.capacity * _CAPACITY_CUT)
        elif self.capacity < 1.0:
            self.capacity = min(1.0, self.capacity * _CAPACITY_GROWTH)
            changed = True
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
        orders, missing, capacity = self.orders, self.missing, self.capacity
        paused = now_ns < self._refused_ns + _PAUSE_NS
        for level, price in enumerate(prices):
            size, lack = sizes[level], missing[level]
            if lack > size:
                lack = missing[level] = size
            lots = int(size * capacity - lack)
            order = orders[level]
            if order is None:
                if lots >= min_lots and price > 0 and not paused:
                    orders[level] = self.owner.submit(
                        self.market, self.side, lots, price, LIMIT, GTX, FLAG_SLIDE, stp_mode=_STP
                    )
                    self._filled[level] = 0
                    sent += 1
                continue
            tolerance, leaves = tolerances[level], order.leaves_lots
            # most levels are as they should be: seen here, without a call (0.2 us of 0.5)
            if (
                -tolerance <= order.price_ticks - price <= tolerance
                and -SIZE_TOLERANCE * lots <= leaves - lots <= SIZE_TOLERANCE * lots
                and lots >= min_lots
                and price > 0
            ):
                continue
            sent += self._change(order, price, lots, tolerance, min_lots, paused)
        if sent:
            self._sent_ns = now_ns
        return sent

    def _change(
        self,
        order: OrderHandle,
        price: int,
        lots: int,
        tolerance: float,
        min_lots: int,
        paused: bool,
    ) -> int:
        """Bring one live order in line; messages sent (0 or 1).  Paused: it may only shrink."""
        if order.pending_cancel or order.pending_replace:
            return 0
        if lots < min_lots or price <= 0:
            self.owner.cancel(order)
            return 1
        off = order.price_ticks - price
        if abs(off) > tolerance:
            if not paused:
                self.owner.modify(order, price, lots)
                return 1
            if (off > 0) == (self.side == BUY):
                self.owner.cancel(order)
                return 1
        leaves = order.leaves_lots
        if abs(leaves - lots) > SIZE_TOLERANCE * lots and not (paused and lots > leaves):
            self.owner.modify(order, 0, lots)
            return 1
        return 0

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
