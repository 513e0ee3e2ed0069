"""What the book answers, what it costs, and execution-time price bounds."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from exchange_sim.errors import InvariantViolation
from exchange_sim.matching.book import OrderBook
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.matching.outcomes import CANCEL, RESTED, TRADE, Outcome
from exchange_sim.messages.reasons import CancelReason
from exchange_sim.model.enums import (
    BUY,
    FLAG_SLIDE,
    FOK,
    GTC,
    GTX,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    STOP_MARKET,
)
from exchange_sim.model.order import Order


def limit(id: int, side: int, price: int, qty: int, display: int = 0, tif: int = GTC) -> Order:
    """A limit order of account 0."""
    return Order(id, 0, 0, id, side, LIMIT, tif, price, qty, display)


@pytest.fixture
def engine() -> MatchingEngine:
    """Bids 99 (5), 98 (iceberg: 2 of 10); asks 101 (3 + 4), 103 (6)."""
    made = MatchingEngine()
    for order in (
        limit(1, BUY, 99, 5),
        limit(2, BUY, 98, 10, display=2),
        limit(3, SELL, 101, 3),
        limit(4, SELL, 101, 4),
        limit(5, SELL, 103, 6),
    ):
        made.submit(order, [])
    return made


def test_depth_is_shown_quantity_best_first(engine: MatchingEngine) -> None:
    """Hidden lots are not in the depth; ``n`` limits the levels."""
    book = engine.book
    assert book.depth(BUY) == [(99, 5), (98, 2)]
    assert book.depth(SELL) == [(101, 7), (103, 6)]
    assert book.depth(SELL, 1) == [(101, 7)]
    assert OrderBook().depth(BUY, 5) == []


def test_quantity_within(engine: MatchingEngine) -> None:
    """Shown lots at the limit or better; limit 0 means the whole side."""
    book = engine.book
    assert [book.quantity_within(BUY, price) for price in (100, 99, 98, 0)] == [0, 5, 7, 7]
    assert [book.quantity_within(SELL, price) for price in (100, 101, 103, 0)] == [0, 7, 13, 13]


def test_cost_counts_what_would_trade(engine: MatchingEngine) -> None:
    """The side is the resting side; hidden lots trade, so they count."""
    book = engine.book
    assert book.cost(SELL, 8) == (8, 7 * 101 + 103)
    assert book.cost(SELL, 99) == (13, 7 * 101 + 6 * 103)
    assert book.cost(SELL, 8, 102) == (7, 7 * 101)
    assert book.cost(BUY, 12) == (12, 5 * 99 + 7 * 98)
    assert book.cost(BUY, 0) == (0, 0)


def test_totals_and_iteration(engine: MatchingEngine) -> None:
    """Totals count hidden lots; iteration is bids then asks in priority."""
    assert (engine.book.total(BUY), engine.book.total(SELL)) == (15, 13)
    assert [order.order_id for order in engine.book] == [1, 2, 3, 4, 5]
    assert list(engine.book.orders) == [1, 2, 3, 4, 5]
    assert len(engine.book) == 5
    assert engine.book.front(SELL).order_id == 3


def test_fillable_agrees_with_what_trades() -> None:
    """On random books FOK is filled whole exactly when ``fillable`` says so."""
    for seed in range(300):
        dice = random.Random(seed)
        made = MatchingEngine()
        for id in range(dice.randrange(12)):
            order = limit(id, SELL, dice.randint(100, 103), dice.randint(1, 6), dice.choice((0, 2)))
            order.account = dice.randrange(2)
            made.submit(order, [])
        taker = limit(99, BUY, dice.randint(99, 103), dice.randint(1, 25), tif=FOK)
        taker.stp_mode = dice.randrange(6)
        enough = made.book.fillable(taker, taker.price, taker.stp_mode) == taker.qty
        out: list[Outcome] = []
        made.submit(taker, out)
        traded = sum(row[4] for row in out if row[0] == TRADE)
        assert traded == (taker.qty if enough else 0)


def test_trades_carry_what_was_left_at_that_moment(engine: MatchingEngine) -> None:
    """The leaves in an outcome are as of that trade, whatever happened later."""
    out: list[Outcome] = []
    engine.submit(Order(9, 1, 0, 9, BUY, MARKET, GTC, 0, 9), out)
    assert [row[3:] for row in out] == [(101, 3, 0, 6), (101, 4, 0, 2), (103, 2, 4, 0)]
    assert engine.book.last_price == 103


@pytest.mark.parametrize(
    ("kind", "tif", "price", "bound", "reason", "dropped"),
    [
        (MARKET, GTC, 0, 102, CancelReason.PRICE_BOUND, 3),
        (MARKET, GTC, 0, 103, None, 0),
        (MARKET, FOK, 0, 102, CancelReason.FOK, 10),
        (LIMIT, GTC, 105, 102, CancelReason.PRICE_BOUND, 3),
        (LIMIT, IOC, 105, 102, CancelReason.PRICE_BOUND, 3),
        (LIMIT, IOC, 101, 102, CancelReason.IOC, 3),
        (LIMIT, FOK, 105, 102, CancelReason.FOK, 10),
        (LIMIT, GTC, 105, 100, CancelReason.PRICE_BOUND, 10),
    ],
)
def test_price_bound(
    engine: MatchingEngine,
    kind: int,
    tif: int,
    price: int,
    bound: int,
    reason: CancelReason | None,
    dropped: int,
) -> None:
    """Execution-time protection: nothing trades or rests beyond the bound."""
    out: list[Outcome] = []
    engine.submit(Order(9, 1, 0, 9, BUY, kind, tif, price, 10), out, bound)
    if reason is None:
        assert all(row[0] == TRADE for row in out)
    else:
        assert out[-1] == (CANCEL, out[-1][1], dropped, int(reason))
    assert sum(row[4] for row in out if row[0] == TRADE) == 10 - dropped
    assert all(row[3] <= bound for row in out if row[0] == TRADE)


def test_bound_on_an_empty_side_is_no_liquidity() -> None:
    """When nothing is left to take, the bound is not to blame."""
    engine, out = MatchingEngine(), list[Outcome]()
    engine.submit(Order(1, 0, 0, 1, SELL, MARKET, GTC, 0, 4), out, 90)
    assert out[0][2:] == (4, int(CancelReason.NO_LIQUIDITY))


def test_bound_within_the_limit_changes_nothing(engine: MatchingEngine) -> None:
    """A limit tighter than the bound rests as usual."""
    out: list[Outcome] = []
    engine.submit(limit(9, BUY, 101, 10), out, 102)
    assert out[-1] == (RESTED, engine.book.orders[9])


def test_sliding_order_under_a_bound(engine: MatchingEngine) -> None:
    """A post-only order slides inside the touch, whatever the bound."""
    order = limit(9, BUY, 110, 1, tif=GTX)
    order.flags = FLAG_SLIDE
    engine.submit(order, [], 102)
    assert order.price == 100
    assert engine.book.best_bid == 100


def test_cancel_of_something_that_is_not_open(engine: MatchingEngine) -> None:
    """Nothing happens and the answer is no."""
    order, out = engine.book.orders[1], list[Outcome]()
    assert engine.cancel(order, int(CancelReason.USER), out)
    assert not engine.cancel(order, int(CancelReason.USER), out)
    assert len(out) == 1
    assert engine.mass_cancel([order], out) == 0


def test_cancel_reports_the_given_reason(engine: MatchingEngine) -> None:
    """Expiry, liquidation and mass cancels use the same way out, armed orders too."""
    stop = Order(9, 0, 0, 9, SELL, STOP_MARKET, GTC, 0, 4, trigger=50)
    engine.submit(stop, [])
    out: list[Outcome] = []
    assert engine.mass_cancel([engine.book.orders[2], stop], out, int(CancelReason.EXPIRED)) == 2
    assert [row[2:] for row in out] == [(10, 7), (4, 7)]


def test_memory_follows_the_living_orders() -> None:
    """A level through which 50,000 orders went holds cells for the few that live."""
    engine = MatchingEngine()
    engine.submit(limit(1, BUY, 100, 10**6), [])
    living: list[Order] = []
    for id in range(2, 50_000):
        order = limit(id, BUY, 100, 1)
        engine.submit(order, [])
        living.append(order)
        if len(living) > 20:
            engine.cancel(living.pop(id % 20), 1, [])
    level = engine.book.orders[1].level
    assert len(level.queue) < 200
    engine.book.check()


def test_queue_cells_of_filled_orders_are_dropped() -> None:
    """The same for orders that left at the front by being filled."""
    engine = MatchingEngine()
    for id in range(1, 20_000):
        engine.submit(limit(id, BUY, 100, 1), [])
        if id > 30:
            engine.submit(Order(10**6 + id, 1, 0, 0, SELL, MARKET, GTC, 0, 1), [])
    (order, *_) = engine.book
    assert len(order.level.queue) < 400
    engine.book.check()


def lost_lot(book: OrderBook) -> None:
    """A hidden lot that no order has."""
    level = book.orders[3].level
    level.total, level.hidden = 8, 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda book: setattr(book, "best_bid", 98), "keys of side 0"),
        (lost_lot, "total 8 is not the sum"),
        (lambda book: setattr(book.orders[3], "shown", 2), "shown 7 is not the sum"),
        (lambda book: setattr(book.orders[3], "price", 102), "order 3 stands in the wrong place"),
        (lambda book: setattr(book.orders[3].level, "dead", 1), "2 living orders, 1 counted"),
        (lambda book: setattr(book, "best_bid", 101), "bid 101 >= ask 101"),
    ],
)
def test_check_finds_every_kind_of_damage(
    engine: MatchingEngine, spoil: Callable[[OrderBook], object], message: str
) -> None:
    """Each spoiled field is noticed and named."""
    engine.book.check()
    spoil(engine.book)
    with pytest.raises(InvariantViolation, match=message) as caught:
        engine.book.check()
    assert caught.value.invariant == ("BOOK-1" if message.startswith("bid") else "BOOK-2")
