"""Cost of the shell: light entries, SimPy entries, and commands through links, venue and routing.

Run ``python -m benchmarks.bench_sim``.  Figures are nanoseconds of CPU time, best of five.  The
world is a fake that answers each command with canned events, so that only the shell is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import simpy

from benchmarks.figures import Figure, at_most
from exchange_sim.marketdata.feed import Feed
from exchange_sim.marketdata.market import Market
from exchange_sim.rng import Streams
from exchange_sim.sim.account_view import AccountView
from exchange_sim.sim.agent import Agent
from exchange_sim.sim.desk import Names
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.host import Host
from exchange_sim.sim.kernel import Kernel
from exchange_sim.sim.links import Latency, Link
from exchange_sim.sim.session import Session, session_key
from exchange_sim.sim.venue import VenueServer
from exchange_sim.strategy import GTC, LIMIT, Fill, OrderHandle, Strategy, Trade

N = 100_000


class FakeBook:
    """Ten levels a side that never change."""

    def snapshot(self, n: int) -> tuple[list[int], list[int], list[int], list[int]]:
        """Levels around 1,000,000."""
        bids, asks = (
            list(range(999_999, 999_999 - n, -1)),
            list(range(-1_000_001, -1_000_001 - n, -1)),
        )
        return bids, [10] * n, asks, [10] * n


class FakeWorld:
    """Accepts every order and fills every second one."""

    seq = 0
    time_ns = 0

    def apply(self, command: tuple[int, ...]) -> list[tuple[int, ...]]:
        """An acceptance, and a trade for even client ids."""
        self.seq += 1
        if command[0] != 1:
            return []
        _, _, account, instrument, client_id, side, kind, tif, price, qty = command[:10]
        accepted = (
            1,
            self.seq,
            account,
            instrument,
            client_id,
            side,
            kind,
            tif,
            price,
            qty,
            0,
            0,
            0,
        )
        if client_id & 1:
            return [accepted]
        trade = (
            6, self.seq, instrument, price, qty, side, 1, 2, 0, account, qty, qty * price,
            0, 0, 0, 0, 0, 1, client_id, 5, 0,
        )  # fmt: skip
        return [accepted, trade]

    def margin_of(self, account: int) -> Any:
        """No margin here."""
        raise NotImplementedError

    def liquidation_pending(self, venue: int) -> bool:
        """Nothing to liquidate."""
        return venue < 0

    def state_digest(self) -> str:
        """No state."""
        return ""


class Lazy(Strategy):
    """Sends orders and listens to nothing."""


class Eager(Strategy):
    """Hears every update and fill."""

    def on_order_update(self, order: OrderHandle) -> None:
        """Listen."""

    def on_fill(self, fill: Fill) -> None:
        """Listen."""


def shell(strategy: Strategy) -> tuple[Kernel, Agent, Market, Exchange]:
    """One strategy with one account at one venue over a fake world."""
    market = Market(
        instrument_id=0, name="BTCUSDT", venue="v", venue_id=0, kind=0, base="BTC", quote="USDT",
        base_id=0, quote_id=1, tick_size=Decimal("0.1"), lot_size=Decimal("0.001"),
    )  # fmt: skip
    kernel, streams = Kernel(0), Streams(1)
    feed = Feed([market], [FakeBook()], 1)
    exchange = Exchange(FakeWorld(), feed)
    exchange.started = True
    names = Names((market,), ("v",), ("BTC", "USDT"), (10**8, 10**8))
    latency = Latency(1_000_000, 500_000)
    links = [Link(latency, streams.stream(name)) for name in ("a", "b", "c")]
    host = Host(kernel, exchange)
    agent = Agent("x", strategy, host, kernel, exchange, names, feed, links[:1], streams, "stop")
    server = VenueServer(0, kernel, exchange, streams.stream("d"))
    view = AccountView(1, "v", names.markets, names.assets, names.asset_scales, 1)
    session = Session(
        agent, kernel, exchange, server, 1, "main", "v", view, links[1], links[2], session_key("x")
    )
    agent.add_session(session, 0)
    exchange.attend(1, session)
    return kernel, agent, market, exchange


def best(measure: Callable[[], float]) -> float:
    """Nanoseconds per operation, best of five."""
    return min(measure() for _ in range(5)) * 1e9 / N


def light() -> float:
    """Schedule and run a light entry."""
    kernel = Kernel(0)
    begin = time.process_time()
    for i in range(N):
        kernel.at(i, abs, 1)
    kernel.run()
    return time.process_time() - begin


def chained() -> float:
    """A light entry that schedules the next one: an almost empty heap."""
    kernel = Kernel(0)
    left = [N]

    def tick(_: Any) -> None:
        left[0] -= 1
        if left[0]:
            kernel.at(kernel.now_ns + 10, tick)

    begin = time.process_time()
    kernel.at(0, tick)
    kernel.run()
    return time.process_time() - begin


def timeouts() -> float:
    """SimPy timeouts with a callback, in the stock environment."""
    environment = simpy.Environment()
    begin = time.process_time()
    for i in range(N):
        timeout = environment.timeout(i)
        timeout.callbacks.append(abs_of)
    environment.run()
    return time.process_time() - begin


def abs_of(_: Any) -> None:
    """A callback that does nothing."""


def routed() -> float:
    """Exchange.apply with an attended account, world included (1.5 events per command)."""
    _, _, _, exchange = shell(Lazy())
    commands = [(1, i, 1, 0, i + 1, 0, 0, 0, 1000, 5, 0, 0, 0, 0, 0, 0) for i in range(N)]
    inbox = exchange.sessions[1].inbox  # type: ignore[union-attr]  # attended in shell()
    begin = time.process_time()
    for i, command in enumerate(commands):
        exchange.apply(command)
        if not i % 5_000:
            inbox.clear()
    return time.process_time() - begin


def bare_world() -> float:
    """The fake world alone, to be subtracted."""
    world = FakeWorld()
    commands = [(1, i, 1, 0, i + 1, 0, 0, 0, 1000, 5, 0, 0, 0, 0, 0, 0) for i in range(N)]
    begin = time.process_time()
    for command in commands:
        world.apply(command)
    return time.process_time() - begin


def whole(strategy: Strategy) -> float:
    """Submit, link, venue, world, routing, reply and inbox, per order."""
    kernel, agent, market, _ = shell(strategy)
    submit = agent.submit
    begin = time.process_time()
    for block in range(N // 1_000):
        agent.wake()
        for _ in range(1_000):
            submit(market, 0, 5, 1_000, LIMIT, GTC)
        kernel.run((block + 1) * 10_000_000)
    agent.wake()
    return time.process_time() - begin


class Empty(Strategy):
    """Is woken and does nothing: what a callback costs before the author's first line."""

    def on_timer(self, name: str) -> None:
        """Nothing."""

    def on_trade(self, trade: Trade) -> None:
        """Nothing."""


def timer_callbacks() -> float:
    """A repeating timer: heap entry, wake-up, guard, empty callback, next entry."""
    kernel, agent, _, _ = shell(Empty())
    agent.set_timer("t", 10, 0, repeat=True)
    begin = time.process_time()
    kernel.run(10 * N + 1)
    return time.process_time() - begin


def pushed_callbacks() -> float:
    """A public trade pushed over the link: delay drawn, heap entry, wake-up, empty callback."""
    kernel, agent, market, _ = shell(Empty())
    agent.subscribe_trades(market)
    (push,) = agent.feed.trade_listeners[market.id]
    trades = [Trade(market, i, i, 1_000, 5, 0, 0) for i in range(N)]
    begin = time.process_time()
    for block in range(N // 1_000):
        for trade in trades[block * 1_000 : (block + 1) * 1_000]:
            push(trade)
        kernel.run((block + 1) * 10_000_000)
    return time.process_time() - begin


def figures() -> list[Figure]:
    """What a strategy pays before its author's first line."""
    timer, pushed = best(timer_callbacks) / 1e3, best(pushed_callbacks) / 1e3
    order = best(lambda: whole(Lazy())) / 1e3
    return [
        at_most("callback of a timer, empty", timer, 5, "us", 2),
        at_most("callback of a public trade, empty", pushed, 5, "us", 2),
        Figure("order through links, venue and routing (fake world)", f"{order:.2f} us"),
    ]


def main() -> None:
    """Print all figures."""
    rows = {
        "SimPy timeout + callback": best(timeouts),
        "light entry, 100,000 pending": best(light),
        "light entry, chained": best(chained),
        "fake world alone": best(bare_world),
        "exchange.apply incl. fake world": best(routed),
        "timer callback, empty (target 5,000)": best(timer_callbacks),
        "trade pushed to an empty callback (target 5,000)": best(pushed_callbacks),
        "order through the shell, lazy strategy": best(lambda: whole(Lazy())),
        "order through the shell, eager strategy": best(lambda: whole(Eager())),
    }
    for name, nanos in rows.items():
        print(f"{name:50s} {nanos:8.0f} ns")


if __name__ == "__main__":
    main()
