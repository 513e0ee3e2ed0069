"""The order book: price-time priority for one instrument.

Layout.  Each side is a dict of levels and a sorted list of their keys with the best key last, so
the touch is ``keys[-1]`` and leaves by ``pop()``.  The key of a bid level is its price, of an ask
level minus its price: both sides then sort, compare and mirror alike.  A level is a
first-in-first-out list with a head index; an order that leaves from the middle stays behind as a
tombstone (its ``level`` is no longer this level) and is skipped, and the list is compacted when
tombstones dominate.  Front pop, append, cancel and change are O(1) amortised; a new price level
costs one bisection of the keys.

Measured (``benchmarks/bench_queue.py``, a shared core): opening or closing a level near the touch
costs 254 ns with the key list and 1,025 ns with ``SortedDict``; a queue step among 10,000 orders
costs 171 ns with this list, 173 ns with ``OrderedDict``, 137 ns with links inside the orders and
1,047 ns with a plain dict.  The list is preferred to links because orders need no slots for it, and
because in ``match`` its head is a local variable.  Levels that close are used again, which saves
15 % in a crash.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from exchange_sim.matching.columns import TOUCHED_MAX
from exchange_sim.matching.level import Level
from exchange_sim.matching.outcomes import CANCEL, REDUCE, TRADE, TRANSFER, Outcome
from exchange_sim.matching.reading import NO_LIMIT, ReadableBook
from exchange_sim.messages.reasons import CancelReason
from exchange_sim.model.enums import BUY, StpMode
from exchange_sim.model.order import Order

_STP = int(CancelReason.STP)
_EXPIRE_TAKER = int(StpMode.EXPIRE_TAKER)
_EXPIRE_MAKER = int(StpMode.EXPIRE_MAKER)
_DECREMENT = int(StpMode.DECREMENT)
_TRANSFER = int(StpMode.TRANSFER)
_SLACK = 64
"""Dead cells that a level may carry before compaction is considered."""


class OrderBook(ReadableBook):
    """A book that orders rest in, leave and trade against."""

    __slots__ = ()

    def rest(self, order: Order) -> None:
        """Append ``order`` at the back of its price level; ``display`` decides what is shown."""
        price = order.price
        level = self._bids.get(price) if order.side == BUY else self._asks.get(-price)
        if level is None:
            level = self._open_level(order.side, price)
        leaves = order.leaves
        order.level = level
        level.queue.append(order)
        level.total += leaves
        self._touched[level.key] = None
        order.shown = leaves
        display = order.display
        if display and display < leaves:
            order.shown = display
            level.hidden += leaves - display
            self._hides = True

    def _open_level(self, side: int, price: int) -> Level:
        if side == BUY:
            keys, key, levels = self._bid_keys, price, self._bids
        else:
            keys, key, levels = self._ask_keys, -price, self._asks
        level = self._closed.pop() if self._closed else Level()
        level.key = key
        level.price = price
        levels[key] = level
        if not keys or key > keys[-1]:
            keys.append(key)
            if side == BUY:
                self.best_bid = price
            else:
                self.best_ask = price
        else:
            insort(keys, key)
        if len(self._touched) > TOUCHED_MAX:
            self._columns.forget()
        return level

    def _close_level(self, side: int, level: Level) -> None:
        if side == BUY:
            keys, levels = self._bid_keys, self._bids
        else:
            keys, levels = self._ask_keys, self._asks
        key = level.key
        if keys[-1] == key:
            keys.pop()
            best = keys[-1] if keys else 0
            if side == BUY:
                self.best_bid = best
            else:
                self.best_ask = -best
        else:
            del keys[bisect_left(keys, key)]
        del levels[key]
        level.close()
        self._closed.append(level)

    def remove(self, order: Order) -> None:
        """Take a resting order out of the book.  Its quantities are left as they are."""
        level = order.level
        order.level = None
        level.total -= order.leaves
        self._touched[level.key] = None
        if level.total:
            if order.display:
                level.hidden -= order.leaves - order.shown
            level.dead += 1
            if level.dead > _SLACK and level.dead + level.dead > len(level.queue) - level.head:
                level.compact()
        else:
            self._close_level(order.side, level)

    def detach(self, order: Order) -> None:
        """As ``remove``, for an order that will rest again, perhaps in the same level."""
        ghosts = order.level.ghosts
        ghosts[order.order_id] = ghosts.get(order.order_id, 0) + 1
        self.remove(order)

    def reduce(self, order: Order, new_leaves: int) -> None:
        """Shrink a resting order in place; it keeps its priority.  ``0 < new_leaves <= leaves``."""
        level = order.level
        shown = min(order.shown, new_leaves)
        level.hidden += (new_leaves - shown) - (order.leaves - order.shown)
        level.total += new_leaves - order.leaves
        self._touched[level.key] = None
        order.leaves = new_leaves
        order.shown = shown

    def match(self, taker: Order, limit: int, out: list[Outcome], stp: int = 0) -> int:
        """Trade ``taker`` against the far side at the makers' prices; returns what stays open.

        ``limit`` is the worst price or 0, ``stp`` the self-trade prevention.  Updates ``leaves``.
        """
        leaves = taker.leaves
        if taker.side == BUY:
            keys, levels, floor = self._ask_keys, self._asks, -limit if limit else NO_LIMIT
        else:
            keys, levels, floor = self._bid_keys, self._bids, limit
        account, last = taker.account, 0
        while leaves and keys and keys[-1] >= floor:
            level = levels[keys[-1]]
            self._touched[level.key] = None
            price, queue, head, ghosts = level.price, level.queue, level.head, level.ghosts
            total = level.total
            while leaves and total:
                maker = queue[head]
                if (ghosts and level.passes_ghost(maker)) or maker.level is not level:
                    head += 1
                    level.dead -= 1
                    continue
                if stp and self.is_own(maker, account):
                    level.total = total
                    leaves = self._prevent(taker, maker, leaves, stp, out)
                    total = level.total
                    continue
                last, qty = price, maker.shown
                if qty > leaves:
                    maker.shown = qty - leaves
                    maker.leaves -= leaves
                    total -= leaves
                    out.append((TRADE, maker, taker, price, leaves, maker.leaves, 0))
                    leaves = 0
                    break
                leaves -= qty
                total -= qty
                head += 1
                rest = maker.leaves = maker.leaves - qty
                out.append((TRADE, maker, taker, price, qty, rest, leaves))
                if rest:
                    self._refill(maker, level)
                else:
                    maker.shown, maker.level = 0, None
            if total:
                level.total, level.head = total, head
                if head > _SLACK and head + head > len(queue):
                    level.compact()
            else:
                del levels[keys.pop()]
                level.close()
                self._closed.append(level)
        if taker.side == BUY:
            self.best_ask = -keys[-1] if keys else 0
        else:
            self.best_bid = keys[-1] if keys else 0
        taker.leaves = leaves
        if last:
            self.last_price = last
        return leaves

    @staticmethod
    def _refill(maker: Order, level: Level) -> None:
        """Show the next slice of an iceberg, at the back of its level."""
        maker.shown = shown = min(maker.display, maker.leaves)
        level.hidden -= shown
        level.queue.append(maker)

    def _prevent(
        self, taker: Order, maker: Order, leaves: int, stp: int, out: list[Outcome]
    ) -> int:
        """Keep an owner from trading with itself; returns the taker's open quantity afterwards."""
        level, open_qty = maker.level, maker.leaves
        expires_maker, expires_taker = stp != _EXPIRE_TAKER, stp != _EXPIRE_MAKER
        qty, left = leaves, 0
        if stp == _EXPIRE_MAKER:
            left = leaves
        elif stp >= _DECREMENT:
            qty, left = min(leaves, open_qty), max(0, leaves - open_qty)
            expires_maker, expires_taker = open_qty <= leaves, leaves <= open_qty
            both = stp == _TRANSFER == maker.stp_mode
            if both and maker.account != taker.account:
                out.append((TRANSFER, maker, taker, maker.price, qty, open_qty - qty, left))
            if not expires_maker:
                self.reduce(maker, open_qty - qty)
                out.append((REDUCE, maker, qty, _STP))
        if expires_maker:
            level.dead += 1
            level.total -= open_qty
            level.hidden -= open_qty - maker.shown
            maker.leaves = maker.shown = 0
            maker.level = None
            out.append((CANCEL, maker, open_qty, _STP))
        if expires_taker:
            out.append((CANCEL, taker, qty, _STP))
        elif left != leaves:
            out.append((REDUCE, taker, qty, _STP))
        return left

    def front(self, side: int) -> Order:
        """The order with the highest priority of a side that is not empty."""
        return next(self.orders_of(side))

    def fill_front(self, order: Order, qty: int) -> None:
        """Trade ``qty`` of the shown slice of the front order of its side, as ``match`` would."""
        level = order.level
        order.leaves -= qty
        order.shown -= qty
        level.total -= qty
        self._touched[level.key] = None
        if not order.leaves:
            self.remove(order)
        elif not order.shown:
            level.skip_dead()
            level.head += 1
            self._refill(order, level)

    def fillable(self, taker: Order, limit: int, stp: int = 0) -> int:
        """Lots that ``taker`` would trade within ``limit``, at most ``taker.leaves``.

        Hidden quantity counts.  Under self-trade prevention own orders do not, and a mode that
        stops or shrinks the taker ends the count at the first own order: ahead of it in its level
        only shown slices count, because a refilled slice queues behind it.  O(levels), with STP
        O(orders).
        """
        need, found, account = taker.leaves, 0, taker.account
        for level in self._levels(1 - taker.side, limit):
            if not stp:
                found += level.total
            elif stp == _EXPIRE_MAKER:
                found += sum(maker.leaves for maker in level if not self.is_own(maker, account))
            else:
                ahead = 0
                for maker in level:
                    if self.is_own(maker, account):
                        return min(found + ahead, need)
                    ahead += maker.shown
                found += level.total
            if found >= need:
                return need
        return found
