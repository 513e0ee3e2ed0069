"""A market in one file: price-time priority, no latency, no money; runs strategies on their timers.

A second implementation, independent of the engine, so that what the participants do together can be
tested without the simulation.  Orders match at once; positions may be anything.
"""

from __future__ import annotations

from decimal import Decimal
from heapq import heappop, heappush
from typing import Any, cast

from sortedcontainers import SortedDict

from exchange_sim.marketdata.market import Market
from exchange_sim.marketdata.views import BookView
from exchange_sim.messages.reasons import MarginBand
from exchange_sim.model.enums import BUY, FLAG_SLIDE, GTX, IOC, MARKET
from exchange_sim.rng import Stream, Streams
from exchange_sim.strategy.api import Margin, OrderHandle, Strategy
from exchange_sim.strategy.views import (
    CANCELED,
    EXPIRED,
    FILLED,
    NEW,
    PARTIALLY_FILLED,
    Position,
)

START_NS = 1_760_000_000 * 10**9


def make_market(
    symbol: str = "leading:BTCUSDT",
    number: int = 0,
    tick: str = "0.1",
    lot: str = "0.001",
    kind: int = 1,
    min_notional: float = 5.0,
) -> Market:
    """A market with the given grid."""
    venue, name = symbol.split(":")
    return Market(
        instrument_id=number,
        name=name,
        venue=venue,
        venue_id=0,
        kind=kind,
        base=name.removesuffix("USDT"),
        quote="USDT",
        base_id=number + 1,
        quote_id=0,
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
        min_notional=min_notional,
    )


class MiniBook:
    """One order book: price to first-in-first-out list, per side."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.sides: tuple[Any, Any] = (SortedDict(lambda ticks: -ticks), SortedDict())
        self.last = self.trades = 0
        self.volume = [0, 0]

    def crosses(self, side: int, price: int) -> bool:
        """Whether an order at this price would trade."""
        other = self.sides[1 - side]
        if not other:
            return False
        best = other.peekitem(0)[0]
        return bool(best <= price if side == BUY else best >= price)

    def touch(self, side: int) -> int:
        """Best price of a side, 0 when empty."""
        return self.sides[side].peekitem(0)[0] if self.sides[side] else 0

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """Best levels."""
        found = []
        for price, orders in self.sides[side].items():
            found.append((price, sum(order.leaves_lots for order in orders)))
            if len(found) == count:
                break
        return found


class MiniExchange:
    """All books and strategies; ``messages`` counts what each strategy sent."""

    def __init__(self, *markets: Market, seed: int = 1, levels: int = 20) -> None:
        self.markets = {market.symbol: market for market in markets}
        self.books = {market.id: MiniBook(market) for market in markets}
        self.now_ns = START_NS
        self.streams = Streams(seed)
        self.levels = levels
        self.desks: list[MiniDesk] = []
        self._heap: list[tuple[int, int, Any, tuple[Any, ...]]] = []
        self._count = 0

    def at(self, time_ns: int, what: Any, *args: Any) -> None:
        """Schedule a call."""
        self._count += 1
        heappush(self._heap, (time_ns, self._count, what, args))

    def add(self, strategy: Strategy, name: str) -> MiniDesk:
        """Connect a strategy and start it."""
        desk = MiniDesk(self, strategy, name)
        self.desks.append(desk)
        strategy.attach(cast("Any", desk))
        strategy.on_start()
        return desk

    def run(self, seconds: float) -> None:
        """Advance simulated time."""
        end = self.now_ns + int(seconds * 1e9)
        while self._heap and self._heap[0][0] <= end:
            self.now_ns, _, what, args = heappop(self._heap)
            what(*args)
        self.now_ns = end

    def mid(self, symbol: str) -> float:
        """Mid in ticks, 0.0 unless two-sided."""
        book = self.books[self.markets[symbol].id]
        bid, ask = book.touch(0), book.touch(1)
        return (bid + ask) / 2 if bid and ask else 0.0

    def match(self, order: OrderHandle, price: int) -> None:
        """Trade an incoming order against the book."""
        book = self.books[order.market.id]
        other = book.sides[1 - order.side]
        while order.leaves_lots and (not price or book.crosses(order.side, price)) and other:
            best, queue = other.peekitem(0)
            maker = queue[0]
            qty = min(order.leaves_lots, maker.leaves_lots)
            for side in (order, maker):
                side.filled_lots += qty
                side.leaves_lots -= qty
                side.status_code = PARTIALLY_FILLED if side.leaves_lots else FILLED
                desk: MiniDesk = self.desks[side.account]
                signed = qty if side.side == BUY else -qty
                desk.lots[side.market.id] = desk.lots.get(side.market.id, 0) + signed
                desk.paid[side.market.id] = desk.paid.get(side.market.id, 0) + signed * best
            book.last, book.trades = best, book.trades + 1
            book.volume[order.side] += qty
            if not maker.leaves_lots:
                queue.pop(0)
                if not queue:
                    del other[best]

    def rest(self, order: OrderHandle) -> None:
        """Put an order behind the others at its price."""
        side = self.books[order.market.id].sides[order.side]
        side.setdefault(order.price_ticks, []).append(order)

    def remove(self, order: OrderHandle) -> None:
        """Take a resting order out."""
        side = self.books[order.market.id].sides[order.side]
        side[order.price_ticks].remove(order)
        if not side[order.price_ticks]:
            del side[order.price_ticks]


class MiniDesk:
    """The context of one strategy."""

    def __init__(self, exchange: MiniExchange, strategy: Strategy, name: str) -> None:
        self.exchange = exchange
        self.strategy = strategy
        self.name = name
        self.account = len(exchange.desks)
        self.rng: Stream = exchange.streams.stream(f"strategy/{name}")
        self._jitter = exchange.streams.stream(f"timer/{name}")
        self.lots: dict[int, int] = {}
        self.paid: dict[int, int] = {}
        """Ticks times lots of all fills, sales negative."""
        self.sent: list[tuple[str, OrderHandle]] = []
        self.notes: list[tuple[int, int, int, int]] = []
        self.transfers: list[tuple[str, float, str, str]] = []
        self.equity = 1e9
        self.uni_mmr = 10.0
        self._timers: dict[str, int] = {}

    @property
    def now_ns(self) -> int:
        return self.exchange.now_ns

    def market(self, symbol: Any) -> Market:
        return symbol if isinstance(symbol, Market) else self.exchange.markets[symbol]

    def book(self, symbol: Any) -> BookView:
        market = self.market(symbol)
        book, n = self.exchange.books[market.id], self.exchange.levels
        bids, asks = book.levels(0, n), book.levels(1, n)
        return BookView(market, self.now_ns, bids, asks, book.last, book.trades, *book.volume)

    def position_lots(self, symbol: Any, account: str | None = None) -> int:
        return self.lots.get(self.market(symbol).id, 0)

    def position(self, symbol: Any, account: str | None, side: Any) -> Position:
        market = self.market(symbol)
        lots, paid = self.lots.get(market.id, 0), self.paid.get(market.id, 0)
        entry = market.price(paid / lots) if lots else 0.0
        return Position(market, 0, lots, entry, 0.0, 0.0)

    def margin(self, venue: str | None, account: str | None) -> Margin:
        name = venue or "leading"
        return Margin(
            name, 0, self.now_ns, self.equity, 0.0, 1.0, 0.0, self.uni_mmr, MarginBand.FREE
        )

    def subscribe_book(self, symbol: Any, depth: int, interval_ns: int | None) -> None:
        self.market(symbol)

    def subscribe_bars(self, symbol: Any, interval_ns: int) -> None:
        pass

    def record(self, values: dict[str, float]) -> None:
        pass

    def balances(self, venue: str | None, account: str | None) -> dict[str, float]:
        return {}

    def loans(self, venue: str | None, account: str | None) -> dict[str, float]:
        return {}

    def positions(self, venue: str | None, account: str | None) -> list[Any]:
        return []

    def subscribe_margin(self, venue: str | None, account: str | None) -> None:
        pass

    def set_leverage(self, symbol: Any, leverage: int, account: str | None) -> bool:
        return True

    def note(self, kind: int, a: int, b: int, venue: str | None, account: str | None) -> None:
        self.notes.append((self.now_ns, kind, a, b))

    def transfer(self, asset: str, qty: float, source: str, target: str, *_: Any) -> bool:
        self.transfers.append((asset, float(qty), source, target))
        return True

    def set_timer(self, name: str, interval_ns: int, jitter_ns: int, repeat: bool) -> None:
        number = self._timers[name] = self._timers.get(name, 0) + 1
        self._arm(name, number, interval_ns, jitter_ns, repeat)

    def cancel_timer(self, name: str) -> bool:
        self._timers[name] = self._timers.get(name, 0) + 1
        return True

    def _arm(self, name: str, number: int, interval_ns: int, jitter_ns: int, repeat: bool) -> None:
        wait = interval_ns + (self._jitter.randrange(jitter_ns) if jitter_ns else 0)
        args = (name, number, interval_ns, jitter_ns, repeat)
        self.exchange.at(self.now_ns + max(1, wait), self._fire, *args)

    def _fire(self, name: str, number: int, interval_ns: int, jitter_ns: int, repeat: bool) -> None:
        if self._timers.get(name) != number:
            return
        if repeat:
            self._arm(name, number, interval_ns, jitter_ns, repeat)
        self.strategy.on_timer(name)

    def submit(
        self,
        market: Market,
        side: int,
        qty_lots: int,
        price_ticks: int = 0,
        order_type: int = 0,
        tif: int = 0,
        flags: int = 0,
        display_lots: int = 0,
        trigger_ticks: int = 0,
        trailing_ppm: int = 0,
        expire_ns: int = 0,
        stp_mode: int = 0,
        account: str | None = None,
    ) -> OrderHandle:
        assert qty_lots > 0
        assert price_ticks > 0 or order_type == MARKET
        order = OrderHandle(
            market,
            self.account,
            len(self.sent) + 1,
            side,
            order_type,
            tif,
            price_ticks,
            qty_lots,
            flags,
            self.now_ns,
        )
        self.sent.append(("new", order))
        self._enter(order)
        if expire_ns and order.is_open:
            self.exchange.at(expire_ns, self._expire, order)
        return order

    def _enter(self, order: OrderHandle) -> None:
        book = self.exchange.books[order.market.id]
        order.status_code = NEW
        if order.time_in_force == GTX and book.crosses(order.side, order.price_ticks):
            if not order.flags & FLAG_SLIDE:
                order.status_code, order.leaves_lots = EXPIRED, 0
                return
            order.price_ticks = book.touch(1 - order.side) + (-1 if order.side == BUY else 1)
        self.exchange.match(order, order.price_ticks)
        if not order.leaves_lots:
            return
        if order.time_in_force == IOC:
            order.status_code, order.leaves_lots = EXPIRED, 0
        else:
            self.exchange.rest(order)

    def _expire(self, order: OrderHandle) -> None:
        if order.is_open:
            self.exchange.remove(order)
            order.status_code, order.leaves_lots = EXPIRED, 0

    def modify(self, handle: OrderHandle, price_ticks: int = 0, qty_lots: int = -1) -> bool:
        self.sent.append(("modify", handle))
        if handle.is_open:
            self.exchange.remove(handle)
            handle.price_ticks = price_ticks or handle.price_ticks
            handle.leaves_lots = qty_lots if qty_lots > 0 else handle.leaves_lots
            self._enter(handle)
        return True

    def cancel(self, handle: OrderHandle) -> bool:
        self.sent.append(("cancel", handle))
        if handle.is_open:
            self.exchange.remove(handle)
            handle.status_code, handle.leaves_lots = CANCELED, 0
        return True
