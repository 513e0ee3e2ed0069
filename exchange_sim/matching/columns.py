"""Prices and sizes of a book as flat lists, brought up to date from the levels that changed.

Publication and sampling read dozens of levels of every book all the time, while few of them change
in between.  Walking the level objects cost a tenth of a run (they are cold in the cache by then);
here a read repairs what was touched, 0.5 us a level, and copies a slice: a whole run takes 5 % less
time, the book alone 8 % more (40 ns to remember a change).
"""

from __future__ import annotations

from bisect import bisect_left

from exchange_sim.matching.level import Level

TOUCHED_MAX = 4_096
"""Changed levels that are remembered; when nobody reads for longer, the lists are made anew."""


class Columns:
    """Keys (as in ``OrderBook``: ascending, the best one last) and open lots of all levels.

    The book puts the key of every level that it opens, changes or closes into ``touched``.
    """

    __slots__ = (
        "_asks",
        "_bids",
        "ask_keys",
        "ask_lots",
        "bid_keys",
        "bid_lots",
        "stale",
        "touched",
    )

    def __init__(self, bids: dict[int, Level], asks: dict[int, Level]) -> None:
        self._bids, self._asks = bids, asks
        self.touched: dict[int, None] = {}
        self.stale = False
        self.bid_keys: list[int] = []
        self.bid_lots: list[int] = []
        self.ask_keys: list[int] = []
        self.ask_lots: list[int] = []

    def forget(self) -> None:
        """Stop remembering changes; the next reader starts from the levels."""
        self.touched.clear()
        self.stale = True

    def refresh(self) -> None:
        """Bring the lists up to date.  O(changed levels)."""
        if self.stale:
            self.stale = False
            self.bid_keys, self.ask_keys = sorted(self._bids), sorted(self._asks)
            self.bid_lots = [self._bids[key].total for key in self.bid_keys]
            self.ask_lots = [self._asks[key].total for key in self.ask_keys]
            self.touched.clear()
            return
        for key in self.touched:
            if key > 0:
                level, keys, lots = self._bids.get(key), self.bid_keys, self.bid_lots
            else:
                level, keys, lots = self._asks.get(key), self.ask_keys, self.ask_lots
            at = bisect_left(keys, key)
            known = at < len(keys) and keys[at] == key
            if level is None:
                if known:
                    del keys[at], lots[at]
            elif known:
                lots[at] = level.total
            else:
                keys.insert(at, key)
                lots.insert(at, level.total)
        self.touched.clear()
