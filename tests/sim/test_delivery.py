"""What reaches a strategy, and when: delays, order of callbacks, lazy delivery, races, balances."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from exchange_sim.messages.reasons import CancelReason, RejectReason
from exchange_sim.sim import Outage, Run, VenueTiming
from exchange_sim.sim import session as session_module
from exchange_sim.strategy import (
    BUY,
    IOC,
    LIMIT,
    SELL,
    Fill,
    OrderHandle,
    OrderStatus,
    Position,
    Strategy,
)
from tests.doubles.sim_world import (
    BTC,
    MS,
    OTHER_SPOT,
    PERP,
    QUIET,
    SPOT,
    START_NS,
    USDT,
    add,
    fund,
    make_run,
    quote,
)

SYMBOL, PERP_SYMBOL = "leading:BTCUSDT", "leading:BTCUSDT-PERP"
SECOND = 1_000 * MS


def ms(time_ns: int) -> float:
    return (time_ns - START_NS) / MS


class Recorder(Strategy):
    """Writes down everything that it is told."""

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.log_of: list[tuple[Any, ...]] = []

    def say(self, *what: Any) -> None:
        self.log_of.append((ms(self.now_ns), *what))

    def on_order_update(self, order: OrderHandle) -> None:
        self.say("update", order.client_order_id, order.status.name, order.leaves_lots)

    def on_fill(self, fill: Fill) -> None:
        self.say("fill", fill.price, fill.qty, fill.is_maker)

    def on_position(self, position: Position) -> None:
        self.say("position", position.qty_lots)


class Taker(Recorder):
    def on_start(self) -> None:
        self.order = self.buy(SYMBOL, 0.15)


def execute(run: Run, seconds: float) -> Any:
    return run.execute(START_NS + round(seconds * SECOND))


def test_update_comes_before_fill_before_position_for_each_event():
    """An order that takes from two levels: accepted, then update-fill-position twice."""
    run, bot = make_run(), Taker()
    add(run, "bot", bot)
    quote(run, SPOT)
    execute(run, 1)

    assert bot.log_of == [
        (5.0, "update", 1, "NEW", 150),
        (5.0, "update", 1, "PARTIALLY_FILLED", 50),
        (5.0, "fill", 100_000.1, 0.1, False),
        (5.0, "position", 100_100),
        (5.0, "update", 1, "FILLED", 0),
        (5.0, "fill", 100_000.2, 0.05, False),
        (5.0, "position", 100_150),
    ]
    assert bot.order.average_price == pytest.approx(100_000.1333333)


class Busy(Strategy):
    """Trades at random; its view must end up as the ledger's, whoever listens."""

    def on_start(self) -> None:
        self.set_timer("trade", 0.01, jitter=0.01)

    def on_timer(self, name: str) -> None:
        symbol = (SYMBOL, PERP_SYMBOL, "second:BTCUSDT")[self.rng.randrange(3)]
        market = self.market(symbol)
        side = self.rng.randrange(2)
        price = 1_000_000 + self.rng.randrange(-5, 6)
        kind = self.rng.randrange(4)
        if kind == 0:
            self.submit(market, side, self.rng.randrange(1, 30), price, LIMIT, IOC)
        elif kind < 3:
            self.submit(market, side, self.rng.randrange(1, 30), price)
        orders = self.open_orders()
        if len(orders) > 10:
            chosen = orders[self.rng.randrange(len(orders))]
            if self.rng.random() < 0.5:
                self.cancel(chosen)
            else:
                self.modify(chosen, 1_000_000 + self.rng.randrange(-5, 6), 12)


class BusyListener(Busy):
    """The same, with every private callback overridden."""

    def on_order_update(self, order: OrderHandle) -> None: ...
    def on_fill(self, fill: Fill) -> None: ...
    def on_position(self, position: Position) -> None: ...


def busy_run(kinds: list[type[Strategy]], seed: int = 5, seconds: float = 10) -> Run:
    run = make_run(seed=seed, timings=[VenueTiming(), VenueTiming()])
    for i, kind in enumerate(kinds):
        accounts = {venue: fund(run, venue) for venue in ("leading", "second")}
        run.add_strategy(f"busy-{i}", kind(), accounts)
    execute(run, seconds)
    return run


def test_owners_view_ends_as_the_ledger_says():
    """Once everything has arrived, balances, positions and open orders are exactly the world's."""
    run = busy_run([Busy, BusyListener, Busy])
    world: Any = run.world
    assert run.exchange.trades > 300
    for agent in run.host.agents:
        for session in agent.sessions:
            session.take_in(session.inbox[-1][0] if session.inbox else 0, None)
            account = world.accounts[session.account]
            assert session.view.balances == list(world.ledger.posted[session.account])
            for instrument, position in account.positions.items():
                assert session.view.holding(instrument).lots == position.qty
            sent = {o.client_order_id for o in session.view.orders.values() if o.is_live}
            assert set(account.orders) == sent
            assert all(
                session.view.orders[i].leaves_lots == order.leaves
                for i, order in account.orders.items()
            )


def test_lazy_delivery_changes_nothing_but_the_cost():
    """Listening to every message gives the same market as listening to none."""
    lazy, eager = busy_run([Busy] * 3), busy_run([BusyListener] * 3)

    assert lazy.world.state_digest() == eager.world.state_digest()
    assert lazy.exchange.commands == eager.exchange.commands
    assert lazy.kernel.steps < eager.kernel.steps


def test_inbox_of_a_sleeping_strategy_stays_bounded(monkeypatch):
    """A strategy that never wakes is woken when its inbox is full."""
    monkeypatch.setattr(session_module, "INBOX_MAX", 20)

    class Sleeper(Strategy):
        def on_start(self) -> None:
            self.orders = [self.buy(SYMBOL, 0.001, 90_000 + i) for i in range(200)]

    run, bot = make_run(timings=[attrs.evolve(QUIET, service_base_ns=10 * MS), QUIET]), Sleeper()
    add(run, "bot", bot)
    execute(run, 3)

    assert len(run.host.agents[0].sessions[0].inbox) <= 22
    assert sum(o.status == OrderStatus.NEW for o in bot.orders) > 150


def test_fire_and_forget_gets_no_private_messages():
    """private_feed = False: handles stay pending, nothing is stored."""

    class Forgetful(Taker):
        private_feed = False

    run, bot = make_run(), Forgetful()
    add(run, "bot", bot)
    quote(run, SPOT)
    execute(run, 1)

    assert bot.log_of == []
    assert bot.order.status == OrderStatus.PENDING_NEW
    assert run.exchange.trades == 2
    assert not run.host.agents[0].sessions[0].view.orders


def test_cancel_that_loses_the_race_is_refused_after_the_fill():
    """The owner hears of the fill first, then that the order is unknown."""

    class Racer(Recorder):
        def on_start(self) -> None:
            self.order = self.sell(SYMBOL, 0.1, 100_001)
            self.set_timer_ns("cancel", 19 * MS, repeat=False)

        def on_timer(self, name: str) -> None:
            assert self.cancel_order(self.order)
            assert not self.cancel_order(self.order)

        def on_order_update(self, order: OrderHandle) -> None:
            super().on_order_update(order)
            if order.reject_reason:
                self.say("reason", order.reject_reason.name, order.status.name)

    class Late(Strategy):
        def on_start(self) -> None:
            self.set_timer_ns("take", 18 * MS, repeat=False)

        def on_timer(self, name: str) -> None:
            self.buy(SYMBOL, 0.1, 100_001)

    run, bot = make_run(), Racer()
    add(run, "maker", bot)
    add(run, "taker", Late())
    execute(run, 1)

    assert bot.log_of == [
        (5.0, "update", 1, "NEW", 100),
        (23.0, "update", 1, "FILLED", 0),
        (23.0, "fill", 100_001.0, 0.1, True),
        (23.0, "position", 99_900),
        (24.0, "update", 1, "FILLED", 0),
        (24.0, "reason", "UNKNOWN_ORDER", "FILLED"),
    ]
    session = run.host.agents[0].sessions[0]
    assert not session.view.ended
    assert not session.view.orders


def test_replace_in_flight_of_a_cancelled_order_is_refused():
    """Cancel and replace sent together: the cancel wins, the replace is refused."""

    class Both(Recorder):
        def on_start(self) -> None:
            self.order = self.buy(SYMBOL, 0.1, 90_000)
            self.cancel_order(self.order)
            assert self.modify_order(self.order, price=91_000)

    run, bot = make_run(), Both()
    add(run, "bot", bot)
    execute(run, 1)

    assert [entry[1:] for entry in bot.log_of] == [
        ("update", 1, "NEW", 100),
        ("update", 1, "CANCELED", 0),
        ("update", 1, "CANCELED", 0),
    ]
    assert bot.order.reject_reason == RejectReason.UNKNOWN_ORDER
    assert bot.order.cancel_reason == CancelReason.USER
    assert bot.order.pending_replace == 0


def test_successful_replace_updates_price_and_quantity():
    """Price, open and total quantity follow the venue's answer, not the request."""

    class Mover(Recorder):
        def on_start(self) -> None:
            self.order = self.buy(SYMBOL, 0.1, 90_000)
            self.modify_order(self.order, price=91_000, qty=0.05)
            assert self.order.price == 90_000
            assert self.order.pending_replace == 1

    run, bot = make_run(), Mover()
    add(run, "bot", bot)
    execute(run, 1)

    assert (bot.order.price, bot.order.leaves, bot.order.qty) == (91_000.0, 0.05, 0.05)
    assert bot.order.pending_replace == 0


def test_ioc_remainder_and_post_only_end_as_at_the_exchange():
    """IOC remainder: EXPIRED.  Post-only that would cross: REJECTED with its reason."""

    class Two(Recorder):
        def on_start(self) -> None:
            self.ioc = self.buy(SYMBOL, 5, 100_000.1, tif="IOC")
            self.post = self.buy(SYMBOL, 0.1, 100_000.3, post_only=True)

    run, bot = make_run(), Two()
    add(run, "bot", bot)
    quote(run, SPOT)
    execute(run, 1)

    assert (bot.ioc.status, bot.ioc.filled) == (OrderStatus.EXPIRED, 0.1)
    assert bot.post.status == OrderStatus.REJECTED
    assert bot.post.reject_reason == RejectReason.POST_ONLY_WOULD_CROSS
    assert bot.open_orders() == []


def test_several_accounts_on_one_venue_are_told_apart():
    """The first account is the default; the others are named."""

    class Two(Strategy):
        def on_start(self) -> None:
            self.main = self.buy(SYMBOL, 0.1)
            self.hedge = self.sell(SYMBOL, 0.2, account="hedge")

    run, bot = make_run(), Two()
    one, two = fund(run, "leading"), fund(run, "leading", btc=50)
    run.add_strategy("bot", bot, {"leading": {"main": one, "hedge": two}})
    quote(run, SPOT)
    execute(run, 1)
    run.host.agents[0].closed = False
    run.host.agents[0].take_in()

    assert (bot.main.account, bot.hedge.account) == (one, two)
    assert bot.balance("BTC") == pytest.approx(100.1)
    assert bot.balance("BTC", account="hedge") == pytest.approx(49.8)
    assert list(bot.account_names("leading")) == ["main", "hedge"]


def test_positions_start_with_what_the_genesis_gave():
    """Initial balances and positions are known in on_start, without delay."""

    class Starter(Strategy):
        def on_start(self) -> None:
            self.known = (
                self.balance("BTC", "leading"),
                self.position_lots(PERP_SYMBOL),
                self.position(PERP_SYMBOL).entry_price,
                self.margin().equity,
            )

    run, bot = make_run(), Starter()
    long, short = fund(run, "leading"), fund(run, "leading")
    run.add_strategy("bot", bot, {"leading": long})
    run.apply_all([(25, START_NS, long, short, PERP, 999_000, 2_000)])
    execute(run, 0.1)

    assert bot.known[:3] == (100.0, 2_000, 99_900.0)
    assert bot.known[3] == pytest.approx(10_000_200)


def test_transfers_arrive_after_the_venues_delay_and_can_be_suspended():
    """StartTransfer, then FinishTransfer ten minutes later; refused while suspended."""

    class Mover(Strategy):
        def on_start(self) -> None:
            self.told: list[tuple[Any, ...]] = []
            self.transfer("USDT", 1_000, "leading", "second")
            self.set_timer("again", 1.0, repeat=False)

        def on_timer(self, name: str) -> None:
            self.transfer("USDT", 5, "leading", "second")

        def on_transfer(self, transfer: Any) -> None:
            self.told.append((ms(self.now_ns), transfer.finished, transfer.amount))

        def on_refusal(self, refusal: Any) -> None:
            self.told.append((ms(self.now_ns), refusal.reason.name))

    run = make_run(timings=[attrs.evolve(QUIET, transfer_delay_ns=2 * SECOND), QUIET])
    bot = Mover()
    accounts = {venue: fund(run, venue) for venue in ("leading", "second")}
    run.add_strategy("bot", bot, accounts)
    run.add_outage(Outage("transfers", 0, START_NS + 500 * MS, START_NS + 3 * SECOND))
    execute(run, 4)

    assert bot.told == [
        (5.0, False, 1_000.0),
        (1005.0, "TRANSFER_SUSPENDED"),
        (2005.0, True, 1_000.0),
    ]
    world: Any = run.world
    assert world.ledger.posted[accounts["second"]][USDT] == 10_001_000 * 10**6


def test_unknown_names_are_answered_with_the_nearest():
    """A mistyped symbol, asset or venue is a located fault with a hint."""
    run = make_run()
    run.add_strategy("bot", Strategy(), {"leading": fund(run, "leading")})
    bot = run.host.agents[0].strategy

    with pytest.raises(Exception, match="did you mean 'leading:BTCUSDT'"):
        bot.book("leading:BTCUSD")
    with pytest.raises(Exception, match="no asset 'ETH'"):
        bot.balance("ETH")
    with pytest.raises(Exception, match="no account on 'second'"):
        bot.buy("second:BTCUSDT", 1, 1)
    with pytest.raises(TypeError, match="expected the name of a market"):
        bot.book(5)  # type: ignore[arg-type]  # what an untyped caller might do
    assert bot.balance("BTC") == 100.0
    assert (BTC, OTHER_SPOT, BUY, SELL) == (0, 2, 0, 1)
