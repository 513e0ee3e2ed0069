"""The per-second picture of every book: touch and depth near the mid (table ``book_1s``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from exchange_sim.marketdata.feed import Feed
from exchange_sim.model.enums import BUY, SELL
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.seams import BookSink
from exchange_sim.units import NANOS_PER_S

REACH_PERCENT: Final = 5
"""Levels are read this far from the mid, rounded outwards: the widest band of the table."""


class SampledBook(Protocol):
    """What sampling needs of an order book."""

    best_bid: int
    best_ask: int

    def totals(self, side: int, limit: int = 0) -> Sequence[tuple[int, int]]:
        """``(ticks, lots)`` per level, best first, up to ``limit``."""


class BookSampler:
    """Samples all books every second; a book that did not change repeats its last row."""

    def __init__(
        self,
        kernel: Kernel,
        books: Sequence[SampledBook],
        sink: BookSink,
        feed: Feed,
        interval_ns: int = NANOS_PER_S,
    ) -> None:
        self._kernel = kernel
        self._books = books
        self._sink = sink
        self._interval_ns = interval_ns
        self._seen = bytearray(len(books))
        self._feed = feed

    def start(self) -> None:
        """Begin at the next whole interval."""
        now = self._kernel.now_ns
        first = (now // self._interval_ns + 1) * self._interval_ns
        self._kernel.at(first, self._sample, None, SYSTEM)

    def _sample(self, _: None) -> None:
        now, seen, sink = self._kernel.now_ns, self._seen, self._sink
        dirty, changed = self._feed.dirty, self._feed.changed
        self._kernel.at(now + self._interval_ns, self._sample, None, SYSTEM)
        for i, book in enumerate(self._books):
            if dirty[i] or changed[i] or not seen[i]:
                changed[i] = 0
                seen[i] = 1
                bid, ask = book.best_bid, book.best_ask
                twice_mid = bid + ask if bid and ask else 2 * (bid or ask)
                low = twice_mid * (100 - REACH_PERCENT) // 200
                high = -(-twice_mid * (100 + REACH_PERCENT) // 200)
                bids = book.totals(BUY, low) if bid else []
                asks = book.totals(SELL, high) if ask else []
                sink.sample(now, i, bid, ask, bids, asks)
            else:
                sink.repeat(now, i)
