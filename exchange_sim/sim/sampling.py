"""The per-second picture of every book: touch and depth near the mid (table ``book_1s``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from exchange_sim.marketdata.feed import Feed
from exchange_sim.marketdata.publication import Columns
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.seams import BookSink
from exchange_sim.units import NANOS_PER_S


class SampledBook(Protocol):
    """What sampling needs of an order book."""

    best_bid: int
    best_ask: int

    def columns(self) -> Columns:
        """Keys and lots of both sides."""


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
                sink.sample_columns(now, i, book.best_bid, book.best_ask, *book.columns())
            else:
                sink.repeat(now, i)
