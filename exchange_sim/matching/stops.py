"""Trigger orders: armed off-book, fired by the last trade price or the mark price.

An order fires while its condition holds: a buy stop when ``price >= trigger``, a sell stop when
``price <= trigger``, a take-profit the other way round, a trailing stop when the price has come
back ``trailing_ppm`` from the best price since its activation.  Among the orders that may fire
now, the one armed first fires first.  Armed orders are heaps by trigger, so a price change costs
O(1) when nothing is reached and O(log n) for each order that is.

Simplifications
---------------
Conditions are judged on the price at the end of an operation, not on each print inside it; only
the best price of a trailing stop sees the prints between.  A trailing stop that was reached stays
so, even if another order that fires before it moves the price back.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from exchange_sim.matching.trailing import TrailingStops
from exchange_sim.model.enums import (
    BUY,
    FLAG_MARK_TRIGGER,
    FLAG_PRICE_PROTECT,
    LIMIT,
    MARKET,
    STOP,
    STOP_MARKET,
    TAKE_PROFIT,
    TRAILING_STOP_MARKET,
)
from exchange_sim.model.order import Order
from exchange_sim.units import PPM

_COMPACT_MIN: Final = 64

Entry = tuple[int, int, Order]
"""Heap key (the smallest fires first), place in the order of entry, the order."""


class TriggerHeap:
    """Orders waiting for a price to rise to, or to fall to, their trigger.

    ``sign`` is 1 for those that wait for a rise, -1 for a fall.
    """

    __slots__ = ("_entries", "_sign", "heap")

    def __init__(self, sign: int, entries: dict[int, int]) -> None:
        self._sign = sign
        self._entries = entries
        self.heap: list[Entry] = []

    def push(self, trigger: int, entry: int, order: Order) -> None:
        """Arm an order; entries of cancelled orders are swept when they may dominate."""
        heap = self.heap
        if len(heap) > 2 * len(self._entries) + _COMPACT_MIN:
            live = [item for item in heap if self._entries.get(item[2].order_id) == item[1]]
            heap[:] = live
            heapify(heap)
        heappush(heap, (self._sign * trigger, entry, order))

    def reached(self, price: int, into: list[tuple[int, Order]]) -> None:
        """Move every order whose trigger ``price`` has reached to the heap ``into``."""
        heap, bar = self.heap, self._sign * price
        while heap and heap[0][0] <= bar:
            _, entry, order = heappop(heap)
            if self._entries.get(order.order_id) == entry:
                heappush(into, (entry, order))


class _Source:
    """The armed orders that watch one price, ``marked`` the mark price, all protected or none."""

    __slots__ = ("entries", "falling", "marked", "protected", "rising", "trailing", "used")

    def __init__(self, entries: dict[int, int], marked: bool, protected: bool) -> None:
        self.entries = entries
        self.marked = marked
        self.protected = protected
        self.used = False
        self.rising = TriggerHeap(1, entries)
        self.falling = TriggerHeap(-1, entries)
        self.trailing: TrailingStops | None = None

    def push(self, order: Order, entry: int, price: int) -> None:
        """Arm an order at the current price."""
        if order.order_type == TRAILING_STOP_MARKET:
            if self.trailing is None:
                self.trailing = TrailingStops(self.entries)
            if price:
                self.trailing.observe(price)
            self.trailing.arm(order, entry, price)
        elif rises(order):
            self.rising.push(order.trigger, entry, order)
        else:
            self.falling.push(order.trigger, entry, order)

    def reached(self, price: int, into: list[tuple[int, Order]]) -> None:
        """Move every order that ``price`` has reached to the heap ``into``."""
        heap = self.rising.heap
        if heap and heap[0][0] <= price:
            self.rising.reached(price, into)
        heap = self.falling.heap
        if heap and heap[0][0] <= -price:
            self.falling.reached(price, into)
        if self.trailing is not None:
            self.trailing.reached(price, into)


def rises(order: Order) -> bool:
    """Whether the trigger of ``order`` is reached by a rising price."""
    is_stop = order.order_type in (STOP_MARKET, STOP)
    return is_stop == (order.side == BUY)


class StopBook:
    """The armed orders of one instrument.

    ``orders`` maps order ids to armed orders in the order of their first entry.  ``protect_ppm`` is
    the gap between last and mark price, relative to the mark, above which orders with
    ``FLAG_PRICE_PROTECT`` do not fire (0 disables the protection).
    """

    __slots__ = (
        "_active",
        "_entries",
        "_held",
        "_next_entry",
        "_ready",
        "_sources",
        "last",
        "mark",
        "orders",
        "protect_ppm",
    )

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self._entries: dict[int, int] = {}
        self._next_entry = 0
        self._ready: list[tuple[int, Order]] = []
        self._held: list[tuple[int, Order]] = []
        self._sources = tuple(
            _Source(self._entries, marked, protected)
            for protected in (False, True)
            for marked in (False, True)
        )
        self._active: list[_Source] = []
        self.last = 0
        self.mark = 0
        self.protect_ppm = 0

    def arm(self, order: Order, last: int) -> None:
        """Let ``order`` wait for its trigger; it may be ready at once.

        ``last`` is the last trade price: prices are not observed while nothing is armed.
        """
        self.last = last
        self._next_entry += 1
        self.orders[order.order_id] = order
        self._entries[order.order_id] = self._next_entry
        self._place(order, self._next_entry)

    def disarm(self, order: Order) -> None:
        """Forget an armed order."""
        del self.orders[order.order_id]
        del self._entries[order.order_id]

    def _place(self, order: Order, entry: int) -> None:
        flags = order.flags
        source = self._sources[
            (1 if flags & FLAG_MARK_TRIGGER else 0) + (2 if flags & FLAG_PRICE_PROTECT else 0)
        ]
        if not source.used:
            source.used = True
            self._active.append(source)
        source.push(order, entry, self._price(order))

    def _price(self, order: Order) -> int:
        return self.mark if order.flags & FLAG_MARK_TRIGGER else self.last

    def observe_last(self, first: int, last: int) -> None:
        """The operation that just finished traded from ``first`` to ``last``."""
        self.last = last
        for source in self._active:
            if source.trailing is not None and not source.marked:
                source.trailing.observe(first)
                source.trailing.observe(last)

    def observe_mark(self, mark: int) -> None:
        """The mark price is now ``mark``."""
        self.mark = mark
        for source in self._active:
            if source.trailing is not None and source.marked:
                source.trailing.observe(mark)

    def protected(self) -> bool:
        """Whether last and mark price are too far apart for orders with price protection."""
        gap = abs(self.last - self.mark)
        return gap * PPM > self.protect_ppm * self.mark > 0

    def next_ready(self, last: int) -> Order | None:
        """Disarm and return the first entered order whose condition holds now, else ``None``.

        ``last`` is the last trade price.
        """
        self.last = last
        ready = self._ready
        protected = bool(self.protect_ppm) and self.protected()
        if self._held and not protected:
            for item in self._held:
                heappush(ready, item)
            self._held.clear()
        for source in self._active:
            price = self.mark if source.marked else last
            if price and not (protected and source.protected):
                source.reached(price, ready)
        while ready:
            entry, order = heappop(ready)
            if self._entries.get(order.order_id) != entry:
                continue
            if protected and order.flags & FLAG_PRICE_PROTECT:
                self._held.append((entry, order))
            elif self._holds(order):
                self.disarm(order)
                return order
            else:
                self._place(order, entry)
        return None

    def _holds(self, order: Order) -> bool:
        """Whether a ready order still fires: an order fired before it may have moved the price."""
        price = self._price(order)
        if order.order_type == TRAILING_STOP_MARKET:
            return True
        return price >= order.trigger if rises(order) else price <= order.trigger


def convert(order: Order) -> None:
    """Turn a fired order into the order that it becomes."""
    order.order_type = LIMIT if order.order_type in (STOP, TAKE_PROFIT) else MARKET
