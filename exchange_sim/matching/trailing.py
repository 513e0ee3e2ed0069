"""Trailing stops: armed orders whose trigger follows the best price since their activation.

A sell follows the highest price and fires when the price has fallen ``trailing_ppm`` below it; a
buy is its mirror image and is handled here with all prices negated.  Orders that have seen the
same best price form a group, and the groups a stack with the lowest best price on top: a new best
price merges groups from the top and touches nothing below.  Inside a group the smallest
``trailing_ppm`` fires first, and the groups below the top are kept in a heap by the trigger of
their first order.  A price change costs O(1) while it reaches nothing, O(log² n) amortised per
order that it moves or fires.

The trigger of a sell is ``best - ceil(best * ppm / 10**6)``, of a buy ``best + ceil(...)``: it
fires when the price has come back by the whole rate, not a tick before.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from exchange_sim.model.enums import SELL
from exchange_sim.model.order import Order
from exchange_sim.units import PPM, mul_div_ceil

Ready = tuple[int, Order]
"""Place in the order of entry, and the order: the heap of orders that may fire."""


Item = tuple[int, int, Order]
"""``trailing_ppm``, place in the order of entry, the order."""

_NEVER: Final = -(2**62)
"""Below every price, negated ones included: no price yet, or no activation price."""
_COMPACT_MIN: Final = 64


class _Group:
    """Orders with one best price; ``heap`` holds ``(trailing_ppm, entry, order)``."""

    __slots__ = ("best", "heap")

    def __init__(self, best: int) -> None:
        self.best = best
        self.heap: list[Item] = []


class _Followers:
    """The trailing orders of one side; prices are negated for buys, so all follow the highest.

    The best prices of ``_stack`` strictly fall towards the top.  ``_triggers`` may hold stale
    entries: one counts only while its group still has that trigger.
    """

    __slots__ = ("_entries", "_pushed", "_size", "_sleeping", "_stack", "_triggers")

    def __init__(self, entries: dict[int, int]) -> None:
        self._entries = entries
        self._stack: list[_Group] = []
        self._sleeping: list[tuple[int, int, Order]] = []
        self._triggers: list[tuple[int, int, _Group]] = []
        self._pushed = 0
        self._size = 0

    def add(self, order: Order, entry: int, activation: int, price: int) -> None:
        """Arm an order that starts to follow when the price is at or above ``activation``."""
        cells = self._size + len(self._stack) + len(self._triggers)
        if cells > 4 * len(self._entries) + _COMPACT_MIN:
            self._compact()
        self._size += 1
        if price > _NEVER and price >= activation:
            self._follow((order.trailing_ppm, entry, order), price)
        else:
            heappush(self._sleeping, (activation, entry, order))

    def _follow(self, item: Item, price: int) -> None:
        stack = self._stack
        if not stack or stack[-1].best > price:
            if stack:
                self._index(stack[-1])
            stack.append(_Group(price))
        heappush(stack[-1].heap, item)

    def _index(self, group: _Group) -> None:
        trigger = self._first_trigger(group)
        if trigger > _NEVER:
            self._pushed += 1
            heappush(self._triggers, (-trigger, self._pushed, group))

    def _first_trigger(self, group: _Group) -> int:
        """The price at or below which the first living order of a group fires."""
        heap = group.heap
        while heap and self._entries.get(heap[0][2].order_id) != heap[0][1]:
            heappop(heap)
            self._size -= 1
        if not heap:
            return _NEVER
        return group.best - mul_div_ceil(abs(group.best), heap[0][0], PPM)

    def observe(self, price: int) -> None:
        """The price is now ``price``: raise lower best prices, wake the orders it activates."""
        stack = self._stack
        if stack and stack[-1].best < price:
            merged = stack.pop()
            while stack and stack[-1].best <= price:
                small, merged = sorted((stack.pop(), merged), key=lambda group: len(group.heap))
                for item in small.heap:
                    heappush(merged.heap, item)
                small.heap = []
            merged.best = price
            stack.append(merged)
        sleeping = self._sleeping
        while sleeping and sleeping[0][0] <= price:
            _, entry, order = heappop(sleeping)
            self._follow((order.trailing_ppm, entry, order), price)

    def reached(self, price: int, into: list[Ready]) -> None:
        """Move every order that fires at ``price`` to ``into``, its ``trigger`` set."""
        stack, triggers = self._stack, self._triggers
        while stack and self._first_trigger(stack[-1]) >= price:
            self._fire_first(stack[-1], into)
        while triggers and -triggers[0][0] >= price:
            trigger, _, group = heappop(triggers)
            if -trigger == self._first_trigger(group):
                self._fire_first(group, into)
                self._index(group)

    def _fire_first(self, group: _Group, into: list[Ready]) -> None:
        trigger = self._first_trigger(group)
        _, entry, order = heappop(group.heap)
        order.trigger = abs(trigger)
        self._size -= 1
        heappush(into, (entry, order))

    def _compact(self) -> None:
        """Drop the orders that were cancelled.  O(n), paid for by the cancels."""
        entries = self._entries
        for group in self._stack:
            group.heap = [i for i in group.heap if entries.get(i[2].order_id) == i[1]]
            heapify(group.heap)
        self._stack = [group for group in self._stack if group.heap]
        self._sleeping = [i for i in self._sleeping if entries.get(i[2].order_id) == i[1]]
        heapify(self._sleeping)
        self._size = len(self._sleeping) + sum(len(group.heap) for group in self._stack)
        self._triggers = []
        for group in self._stack[:-1]:
            self._index(group)


class TrailingStops:
    """The trailing orders of both sides that watch one price.

    ``entries`` maps order ids to their place in the order of entry; an order with another place, or
    none, is no longer armed and is dropped when it is met.
    """

    __slots__ = ("_buys", "_sells")

    def __init__(self, entries: dict[int, int]) -> None:
        self._sells = _Followers(entries)
        self._buys = _Followers(entries)

    def arm(self, order: Order, entry: int, price: int) -> None:
        """Arm ``order``; its ``trigger`` is the activation price (0: active at once)."""
        activation = order.trigger
        if order.side == SELL:
            self._sells.add(order, entry, activation or _NEVER, price or _NEVER)
        else:
            self._buys.add(order, entry, -activation or _NEVER, -price or _NEVER)

    def observe(self, price: int) -> None:
        """The watched price is now ``price``.  Call for every price, in order."""
        self._sells.observe(price)
        self._buys.observe(-price)

    def reached(self, price: int, into: list[Ready]) -> None:
        """Move the orders that fire at ``price`` to the heap ``into``."""
        self._sells.reached(price, into)
        self._buys.reached(-price, into)
