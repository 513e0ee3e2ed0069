"""Prices that an order may trade at: the bound of market orders, and post-only orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.enums import BUY, FLAG_SLIDE, GTX, LIMIT
from exchange_sim.model.instrument import Instrument
from exchange_sim.model.order import Order
from exchange_sim.units import PPM

if TYPE_CHECKING:
    from exchange_sim.matching.engine import MatchingEngine
    from exchange_sim.world.world import World

R = RejectReason


def take_bound(w: World, inst: Instrument, order: Order) -> int:
    """The worst price for a market order: mark -+ the take bound, rounded towards the mark.

    Spot markets have no mark; their last price stands in.  0 when there is no bound.
    """
    ratio = w.specs[inst.id].market_take_bound_ppm
    if not ratio or order.order_type == LIMIT:
        return 0
    spot = not inst.perpetual
    mark = w.last_prices[inst.id] * PPM if spot else w.marks[inst.id]
    if order.side == BUY:
        return max(1, mark * (PPM + ratio) // (PPM * PPM))
    return max(1, -(-mark * (PPM - ratio) // (PPM * PPM)))


def within_range(
    w: World, engine: MatchingEngine, inst: Instrument, order: Order, bound: int
) -> int:
    """``bound`` or the edge of the market's price range, whichever is tighter; 0: none."""
    window = w.ranges.get(inst.id)
    edge = window.bound(w.time_ns, engine, order) if window is not None else 0
    if not edge or not bound:
        return edge or bound
    return min(edge, bound) if order.side == BUY else max(edge, bound)


def post_only(engine: MatchingEngine, order: Order) -> int:
    """Keep a post-only limit order from trading: refuse it, or slide it inside the far touch.

    Returns the reason of the refusal or 0; nothing crosses while an auction collects orders.
    """
    if order.time_in_force != GTX or order.order_type != LIMIT or engine.auction:
        return 0
    book = engine.book
    if order.side == BUY:
        if not 0 < book.best_ask <= order.price:
            return 0
        price = book.best_ask - 1
    else:
        if book.best_bid < order.price:
            return 0
        price = book.best_bid + 1
    if not order.flags & FLAG_SLIDE or price <= 0:
        return R.POST_ONLY_WOULD_CROSS
    order.price = price
    return 0
