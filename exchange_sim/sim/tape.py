"""A recorded tape as orders: what rested and what was taken, against everybody else in the book.

A tape has two accounts: one holds what the record says is resting, the other takes.  Both are
ordinary accounts; their orders queue behind and in front of those of the emulator's participants,
trade with them and can be eaten by them.  When a recorded level was eaten, the next row about it
restores it: the record does not know what happened here.

Simplifications: a tape has no latency (its rows are stamped by the venue) and does not react.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from exchange_sim.model.enums import BUY, GTC, IOC, LIMIT, MARKET, SELL, StpMode
from exchange_sim.recorded.rows import (
    ADD,
    CLEAR,
    DELETE,
    EXECUTE,
    LEVEL,
    REDUCE,
    TAKE,
    TOUCH,
    Rows,
)

if TYPE_CHECKING:
    from exchange_sim.sim.exchange import Exchange
    from exchange_sim.sim.kernel import Kernel

REJECTED: Final = 2
Handler = Callable[[int, int, int, int, int], None]
"""Called with now, side, ticks, lots, order id."""
_STP = int(StpMode.EXPIRE_MAKER)


class Tape:
    """Plays rows into one book.  ``played`` counts them, ``restored`` levels that were eaten."""

    def __init__(
        self,
        kernel: Kernel,
        exchange: Exchange,
        instrument: int,
        accounts: tuple[int, int],
        batches: Iterator[Rows],
        shift_ns: int,
        trades_as_market: bool,
    ) -> None:
        self._kernel = kernel
        self._apply = exchange.apply
        self._instrument = instrument
        self._resting, self._taking = accounts
        self._batches = batches
        self._shift = shift_ns
        self._market = trades_as_market
        self._levels: dict[tuple[int, int], int] = {}
        self._orders: dict[int, tuple[int, int, int]] = {}
        """Recorded order id -> our id, side, open lots as recorded."""
        self._next = 1
        self.played = 0
        self.restored = 0
        self.unknown_orders = 0
        self._rows: tuple[list[int], ...] = ([],) * 6
        self._at = 0
        self._handlers: dict[int, Handler] = {
            TAKE: self._take,
            LEVEL: self._level,
            CLEAR: self._clear,
            ADD: self._add,
            REDUCE: self._reduce,
            DELETE: self._delete,
            EXECUTE: self._execute,
            TOUCH: self._touch,
        }

    def start(self) -> None:
        """Put the first row on the clock."""
        self._load()

    def _load(self) -> None:
        """Take the next batch; rows from before now are played now."""
        rows = next(self._batches, None)
        if rows is None:
            return
        columns = (rows.time_ns, rows.kind, rows.side, rows.price, rows.qty, rows.order)
        self._rows, self._at = tuple(column.tolist() for column in columns), 0
        first = int(rows.time_ns[0]) + self._shift
        self._kernel.at(max(self._kernel.now_ns, first), self._play)

    def _play(self, _: None) -> None:
        """Play rows until somebody else comes first, then wait for the next one.

        Going on without the heap while nothing else is due saves 0.8 us a row.
        """
        times, kinds, sides, prices, lots, orders = self._rows
        at, count, shift = self._at, len(times), self._shift
        kernel, handlers = self._kernel, self._handlers
        now = kernel.now_ns
        while at < count:
            due = times[at] + shift
            if due > now:
                if not kernel.skip_to(due):
                    break
                now = due
            handlers[kinds[at]](now, sides[at], prices[at], lots[at], orders[at])
            at += 1
        self.played += at - self._at
        self._at = at
        if at < count:
            kernel.at(times[at] + shift, self._play)
        else:
            self._load()

    def _enter(self, now: int, side: int, price: int, qty: int) -> int:
        """A resting order; what it crosses trades, its own other side makes way."""
        own = self._next
        self._next = own + 1
        self._apply(
            (1, now, self._resting, self._instrument, own, side, LIMIT, GTC, price, qty, 0, 0, 0, 0,
             _STP, 0)
        )  # fmt: skip
        return own

    def _take(self, now: int, side: int, price: int, qty: int, order: int) -> None:
        del order
        kind, limit = (MARKET, 0) if self._market else (LIMIT, price)
        own = self._next
        self._next = own + 1
        self._apply(
            (1, now, self._taking, self._instrument, own, side, kind, IOC, limit, qty, 0, 0, 0, 0,
             0, 0)
        )  # fmt: skip

    def _level(self, now: int, side: int, price: int, qty: int, order: int) -> None:
        del order
        key = (side, price)
        own = self._levels.get(key)
        if not qty:
            if own is not None:
                del self._levels[key]
                self._apply((2, now, self._resting, own))
            return
        if own is not None:
            events = self._apply((3, now, self._resting, own, 0, qty))
            if events and events[0][0] != REJECTED:
                return
            self.restored += 1
        self._levels[key] = self._enter(now, side, price, qty)

    def _touch(self, now: int, side: int, price: int, qty: int, order: int) -> None:
        """The best level of a side: the one before goes when the price has changed."""
        for key in [key for key in self._levels if key[0] == side and key[1] != price]:
            self._level(now, side, key[1], 0, order)
        self._level(now, side, price, qty, order)

    def _clear(self, now: int, side: int, price: int, qty: int, order: int) -> None:
        del side, price, qty, order
        self._levels.clear()
        self._orders.clear()
        self._apply((4, now, self._resting, self._instrument, -1))

    def _add(self, now: int, side: int, price: int, qty: int, order: int) -> None:
        self._orders[order] = (self._enter(now, side, price, qty), side, qty)

    def _reduce(self, now: int, side: int, price: int, qty: int, order: int) -> None:
        found = self._orders.get(order)
        if found is None:
            self.unknown_orders += 1
            return
        own, _, left = found
        left -= qty
        if left <= 0:
            self._delete(now, side, price, qty, order)
            return
        self._orders[order] = (own, side, left)
        self._apply((3, now, self._resting, own, 0, left))

    def _delete(self, now: int, side: int, price: int, qty: int, order: int) -> None:
        del side, price, qty
        found = self._orders.pop(order, None)
        if found is None:
            self.unknown_orders += 1
            return
        self._apply((2, now, self._resting, found[0]))

    def _execute(self, now: int, side: int, price: int, qty: int, order: int) -> None:
        found = self._orders.get(order)
        if found is None:
            self.unknown_orders += 1
        elif found[2] <= qty:
            del self._orders[order]
        else:
            self._orders[order] = (found[0], found[1], found[2] - qty)
        self._take(now, SELL if side == BUY else BUY, price, qty, order)
