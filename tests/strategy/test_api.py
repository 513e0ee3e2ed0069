"""The API without a run: conversions at the edge, callbacks, the test bench."""

from __future__ import annotations

import inspect
from decimal import Decimal

import attrs
import pytest

from exchange_sim.errors import UsageError
from exchange_sim.sim.agent import Agent
from exchange_sim.strategy import (
    BUY,
    SELL,
    BookView,
    Fill,
    MarginBand,
    NoteKind,
    OrderHandle,
    OrderStatus,
    OrderType,
    Position,
    RejectReason,
    Strategy,
    TimeInForce,
)
from exchange_sim.strategy.callbacks import CALLBACK_NAMES, Callbacks, overridden
from exchange_sim.strategy.context import Context
from exchange_sim.strategy.edge import duration_ns
from exchange_sim.strategy.fake_context import FakeContext
from exchange_sim.strategy.testing import Bench

SYMBOL = "leading:BTCUSDT"


def bench_and_bot() -> tuple[Bench, Strategy]:
    bench = Bench.single(SYMBOL)
    return bench, bench.run(Strategy())


@pytest.mark.parametrize(
    ("side", "price", "ticks"),
    [
        ("BUY", 100.06, 1000),
        ("SELL", 100.06, 1001),
        ("buy", 100.1, 1001),
        (SELL, 100.1, 1001),
        ("SELL", 0.1 + 0.2, 3),
        ("BUY", 0.1 + 0.2, 3),
        ("BUY", Decimal("100.09"), 1000),
        ("SELL", Decimal("100.01"), 1001),
        ("BUY", 100, 1000),
    ],
)
def test_prices_round_to_the_passive_side_of_the_grid(side, price, ticks):
    """Buys down, sells up; a float next to a grid point is that grid point."""
    bench, bot = bench_and_bot()
    order = bot.submit_order(SYMBOL, side, 1, price)

    assert order.price_ticks == ticks
    assert bench.sent == [order]


def test_quantities_round_down_to_the_lot():
    """Never more than was asked for."""
    _, bot = bench_and_bot()

    assert bot.buy(SYMBOL, 0.0019, 1).qty_lots == 1
    assert bot.buy(SYMBOL, Decimal("0.0039"), 1).qty_lots == 3
    assert bot.buy(SYMBOL, 0.3, 1).qty_lots == 300
    assert bot.buy(SYMBOL, 0.0001, 1).reject_reason == RejectReason.BAD_QTY


def test_defaults_of_type_and_time_in_force():
    """Limit GTC with a price, market IOC without, GTX for post-only."""
    _, bot = bench_and_bot()
    limit, market = bot.buy(SYMBOL, 1, 5), bot.buy(SYMBOL, 1)
    post, stop = (
        bot.sell(SYMBOL, 1, 5, post_only=True),
        bot.sell(SYMBOL, 1, order_type="STOP_MARKET", trigger_price=4.0, reduce_only=True),
    )

    assert (limit.type, limit.tif) == (OrderType.LIMIT, TimeInForce.GTC)
    assert (market.type, market.tif, market.price) == (OrderType.MARKET, TimeInForce.IOC, None)
    assert post.tif == TimeInForce.GTX
    assert (stop.type, stop.flags) == (OrderType.STOP_MARKET, 1)


def test_unknown_words_list_the_valid_ones():
    """A mistyped word is answered with all valid words."""
    _, bot = bench_and_bot()
    with pytest.raises(ValueError, match="one of BUY, SELL"):
        bot.submit_order(SYMBOL, "LONG", 1, 5)
    with pytest.raises(TypeError, match="expected TimeInForce"):
        bot.buy(SYMBOL, 1, 5, tif=1.5)


@pytest.mark.parametrize(
    ("value", "nanos"),
    [(0.25, 250_000_000), ("250ms", 250_000_000), (2, 2_000_000_000), ("1m", 60 * 10**9)],
)
def test_durations_are_seconds_or_text(value, nanos):
    """Both spellings of a duration."""
    assert duration_ns(value) == nanos


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "soon", True, None, []])
def test_other_durations_are_refused(value):
    """No silent zero."""
    with pytest.raises((TypeError, ValueError)):
        duration_ns(value)


def test_modify_takes_price_quantity_or_both():
    """0 and -1 mean 'as it is' on the integer path."""
    bench, bot = bench_and_bot()
    order = bot.sell(SYMBOL, 1, 100.0)

    assert bot.modify_order(order, price=101.03)
    assert bot.modify_order(order, qty=0.5)
    assert not bot.modify_order(order)
    assert not bot.modify_order(order, price=float("nan"))
    assert not bot.modify_order(order, qty=-1)
    assert bench.modifies == [(order, 1011, -1), (order, 0, 500)]


def test_close_position_sends_the_opposite_at_market():
    """Reduce-only for perpetuals; nothing when flat."""
    bench, bot = bench_and_bot()
    assert bot.close_position(SYMBOL) is None
    bench.set_position(SYMBOL, -250, 100.0)
    order = bot.close_position(SYMBOL)

    assert order is not None
    assert (order.side, order.qty, order.type, order.flags) == (BUY, 0.25, OrderType.MARKET, 1)


class Two(Strategy):
    """Overrides two callbacks."""

    def on_fill(self, fill: Fill) -> None: ...
    def on_timer(self, name: str) -> None: ...


def test_only_overridden_callbacks_are_known():
    """Class, subclass and instance overrides count; nothing else."""
    three = type("Three", (Two,), {"on_stop": lambda self: None})()
    patched = Strategy()
    patched.on_book = lambda book: None  # type: ignore[method-assign]  # as a test might

    assert overridden(Two()) == {"on_fill", "on_timer"}
    assert overridden(three) == {"on_fill", "on_timer", "on_stop"}
    assert overridden(patched) == {"on_book"}
    assert overridden(Strategy()) == frozenset()


def test_callback_names_are_the_public_contract():
    """A renamed callback would silently never be called."""
    assert CALLBACK_NAMES == (
        "on_start", "on_book", "on_trade", "on_order_update", "on_fill", "on_position", "on_margin",
        "on_liquidation", "on_adl", "on_funding", "on_mark_price", "on_timer", "on_loan",
        "on_transaction",
        "on_transfer",
        "on_refusal", "on_disconnect", "on_reconnect", "on_stop", "on_bar", "on_block",
    )  # fmt: skip
    assert all(getattr(Callbacks, name).__doc__ for name in CALLBACK_NAMES)


@pytest.mark.parametrize("implementation", [Agent, FakeContext])
def test_host_and_bench_implement_the_whole_context(implementation):
    """Same names and same parameters as the protocol."""
    for name, member in vars(Context).items():
        if name.startswith("_"):
            continue
        found = getattr(implementation, name)
        if inspect.isfunction(member):
            expected = list(inspect.signature(member).parameters)
            assert list(inspect.signature(found).parameters) == expected, name


def test_helpers_need_a_host():
    """A clear message instead of an attribute error."""
    with pytest.raises(UsageError, match="not attached"):
        Strategy().buy(SYMBOL, 1)


class Quoter(Strategy):
    """Keeps one bid at the touch."""

    @attrs.frozen
    class Params(Strategy.Params):
        """Parameters."""

        qty: float = 0.5

    def on_start(self) -> None:
        self.order: OrderHandle | None = None
        self.events: list[str] = []
        self.subscribe_book(SYMBOL, 5)
        self.set_timer("requote", 0.25)

    def on_timer(self, name: str) -> None:
        book = self.book(SYMBOL)
        if book.best_bid is not None and self.order is None:
            self.order = self.buy(SYMBOL, self.params.qty, book.best_bid, post_only=True)
            self.note(NoteKind.USER, 1, 2)

    def on_book(self, book: BookView) -> None:
        self.events.append("book")

    def on_order_update(self, order: OrderHandle) -> None:
        self.events.append(order.status.name)

    def on_fill(self, fill: Fill) -> None:
        self.events.append(f"fill {fill.qty}@{fill.price}")

    def on_position(self, position: Position) -> None:
        self.events.append(f"position {position.qty}")


def test_bench_plays_the_venue_for_a_bot():
    """The whole cycle: timers, orders, answers, fills, positions."""
    bench = Bench.single(SYMBOL)
    bot = bench.run(Quoter(Quoter.Params(qty=0.2)))
    bench.advance(0.25)
    assert bench.sent == []

    bench.set_book(SYMBOL, bids=[(99.9, 1)], asks=[(100.1, 2)])
    bench.advance(0.25)
    [order] = bench.sent
    bench.accept(order)
    bench.fill(order, qty=0.05)
    bench.fill(order)

    assert order.status == OrderStatus.FILLED
    assert bot.events == [
        "book", "NEW", "PARTIALLY_FILLED", "fill 0.05@99.9", "position 0.05",
        "FILLED", "fill 0.15@99.9", "position 0.2",
    ]  # fmt: skip
    assert bench.notes == [(NoteKind.USER, 1, 2)]
    assert bench.subscriptions[0] == ("book", SYMBOL, 5, 100_000_000)


def test_bench_cancels_and_rejects():
    """The other two answers of a venue."""
    bench, bot = bench_and_bot()
    one, two = bot.buy(SYMBOL, 1, 5), bot.buy(SYMBOL, 1, 6)
    bench.accept(one)
    assert bot.cancel_order(one)
    bench.cancel_done(one)
    bench.reject(two, RejectReason.INSUFFICIENT_MARGIN)

    assert (one.status, two.status) == (OrderStatus.CANCELED, OrderStatus.REJECTED)
    assert bot.open_orders() == []
    assert bot.margin().band == MarginBand.FREE
