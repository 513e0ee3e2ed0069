"""Entry filters: every refusal has its own reason, and the reasons have their order."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from exchange_sim.matching.filters import Filters
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.enums import (
    BUY,
    FOK,
    GTC,
    GTD,
    GTX,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOP_MARKET,
    TRAILING_STOP_MARKET,
)
from exchange_sim.model.order import Order

FILTERS = Filters(
    unit_value=2,
    price_min=10,
    price_max=1_000,
    price_step=5,
    qty_min=2,
    qty_max=100,
    qty_step=2,
    market_qty_min=4,
    market_qty_max=40,
    market_qty_step=4,
    notional_min=200,
    notional_max=20_000,
    bid_up_ppm=1_200_000,
    bid_down_ppm=200_000,
    ask_up_ppm=5_000_000,
    ask_down_ppm=800_000,
    orders_max=3,
    algo_orders_max=2,
    iceberg_parts_max=5,
    trailing_min_ppm=1_000,
    trailing_max_ppm=100_000,
)


def order(**changes: Any) -> Order:
    """An order that passes, with changes."""
    fields = {"side": BUY, "order_type": LIMIT, "time_in_force": GTC, "price": 100, "qty": 10}
    return Order(
        **{"order_id": 1, "account": 0, "instrument": 0, "client_order_id": 1} | fields | changes
    )


MARKET_ORDER = {"order_type": MARKET, "price": 0, "qty": 8}
STOP_ORDER = {"order_type": STOP_MARKET, "price": 0, "qty": 8, "trigger": 90}
TRAILING = {"order_type": TRAILING_STOP_MARKET, "price": 0, "qty": 8, "trailing_ppm": 5_000}

REFUSED: list[tuple[R, dict[str, Any]]] = [
    (R.BAD_QTY, {"qty": 0}),
    (R.BAD_QTY, {"qty": -5, "price": -5}),
    (R.BAD_PRICE, {"price": 0}),
    (R.BAD_PRICE, {"price": -1}),
    (R.BAD_PRICE, MARKET_ORDER | {"price": 100}),
    (R.BAD_PRICE, STOP_ORDER | {"order_type": STOP}),
    (R.BAD_TRIGGER, {"trigger": 5}),
    (R.BAD_TRIGGER, MARKET_ORDER | {"trigger": 5}),
    (R.BAD_TRIGGER, STOP_ORDER | {"trigger": 0}),
    (R.BAD_TRIGGER, STOP_ORDER | {"trailing_ppm": 5_000}),
    (R.BAD_TRIGGER, TRAILING | {"trailing_ppm": 999}),
    (R.BAD_TRIGGER, TRAILING | {"trailing_ppm": 100_001}),
    (R.BAD_TRIGGER, TRAILING | {"trigger": -1}),
    (R.INVALID_COMBINATION, MARKET_ORDER | {"time_in_force": GTX}),
    (R.INVALID_COMBINATION, STOP_ORDER | {"time_in_force": GTD}),
    (R.INVALID_COMBINATION, {"time_in_force": 9}),
    (R.INVALID_COMBINATION, {"time_in_force": -1}),
    (R.BAD_ICEBERG, {"display": -1}),
    (R.BAD_ICEBERG, {"display": 2, "time_in_force": IOC}),
    (R.BAD_ICEBERG, {"display": 2, "time_in_force": FOK}),
    (R.BAD_ICEBERG, MARKET_ORDER | {"display": 2}),
    (R.BAD_EXPIRY, {"time_in_force": GTD}),
    (R.BAD_EXPIRY, {"time_in_force": GTD, "expire_ns": 1_000}),
    (R.BAD_PRICE, {"price": 5}),
    (R.PRICE_ABOVE_MAX, {"price": 1_005}),
    (R.BAD_TICK_STEP, {"price": 101}),
    (R.QTY_BELOW_MIN, {"qty": 1}),
    (R.QTY_ABOVE_MAX, {"qty": 102}),
    (R.BAD_LOT_STEP, {"qty": 3}),
    (R.QTY_BELOW_MIN, MARKET_ORDER | {"qty": 2}),
    (R.QTY_ABOVE_MAX, MARKET_ORDER | {"qty": 44}),
    (R.BAD_LOT_STEP, MARKET_ORDER | {"qty": 10}),
    (R.NOTIONAL_TOO_SMALL, {"price": 10, "qty": 8}),
    (R.NOTIONAL_TOO_LARGE, {"price": 105, "qty": 100}),
    (R.PERCENT_PRICE_ABOVE, {"price": 125}),
    (R.PERCENT_PRICE_BELOW, {"price": 15, "qty": 20}),
    (R.PERCENT_PRICE_ABOVE, {"side": SELL, "price": 505}),
    (R.PERCENT_PRICE_BELOW, {"side": SELL, "price": 75}),
    (R.BAD_ICEBERG, {"display": 1}),
]


@pytest.mark.parametrize(("reason", "changes"), REFUSED, ids=str)
def test_refused(reason: R, changes: dict[str, Any]) -> None:
    """One broken bound, one reason."""
    assert FILTERS.check(order(**changes), average=100, now_ns=1_000) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"price": 20},
        {"price": 120},
        {"side": SELL, "price": 80},
        {"side": SELL, "price": 500},
        {"qty": 100},
        {"price": 10, "qty": 10, "side": BUY},
        {"display": 2},
        {"display": 500},
        {"time_in_force": GTD, "expire_ns": 1_001},
        {"time_in_force": GTX},
        MARKET_ORDER,
        MARKET_ORDER | {"time_in_force": FOK},
        STOP_ORDER,
        STOP_ORDER | {"order_type": STOP, "price": 95},
        TRAILING,
        TRAILING | {"trigger": 100},
    ],
)
def test_bounds_are_inclusive(changes: dict[str, Any]) -> None:
    """What lies on a bound passes."""
    average = 50 if changes.get("price") == 10 else 100
    assert FILTERS.check(order(**changes), average=average, now_ns=1_000) == 0


def test_order_counts() -> None:
    """MAX_NUM_ORDERS counts all open orders, MAX_NUM_ALGO_ORDERS only trigger orders."""
    assert FILTERS.check(order(), 100, open_orders=2, open_algo_orders=9) == 0
    assert FILTERS.check(order(), 100, open_orders=3) == R.MAX_NUM_ORDERS
    stop = order(**STOP_ORDER)
    assert FILTERS.check(stop, 100, open_orders=2, open_algo_orders=1) == 0
    assert FILTERS.check(stop, 100, open_orders=2, open_algo_orders=2) == R.MAX_NUM_ALGO_ORDERS
    assert FILTERS.check(stop, 100, open_orders=3, open_algo_orders=2) == R.MAX_NUM_ORDERS


def test_market_orders_are_valued_at_the_average() -> None:
    """NOTIONAL uses the average price; without one the lower bound is skipped."""
    small = order(**MARKET_ORDER | {"qty": 4})
    assert FILTERS.check(small, average=24) == R.NOTIONAL_TOO_SMALL
    assert FILTERS.check(small, average=25) == 0
    assert FILTERS.check(small, average=0) == 0
    lenient = attrs.evolve(FILTERS, notional_min_to_market=False)
    assert lenient.check(small, average=24) == 0
    assert lenient.check(small, average=10_000) == R.NOTIONAL_TOO_LARGE


def test_precedence_follows_the_documentation() -> None:
    """Mending the first mistake of a thoroughly wrong order reveals the next."""
    wrong = {"qty": 0, "price": 0, "trigger": 7, "time_in_force": 9, "display": -1}
    mends: list[tuple[R, dict[str, Any]]] = [
        (R.BAD_QTY, {"qty": 9_999}),
        (R.BAD_PRICE, {"price": 1_001}),
        (R.BAD_TRIGGER, {"trigger": 0}),
        (R.INVALID_COMBINATION, {"time_in_force": GTD}),
        (R.BAD_ICEBERG, {"display": 1}),
        (R.BAD_EXPIRY, {"expire_ns": 9_999}),
        (R.PRICE_ABOVE_MAX, {"price": 201}),
        (R.BAD_TICK_STEP, {"price": 200}),
        (R.QTY_ABOVE_MAX, {"qty": 99}),
        (R.BAD_LOT_STEP, {"qty": 98}),
        (R.NOTIONAL_TOO_LARGE, {"qty": 50}),
        (R.PERCENT_PRICE_ABOVE, {"price": 100}),
    ]
    for reason, mend in mends:
        assert FILTERS.check(order(**wrong), 100, open_orders=3, now_ns=1_000) == reason
        wrong |= mend
    assert FILTERS.check(order(**wrong), 100, open_orders=3) == R.MAX_NUM_ORDERS
    assert FILTERS.check(order(**wrong), 100) == R.BAD_ICEBERG
    assert FILTERS.check(order(**wrong | {"display": 10}), 100) == 0


def test_zero_disables_a_bound() -> None:
    """The default filters refuse only what is meaningless or does not fit 64 bits."""
    free = Filters(price_max=0, qty_max=0, price_step=0, qty_step=0, notional_max=0)
    assert free.check(order(price=1, qty=1), average=10**9) == 0
    assert free.check(order(price=10**12, qty=1), average=1) == 0
    assert free.check(order(price=10**12 + 1)) == R.PRICE_ABOVE_MAX
    assert free.check(order(qty=10**13 + 1)) == R.QTY_ABOVE_MAX


@pytest.mark.parametrize(
    ("reason", "price", "qty"),
    [
        (0, 100, 10),
        (0, 100, 0),
        (R.BAD_QTY, 100, -1),
        (R.BAD_PRICE, 0, 10),
        (R.BAD_PRICE, 0, 0),
        (R.BAD_TICK_STEP, 101, 10),
        (R.QTY_BELOW_MIN, 100, 1),
        (R.PERCENT_PRICE_ABOVE, 125, 10),
    ],
)
def test_replace(reason: int, price: int, qty: int) -> None:
    """A change is judged like an entry, but quantity 0 cancels."""
    assert FILTERS.check_replace(order(), price, qty, average=100) == reason


def test_replace_of_other_kinds() -> None:
    """A market trigger order has no price; an iceberg may not fall into too many parts."""
    assert FILTERS.check_replace(order(**STOP_ORDER), 0, 8, average=100) == 0
    assert FILTERS.check_replace(order(**STOP_ORDER), 100, 8, average=100) == R.BAD_PRICE
    assert FILTERS.check_replace(order(display=2), 100, 12, average=100) == R.BAD_ICEBERG


@pytest.mark.parametrize(
    ("filters", "price", "qty", "passes"),
    [
        # PRICE_FILTER: 0.00000150 with min 0.00000100 and tick 0.00000100, in ticks of 0.00000010
        (Filters(price_min=10, price_step=10), 15, 1, False),
        # LOT_SIZE: 0.0015 with step 0.001, in lots of 0.0001
        (Filters(qty_min=10, qty_step=10), 1, 15, False),
        # NOTIONAL: 2 x 4 with minimum 10
        (Filters(notional_min=10, notional_max=10_000), 2, 4, False),
        # PERCENT_PRICE_BY_SIDE: buy at 121, then at 20, average 100, 1.2 and 0.2
        (Filters(bid_up_ppm=1_200_000, bid_down_ppm=200_000), 121, 1, False),
        (Filters(bid_up_ppm=1_200_000, bid_down_ppm=200_000), 20, 1, True),
    ],
)
def test_published_examples(filters: Filters, price: int, qty: int, passes: bool) -> None:
    """The exchange's documented examples, on integer grids."""
    assert (filters.check(order(price=price, qty=qty), average=100) == 0) is passes


def test_filters_act_at_entry_only() -> None:
    """A bid that was fine when it came would be refused today: nothing looks at it again."""
    filters = Filters(bid_down_ppm=200_000)
    bid = order(price=1)
    assert filters.check(bid, average=4) == 0
    assert filters.check(bid, average=4_000) == R.PERCENT_PRICE_BELOW
