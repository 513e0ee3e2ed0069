"""A deliberately naive matching engine, written from the rules alone, to compare the real one with.

One flat list of resting orders, sorted before every single fill; one flat list of armed orders,
looked through from the front; a fill-or-kill order is tried on a copy of the book.  It knows no
price levels, no queues, no heaps and shares no code with the product but the enums.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

from exchange_sim.messages.reasons import CancelReason, RejectReason
from exchange_sim.model.enums import (
    FLAG_MARK_TRIGGER,
    FLAG_PRICE_PROTECT,
    FLAG_SLIDE,
    OrderType,
    Side,
    StpMode,
    TimeInForce,
)

STOPS = {OrderType.STOP, OrderType.STOP_MARKET}
BECOMES_LIMIT = {OrderType.STOP, OrderType.TAKE_PROFIT}


@dataclass
class Entry:
    """An order as the twin sees it."""

    id: int
    owner: int
    side: Side
    kind: OrderType
    tif: TimeInForce
    price: int
    open: int
    display: int = 0
    trigger: int = 0
    ppm: int = 0
    flags: int = 0
    stp: StpMode = StpMode.NONE
    shown: int = 0
    place: int = 0
    best: int = 0
    latched: bool = False


class NaiveMarket:
    """One instrument.  ``log`` is what happened, in order, as tuples that name orders by id."""

    def __init__(self, protect_ppm: int = 0) -> None:
        self.resting: list[Entry] = []
        self.armed: list[Entry] = []
        self.last = 0
        self.mark = 0
        self.auction = False
        self.protect_ppm = protect_ppm
        self.places = 0
        self.log: list[tuple[Any, ...]] = []

    def enter(self, order: Entry, bound: int = 0) -> None:
        """A new order, and every stop that it fires."""
        self._submit(order, bound)
        self.fire()

    def cancel(self, id: int, why: CancelReason = CancelReason.USER) -> None:
        """Cancel a resting or armed order, if there is one."""
        for pile in (self.resting, self.armed):
            for order in pile:
                if order.id == id:
                    pile.remove(order)
                    self.log.append(("cancel", id, order.open, why))
                    return

    def mass_cancel(self, ids: list[int]) -> None:
        """Cancel several."""
        for id in ids:
            self.cancel(id, CancelReason.MASS)

    def replace(self, id: int, price: int, qty: int) -> None:
        """Change an open order."""
        if qty == 0:
            self.cancel(id)
            return
        for order in self.armed:
            if order.id == id:
                keeps = price == order.price and qty <= order.open
                order.price, order.open = price, qty
                if not keeps:
                    self.armed.remove(order)
                    self._arm(order)
                self.fire()
                return
        for order in self.resting:
            if order.id == id:
                if price == order.price and qty <= order.open:
                    order.open, order.shown = qty, min(order.shown, qty)
                    return
                moved = replace(order, price=price, open=qty)
                post_only = order.tif == TimeInForce.GTX and not order.flags & FLAG_SLIDE
                if post_only and not self.auction and self._crosses(moved):
                    self.log.append(("reject", id, RejectReason.POST_ONLY_WOULD_CROSS))
                    return
                self.resting.remove(order)
                self._submit(moved, 0)
                self.fire()
                return

    def set_mark(self, mark: int) -> None:
        """A new mark price."""
        self.mark = mark
        for order in self.armed:
            if order.flags & FLAG_MARK_TRIGGER:
                self._trail(order, mark)
        self.fire()

    def uncross(self) -> int:
        """End the auction at the best price, by trying every tick."""
        self.auction = False
        bids = [order for order in self.resting if order.side == Side.BUY]
        asks = [order for order in self.resting if order.side == Side.SELL]
        high = max((order.price for order in bids), default=0)
        low = min((order.price for order in asks), default=high + 1)
        reference = self.last or (high + low) // 2
        ranked = []
        for price in range(low, high + 1):
            bought = sum(order.open for order in bids if order.price >= price)
            sold = sum(order.open for order in asks if order.price <= price)
            ranked.append((-min(bought, sold), abs(bought - sold), abs(price - reference), price))
        volume, _, _, price = min(ranked, default=(0, 0, 0, 0))
        while volume < 0:
            pair = [self._sorted(Side.BUY)[0], self._sorted(Side.SELL)[0]]
            qty = min(pair[0].shown, pair[1].shown, -volume)
            volume += qty
            pair.sort(key=lambda order: (order.tif != TimeInForce.GTX, order.id))
            self._fill(pair[0], pair[1], price, qty)
            for order in pair:
                self._settle_rest(order, qty)
        self.fire()
        return price

    def fire(self) -> None:
        """Fire armed orders, the first entered first, until none is due."""
        while not self.auction:
            due = next((order for order in self._due()), None)
            if due is None:
                return
            self.armed.remove(due)
            due.kind = OrderType.LIMIT if due.kind in BECOMES_LIMIT else OrderType.MARKET
            self.log.append(("trigger", due.id))
            self._submit(due, 0)

    def _due(self) -> list[Entry]:
        gap = abs(self.last - self.mark)
        apart = bool(self.protect_ppm and self.mark)
        apart = apart and gap * 1_000_000 > self.protect_ppm * self.mark
        due = []
        for order in self.armed:
            price = self.mark if order.flags & FLAG_MARK_TRIGGER else self.last
            if not price or (apart and order.flags & FLAG_PRICE_PROTECT):
                continue
            if order.kind == OrderType.TRAILING_STOP_MARKET:
                back = -(-order.best * order.ppm // 1_000_000)
                if order.best and order.side == Side.SELL:
                    order.latched |= price <= order.best - back
                elif order.best:
                    order.latched |= price >= order.best + back
                if order.latched:
                    due.append(order)
            elif (order.kind in STOPS) == (order.side == Side.BUY):
                if price >= order.trigger:
                    due.append(order)
            elif price <= order.trigger:
                due.append(order)
        return due

    def _arm(self, order: Entry) -> None:
        order.best, order.latched = 0, False
        self.armed.append(order)
        self._trail(order, self.mark if order.flags & FLAG_MARK_TRIGGER else self.last)

    def _trail(self, order: Entry, price: int) -> None:
        if order.kind != OrderType.TRAILING_STOP_MARKET or not price:
            return
        sells = order.side == Side.SELL
        if order.best:
            order.best = max(order.best, price) if sells else min(order.best, price)
        elif not order.trigger or (price >= order.trigger if sells else price <= order.trigger):
            order.best = price

    def _sorted(self, side: Side) -> list[Entry]:
        sign = -1 if side == Side.BUY else 1
        orders = [order for order in self.resting if order.side == side]
        return sorted(orders, key=lambda order: (sign * order.price, order.place))

    def _crosses(self, order: Entry, limit: int = 0) -> Entry | None:
        """The first order of the far side if ``order`` may trade with it."""
        far = self._sorted(Side(1 - order.side))
        if not far:
            return None
        for worst in (order.price if order.kind == OrderType.LIMIT else 0, limit):
            if worst and (far[0].price > worst if order.side == Side.BUY else far[0].price < worst):
                return None
        return far[0]

    def _submit(self, order: Entry, bound: int) -> None:
        if order.kind not in {OrderType.LIMIT, OrderType.MARKET}:
            self._arm(order)
        elif self.auction:
            self._rest(order)
        elif order.tif == TimeInForce.GTX and (touch := self._crosses(order)):
            order = replace(order, price=touch.price + (-1 if order.side == Side.BUY else 1))
            if order.flags & FLAG_SLIDE and order.price > 0:
                self._rest(order)
            else:
                self.log.append(("reject", order.id, RejectReason.POST_ONLY_WOULD_CROSS))
        elif order.tif == TimeInForce.FOK and not self._would_fill(order, bound):
            self.log.append(("cancel", order.id, order.open, CancelReason.FOK))
        else:
            self._match(order, bound)
            if order.open:
                self._leave(order, bound)

    def _leave(self, order: Entry, bound: int) -> None:
        """What happens to what did not trade."""
        limited = order.kind == OrderType.LIMIT
        worse = bound and (order.price > bound) == (order.side == Side.BUY) and order.price != bound
        beyond = not limited and bound and self._sorted(Side(1 - order.side))
        if (limited and worse) or beyond:
            why = CancelReason.PRICE_BOUND
        elif not limited:
            why = CancelReason.NO_LIQUIDITY
        elif order.tif == TimeInForce.IOC:
            why = CancelReason.IOC
        else:
            self._rest(order)
            return
        self.log.append(("cancel", order.id, order.open, why))

    def _would_fill(self, order: Entry, bound: int) -> bool:
        trial = NaiveMarket()
        trial.places = self.places
        trial.resting = [copy.copy(other) for other in self.resting]
        trial._match(copy.copy(order), bound)
        traded: int = sum(row[4] for row in trial.log if row[0] == "trade")
        return traded == order.open

    def _match(self, taker: Entry, bound: int) -> None:
        while taker.open and (maker := self._crosses(taker, bound)):
            if taker.stp != StpMode.NONE and maker.owner == taker.owner:
                self._prevent(taker, maker)
                continue
            qty = min(taker.open, maker.shown)
            self._fill(maker, taker, maker.price, qty)
            self._settle_rest(maker, qty)

    def _fill(self, maker: Entry, taker: Entry, price: int, qty: int) -> None:
        maker.open -= qty
        taker.open -= qty
        self.log.append(("trade", taker.id, maker.id, price, qty, maker.open, taker.open))
        self.last = price
        for order in self.armed:
            if not order.flags & FLAG_MARK_TRIGGER:
                self._trail(order, price)

    def _settle_rest(self, order: Entry, qty: int) -> None:
        """Refill or remove a resting order that just traded."""
        order.shown -= qty
        if not order.open:
            self.resting.remove(order)
        elif not order.shown:
            self._show(order)

    def _prevent(self, taker: Entry, maker: Entry) -> None:
        qty = min(taker.open, maker.open)
        if taker.stp == StpMode.DECREMENT:
            losses = [(maker, qty), (taker, qty)]
        else:
            losses = []
            if taker.stp in {StpMode.EXPIRE_MAKER, StpMode.EXPIRE_BOTH}:
                losses.append((maker, maker.open))
            if taker.stp in {StpMode.EXPIRE_TAKER, StpMode.EXPIRE_BOTH}:
                losses.append((taker, taker.open))
        for order, lost in losses:
            order.open -= lost
            order.shown = min(order.shown, order.open)
            word = "reduce" if order.open else "cancel"
            self.log.append((word, order.id, lost, CancelReason.STP))
        self.resting = [order for order in self.resting if order.open]

    def _rest(self, order: Entry) -> None:
        self.resting.append(order)
        self._show(order)
        self.log.append(("rest", order.id, order.price))

    def _show(self, order: Entry) -> None:
        self.places += 1
        order.place = self.places
        order.shown = min(order.display, order.open) if order.display else order.open

    def state(self) -> list[tuple[int, int, int, int]]:
        """``(id, price, open, shown)`` of all resting orders in priority, bids first."""
        orders = self._sorted(Side.BUY) + self._sorted(Side.SELL)
        return [(order.id, order.price, order.open, order.shown) for order in orders]
