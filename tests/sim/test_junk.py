"""Junk arguments: rejected handles for numbers that are no order, faults for wrong types."""

from __future__ import annotations

from typing import Any

import pytest

from exchange_sim.errors import StrategyFault
from exchange_sim.sim import Run
from exchange_sim.strategy import LIMIT, OrderHandle, OrderStatus, Strategy
from tests.doubles.sim_world import MS, START_NS, add, make_run

SYMBOL = "leading:BTCUSDT"
SECOND = 1_000 * MS


def execute(run: Run, seconds: float = 1.0) -> Any:
    return run.execute(START_NS + round(seconds * SECOND))


JUNK = [
    {"qty": float("nan")},
    {"qty": float("inf")},
    {"qty": -1},
    {"qty": 0},
    {"qty": 10**40},
    {"qty": 1e300},
    {"price": float("nan")},
    {"price": float("-inf")},
    {"price": -5.0},
    {"price": 0},
    {"price": 10**40},
    {"trigger_price": float("nan"), "order_type": "STOP"},
    {"display_qty": -1},
]


@pytest.mark.parametrize("junk", JUNK, ids=str)
def test_numbers_that_cannot_be_an_order_give_a_rejected_handle(junk):
    """No exception, no message to the venue; on_order_update follows."""

    class Bot(Strategy):
        def on_start(self) -> None:
            self.told: list[OrderHandle] = []
            arguments = {"qty": 1, "price": 100_000, **junk}
            self.order = self.buy(SYMBOL, **arguments)

        def on_order_update(self, order: OrderHandle) -> None:
            self.told.append(order)

    run, bot = make_run(), Bot()
    add(run, "bot", bot)
    commands: list[tuple[int, ...]] = []
    original = run.exchange._apply

    def spy(command: tuple[int, ...]) -> Any:
        commands.append(command)
        return original(command)

    run.exchange._apply = spy
    execute(run, 0.1)

    reason = bot.order.reject_reason or 0
    assert bot.order.status == OrderStatus.REJECTED
    assert 201 <= reason < 300
    assert bot.told == [bot.order]
    assert [command[:1] + command[3:] for command in commands] == [(41, 0, -1, -1, reason, 1)]


WRONG_TYPES: list[dict[str, Any]] = [
    {"qty": "1"},
    {"qty": None},
    {"qty": True},
    {"price": "100"},
    {"price": [1]},
    {"side": "LONG"},
    {"tif": "FOREVER"},
    {"order_type": 99},
    {"symbol": "nowhere:X"},
    {"symbol": None},
    {"trailing": "x"},
]


@pytest.mark.parametrize("wrong", WRONG_TYPES, ids=str)
def test_wrong_types_are_located_faults(wrong):
    """The fault names the line of the strategy that passed the value."""

    class Bot(Strategy):
        def on_start(self) -> None:
            arguments = {"symbol": SYMBOL, "side": "BUY", "qty": 1, "price": 100_000, **wrong}
            self.submit_order(**arguments)

    run = make_run()
    add(run, "bot", Bot())
    with pytest.raises(StrategyFault, match=r"test_junk\.py:\d+"):
        execute(run, 0.1)


@pytest.mark.parametrize(
    "fields",
    [
        {"qty_lots": 10**40},
        {"price_ticks": 2**63},
        {"qty_lots": -(10**30)},
        {"expire_ns": 2**70},
        {"display_lots": 10**20},
    ],
    ids=str,
)
def test_integer_path_refuses_what_does_not_fit_64_bits(fields):
    """Commands are 64-bit columns; the venue never sees more."""

    class Bot(Strategy):
        def on_start(self) -> None:
            arguments = {"qty_lots": 1, "price_ticks": 1_000, **fields}
            self.order = self.submit(self.market(SYMBOL), 0, **arguments)
            assert not self.modify(self.order, 2**63)

    run, bot = make_run(), Bot()
    add(run, "bot", bot)
    execute(run, 0.1)
    assert bot.order.status == OrderStatus.REJECTED


@pytest.mark.parametrize(
    "fields", [{"qty_lots": 1.5}, {"price_ticks": "1"}, {"flags": None}], ids=str
)
def test_integer_path_raises_for_other_types(fields):
    """A float in the core would be a defect; here it is the strategy's."""

    class Bot(Strategy):
        def on_start(self) -> None:
            arguments = {"qty_lots": 1, "price_ticks": 1_000, **fields}
            self.submit(self.market(SYMBOL), 0, **arguments)

    run = make_run()
    add(run, "bot", Bot())
    with pytest.raises(StrategyFault, match="TypeError"):
        execute(run, 0.1)


def test_negative_and_odd_integers_are_refused_by_the_venue():
    """What fits 64 bits travels to the venue and comes back with its reason."""

    class Bot(Strategy):
        def on_start(self) -> None:
            market = self.market(SYMBOL)
            self.orders = [
                self.submit(market, 0, -5, 1_000_000),
                self.submit(market, 0, 5, -1_000_000),
                self.submit(market, 7, 5, 1_000_000),
                self.submit(market, 0, 5, 1_000_000, LIMIT, 99),
            ]

    run, bot = make_run(), Bot()
    add(run, "bot", bot)
    execute(run, 0.1)
    run.host.agents[0].take_in()

    assert {order.status for order in bot.orders} == {OrderStatus.REJECTED}
