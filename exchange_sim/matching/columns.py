"""Prices and sizes of a book as flat lists, brought up to date from the levels that changed.

Publication and sampling read dozens of levels of every book all the time, while few of them change
in between.  Walking the level objects cost a tenth of a run (they are cold in the cache by then);
here a read repairs what was touched, 0.5 us a level, and copies a slice: a whole run takes 5 % less
time, the book alone 8 % more (40 ns to remember a change).  They are machine integers: to copy
a list touches every number in it, and those are cold too (20 levels a side: 3.5 us instead of 5.6).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

from exchange_sim.limits import INT64_MAX
from exchange_sim.matching.level import Level

TOUCHED_MAX = 4_096
"""Changed levels that are remembered; when nobody reads for longer, the lists are made anew."""


class Columns:
    """Keys (as in ``OrderBook``: ascending, the best one last) and open lots of all levels.

    Lots stop at the largest 64-bit integer, which no ledger can pay for.

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
        self.bid_keys = array("q")
        self.bid_lots = array("q")
        self.ask_keys = array("q")
        self.ask_lots = array("q")

    def forget(self) -> None:
        """Stop remembering changes; the next reader starts from the levels."""
        self.touched.clear()
        self.stale = True

    def refresh(self) -> None:
        """Bring the lists up to date.  O(changed levels)."""
        if self.stale:
            self.stale = False
            self.bid_keys, self.bid_lots = _columns_of(self._bids)
            self.ask_keys, self.ask_lots = _columns_of(self._asks)
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
                lots[at] = min(level.total, INT64_MAX)
            else:
                keys.insert(at, key)
                lots.insert(at, min(level.total, INT64_MAX))
        self.touched.clear()


def _columns_of(levels: dict[int, Level]) -> tuple[array[int], array[int]]:
    keys = array("q", sorted(levels))
    return keys, array("q", [min(levels[key].total, INT64_MAX) for key in keys])
