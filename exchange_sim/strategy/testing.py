"""Test a strategy without a scenario: a scripted market in which you play the venue.

::

    bench = Bench.single("leading:BTCUSDT", tick="0.1", lot="0.001")
    bot = bench.run(MyBot(MyBot.Params(qty=0.5)))          # on_start
    bench.set_book("leading:BTCUSDT", bids=[(99.9, 1)], asks=[(100.1, 1)])
    bench.advance(0.25)                                    # timers fire
    [order] = bench.sent
    bench.accept(order)
    bench.fill(order, qty=0.2)                             # on_order_update, then on_fill
    assert bot.position_lots("leading:BTCUSDT") == 200

What you do reaches the strategy at once; there is no latency.  With ``auto=True`` the bench plays
the venue as well (see ``auto_venue``), and a whole market can be written down::

    bench = Bench.single("leading:BTCUSDT", auto=True)
    bot = bench.run(MyBot())
    bench.play('''
        0.0  book   leading:BTCUSDT  99.9x1 99.8x2 | 100.1x1
        0.5  trade  leading:BTCUSDT  sell 99.7 0.5
        1.0  mark   leading:BTCUSDT  99.8
    ''')
    assert_orders(bench.live(), "BUY 0.5 @ 99.6 GTX")

For latency, other traders and margin run a scenario.  Balances change with fills only by what
``set_balance`` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

from exchange_sim.errors import UsageError
from exchange_sim.marketdata.market import Market, Number
from exchange_sim.marketdata.views import BookView, MarkPrice, Trade
from exchange_sim.messages.reasons import CancelReason, RejectReason
from exchange_sim.model.enums import BUY, FLAG_REDUCE_ONLY, GTC, IOC, SELL, InstrumentKind, Side
from exchange_sim.strategy import auto_venue
from exchange_sim.strategy.api import Strategy
from exchange_sim.strategy.fake_context import FakeContext
from exchange_sim.strategy.views import (
    CANCELED,
    FILLED,
    NEW,
    PARTIALLY_FILLED,
    REJECTED,
    Fill,
    Margin,
    OrderHandle,
)
from exchange_sim.units import PPM

S = TypeVar("S", bound=Strategy)
Levels = Sequence[tuple[Number, Number]]


def _levels(text: str) -> list[tuple[Number, Number]]:
    pairs = (word.partition("x") for word in text.split())
    return [(Decimal(price), Decimal(qty)) for price, _, qty in pairs]


def describe(order: OrderHandle) -> str:
    """``BUY 0.5 @ 99.8 GTX``: side, open quantity (the whole one when it has ended), price, kind.

    Orders without a price are ``@ MARKET``; GTC is left out; other flags follow.
    """
    qty = order.leaves if order.is_open else order.qty
    price = "MARKET" if order.price is None else f"{order.price:g}"
    words = [Side(order.side).name, f"{qty:g}", "@", price]
    if order.time_in_force not in {GTC, IOC if order.price is None else GTC}:
        words.append(order.tif.name)
    if order.flags & FLAG_REDUCE_ONLY:
        words.append("REDUCE_ONLY")
    return " ".join(words)


def assert_orders(orders: Sequence[OrderHandle], *expected: str) -> None:
    """Assert that the orders are these, in any order; see ``describe`` for how one is written.

    Raises ``AssertionError`` that lists what is missing and what was not expected.
    """
    found = sorted(describe(order) for order in orders)
    missing, strange = list(expected), []
    for text in found:
        if text in missing:
            missing.remove(text)
        else:
            strange.append(text)
    lines = [f"  missing: {text}" for text in missing] + [
        f"  not expected: {text}" for text in strange
    ]
    if lines:
        raise AssertionError("\n".join(["orders are not as expected", *lines]))


def make_market(
    symbol: str = "leading:BTCUSDT",
    tick: str = "0.1",
    lot: str = "0.001",
    kind: InstrumentKind = InstrumentKind.PERPETUAL,
    instrument_id: int = 0,
) -> Market:
    """A market for tests; base and quote are guessed from the name (``BTCUSDT``: BTC and USDT)."""
    venue, _, name = symbol.partition(":")
    quote = next((q for q in ("USDT", "USDC", "USD") if name.endswith(q)), "USDT")
    return Market(
        instrument_id=instrument_id,
        name=name,
        venue=venue,
        venue_id=0,
        kind=kind,
        base=name.removesuffix(quote) or name,
        quote=quote,
        base_id=0,
        quote_id=1,
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
    )


class Bench(FakeContext):
    """A ``Context`` for one strategy, driven by a test.

    ``sent`` holds the orders in the order of sending, ``cancels`` and ``modifies`` the requests
    about them, ``requests`` everything else, ``notes``, ``logs`` and ``records`` the remarks.
    ``auto`` lets the bench answer orders by itself.
    """

    def __init__(
        self,
        markets: Sequence[Market],
        start: str = "2025-10-10T20:50:00Z",
        *,
        auto: bool = False,
    ) -> None:
        super().__init__(markets, start)
        self.auto = auto

    @classmethod
    def single(cls, symbol: str = "leading:BTCUSDT", *, auto: bool = False, **grid: Any) -> Bench:
        """A bench with one market; ``grid`` as for ``make_market``."""
        return cls([make_market(symbol, **grid)], auto=auto)

    # what the test does

    def run(self, strategy: S) -> S:
        """Attach a strategy and call ``on_start``."""
        self.strategy = strategy
        strategy.attach(self)
        strategy.on_start()
        self.answer()
        return strategy

    def live(self, symbol: str | None = None) -> list[OrderHandle]:
        """Orders that the strategy believes to be open, oldest first."""
        return self.open_orders(symbol, None)

    def play(self, script: str) -> None:
        """Let a written market happen: one line each, ``seconds kind symbol ...``.

        Seconds count from now.  ``book`` takes ``price x quantity`` pairs, bids before a ``|``;
        ``trade`` side, price and quantity; ``mark`` mark and index.  Raises ``UsageError`` that
        names the line.
        """
        begin = self._now
        for number, line in enumerate(script.splitlines(), start=1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            try:
                self._play(begin, words)
            except (ValueError, IndexError, ArithmeticError) as cause:
                raise UsageError(
                    f"line {number} of the script: {line.strip()!r}: {cause}"
                ) from cause

    def _play(self, begin: int, words: list[str]) -> None:
        seconds, kind, symbol, *rest = words
        due = begin + round(float(seconds) * 1e9)
        if due < self._now:
            raise ValueError("lines go back in time")
        self.advance((due - self._now) / 1e9)
        if kind == "book":
            bids, _, asks = " ".join(rest).partition("|")
            self.set_book(symbol, _levels(bids), _levels(asks))
        elif kind == "trade":
            side = {"buy": BUY, "sell": SELL}[rest[0].lower()]
            self.trade(symbol, side, Decimal(rest[1]), Decimal(rest[2]))
        elif kind == "mark":
            self.set_mark(symbol, float(rest[0]), float(rest[1]) if rest[1:] else None)
        else:
            raise ValueError(f"{kind!r} is none of book, trade, mark")

    def answer(self) -> None:
        """Let the venue answer what was sent (with ``auto``; done after every callback)."""
        if self.auto:
            auto_venue.answer(self)

    def _bot(self) -> Strategy:
        if self.strategy is None:
            raise UsageError("call run(strategy) first")
        return self.strategy

    def set_book(self, symbol: str, bids: Levels = (), asks: Levels = ()) -> BookView:
        """Publish a book, best levels first, and call ``on_book``."""
        market = self.market(symbol)
        view = BookView(
            market,
            self._now,
            [(market.to_ticks(price, BUY), market.to_lots(qty)) for price, qty in bids],
            [(market.to_ticks(price, SELL), market.to_lots(qty)) for price, qty in asks],
        )
        self._books[symbol] = view
        if self.strategy is not None:
            if self.auto:
                auto_venue.cross(self, view)
            self.strategy.on_book(view)
            self.answer()
        return view

    def trade(self, symbol: str, side: int, price: Number, qty: Number, flags: int = 0) -> Trade:
        """Publish a trade and call ``on_trade``."""
        market = self.market(symbol)
        ticks, lots = market.to_ticks(price, side), market.to_lots(qty)
        number = len(self._trades[symbol]) + 1
        trade = Trade(market, self._now, number, ticks, lots, side, flags)
        self._trades[symbol].append(trade)
        if self.auto:
            auto_venue.print_through(self, trade)
        self._bot().on_trade(trade)
        self.answer()
        return trade

    def set_mark(self, symbol: str, mark: float, index: float | None = None) -> None:
        """Publish a mark price and call ``on_mark_price``."""
        market = self.market(symbol)
        scale = PPM / market.tick
        of_index = mark if index is None else index
        view = MarkPrice(market, self._now, round(mark * scale), round(of_index * scale))
        self._marks[symbol] = view
        if self.strategy is not None:
            self.strategy.on_mark_price(view)
            self.answer()

    def set_position(self, symbol: str, lots: int, entry_price: float = 0.0) -> None:
        """Set a holding and call ``on_position``."""
        self._lots[symbol], self._entry[symbol] = lots, entry_price
        if self.strategy is not None:
            self.strategy.on_position(self.position(symbol, None))
            self.answer()

    def set_balance(self, asset: str, amount: float, venue: str | None = None) -> None:
        """Set a balance."""
        self._balances[venue or self.venues()[0], asset] = amount

    def set_margin(self, margin: Margin) -> None:
        """Publish a margin state and call ``on_margin``."""
        self._margin = margin
        self._bot().on_margin(margin)
        self.answer()

    def advance(self, seconds: float) -> None:
        """Let time pass; timers fire in order."""
        end = self._now + round(seconds * 1e9)
        while True:
            due = min(((t[0], name) for name, t in self._timers.items()), default=None)
            if due is None or due[0] > end:
                break
            self._now, name = due
            _, interval, repeat = self._timers.pop(name)
            if repeat:
                self._timers[name] = (self._now + interval, interval, True)
            self._bot().on_timer(name)
            self.answer()
        self._now = end

    def disconnect(self, venue: str, reason: str = "connection lost") -> None:
        """Tell the strategy that its session with a venue is gone."""
        self._bot().on_disconnect(venue, reason)
        self.answer()

    def reconnect(self, venue: str) -> None:
        """Tell the strategy that its session with a venue is back."""
        self._bot().on_reconnect(venue)
        self.answer()

    def accept(self, order: OrderHandle) -> None:
        """The venue takes an order, or confirms a change of it."""
        order.status_code = PARTIALLY_FILLED if order.filled_lots else NEW
        order.pending_replace = 0
        self._update(order)

    def reject(self, order: OrderHandle, reason: RejectReason) -> None:
        """The venue refuses an order."""
        order.status_code, order.reject_code = REJECTED, int(reason)
        self._update(order)

    def cancel_done(self, order: OrderHandle, reason: CancelReason = CancelReason.USER) -> None:
        """The venue cancels what is open of an order."""
        order.status_code, order.cancel_code = CANCELED, int(reason)
        order.leaves_lots = order.pending_cancel = 0
        self._update(order)

    def fill(
        self,
        order: OrderHandle,
        qty: Number | None = None,
        price: Number | None = None,
        is_maker: bool = True,
    ) -> Fill:
        """Trade an order (all of it by default) at a price (its own, or the far touch)."""
        market = order.market
        lots = order.leaves_lots if qty is None else min(market.to_lots(qty), order.leaves_lots)
        book = self._books[market.symbol]
        touch = book.ask_ticks if order.side == BUY else book.bid_ticks
        ticks = market.to_ticks(price, order.side) if price is not None else order.price_ticks
        return self.fill_lots(order, lots, ticks or touch, is_maker=is_maker)

    def fill_lots(self, order: OrderHandle, lots: int, ticks: int, *, is_maker: bool) -> Fill:
        """``fill`` in integers."""
        market = order.market
        order.filled_lots += lots
        order.leaves_lots -= lots
        order.quote_value += ticks * lots
        order.status_code = PARTIALLY_FILLED if order.leaves_lots else FILLED
        signed = lots if order.side == BUY else -lots
        self._lots[market.symbol] = self._lots.get(market.symbol, 0) + signed
        self._update(order)
        number = len(self.sent)
        forced, fee, pnl = False, 0, 0
        made = Fill(
            order, market, 0, self._now, number, order.side, ticks, lots, is_maker, forced, fee, pnl
        )
        self._bot().on_fill(made)
        self._bot().on_position(self.position(market, None))
        return made

    def _update(self, order: OrderHandle) -> None:
        order.update_ns = self._now
        self._bot().on_order_update(order)
