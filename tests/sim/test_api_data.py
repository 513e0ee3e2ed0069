"""What a strategy reads and records: bars, balances, liquidation price, series, refusals."""

from __future__ import annotations

import math
from typing import Any

import pytest

from exchange_sim.errors import StrategyFault
from exchange_sim.messages.gateway import CommandRefused, ValueRecorded
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.sim.outages import Outage
from exchange_sim.strategy import Bar, Strategy
from tests.doubles.sim_world import MS, PERP, SPOT, START_NS, add, fund, make_run, quote

SYMBOL, FUTURE = "leading:BTCUSDT", "leading:BTCUSDT-PERP"
SECOND = 1_000 * MS
REFUSED, RECORDED = CommandRefused.type_id, ValueRecorded.type_id


def logged(run: Any) -> list[Any]:
    """Events of the two kinds of this module, from now on."""
    found: list[Any] = []
    original = run.exchange._apply

    def spy(command: tuple[int, ...]) -> Any:
        events = original(command)
        found.extend(e for e in events if e[0] in (REFUSED, RECORDED))
        return events

    run.exchange._apply = spy
    return found


class Bars(Strategy):
    """Buys at 0.3 and 1.4 s, in the intervals of seconds."""

    def on_start(self) -> None:
        self.seen: list[tuple[int, Bar]] = []
        self.subscribe_bars(SYMBOL, 1.0)
        self.subscribe_bars(SYMBOL, 1.0)
        for name, delay in (("a", 0.3), ("b", 0.6), ("c", 2.4)):
            self.set_timer(name, delay, repeat=False)

    def on_timer(self, name: str) -> None:
        self.buy(SYMBOL, 0.15 if name == "b" else 0.05)

    def on_bar(self, bar: Bar) -> None:
        self.seen.append((self.now_ns, bar))


def test_bars_hold_the_trades_of_their_interval_and_arrive_over_the_link():
    """Quiet intervals repeat the close; the first bars do not exist before there is a price."""
    run, bot = make_run(), Bars()
    add(run, "bot", bot)
    quote(run, SPOT)
    run.execute(START_NS + 4 * SECOND)

    assert [(at - START_NS) // MS for at, _ in bot.seen] == [1004, 2004, 3004]
    first, quiet, last = [bar for _, bar in bot.seen]
    assert (first.open, first.high, first.close) == (100_000.1, 100_000.2, 100_000.2)
    assert (first.trades, first.volume, first.buy_volume) == (3, 0.2, 0.2)
    assert first.vwap == pytest.approx((100_000.1 * 0.1 + 100_000.2 * 0.1) / 0.2)
    assert (quiet.open, quiet.low, quiet.volume, quiet.trades) == (100_000.2, 100_000.2, 0.0, 0)
    assert quiet.vwap == quiet.close
    assert (last.volume, last.end_ns - last.start_ns) == (0.05, SECOND)


def test_bars_need_an_interval():
    """Zero is no interval."""

    class Bot(Strategy):
        def on_start(self) -> None:
            self.subscribe_bars(SYMBOL, 0)

    run = make_run()
    add(run, "bot", Bot())
    with pytest.raises(StrategyFault, match="bars need an interval"):
        run.execute(START_NS + SECOND)


def test_liquidation_price_is_where_the_world_would_liquidate():
    """At the price that the bot computes, the exact margin state is at the venue's line."""

    class Bot(Strategy):
        price: float | None = None

        def on_start(self) -> None:
            self.subscribe_margin()
            self.set_timer("look", 0.5, repeat=False)
            self.set_timer("buy", 0.1, repeat=False)

        def on_timer(self, name: str) -> None:
            if name == "buy":
                self.buy(FUTURE, 0.5)
            else:
                self.price = self.liquidation_price(FUTURE)
                self.flat = self.liquidation_price(SYMBOL)
                self.money = self.balances(), self.loans(), self.positions()

    run, bot = make_run(), Bot()
    account = fund(run, "leading", btc=0, usdt=10_000)
    run.add_strategy("bot", bot, {"leading": account})
    for instrument in (SPOT, PERP):
        quote(run, instrument, lots=1_000)
    run.kernel.at(START_NS + 50 * MS, run.exchange.apply, (10, START_NS + 50 * MS, 0))
    run.kernel.at(START_NS + 300 * MS, run.exchange.apply, (10, START_NS + 300 * MS, 0))
    run.kernel.at(START_NS + 300 * MS, run.timers[0].publish_margins, START_NS + 300 * MS)
    run.execute(START_NS + SECOND)

    assert bot.price is not None
    mark, qty, rate, line = 100_000.0, 0.5, 0.02, 1.05
    state: Any = run.world.margin_of(account)
    equity, maintenance = state.equity / 1e6, state.maintenance / 1e6
    at = (equity + qty * (bot.price - mark)) / (maintenance + rate * qty * (bot.price - mark))
    assert at == pytest.approx(line, abs=0.01)
    assert 75_000 < bot.price < 90_000
    assert bot.flat is None
    balances, loans, (position,) = bot.money
    assert loans == {}
    assert balances["USDT"] == pytest.approx(10_000 - 0.0005 * 0.5 * 100_000.1, abs=0.1)
    assert position.qty == 0.5


def test_recorded_values_are_events_and_their_names_are_kept():
    """In millionths, numbered in the order of the first value."""

    class Bot(Strategy):
        def on_start(self) -> None:
            self.record(fair=100_000.25, skew=-0.5)
            self.record(skew=2)

    run, bot = make_run(), Bot()
    account = add(run, "bot", bot)
    events = logged(run)
    run.execute(START_NS + SECOND)

    assert run.host.series == {("bot", "fair"): 0, ("bot", "skew"): 1}
    assert events == [
        (RECORDED, account, 0, 100_000_250_000),
        (RECORDED, account, 1, -500_000),
        (RECORDED, account, 1, 2_000_000),
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e13, "much", True, None])
def test_values_that_are_none_are_faults(value):
    """Located like any other mistake of a strategy."""

    class Bot(Strategy):
        def on_start(self) -> None:
            self.record(x=value)

    run = make_run()
    add(run, "bot", Bot())
    with pytest.raises(StrategyFault, match=r"test_api_data\.py:\d+: .*record\(x="):
        run.execute(START_NS + SECOND)


def test_refusals_of_the_gateway_are_events():
    """Down, too fast, or not connected: each refusal is in the log with its order."""

    class Bot(Strategy):
        def on_start(self) -> None:
            self.set_timer("send", 0.1)

        def on_timer(self, name: str) -> None:
            order = self.buy(SYMBOL, 0.001, 90_000)
            if self.now_ns == START_NS + 400 * MS:
                self.cancel_all_orders()
                self.cancel_order(order)

    run, bot = make_run(), Bot()
    account = add(run, "bot", bot)
    run.add_outage(Outage("down", 0, START_NS + 350 * MS, START_NS + 450 * MS))
    run.add_outage(Outage("disconnect", 0, START_NS + 550 * MS, START_NS + 650 * MS))
    events = logged(run)
    result = run.execute(START_NS + SECOND)

    down = int(RejectReason.VENUE_DOWN)
    assert events == [
        (REFUSED, account, 1, SPOT, 4, down, 1),
        (REFUSED, account, 4, -1, -1, down, 1),
        (REFUSED, account, 2, -1, 4, down, 1),
        (REFUSED, account, 0, -1, -1, down, 1),
    ]
    assert result.refused == {down: 3}
