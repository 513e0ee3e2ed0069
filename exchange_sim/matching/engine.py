"""The matching engine of one instrument: order types and times in force over the book.

``submit`` handles one order completely and appends what happened to ``out`` (see
``matching.outcomes``).  It never runs the stops that the order fired: the caller settles the
trades first and then asks ``next_triggered`` until it returns ``None``; ``run`` does both for
callers without a ledger.  Orders are assumed to have passed ``matching.filters`` and the
pre-trade checks.

Simplifications
---------------
Self-trade prevention compares accounts and is not applied in a call auction.
"""

from __future__ import annotations

from exchange_sim.limits import STOPS_PER_COMMAND_MAX
from exchange_sim.matching.auction import uncross
from exchange_sim.matching.book import OrderBook
from exchange_sim.matching.outcomes import CANCEL, REJECT, RESTED, TRADE, TRIGGER, Outcome
from exchange_sim.matching.stops import StopBook, convert
from exchange_sim.messages.reasons import CancelReason, RejectReason
from exchange_sim.model.enums import BUY, FLAG_SLIDE, FOK, GTX, IOC, LIMIT, MARKET
from exchange_sim.model.order import Order

_USER = int(CancelReason.USER)
_IOC = int(CancelReason.IOC)
_FOK = int(CancelReason.FOK)
_NO_LIQUIDITY = int(CancelReason.NO_LIQUIDITY)
_PRICE_BOUND = int(CancelReason.PRICE_BOUND)
_MASS = int(CancelReason.MASS)
_NEVER_RESTS = (IOC, FOK)
_WOULD_CROSS = int(RejectReason.POST_ONLY_WOULD_CROSS)


class MatchingEngine:
    """Book and armed orders of one instrument.

    ``auction`` is true while orders rest without matching.  ``protect_ppm`` and ``mark_ticks`` feed
    the price protection of trigger orders; set the mark with ``set_mark``.
    """

    __slots__ = ("auction", "book", "stops")

    def __init__(self) -> None:
        self.book = OrderBook()
        self.stops = StopBook()
        self.auction = False

    @property
    def protect_ppm(self) -> int:
        """Gap of last and mark price above which protected orders do not fire; 0 disables."""
        return self.stops.protect_ppm

    @protect_ppm.setter
    def protect_ppm(self, ppm: int) -> None:
        self.stops.protect_ppm = ppm

    @property
    def mark_ticks(self) -> int:
        """The last mark price, 0 before the first."""
        return self.stops.mark

    def set_mark(self, ticks: int) -> None:
        """Tell the armed orders the mark price; follow with ``next_triggered``."""
        self.stops.observe_mark(ticks)

    def submit(self, order: Order, out: list[Outcome], bound: int = 0) -> None:
        """Enter one order that passed all checks and handle it completely.

        ``bound`` (ticks, 0 for none) is the worst price to trade at now, whatever the order says;
        what would trade or rest beyond it is cancelled with ``PRICE_BOUND``.
        """
        book = self.book
        if order.order_type == LIMIT:
            price = order.price
            if bound and not self.auction:
                self._submit_bounded(order, out, bound)
            elif self.auction or not (
                0 < book.best_ask <= price if order.side == BUY else price <= book.best_bid
            ):
                tif = order.time_in_force
                if not tif or tif not in _NEVER_RESTS:
                    book.rest(order)
                    out.append((RESTED, order))
                else:
                    self._drop(order, _IOC if tif == IOC else _FOK, out)
            else:
                self._submit_crossing(order, price, out)
        elif order.order_type > MARKET:
            self.stops.arm(order, book.last_price)
        elif bound:
            self._submit_bounded(order, out, bound)
        else:
            self._submit_crossing(order, 0, out)

    def _submit_crossing(self, order: Order, limit: int, out: list[Outcome]) -> None:
        """A market order, or a limit order that crosses."""
        book, tif, start = self.book, order.time_in_force, len(out)
        if tif == GTX and order.order_type == LIMIT:
            self._slide(order, out)
            return
        if tif == FOK and book.fillable(order, limit, order.stp_mode) < order.leaves:
            self._drop(order, _FOK, out)
            return
        if book.match(order, limit, out, order.stp_mode):
            if order.order_type == MARKET:
                self._drop(order, _NO_LIQUIDITY, out)
            elif tif == IOC:
                self._drop(order, _IOC, out)
            else:
                book.rest(order)
                out.append((RESTED, order))
        if self.stops.orders:
            self._observe(out, start)

    def _submit_bounded(self, order: Order, out: list[Outcome], bound: int) -> None:
        """As ``submit``, trading no further than ``bound``."""
        book, start = self.book, len(out)
        buys, limit = order.side == BUY, order.price if order.order_type == LIMIT else 0
        if limit and (limit <= bound if buys else limit >= bound):
            self.submit(order, out)
            return
        tif = order.time_in_force
        touch = book.best_ask if buys else book.best_bid
        if tif == GTX and limit and touch and (touch <= limit if buys else touch >= limit):
            self._slide(order, out)
            return
        if tif == FOK and book.fillable(order, bound, order.stp_mode) < order.leaves:
            self._drop(order, _FOK, out)
            return
        if book.match(order, bound, out, order.stp_mode):
            touch = book.best_ask if buys else book.best_bid
            beyond = limit or touch
            self._drop(order, _PRICE_BOUND if beyond else _NO_LIQUIDITY, out)
        if self.stops.orders:
            self._observe(out, start)

    def _slide(self, order: Order, out: list[Outcome]) -> None:
        """A post-only order that would cross: refused, or rests one tick inside the far touch."""
        price = self.book.best_ask - 1 if order.side == BUY else self.book.best_bid + 1
        if order.flags & FLAG_SLIDE and price > 0:
            order.price = price
            self.book.rest(order)
            out.append((RESTED, order))
        else:
            out.append((REJECT, order, _WOULD_CROSS))

    @staticmethod
    def _drop(order: Order, reason: int, out: list[Outcome]) -> None:
        qty, order.leaves, order.shown = order.leaves, 0, 0
        out.append((CANCEL, order, qty, reason))

    def _observe(self, out: list[Outcome], start: int) -> None:
        """Tell the armed orders which prices the operation printed (they are monotone)."""
        for index in range(start, len(out)):
            outcome = out[index]
            if outcome[0] == TRADE:
                self.stops.observe_last(outcome[3], self.book.last_price)
                return

    def next_triggered(self) -> Order | None:
        """The armed order that fires now, converted to MARKET or LIMIT, or ``None``.

        Submit it (after its checks) before asking again: what it trades decides which one is next.
        """
        if not self.stops.orders or self.auction:
            return None
        order = self.stops.next_ready(self.book.last_price)
        if order is not None:
            convert(order)
        return order

    def run(self, order: Order, out: list[Outcome], bound: int = 0) -> None:
        """``submit`` and then fire what it triggered, for use without a ledger in between."""
        self.submit(order, out, bound)
        self.run_triggered(out)

    def run_triggered(self, out: list[Outcome]) -> None:
        """Fire armed orders until none is ready, at most ``limits.STOPS_PER_COMMAND_MAX``."""
        for _ in range(STOPS_PER_COMMAND_MAX):
            fired = self.next_triggered()
            if fired is None:
                return
            out.append((TRIGGER, fired))
            self.submit(fired, out)

    def cancel(self, order: Order, reason: int, out: list[Outcome]) -> bool:
        """Cancel a resting or armed order; false if it is neither."""
        if order.level is not None:
            self.book.remove(order)
            out.append((CANCEL, order, order.leaves, reason))
            order.leaves = order.shown = 0
            return True
        if order.order_id in self.stops.orders:
            self.stops.disarm(order)
            self._drop(order, reason, out)
            return True
        return False

    def mass_cancel(self, orders: list[Order], out: list[Outcome], reason: int = _MASS) -> int:
        """Cancel those of ``orders`` that are open, in the given order; returns how many were."""
        return sum(self.cancel(order, reason, out) for order in orders)

    def replace(
        self, order: Order, price: int, new_open_qty: int, out: list[Outcome], bound: int = 0
    ) -> bool:
        """Change price and open quantity of a resting or armed order; true if it kept its place.

        The same price and an equal or smaller quantity keep the place; anything else goes to the
        back and may trade.  Quantity 0 cancels.  A post-only order that would cross is refused
        unchanged, unless it slides.  ``bound`` is as for ``submit``.
        """
        if new_open_qty == 0:
            self.cancel(order, _USER, out)
            return False
        if order.level is None:
            return self._replace_armed(order, price, new_open_qty)
        if price == order.price and new_open_qty <= order.leaves:
            filled = order.qty - order.leaves
            self.book.reduce(order, new_open_qty)
            order.qty = filled + new_open_qty
            return True
        stays_out = order.time_in_force == GTX and not order.flags & FLAG_SLIDE
        if stays_out and not self.auction and self._would_cross(order, price):
            out.append((REJECT, order, _WOULD_CROSS))
            return True
        self.book.detach(order)
        order.qty += new_open_qty - order.leaves
        order.price, order.leaves = price, new_open_qty
        self.submit(order, out, bound)
        return False

    def _would_cross(self, order: Order, price: int) -> bool:
        book = self.book
        return 0 < book.best_ask <= price if order.side == BUY else book.best_bid >= price

    def _replace_armed(self, order: Order, price: int, new_open_qty: int) -> bool:
        keeps = price == order.price and new_open_qty <= order.leaves
        order.qty += new_open_qty - order.leaves
        order.price, order.leaves, order.shown = price, new_open_qty, new_open_qty
        if not keeps:
            self.stops.disarm(order)
            self.stops.arm(order, self.book.last_price)
        return keeps

    def uncross(self, out: list[Outcome]) -> int:
        """End the call auction at the price that trades most; returns it, 0 if nothing trades."""
        self.auction = False
        start = len(out)
        price = uncross(self.book, out)
        if self.stops.orders:
            self._observe(out, start)
        return price
