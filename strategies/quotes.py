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

SIZE_TOLERANCE: Final = 0.25
"""A level whose open lots are within this share of the desired size is left alone."""
REFILL_STEP: Final = 1.5
"""A level that is being refilled is topped up when it may grow by this factor, or for good.

A larger quote loses its place in the queue.  With a message at each wake-up, topping up was 85 % of
a maker's messages in calm.
"""

_STP: Final = int(StpMode.EXPIRE_MAKER)
_PAUSE_NS: Final = 10 * NANOS_PER_S
"""After a refusal (no money, no margin) a side only shrinks for so long."""
_CAPACITY_CUT: Final = 0.7
_CAPACITY_GROWTH: Final = 1.01
_CAPACITY_MIN: Final = 0.02
"""A refusal cuts the sizes of its side; they grow back a little at each wake-up."""
_ABOUT: Final = 0.02
"""Relative change of spread or size up to which a level that was in line is not judged again."""
_NEVER: Final = (-1.0, -1.0)
_UNHEARD: Final = -1
_PENDING_NEW: Final = int(OrderStatus.PENDING_NEW)
_PARTIALLY_FILLED: Final = int(OrderStatus.PARTIALLY_FILLED)
"""Later states are ends, but for the first state of all, which has the highest number."""


class Ladder:
    """Where the levels of both sides belong at one wake-up.

    Level i is ``half_bp + offsets_bp[i]`` basis points (``step`` ticks each) from ``centre``, and
    is moved when it is off by ``fraction`` of that distance.  Prices are rounded away from the
    centre on both sides: rounding both down makes the market drift.
    """

    __slots__ = ("centre", "fraction", "half_bp", "offsets_bp", "step")

    def __init__(
        self,
        centre: float,
        step: float,
        half_bp: float,
        offsets_bp: Sequence[float],
        fraction: float,
    ) -> None:
        self.centre = centre
        self.step = step
        self.half_bp = half_bp
        self.offsets_bp = offsets_bp
        self.fraction = fraction


class QuoteSide:
    """One side of a maker's ladder in one market.

    ``missing[i]`` are lots of level i that were hit and have not been refilled yet (``is_short``:
    any).  ``capacity`` is the part of the sizes that the venue's checks let pass.  ``waiting_ns``
    is when the oldest request without an answer was sent, 0 when there is none.

    A level in line knows between which inner prices (centre less half spread) it stays in line
    (``_low``, ``_high``), as long as spread and sizes stay about as they are.  Most looks end
    there: one of twelve levels is changed, and judging all of them was a third of a maker's time.
    """

    __slots__ = (
        "_filled",
        "_heard_ns",
        "_high",
        "_judged",
        "_low",
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
        self._heard_ns = [_UNHEARD] * levels
        self._low = [math.inf] * levels
        self._high = [-math.inf] * levels
        self._judged = _NEVER
        self._sent_ns = 0
        self._refused_ns = 0

    def collect(self, now_ns: int) -> None:
        """Take in what happened since the last call."""
        waiting = refused = False
        seen, heard = self._filled, self._heard_ns
        for level, order in enumerate(self.orders):
            if order is None:
                continue
            filled, refusal = order.filled_lots, order.reject_code
            if order.update_ns == heard[level] and filled == seen[level] and not refusal:
                continue  # nothing was asked for and nothing has happened: ten of twelve orders
            if refusal:
                order.reject_code = 0
                refused = True
            if filled != seen[level]:
                self.missing[level] += filled - seen[level]
                seen[level] = filled
                self.is_short = True
                self._low[level] = math.inf
            status = order.status_code
            if status == _PENDING_NEW or (status <= _PARTIALLY_FILLED and order.pending_replace):
                waiting = True
            elif status > _PARTIALLY_FILLED:
                self.orders[level] = None
                self._low[level] = math.inf
            elif not order.pending_cancel:
                heard[level] = order.update_ns
        if refused:
            self._refused_ns = now_ns
            self.capacity = max(_CAPACITY_MIN, self.capacity * _CAPACITY_CUT)
            self._judged = _NEVER
        elif self.capacity < 1.0:
            self.capacity = min(1.0, self.capacity * _CAPACITY_GROWTH)
            self._judged = _NEVER
        self.waiting_ns = (self.waiting_ns or self._sent_ns) if waiting else 0

    def refill(self, kept: float) -> None:
        """Let the missing lots decay to the share ``kept``."""
        if not self.is_short:
            return
        self.is_short = False
        for level, lots in enumerate(self.missing):
            if lots:
                left = lots * kept
                self.missing[level] = left if left >= 0.5 else 0.0
                self._low[level] = math.inf
                self.is_short = self.is_short or left >= 0.5

    def quote(
        self, ladder: Ladder, level_lots: Sequence[float], scale: float, min_lots: int, now_ns: int
    ) -> int:
        """Send what is needed to quote ``level_lots`` times ``scale``; returns messages sent.

        Missing lots are not quoted, nor sizes under ``min_lots``.
        """
        buys, half = self.side == BUY, ladder.half_bp
        centre, step, fraction = ladder.centre, ladder.step, ladder.fraction
        inner = centre - step * half if buys else centre + step * half
        judged_half, judged_scale = self._judged
        known = (
            abs(half - judged_half) <= _ABOUT * judged_half
            and abs(scale - judged_scale) <= _ABOUT * judged_scale
        )
        if not known:
            self._judged = half, scale
        orders, missing, low, high = self.orders, self.missing, self._low, self._high
        paused = now_ns < self._refused_ns + _PAUSE_NS
        sent = 0
        for level, offset in enumerate(ladder.offsets_bp):
            if known and low[level] <= inner <= high[level]:
                continue
            away = step * (half + offset)
            price = int(centre - away) if buys else math.ceil(centre + away)
            size, lack, tolerance = level_lots[level] * scale, missing[level], fraction * away
            if lack > size:
                lack = missing[level] = size
            lots = int(size * self.capacity - lack)
            order = orders[level]
            low[level], high[level] = math.inf, -math.inf
            if order is None:
                if lots >= min_lots and price > 0 and not paused:
                    orders[level] = self.owner.submit(
                        self.market, self.side, lots, price, LIMIT, GTX, FLAG_SLIDE, stp_mode=_STP
                    )
                    self._filled[level] = 0
                    self._heard_ns[level] = _UNHEARD
                    sent += 1
                continue
            off, leaves = order.price_ticks - price, order.leaves_lots
            refills = lack > SIZE_TOLERANCE * size and leaves < lots < leaves * REFILL_STEP
            if (
                -tolerance <= off <= tolerance
                and (refills or abs(leaves - lots) <= SIZE_TOLERANCE * lots)
                and lots >= min_lots
                and price > 0
            ):
                if not order.pending_replace:
                    low[level], high[level] = inner + off - tolerance, inner + off + tolerance
                continue
            sent += self._change(order, price, lots, tolerance, min_lots, paused)
            self._heard_ns[level] = _UNHEARD
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
