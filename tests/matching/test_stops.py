"""Trigger orders: what fires them, in which order, and that nothing is looked through per trade."""

from __future__ import annotations

import random
from typing import Any

import pytest

from exchange_sim.limits import STOPS_PER_COMMAND_MAX
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.matching.outcomes import TRADE, TRIGGER, Outcome
from exchange_sim.matching.trailing import TrailingStops
from exchange_sim.model.enums import (
    BUY,
    FLAG_MARK_TRIGGER,
    FLAG_PRICE_PROTECT,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOP_MARKET,
    TAKE_PROFIT,
    TAKE_PROFIT_MARKET,
    TRAILING_STOP_MARKET,
)
from exchange_sim.model.order import Order


class Market:
    """An engine with a seller and a buyer of everything, who print any price that a test wants."""

    def __init__(self) -> None:
        self.engine = MatchingEngine()
        self.next_id = 1_000

    def order(self, side: int, kind: int, qty: int = 1, price: int = 0) -> Order:
        """A new order with an id of its own."""
        self.next_id += 1
        return Order(self.next_id, 0, 0, self.next_id, side, kind, 0, price, qty)

    def print(self, price: int) -> list[int]:
        """Make one trade at ``price``; returns the ids of the orders that fired, in order."""
        out: list[Outcome] = []
        maker = self.order(SELL, LIMIT, 1, price)
        self.engine.submit(maker, out)
        self.engine.submit(self.order(BUY, LIMIT, 1, price), out)
        assert out[-1][0] == TRADE
        return self.fired()

    def fired(self) -> list[int]:
        """Ids of the orders that fire now; they are taken off the market unexecuted."""
        ids = []
        while (order := self.engine.next_triggered()) is not None:
            assert order.order_type in {LIMIT, MARKET}
            ids.append(order.order_id)
        return ids

    def arm(
        self, id: int, side: int, kind: int, trigger: int = 0, ppm: int = 0, flags: int = 0
    ) -> Order:
        """Arm a trigger order."""
        price = 50 if kind in {STOP, TAKE_PROFIT} else 0
        order = Order(id, 0, 0, id, side, kind, 0, price, 1, 0, trigger, ppm, flags)
        self.engine.submit(order, [])
        return order


@pytest.mark.parametrize(
    ("side", "kind", "fires_at", "not_at"),
    [
        (BUY, STOP_MARKET, 100, 99),
        (BUY, STOP, 100, 99),
        (SELL, STOP_MARKET, 100, 101),
        (SELL, STOP, 100, 101),
        (BUY, TAKE_PROFIT_MARKET, 100, 101),
        (BUY, TAKE_PROFIT, 100, 101),
        (SELL, TAKE_PROFIT_MARKET, 100, 99),
        (SELL, TAKE_PROFIT, 100, 99),
    ],
)
def test_direction(side: int, kind: int, fires_at: int, not_at: int) -> None:
    """Stops fire with the move against them, take-profits with the move for them."""
    market = Market()
    order = market.arm(1, side, kind, trigger=100)
    assert market.print(not_at) == []
    assert market.print(fires_at) == [1]
    assert order.order_type == (LIMIT if kind in {STOP, TAKE_PROFIT} else MARKET)
    assert market.print(fires_at) == []


def test_nothing_fires_before_a_trade() -> None:
    """Without a last price there is nothing to compare with."""
    market = Market()
    market.arm(1, BUY, STOP_MARKET, trigger=1)
    assert market.fired() == []


def test_mark_trigger_ignores_trades_and_follows_the_mark() -> None:
    """``FLAG_MARK_TRIGGER`` watches the mark price only, and needs no trade."""
    market = Market()
    market.arm(1, SELL, STOP_MARKET, trigger=100, flags=FLAG_MARK_TRIGGER)
    assert market.print(90) == []
    market.engine.set_mark(101)
    assert market.fired() == []
    market.engine.set_mark(100)
    assert market.fired() == [1]
    assert market.engine.mark_ticks == 100


def test_price_protection_holds_orders_back_in_a_wick() -> None:
    """While last and mark are more than the ratio apart, protected orders wait; others fire."""
    market = Market()
    market.engine.protect_ppm = 50_000
    market.engine.set_mark(100)
    market.arm(1, SELL, STOP_MARKET, trigger=97, flags=FLAG_PRICE_PROTECT)
    market.arm(2, SELL, STOP_MARKET, trigger=97)
    assert market.print(94) == [2]
    assert market.print(95) == [1], "a gap of exactly the ratio is allowed"


def test_protected_order_fires_when_the_mark_follows() -> None:
    """The wait can also end by the mark coming closer."""
    market = Market()
    market.engine.protect_ppm = 50_000
    market.engine.set_mark(100)
    market.arm(1, SELL, STOP_MARKET, trigger=97, flags=FLAG_PRICE_PROTECT)
    assert market.print(90) == []
    market.engine.set_mark(94)
    assert market.fired() == [1]


def test_price_that_comes_back_leaves_protected_order_armed() -> None:
    """A wick that is over before the gap closes fires nothing."""
    market = Market()
    market.engine.protect_ppm = 50_000
    market.engine.set_mark(100)
    market.arm(1, SELL, STOP_MARKET, trigger=97, flags=FLAG_PRICE_PROTECT)
    assert market.print(80) == []
    assert market.print(99) == []
    assert list(market.engine.stops.orders) == [1]


def test_trailing_sell_follows_the_high() -> None:
    """The trigger rises with the high and never falls: 10 % below 120 is 108."""
    market = Market()
    market.print(100)
    order = market.arm(1, SELL, TRAILING_STOP_MARKET, ppm=100_000)
    assert [market.print(price) for price in (95, 91, 120, 109)] == [[], [], [], []]
    assert market.print(108) == [1]
    assert order.trigger == 108


def test_trailing_buy_is_the_mirror_image() -> None:
    """A buy follows the low: 10 % above 80 is 88."""
    market = Market()
    market.print(100)
    market.arm(1, BUY, TRAILING_STOP_MARKET, ppm=100_000)
    assert [market.print(price) for price in (105, 109, 80, 87)] == [[], [], [], []]
    assert market.print(88) == [1]


def test_trailing_waits_for_its_activation() -> None:
    """Before the activation price is seen, neither highs nor falls count."""
    market = Market()
    market.print(100)
    market.arm(1, SELL, TRAILING_STOP_MARKET, trigger=110, ppm=50_000)
    assert [market.print(price) for price in (109, 50, 110)] == [[], [], []]
    assert market.print(105) == []
    assert market.print(104) == [1]


def test_trailing_armed_before_any_trade_starts_with_the_first() -> None:
    """The first print is its first best price."""
    market = Market()
    market.arm(1, SELL, TRAILING_STOP_MARKET, ppm=100_000)
    assert [market.print(price) for price in (50, 46)] == [[], []]
    assert market.print(45) == [1]


def test_trailing_sees_the_prices_inside_a_sweep() -> None:
    """A sell sweep prints 120 first and 109 last: the high that counts is 120."""
    market = Market()
    market.print(100)
    market.arm(1, SELL, TRAILING_STOP_MARKET, ppm=90_000)
    out: list[Outcome] = []
    for price in (120, 115, 110):
        market.engine.submit(market.order(BUY, LIMIT, 1, price), out)
    market.engine.submit(market.order(SELL, MARKET, 3), out)
    assert market.fired() == []
    assert market.print(109) == [1]


def test_cancelled_trailing_orders_are_swept() -> None:
    """Thousands of arms and cancels leave nothing behind."""
    entries: dict[int, int] = {}
    trailing = TrailingStops(entries)
    trailing.observe(1_000)
    for number in range(1, 5_000):
        order = Order(number, 0, 0, number, SELL, TRAILING_STOP_MARKET, 0, 0, 1, trailing_ppm=9)
        entries[number] = number
        trailing.observe(6_000 - number)
        trailing.arm(order, number, 6_000 - number)
        del entries[number]
    assert trailing._sells._size < 200
    assert len(trailing._sells._stack) < 200


@pytest.mark.parametrize("seed", range(4))
def test_many_trailing_orders_against_a_list(seed: int) -> None:
    """500 trailing orders on a random walk fire when a plain look through all of them says so."""
    dice = random.Random(seed)
    market, price, best = Market(), 10_000, dict[int, tuple[Order, int]]()
    market.print(price)
    for step in range(1_500):
        if step < 500:
            side = dice.choice((BUY, SELL))
            ppm = dice.choice((1_000, 2_000, 5_000, 20_000))
            best[step] = (market.arm(step, side, TRAILING_STOP_MARKET, ppm=ppm), price)
        price += dice.randint(-25, 25)
        due = []
        for id, (order, seen) in list(best.items()):
            sells = order.side == SELL
            now = max(seen, price) if sells else min(seen, price)
            back = -(-now * order.trailing_ppm // 1_000_000)
            best[id] = (order, now)
            if price <= now - back if sells else price >= now + back:
                due.append(id)
                del best[id]
        assert market.print(price) == due


def test_bounded_firing_leaves_the_rest_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bound the rest stays armed for the next command."""
    assert STOPS_PER_COMMAND_MAX >= 20_000
    monkeypatch.setattr("exchange_sim.matching.engine.STOPS_PER_COMMAND_MAX", 3)
    market = Market()
    for id in range(1, 6):
        market.arm(id, SELL, STOP_MARKET, trigger=100)
    market.engine.submit(market.order(BUY, LIMIT, 9, 99), [])
    out: list[Outcome] = []
    market.engine.run(market.order(SELL, MARKET, 1), out)
    assert [row[1].order_id for row in out if row[0] == TRIGGER] == [1, 2, 3]
    market.engine.run_triggered(out)
    assert [row[1].order_id for row in out if row[0] == TRIGGER] == [1, 2, 3, 4, 5]


class CountingHeap(list[tuple[int, int, Order]]):
    """A heap that counts how often its entries are read."""

    reads = 0

    def __getitem__(self, index: Any) -> Any:
        CountingHeap.reads += 1
        return super().__getitem__(index)


def test_a_trade_does_not_look_through_armed_orders() -> None:
    """With 20,000 armed stops a trade that reaches none of them reads two heap tops per source."""
    market = Market()
    for id in range(10_000):
        market.arm(id, SELL, STOP_MARKET, trigger=1 + id % 50)
        market.arm(50_000 + id, BUY, STOP_MARKET, trigger=200 + id % 50)
    for source in market.engine.stops._sources:
        source.rising.heap = CountingHeap(source.rising.heap)
        source.falling.heap = CountingHeap(source.falling.heap)
    CountingHeap.reads = 0
    for price in range(90, 110):
        assert market.print(price) == []
    assert CountingHeap.reads <= 20 * 8
