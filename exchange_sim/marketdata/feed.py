"""The public feed of all venues: conflated books, trades and marks, read with a delay.

Publication copies each changed book as deep as its deepest subscriber wants; a reader whose link is
``d`` behind sees the newest copy that was available at ``now - d`` as a ``BookView`` of its own
depth class, shared with all readers of that class.  So thousands of readers cost nothing until they
read, and no message per subscriber exists.  Pushed callbacks use the listener lists.

What one reader asks for never changes what another one sees: depths come in fixed classes, and
tick-by-tick views go to their subscribers only.

Simplifications
---------------
Books are snapshots; there is no stream of increments with sequence numbers and gaps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from exchange_sim.marketdata.market import Market
from exchange_sim.marketdata.publication import Columns, Publication
from exchange_sim.marketdata.views import (
    BookView,
    MarkPrice,
    Trade,
    seal_book,
    seal_mark,
    seal_trade,
)
from exchange_sim.model.enums import BUY
from exchange_sim.units import NANOS_PER_S

DEPTH_CLASSES: Final = (1, 5, 20, 100, 500)
"""A subscription gets the smallest class that is deep enough; other readers get the first."""
TRADES_KEPT: Final = 2_000
"""Public trades per market that ``last_trades`` can reach back."""
HORIZON_NS: Final = 2 * NANOS_PER_S
"""How far behind a reader may be unless ``require_horizon`` says more."""


class Book(Protocol):
    """What the feed needs of an order book."""

    def snapshot(self, n: int) -> Columns:
        """The best ``n`` levels of both sides."""


Ring = deque[Publication]
BookListener = Callable[[BookView], None]
TradeListener = Callable[[Trade], None]
MarkListener = Callable[[MarkPrice], None]


def depth_class(depth: int) -> int:
    """The class that serves ``depth`` levels; ``ValueError`` if none is deep enough."""
    for levels in DEPTH_CLASSES:
        if depth <= levels:
            return levels
    raise ValueError(f"at most {DEPTH_CLASSES[-1]} levels can be subscribed, not {depth}")


class _Tape:
    """Trades of one market: totals since the start, the latest as ``(available, time, event)``."""

    __slots__ = ("buy_lots", "count", "last_ticks", "sell_lots", "trades")

    def __init__(self) -> None:
        self.count = self.buy_lots = self.sell_lots = self.last_ticks = 0
        self.trades: deque[tuple[int, int, tuple[int, ...]]] = deque(maxlen=TRADES_KEPT)


class Feed:
    """Publications of all markets; ``markets`` and ``books`` are indexed by instrument id.

    ``dirty[i]`` is set by whoever changes book ``i``; ``changed[i]`` by publication, for samplers.
    ``delay_ns[venue]`` and ``frozen[venue]``
    are the state of the venue's feed: delayed data become available later, a frozen feed publishes
    nothing.
    """

    def __init__(self, markets: Sequence[Market], books: Sequence[Book], venues: int) -> None:
        n = len(markets)
        self.markets = markets
        self.books = books
        self.dirty = bytearray(b"\x01" * n)
        self.changed = bytearray(n)
        self.delay_ns = [0] * venues
        self.frozen = [False] * venues
        self.book_listeners: list[list[tuple[int, BookListener]]] = [[] for _ in markets]
        self.tick_listeners: dict[int, list[tuple[int, BookListener]]] = {}
        self.trade_listeners: list[list[TradeListener]] = [[] for _ in markets]
        self.mark_listeners: list[list[MarkListener]] = [[] for _ in markets]
        self._rings: list[Ring] = [deque() for _ in markets]
        self._classes: list[list[int]] = [[1] for _ in markets]
        self._deepest = [1] * n
        self._venues = [market.venue_id for market in markets]
        self._tapes = [_Tape() for _ in markets]
        self._impaired = False
        self._marks: list[deque[MarkPrice]] = [deque() for _ in markets]
        self._available = [0] * venues
        self._horizon_ns = HORIZON_NS
        self._empty = [seal_book(BookView(market, 0)) for market in markets]

    def impair(self, venue: int, frozen: bool, delay_ns: int) -> None:
        """Set the state of a venue's feed."""
        self.frozen[venue] = frozen
        self.delay_ns[venue] = delay_ns
        self._impaired = True

    def require_horizon(self, delay_ns: int) -> None:
        """Keep publications long enough for a reader that may be ``delay_ns`` behind."""
        self._horizon_ns = max(self._horizon_ns, 2 * delay_ns)

    def require_depth(self, instrument: int, depth: int, now: int) -> int:
        """Publish at least ``depth`` levels from now on; returns the depth class."""
        levels = depth_class(depth)
        if levels not in self._classes[instrument]:
            self._classes[instrument].append(levels)
            self._deepest[instrument] = max(levels, self._deepest[instrument])
            if now and not self.frozen[self.markets[instrument].venue_id]:
                self._publish_one(instrument, now, levels, levels)
        return levels

    # publication

    def publish(self, now: int) -> None:
        """Publish every market whose book changed since the last time and whose feed is up."""
        dirty, changed, frozen, venues = self.dirty, self.changed, self.frozen, self._venues
        instrument = dirty.find(1)
        while instrument >= 0:
            if not frozen[venues[instrument]]:
                dirty[instrument] = 0
                changed[instrument] = 1
                made = self._publish_one(instrument, now, self._deepest[instrument])
                for levels, listener in self.book_listeners[instrument]:
                    listener(made.view(levels))
            instrument = dirty.find(1, instrument + 1)

    def _publish_one(self, instrument: int, now: int, depth: int, only: int = 0) -> Publication:
        """Copy a book and forget what no reader can see any more."""
        made = self._copy(instrument, now, depth, only)
        ring = self._rings[instrument]
        ring.append(made)
        keep_from = now - self._horizon_ns
        while len(ring) > 1 and ring[1].available_ns <= keep_from:
            ring.popleft()
        return made

    def publish_tick(self, now: int, instrument: int) -> None:
        """Push the book of a market to its tick-by-tick subscribers, after a command changed it."""
        if not self.frozen[self.markets[instrument].venue_id]:
            for levels, listener in self.tick_listeners[instrument]:
                listener(self._copy(instrument, now, levels).view(levels))

    def _copy(self, instrument: int, now: int, depth: int, only: int = 0) -> Publication:
        market = self.markets[instrument]
        tape = self._tapes[instrument]
        return Publication(
            market,
            now,
            self._available_at(market.venue_id, now),
            depth,
            self.books[instrument].snapshot(depth),
            (tape.last_ticks, tape.count, tape.buy_lots, tape.sell_lots),
            only,
        )

    def _available_at(self, venue: int, now: int) -> int:
        """When data of this instant can be had; never before earlier data of the venue."""
        available = now + self.delay_ns[venue]
        if available < self._available[venue]:
            return self._available[venue]
        self._available[venue] = available
        return available

    def trade(self, now: int, event: tuple[int, ...]) -> None:
        """Publish a ``Traded`` event."""
        instrument = event[2]
        tape = self._tapes[instrument]
        tape.count += 1
        if event[5] == BUY:
            tape.buy_lots += event[4]
        else:
            tape.sell_lots += event[4]
        tape.last_ticks = event[3]
        if self._impaired:
            venue = self.markets[instrument].venue_id
            if self.frozen[venue]:
                return
            tape.trades.append((self._available_at(venue, now), now, event))
        else:
            tape.trades.append((now, now, event))
        if self.trade_listeners[instrument]:
            trade = _trade(self.markets[instrument], now, event)
            for listener in self.trade_listeners[instrument]:
                listener(trade)

    def mark(self, now: int, event: tuple[int, ...]) -> None:
        """Publish a ``MarkPriceUpdated`` event."""
        instrument = event[1]
        market = self.markets[instrument]
        if self.frozen[market.venue_id]:
            return
        available = self._available_at(market.venue_id, now)
        mark = seal_mark(MarkPrice(market, now, event[2], event[3], event[6], available))
        ring = self._marks[instrument]
        ring.append(mark)
        while len(ring) > 1 and ring[1].available_ns <= now - self._horizon_ns:
            ring.popleft()
        for listener in self.mark_listeners[instrument]:
            listener(mark)

    # reading

    def book(self, instrument: int, levels: int, view_ns: int) -> BookView:
        """The newest view of a class available at ``view_ns``; an empty one before the first.

        What was published before anybody wanted so many levels is seen by its touch.
        """
        ring = self._rings[instrument]
        if ring:  # the newest one serves most readers
            made = ring[-1]
            if made.available_ns <= view_ns and not made.only and made.depth >= levels:
                return made.view(levels)
        shallow = None
        for made in reversed(ring):
            if made.available_ns <= view_ns and made.only in (0, levels):
                if made.depth >= levels:
                    return made.view(levels)
                shallow = shallow or made
        return shallow.view(1) if shallow is not None else self._empty[instrument]

    def latest_mark(self, instrument: int, view_ns: int) -> MarkPrice | None:
        """The newest mark available at ``view_ns``."""
        for mark in reversed(self._marks[instrument]):
            if mark.available_ns <= view_ns:
                return mark
        return None

    def last_trades(self, instrument: int, n: int, view_ns: int) -> list[Trade]:
        """Up to ``n`` newest trades available at ``view_ns``, oldest first."""
        market = self.markets[instrument]
        found: list[Trade] = []
        for available, time_ns, event in reversed(self._tapes[instrument].trades):
            if len(found) >= n:
                break
            if available <= view_ns:
                found.append(_trade(market, time_ns, event))
        found.reverse()
        return found


def _trade(market: Market, time_ns: int, event: tuple[int, ...]) -> Trade:
    return seal_trade(Trade(market, time_ns, event[1], event[3], event[4], event[5], event[16]))
