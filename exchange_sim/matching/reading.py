"""The state of an order book and everything that can be read from it; ``book`` changes it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import neg

from exchange_sim.errors import InvariantViolation
from exchange_sim.matching.columns import Columns
from exchange_sim.matching.level import Level
from exchange_sim.model.enums import BUY, SELL
from exchange_sim.model.order import Order

NO_LIMIT = -(2**62)
"""Below every key."""


class ReadableBook:
    """Resting orders of one instrument.

    ``best_bid`` and ``best_ask`` are ticks, 0 while that side is empty; ``last_price`` is the last
    traded price, 0 before any trade.  Orders are not indexed by id: their owner holds them.
    ``groups`` gives the trade group of every account for self-trade prevention; None: each account
    is by itself.
    """

    __slots__ = (
        "_ask_keys",
        "_asks",
        "_bid_keys",
        "_bids",
        "_closed",
        "_columns",
        "_hides",
        "_touched",
        "best_ask",
        "best_bid",
        "groups",
        "last_price",
    )

    def __init__(self) -> None:
        self.best_bid = 0
        self.best_ask = 0
        self.last_price = 0
        self.groups: list[int] | None = None
        self._bids: dict[int, Level] = {}
        self._asks: dict[int, Level] = {}
        self._closed: list[Level] = []
        self._bid_keys: list[int] = []
        self._ask_keys: list[int] = []
        self._columns = Columns(self._bids, self._asks)
        self._touched = self._columns.touched
        self._hides = False

    def is_own(self, order: Order, account: int) -> bool:
        """Whether an order is of ``account`` or of another account of its trade group."""
        groups = self.groups
        return order.account == account or (
            groups is not None and groups[order.account] == groups[account]
        )

    def _levels(self, side: int, limit: int = 0) -> Iterator[Level]:
        """The levels of a side, best first, up to ``limit`` inclusive (0: all)."""
        keys, levels, floor = self._side(side, limit)
        for key in reversed(keys):
            if key < floor:
                return
            yield levels[key]

    def _side(self, side: int, limit: int) -> tuple[list[int], dict[int, Level], int]:
        """Keys and levels of a side, and the worst key up to ``limit`` inclusive (0: any)."""
        if side == BUY:
            return self._bid_keys, self._bids, limit
        return self._ask_keys, self._asks, -limit if limit else NO_LIMIT

    def depth(self, side: int, n: int = 0) -> list[tuple[int, int]]:
        """``(price, shown lots)`` of the best ``n`` levels of ``side`` (0: all), best first."""
        keys, levels, _ = self._side(side, 0)
        best = keys[: -n - 1 : -1] if n else keys[::-1]
        return [((level := levels[key]).price, level.total - level.hidden) for key in best]

    def snapshot(self, n: int) -> tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]:
        """The best ``n`` levels for publication: bid prices and shown lots, minus ask prices, lots.

        Prices are the book's own keys; pairs are made by those who want them.
        """
        if self._hides:
            bids, asks = self.depth(BUY, n), self.depth(SELL, n)
            bid_prices, bid_lots = [p for p, _ in bids], [q for _, q in bids]
            return bid_prices, bid_lots, [-p for p, _ in asks], [q for _, q in asks]
        columns, worst = self._columns, -n - 1
        columns.refresh()
        return (
            columns.bid_keys[:worst:-1],
            columns.bid_lots[:worst:-1],
            columns.ask_keys[:worst:-1],
            columns.ask_lots[:worst:-1],
        )

    def columns(self) -> tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]:
        """Keys and open lots (hidden ones too) of all bids, then of all asks; not to be kept.

        Keys ascend, the best one is the last.
        """
        columns = self._columns
        columns.refresh()
        return columns.bid_keys, columns.bid_lots, columns.ask_keys, columns.ask_lots

    def quantity_within(self, side: int, limit: int) -> int:
        """Shown lots resting on ``side`` at ``limit`` or better.  O(levels within)."""
        return sum(level.total - level.hidden for level in self._levels(side, limit))

    def cost(self, side: int, qty: int, limit: int = 0) -> tuple[int, int]:
        """What ``qty`` lots taken from ``side`` would cost: ``(lots found, sum of price * lots)``.

        ``side`` is the resting side: a buyer asks for SELL.  Hidden quantity counts, because it
        trades; ``limit`` 0 means no limit.  O(levels taken).
        """
        left, notional = qty, 0
        keys, levels, floor = self._side(side, limit)
        for key in reversed(keys):
            if key < floor:
                break
            level = levels[key]
            lots = min(left, level.total)
            notional += lots * level.price
            left -= lots
            if not left:
                break
        return qty - left, notional

    def totals(self, side: int, limit: int = 0) -> list[tuple[int, int]]:
        """``(price, open lots with the hidden ones)`` per level, best first, up to ``limit``."""
        columns = self._columns
        columns.refresh()
        if side == BUY:
            first = bisect_left(columns.bid_keys, limit)
            prices, lots = columns.bid_keys[first:], columns.bid_lots[first:]
            return list(zip(reversed(prices), reversed(lots), strict=True))
        first = bisect_left(columns.ask_keys, -limit) if limit else 0
        keys, lots = columns.ask_keys[first:], columns.ask_lots[first:]
        return list(zip(map(neg, reversed(keys)), reversed(lots), strict=True))

    def total(self, side: int) -> int:
        """All open lots of a side, hidden ones included.  O(levels)."""
        return sum(level.total for level in self._levels(side))

    def orders_of(self, side: int) -> Iterator[Order]:
        """The resting orders of a side in price-time priority."""
        for level in self._levels(side):
            yield from level

    @property
    def orders(self) -> dict[int, Order]:
        """All resting orders by id, made on each call.  O(orders)."""
        return {order.order_id: order for order in self}

    def __len__(self) -> int:
        """How many orders rest.  O(levels)."""
        return sum(len(level) for level in [*self._bids.values(), *self._asks.values()])

    def __iter__(self) -> Iterator[Order]:
        """All resting orders: bids then asks, each in price-time priority."""
        yield from self.orders_of(BUY)
        yield from self.orders_of(SELL)

    def check(self, crossed: bool = False) -> None:
        """Raise ``InvariantViolation`` if BOOK-1 or BOOK-2 does not hold.  O(orders).

        ``crossed`` permits a crossed book, as during a call auction.
        """
        if not crossed and self.best_bid and self.best_ask and self.best_bid >= self.best_ask:
            raise InvariantViolation(f"bid {self.best_bid} >= ask {self.best_ask}", "BOOK-1")
        for side, keys, levels, best in (
            (BUY, self._bid_keys, self._bids, self.best_bid),
            (SELL, self._ask_keys, self._asks, -self.best_ask),
        ):
            if keys != sorted(levels) or best != (keys[-1] if keys else 0):
                raise InvariantViolation(f"keys of side {side} are not its levels", "BOOK-2")
            for key in keys:
                level = levels[key]
                if problem := level.problem(side, key):
                    place = f"level {level.price} of side {side}"
                    raise InvariantViolation(f"{place}: {problem}", "BOOK-2")
            if self.totals(side) != [(abs(key), levels[key].total) for key in reversed(keys)]:
                raise InvariantViolation(f"columns of side {side} are not its levels", "BOOK-2")
