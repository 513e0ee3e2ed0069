"""The venue's front: service time, backlog, outages, rate limits."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from exchange_sim.messages.reasons import NoteKind, RejectReason
from exchange_sim.sim import Outage, Run, VenueTiming
from exchange_sim.sim.kernel import Kernel
from exchange_sim.strategy import OrderHandle, OrderStatus, Strategy
from tests.doubles.sim_world import MS, QUIET, SPOT, START_NS, add, make_run, quote

SYMBOL = "leading:BTCUSDT"
SECOND = 1_000 * MS


class Sender(Strategy):
    """Sends ``count`` passive buys at the start and notes when it hears of each."""

    count = 1
    at_s = 0.0
    reduce_only = False

    def on_start(self) -> None:
        self.heard: list[tuple[float, OrderHandle, str]] = []
        self.orders: list[OrderHandle] = []
        self.links: list[tuple[str, str]] = []
        if self.at_s:
            self.set_timer("send", self.at_s, repeat=False)
        else:
            self.on_timer("send")

    def on_timer(self, name: str) -> None:
        options = {"reduce_only": self.reduce_only}
        self.orders += [self.buy(SYMBOL, 0.001, 90_000 - i, **options) for i in range(self.count)]

    def on_order_update(self, order: OrderHandle) -> None:
        self.heard.append(((self.now_ns - START_NS) / MS, order, order.status.name))

    def on_disconnect(self, venue: str, reason: str) -> None:
        self.links.append((venue, reason))

    def on_reconnect(self, venue: str) -> None:
        self.links.append((venue, "back"))


def sender(count: int = 1, at_s: float = 0.0, reduce_only: bool = False) -> Sender:
    bot = Sender()
    bot.count, bot.at_s, bot.reduce_only = count, at_s, reduce_only
    return bot


def timings(**changes: Any) -> list[VenueTiming]:
    return [attrs.evolve(QUIET, **changes), QUIET]


def execute(run: Run, seconds: float) -> Any:
    return run.execute(START_NS + round(seconds * SECOND))


def test_idle_venue_answers_after_both_links():
    """Entry 2 ms, reply 3 ms, nothing in between."""
    run, bot = make_run(), sender()
    add(run, "bot", bot)
    execute(run, 1)

    assert [(t, status) for t, _, status in bot.heard] == [(5.0, "NEW")]


def test_backlog_is_served_in_order_one_service_time_apart():
    """An overloaded venue answers late: each command waits for those before it."""
    run, bot = make_run(timings=timings(service_base_ns=10 * MS)), sender(4)
    add(run, "bot", bot)
    execute(run, 1)

    assert [t for t, _, _ in bot.heard] == [5.0, 15.0, 25.0, 35.0]
    assert [order for _, order, _ in bot.heard] == bot.orders
    assert run.servers[0].backlog_peak == 3


def test_fills_cost_service_time():
    """An order that sweeps five makers keeps the engine busy for five surcharges."""
    run = make_run(timings=timings(service_base_ns=MS, service_fill_ns=10 * MS))

    class Sweeper(Sender):
        def on_timer(self, name: str) -> None:
            self.orders = [self.buy(SYMBOL, 0.5), self.buy(SYMBOL, 0.001, 90_000)]

    bot = Sweeper()
    add(run, "bot", bot)
    quote(run, SPOT, levels=5, lots=100)
    execute(run, 1)

    assert bot.orders[0].status == OrderStatus.FILLED
    assert bot.heard[-1][0] == 2 + 1 + 50 + 3


def test_idle_venue_needs_one_heap_entry_per_packet():
    """What was sent at one instant travels together: no queue, no second event."""
    run, bot = make_run(), sender(100)
    bot.private_feed = False
    add(run, "bot", bot)
    run.start()
    steps, commands = run.kernel.steps, run.exchange.commands
    run.kernel.run(START_NS + 50 * MS)

    assert (run.kernel.steps - steps, run.exchange.commands - commands) == (1, 100)


class Chatty(Strategy):
    """Sends a few orders now and then, two of which trade, and answers fills."""

    def on_start(self) -> None:
        self.set_timer("send", 0.003, 0.004)

    def on_timer(self, name: str) -> None:
        for k in range(self.rng.randrange(1, 9)):
            self.buy(SYMBOL, 0.001, 90_000 + self.rng.randrange(20_000) - k)
            self.sell(SYMBOL, 0.001, 90_000 + self.rng.randrange(20_000) + k)

    def on_fill(self, fill: Any) -> None:
        self.cancel_all_orders(SYMBOL)


@pytest.mark.parametrize("service_ns", [0, 40_000, 900_000])
def test_going_on_without_the_heap_changes_nothing(service_ns, monkeypatch):
    """The twin takes every command of the backlog through the heap."""

    def digest() -> tuple[str, int]:
        run = make_run(timings=timings(service_base_ns=service_ns, service_fill_ns=7_000))
        for name in ("one", "two", "three"):
            add(run, name, Chatty())
        return execute(run, 0.5).state_digest, run.servers[0].backlog_peak

    quick = digest()
    monkeypatch.setattr(Kernel, "skip_to", lambda self, time_ns: False)

    assert digest() == quick
    assert quick[1] > 5


def test_down_refuses_arrivals_and_tells_sessions():
    """Mode down: VENUE_DOWN comes back over the link; the world hears of nothing but the notes."""
    run, bot = make_run(), sender(2, at_s=0.5)
    add(run, "bot", bot)
    run.add_outage(Outage("down", 0, START_NS + 400 * MS, START_NS + 600 * MS))
    result = execute(run, 1)

    assert [order.reject_reason for order in bot.orders] == [RejectReason.VENUE_DOWN] * 2
    assert [t for t, _, _ in bot.heard] == [505.0, 505.0]
    assert bot.links == [("leading", "venue is down"), ("leading", "back")]
    assert result.refused == {RejectReason.VENUE_DOWN: 2}


def test_down_refuses_the_backlog_too():
    """What waited when the venue went down is refused, in order."""
    run = make_run(timings=timings(service_base_ns=100 * MS))
    bot = sender(3)
    add(run, "bot", bot)
    run.add_outage(Outage("down", 0, START_NS + 50 * MS, START_NS + 60 * MS))
    execute(run, 1)

    assert [o.status.name for o in bot.orders] == ["NEW", "REJECTED", "REJECTED"]


def test_stall_queues_and_serves_later_in_order():
    """Mode stall: nothing is refused, everything is late."""
    run, bot = make_run(), sender(3, at_s=0.1)
    add(run, "bot", bot)
    run.add_outage(Outage("stall", 0, START_NS + 50 * MS, START_NS + 700 * MS))
    execute(run, 1)

    assert [(t, o) for t, o, _ in bot.heard] == [(703.0, o) for o in bot.orders]
    assert bot.links == []


def test_slow_engine_multiplies_service_time():
    """Mode slow: the same backlog takes ``factor`` times as long."""
    run = make_run(timings=timings(service_base_ns=10 * MS))
    bot = sender(3, at_s=0.1)
    add(run, "bot", bot)
    run.add_outage(Outage("slow", 0, START_NS + MS, START_NS + 900 * MS, factor=5))
    execute(run, 1)

    assert [t for t, _, _ in bot.heard] == [105.0, 155.0, 205.0]


def test_api_errors_refuse_the_stated_share():
    """Mode api_errors: about the share, drawn from a stream of its own."""
    run, bot = make_run(), sender(400, at_s=0.1)
    add(run, "bot", bot)
    run.add_outage(Outage("api_errors", 0, START_NS, START_NS + SECOND, share=0.25))
    result = execute(run, 1)

    assert 60 < result.refused[RejectReason.VENUE_DOWN] < 140
    assert sum(o.status == OrderStatus.NEW for o in bot.orders) == 400 - result.refused[108]


def test_latency_fault_delays_every_link_of_the_venue():
    """Mode latency: both directions take longer while it lasts."""
    run, bot = make_run(), sender(1, at_s=0.1)
    add(run, "bot", bot)
    run.add_outage(Outage("latency", 0, START_NS, START_NS + 200 * MS, delay_ns=20 * MS))
    execute(run, 1)

    assert [t for t, _, _ in bot.heard] == [145.0]


def test_disconnect_holds_messages_and_can_cancel_orders():
    """A lost session sends nothing, hears nothing, and gets everything when it is back."""
    run = make_run()

    class Lost(Sender):
        def on_start(self) -> None:
            super().on_start()
            self.set_timer("again", 0.2, repeat=False)

        def on_timer(self, name: str) -> None:
            if name == "again":
                self.refused = self.buy(SYMBOL, 0.001, 80_000)
            else:
                super().on_timer(name)

    bot = Lost()
    add(run, "bot", bot)
    run.add_outage(
        Outage(
            "disconnect", 0, START_NS + 100 * MS, START_NS + 300 * MS,
            strategies=("bot",), cancel_on_disconnect=True,
        )
    )  # fmt: skip
    execute(run, 1)

    assert bot.refused.reject_reason == RejectReason.VENUE_DOWN
    assert [(t, o.client_order_id, s) for t, o, s in bot.heard] == [
        (5.0, 1, "NEW"), (201.0, 2, "REJECTED"), (303.0, 1, "CANCELED"),
    ]  # fmt: skip
    assert bot.links == [("leading", "connection lost"), ("leading", "back")]


def test_outages_leave_notes_in_the_log():
    """Beginning and end are commands, so that a reader of the log knows."""
    run = make_run()
    noted: list[tuple[int, ...]] = []
    original = run.exchange._apply

    def spy(command: tuple[int, ...]) -> Any:
        if command[0] == 40:
            noted.append(command[3:])
        return original(command)

    run.exchange._apply = spy
    run.add_outage(Outage("stall", 1, START_NS + MS, START_NS + 2 * MS))
    execute(run, 0.1)

    assert noted == [(NoteKind.OUTAGE_STARTED, 1, 1), (NoteKind.OUTAGE_ENDED, 1, 1)]


def test_overlapping_outages_of_one_kind_end_with_the_last():
    """The venue is down until every outage that says so has ended."""
    run, bot = make_run(), sender(1, at_s=0.25)
    add(run, "bot", bot)
    run.add_outage(Outage("down", 0, START_NS, START_NS + 200 * MS))
    run.add_outage(Outage("down", 0, START_NS + 100 * MS, START_NS + 300 * MS))
    execute(run, 1)

    assert bot.orders[0].reject_reason == RejectReason.VENUE_DOWN
    assert not run.servers[0].down


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "meteor"},
        {"end_ns": 5},
        {"share": 1.5},
        {"share": float("nan")},
        {"factor": 0},
        {"delay_ns": -1},
    ],
)
def test_impossible_outages_are_refused(wrong):
    """A mistake in a scenario is a ValueError at once."""
    fields = {"kind": "down", "venue": 0, "start_ns": 10, "end_ns": 20, **wrong}
    with pytest.raises(ValueError, match=r"outage|>="):
        Outage(**fields)


def test_rate_limit_refuses_what_exceeds_a_second_worth():
    """The gateway's bucket holds one second of orders and refills with time."""
    run, bot = make_run(), sender(30)
    account = add(run, "bot", bot, orders_per_s=10)
    assert account >= 0
    execute(run, 1)

    accepted = [o for o in bot.orders if o.status == OrderStatus.NEW]
    assert len(accepted) == 10
    assert {o.reject_reason for o in bot.orders[10:]} == {RejectReason.RATE_LIMIT}


def test_full_backlog_refuses_what_arrives():
    """A venue keeps so many commands waiting; the log and the owners hear of the others."""
    run = make_run(timings=timings(service_base_ns=100 * MS, backlog_max=2))
    bot = sender(5)
    add(run, "bot", bot)
    result = execute(run, 1)

    assert [o.status.name for o in bot.orders] == ["NEW"] * 2 + ["REJECTED"] * 3
    assert result.refused == {RejectReason.SERVER_OVERLOADED: 3}


def test_overloaded_venue_takes_reduce_only_orders():
    """They pass the gate and are judged by the engine, which finds nothing to reduce."""
    run = make_run(timings=timings(service_base_ns=100 * MS, backlog_max=2))
    bot = sender(5, reduce_only=True)
    add(run, "bot", bot)
    result = execute(run, 1)

    assert RejectReason.SERVER_OVERLOADED not in result.refused
    assert {o.reject_reason for o in bot.orders} != {RejectReason.SERVER_OVERLOADED}
