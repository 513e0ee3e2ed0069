"""Judges what an engine reports by the numbered rules of the book, from its reports alone.

The auditor keeps its own list of resting orders, fed only by outcomes: it never reads the queues of
the book that it judges.  BOOK-1 and BOOK-2 are ``OrderBook.check``; here are BOOK-3 (price-time
priority), BOOK-4 (limits and times in force) and BOOK-5 (nothing is lost, one end per order).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from exchange_sim.errors import InvariantViolation
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.matching.outcomes import CANCEL, REDUCE, REJECT, RESTED, TRADE, Outcome
from exchange_sim.model.enums import BUY, FOK, GTX, IOC, LIMIT
from exchange_sim.model.order import Order


@dataclass
class Standing:
    """A resting order as its reports describe it."""

    order: Order
    price: int
    place: int
    open: int
    shown: int


@dataclass
class Account:
    """Where the lots of an order went."""

    qty: int
    filled: int = 0
    canceled: int = 0
    ended: bool = False


@dataclass
class Auditor:
    """An engine whose every operation is judged."""

    engine: MatchingEngine
    standing: dict[int, Standing] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    places: int = 0
    groups: list[int] | None = None
    log: list[Outcome] = field(default_factory=list)

    def submit(self, order: Order, bound: int = 0) -> None:
        """Enter an order and judge what is reported."""
        self.accounts[order.order_id] = Account(order.qty)
        out: list[Outcome] = []
        limit, qty = order.price, order.leaves
        self.engine.submit(order, out, bound)
        self._judge(order, limit, qty, bound, out)

    def cancel(self, order: Order) -> None:
        """Cancel an order and judge what is reported."""
        out: list[Outcome] = []
        self.engine.cancel(order, 1, out)
        self._judge(order, 0, 0, 0, out)

    def replace(self, order: Order, price: int, qty: int) -> None:
        """Change an order and judge what is reported."""
        out: list[Outcome] = []
        before, now = order.leaves, self.standing[order.order_id]
        kept = self.engine.replace(order, price, qty, out)
        refused = any(outcome[0] == REJECT for outcome in out)
        if qty and not refused:
            self.accounts[order.order_id].qty += qty - before
            if kept:
                now.open, now.shown = qty, min(now.shown, qty)
            else:
                del self.standing[order.order_id]
        if refused:
            out = []
        self._judge(order, price, qty, 0, out)

    def _judge(self, taker: Order, limit: int, qty: int, bound: int, out: list[Outcome]) -> None:
        self.log.extend(out)
        traded = 0
        for outcome in out:
            kind, order = outcome[0], outcome[1]
            if kind == TRADE:
                self._trade(outcome, limit, bound)
                traded += outcome[4]
            elif kind == RESTED:
                self._rested(order)
            elif kind in {CANCEL, REDUCE}:
                self._dropped(outcome)
            if kind in {CANCEL, REJECT}:
                self._end(order)
        if taker.time_in_force == FOK and traded not in {0, qty}:
            raise InvariantViolation(f"FOK traded {traded} of {qty}", "BOOK-4")
        self.engine.book.check()
        self._balance()

    def _trade(self, outcome: Outcome, limit: int, bound: int) -> None:
        _, maker, taker, price, qty, maker_left, _ = outcome
        first = self._first(taker)
        if first is None or first.order is not maker or price != first.price or qty > first.shown:
            raise InvariantViolation(f"{maker.order_id} was not first in line", "BOOK-3")
        worst = limit if taker.order_type == LIMIT else 0
        for cap in (worst, bound):
            if cap and (price > cap if taker.side == BUY else price < cap):
                raise InvariantViolation(f"traded at {price}, limit {cap}", "BOOK-4")
        if taker.time_in_force == GTX:
            raise InvariantViolation(f"post-only {taker.order_id} took", "BOOK-4")
        first.open -= qty
        first.shown -= qty
        for order in (maker, taker):
            self.accounts[order.order_id].filled += qty
        if first.open != maker_left:
            raise InvariantViolation(f"{first.open} left, {maker_left} reported", "BOOK-5")
        if not first.open:
            del self.standing[maker.order_id]
            self._end(maker)
        elif not first.shown:
            self.places += 1
            first.place, first.shown = self.places, min(maker.display, first.open)

    def _first(self, taker: Order) -> Standing | None:
        """Who is first in line for ``taker``; its own orders step aside under prevention."""
        sign = 1 if taker.side == BUY else -1
        far = [
            standing
            for standing in self.standing.values()
            if standing.order.side != taker.side
            and not (taker.stp_mode and self._group(standing.order) == self._group(taker))
        ]
        return min(far, key=lambda one: (sign * one.price, one.place), default=None)

    def _group(self, order: Order) -> int:
        return order.account if self.groups is None else self.groups[order.account]

    def _rested(self, order: Order) -> None:
        if order.time_in_force in {IOC, FOK}:
            raise InvariantViolation(f"{order.order_id} may not rest", "BOOK-4")
        self.places += 1
        account = self.accounts[order.order_id]
        left = account.qty - account.filled - account.canceled
        shown = min(order.display or left, left)
        self.standing[order.order_id] = Standing(order, order.price, self.places, left, shown)

    def _dropped(self, outcome: Outcome) -> None:
        kind, order, qty, _ = outcome
        self.accounts[order.order_id].canceled += qty
        standing = self.standing.get(order.order_id)
        if standing is not None and kind == CANCEL:
            del self.standing[order.order_id]
        elif standing is not None:
            standing.open -= qty
            standing.shown = min(standing.shown, standing.open)

    def _end(self, order: Order) -> None:
        account = self.accounts[order.order_id]
        if account.ended:
            raise InvariantViolation(f"{order.order_id} ended twice", "BOOK-5")
        account.ended = True

    def _balance(self) -> None:
        """Every lot of every open order is filled, canceled or still there."""
        for id, standing in self.standing.items():
            account = self.accounts[id]
            if account.filled + account.canceled + standing.order.leaves != account.qty:
                raise InvariantViolation(f"lots of order {id} do not add up", "BOOK-5")
        if set(self.engine.book.orders) != set(self.standing):
            raise InvariantViolation("an order came or went unreported", "BOOK-5")
