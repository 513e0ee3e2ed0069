"""One publication of one order book, and the views that readers make of it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import neg

from exchange_sim.marketdata.market import Market
from exchange_sim.marketdata.views import BookView, Levels, seal_book

Columns = tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]
"""Bid prices and lots, minus ask prices and lots, best first."""


class Publication:
    """A book at ``time_ns``, to be had from ``available_ns``, ``depth`` levels a side.

    ``only`` is the depth class that it was made for, 0 for all.  Views are made when they are read
    first, one per depth class; two of three publications are never read deeper than the touch, so
    copying columns and looking later is 2.5 times faster than a view for each class.
    """

    __slots__ = (
        "_columns",
        "_market",
        "_tape",
        "_touch",
        "_views",
        "available_ns",
        "depth",
        "only",
        "time_ns",
    )

    def __init__(
        self,
        market: Market,
        time_ns: int,
        available_ns: int,
        depth: int,
        columns: Columns,
        tape: tuple[int, int, int, int],
        only: int = 0,
    ) -> None:
        """``tape``: last price in ticks, trades, bought and sold lots since the start."""
        self._market = market
        self._columns = columns
        self._tape = tape
        self._touch: BookView | None = None
        self._views: dict[int, BookView] | None = None
        self.time_ns = time_ns
        self.available_ns = available_ns
        self.depth = depth
        self.only = only

    def view(self, levels: int) -> BookView:
        """What a reader of a depth class sees; always the same object."""
        if levels == 1:  # most readers look at the touch
            if self._touch is None:
                bid_prices, bid_lots, ask_keys, ask_lots = self._columns
                bids: Levels = ((bid_prices[0], bid_lots[0]),) if bid_prices else ()
                asks: Levels = ((-ask_keys[0], ask_lots[0]),) if ask_keys else ()
                self._touch = seal_book(
                    BookView(self._market, self.time_ns, bids, asks, *self._tape, self.available_ns)
                )
            return self._touch
        if self._views is None:
            self._views = {}
        view = self._views.get(levels)
        if view is None:
            bid_prices, bid_lots, ask_keys, ask_lots = self._columns
            bids = tuple(zip(bid_prices[:levels], bid_lots, strict=False))
            asks = tuple(zip(map(neg, ask_keys[:levels]), ask_lots, strict=False))
            view = self._views[levels] = seal_book(
                BookView(self._market, self.time_ns, bids, asks, *self._tape, self.available_ns)
            )
        return view
