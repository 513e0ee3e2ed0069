"""Call auction: one price for everything that can trade, after a halt.

The price maximises the executable volume, then leaves the smallest imbalance, then lies closest
to the reference (the last traded price, or the middle of the crossed region if nothing ever
traded), then is the lower one.  Hidden iceberg quantity counts.  Orders trade in price-time
priority; an iceberg trades slice by slice.  In each trade the older order is reported as the
maker, a post-only order always.

Simplifications
---------------
Self-trade prevention is not applied, so that no order can remove itself from the price that it
helped to make.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from exchange_sim.matching.book import OrderBook
from exchange_sim.matching.outcomes import TRADE, Outcome
from exchange_sim.model.enums import BUY, GTX, SELL
from exchange_sim.model.order import Order


def _cumulative(book: OrderBook, side: int, limit: int) -> tuple[list[int], list[int]]:
    """Prices of a side up to ``limit``, best first, and the lots available at each or better."""
    prices: list[int] = []
    lots: list[int] = []
    for price, total in book.totals(side, limit):
        prices.append(price)
        lots.append(total + (lots[-1] if lots else 0))
    return prices, lots


def _candidates(prices: list[int], reference: int) -> list[int]:
    """Every limit price, and from each gap between two of them the tick closest to ``reference``.

    Volume and imbalance are constant inside a gap, so no other price can win.
    """
    found = list(prices)
    for low, high in pairwise(prices):
        if high - low > 1:
            found.append(min(max(reference, low + 1), high - 1))
    return sorted(found)


def clearing_price(book: OrderBook) -> tuple[int, int]:
    """The auction price and the volume it trades: ``(0, 0)`` if the book is not crossed.

    O(n log n) in the price levels of the crossed region.
    """
    bid, ask = book.best_bid, book.best_ask
    if not bid or not ask or bid < ask:
        return 0, 0
    bid_prices, bid_lots = _cumulative(book, BUY, ask)
    ask_prices, ask_lots = _cumulative(book, SELL, bid)
    negated = [-price for price in bid_prices]
    reference = book.last_price or (bid + ask) // 2
    best = (0, 0, 0, 0)
    for price in _candidates(sorted({*bid_prices, *ask_prices}), reference):
        above, below = bisect_right(negated, -price), bisect_right(ask_prices, price)
        bought = bid_lots[above - 1] if above else 0
        sold = ask_lots[below - 1] if below else 0
        volume = min(bought, sold)
        rank = (-volume, abs(bought - sold), abs(price - reference), price)
        best = min(best, rank)
    return best[3], -best[0]


def _roles(bid: Order, ask: Order) -> tuple[Order, Order]:
    """Which of the two is reported as the maker, and which as the taker."""
    bid_rank = (bid.time_in_force != GTX, bid.order_id)
    ask_rank = (ask.time_in_force != GTX, ask.order_id)
    return (bid, ask) if bid_rank < ask_rank else (ask, bid)


def uncross(book: OrderBook, out: list[Outcome]) -> int:
    """Trade the crossed part of ``book`` at the clearing price; returns it, 0 if nothing trades."""
    price, volume = clearing_price(book)
    while volume:
        bid, ask = book.front(BUY), book.front(SELL)
        qty = min(bid.shown, ask.shown, volume)
        volume -= qty
        book.fill_front(bid, qty)
        book.fill_front(ask, qty)
        maker, taker = _roles(bid, ask)
        out.append((TRADE, maker, taker, price, qty, maker.leaves, taker.leaves))
        book.last_price = price
    return price
