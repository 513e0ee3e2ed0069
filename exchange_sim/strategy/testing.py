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

What you do reaches the strategy at once; there is no latency and no matching.  For those, run a
scenario.  Balances change with fills only by what ``set_balance`` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

from exchange_sim.errors import UsageError
from exchange_sim.marketdata.market import Market, Number
from exchange_sim.marketdata.views import BookView, MarkPrice, Trade
from exchange_sim.messages.reasons import CancelReason, RejectReason
from exchange_sim.model.enums import BUY, SELL, InstrumentKind
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
    about them, ``requests`` everything else, ``notes`` and ``logs`` the remarks.
    """

    @classmethod
    def single(cls, symbol: str = "leading:BTCUSDT", **grid: Any) -> Bench:
        """A bench with one market; ``grid`` as for ``make_market``."""
        return cls([make_market(symbol, **grid)])

    # what the test does

    def run(self, strategy: S) -> S:
        """Attach a strategy and call ``on_start``."""
        self.strategy = strategy
        strategy.attach(self)
        strategy.on_start()
        return strategy

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
            self.strategy.on_book(view)
        return view

    def trade(self, symbol: str, side: int, price: Number, qty: Number, flags: int = 0) -> Trade:
        """Publish a trade and call ``on_trade``."""
        market = self.market(symbol)
        ticks, lots = market.to_ticks(price, side), market.to_lots(qty)
        number = len(self._trades[symbol]) + 1
        trade = Trade(market, self._now, number, ticks, lots, side, flags)
        self._trades[symbol].append(trade)
        self._bot().on_trade(trade)
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

    def set_position(self, symbol: str, lots: int, entry_price: float = 0.0) -> None:
        """Set a holding and call ``on_position``."""
        self._lots[symbol], self._entry[symbol] = lots, entry_price
        if self.strategy is not None:
            self.strategy.on_position(self.position(symbol, None))

    def set_balance(self, asset: str, amount: float, venue: str | None = None) -> None:
        """Set a balance."""
        self._balances[venue or self.venues()[0], asset] = amount

    def set_margin(self, margin: Margin) -> None:
        """Publish a margin state and call ``on_margin``."""
        self._margin = margin
        self._bot().on_margin(margin)

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
        self._now = end

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
        ticks = ticks or touch
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
