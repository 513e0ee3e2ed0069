"""The per-second picture of every book: touch and depth near the mid (table ``book_1s``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from exchange_sim.marketdata.feed import Feed
from exchange_sim.model.enums import BUY, SELL
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.seams import BookSink
from exchange_sim.units import NANOS_PER_S, PPM

DEPTH_BANDS_PPM: Final = (1_000, 10_000, 20_000, 50_000)
"""0.1 %, 1 %, 2 % and 5 % from the mid."""
BOOK_COLUMNS: Final = (
    "time_ns",
    "instrument",
    "bid",
    "ask",
    "bid_lots",
    "ask_lots",
    *(f"bid_depth_{band}" for band in DEPTH_BANDS_PPM),
    *(f"ask_depth_{band}" for band in DEPTH_BANDS_PPM),
)
"""Columns of a row: ticks (0: side empty), lots, and lots within bands in ppm of the mid."""


class SampledBook(Protocol):
    """What sampling needs of an order book."""

    best_bid: int
    best_ask: int

    def totals(self, side: int, limit: int = 0) -> Iterator[tuple[int, int]]:
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
        self._rows: list[tuple[int, ...]] = [()] * len(books)
        self._feed = feed

    def start(self) -> None:
        """Begin at the next whole interval."""
        now = self._kernel.now_ns
        first = (now // self._interval_ns + 1) * self._interval_ns
        self._kernel.at(first, self._sample, None, SYSTEM)

    def _sample(self, _: None) -> None:
        now, rows = self._kernel.now_ns, self._rows
        dirty, changed = self._feed.dirty, self._feed.changed
        self._kernel.at(now + self._interval_ns, self._sample, None, SYSTEM)
        for i, book in enumerate(self._books):
            if dirty[i] or changed[i] or not rows[i]:
                changed[i] = 0
                rows[i] = picture(book)
            self._sink.record_book((now, i, *rows[i]))


def picture(book: SampledBook) -> tuple[int, ...]:
    """Touch and depth of one book, without time and instrument."""
    bid, ask = book.best_bid, book.best_ask
    twice_mid = bid + ask if bid and ask else 2 * (bid or ask)
    bid_row = _side(book, BUY, bid, twice_mid)
    ask_row = _side(book, SELL, ask, twice_mid)
    return (bid, ask, bid_row[0], ask_row[0], *bid_row[1:], *ask_row[1:])


def _side(book: SampledBook, side: int, best: int, twice_mid: int) -> list[int]:
    """Lots at the touch and within each band; one walk over the levels of the widest band."""
    if not best:
        return [0] * (1 + len(DEPTH_BANDS_PPM))
    sign = -1 if side == BUY else 1
    scale = 2 * PPM
    limits = [twice_mid * (PPM + sign * band) for band in DEPTH_BANDS_PPM]
    widest = limits[-1]
    last = -(-widest // scale) if side == BUY else widest // scale
    row = [0] * (1 + len(limits))
    for ticks, lots in book.totals(side, last):
        if ticks == best:
            row[0] = lots
        for at, limit in enumerate(limits):
            if (ticks * scale - limit) * sign <= 0:
                row[at + 1] += lots
                break
    for at in range(2, len(row)):
        row[at] += row[at - 1]
    return row
