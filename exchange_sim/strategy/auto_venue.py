"""How a test bench answers orders by itself: the smallest venue that behaves like one.

Orders are taken at once.  A marketable order trades at the far touch for what is shown there; a
post-only order that would cross is rejected; what is left of an IOC or market order expires.  A
resting order trades as a maker when a new book crosses it, or when a public trade goes through its
price (not at its price: nobody knows its place in the queue).

Simplification: there is one level of liquidity and no other traders; for those run a scenario.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange_sim.errors import UsageError
from exchange_sim.marketdata.views import BookView, Trade
from exchange_sim.messages.reasons import CancelReason, RejectReason
from exchange_sim.model.enums import BUY, GTX, IOC, MARKET, STOP_MARKET
from exchange_sim.strategy.views import PENDING_NEW, OrderHandle

if TYPE_CHECKING:
    from exchange_sim.strategy.testing import Bench

ROUNDS_MAX: Final = 1_000
"""Answers to answers before a strategy counts as one that never comes to rest."""


def answer(bench: Bench) -> None:
    """Answer everything that the strategy has sent, and what it sends in reply.

    Raises ``UsageError`` when there is no end of it.
    """
    for _ in range(ROUNDS_MAX):
        pending = [order for order in bench.sent if order.status_code == PENDING_NEW]
        changes, bench.modifies_waiting = bench.modifies_waiting, []
        cancels = [order for order in bench.cancels if order.pending_cancel and order.is_open]
        if not (pending or changes or cancels):
            return
        for order in pending:
            _enter(bench, order)
        for order, price_ticks, qty_lots in changes:
            if order.is_open:
                order.price_ticks = price_ticks or order.price_ticks
                if qty_lots >= 0:
                    order.leaves_lots = qty_lots
                    order.qty_lots = order.filled_lots + qty_lots
                bench.accept(order)
        for order in cancels:
            if order.is_open:
                bench.cancel_done(order)
    raise UsageError(f"the strategy answers every answer with a request, {ROUNDS_MAX} times by now")


def _enter(bench: Bench, order: OrderHandle) -> None:
    book = bench.book(order.market)
    touch, shown = _far(book, order.side)
    crosses = bool(touch) and (order.order_type == MARKET or _reaches(order, touch))
    if order.order_type >= STOP_MARKET:
        crosses = False
    if crosses and order.time_in_force == GTX:
        bench.reject(order, RejectReason.POST_ONLY_WOULD_CROSS)
        return
    bench.accept(order)
    if crosses and order.is_open:
        bench.fill_lots(order, min(shown, order.leaves_lots), touch, is_maker=False)
    gone = order.order_type == MARKET or order.time_in_force == IOC
    if gone and order.is_open and order.order_type < STOP_MARKET:
        bench.cancel_done(order, CancelReason.IOC)


def _far(book: BookView, side: int) -> tuple[int, int]:
    return (book.ask_ticks, book.ask_lots) if side == BUY else (book.bid_ticks, book.bid_lots)


def _reaches(order: OrderHandle, ticks: int) -> bool:
    return order.price_ticks >= ticks if order.side == BUY else order.price_ticks <= ticks


def _resting(bench: Bench, symbol: str) -> list[OrderHandle]:
    return [
        order
        for order in bench.sent
        if order.is_live and order.symbol == symbol and order.order_type < STOP_MARKET
    ]


def cross(bench: Bench, book: BookView) -> None:
    """A new book: resting orders that it crosses trade at their own price."""
    for order in _resting(bench, book.symbol):
        touch, shown = _far(book, order.side)
        if touch and _reaches(order, touch):
            bench.fill_lots(order, min(shown, order.leaves_lots), order.price_ticks, is_maker=True)


def print_through(bench: Bench, trade: Trade) -> None:
    """A public trade: resting orders with a better price than it would have traded first."""
    left = trade.qty_lots
    for order in _resting(bench, trade.symbol):
        better = (
            order.side == BUY and order.price_ticks > trade.price_ticks
            if trade.side != BUY
            else order.side != BUY and order.price_ticks < trade.price_ticks
        )
        lots = min(left, order.leaves_lots)
        if better and lots:
            left -= lots
            bench.fill_lots(order, lots, order.price_ticks, is_maker=True)
