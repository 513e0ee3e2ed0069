"""The flat lists that readers see are the levels of the book, whatever happened in between."""

from __future__ import annotations

import random

import pytest

from exchange_sim.errors import InvariantViolation
from exchange_sim.matching import book as book_module
from exchange_sim.matching.book import OrderBook
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.model.enums import BUY, GTC, IOC, LIMIT, SELL
from exchange_sim.model.order import Order


def walk(book: OrderBook, side: int) -> list[tuple[int, int]]:
    """Price and open lots per level, from the orders themselves."""
    found: dict[int, int] = {}
    for order in book.orders_of(side):
        found[order.price] = found.get(order.price, 0) + order.leaves
    return list(found.items())


def drive(engine: MatchingEngine, steps: int, seed: int, icebergs: bool) -> None:
    """New orders, cancels, changes and sweeps; the columns are read now and then."""
    dice = random.Random(seed)
    resting: list[Order] = []
    for number in range(1, steps + 1):
        side = dice.randrange(2)
        away = dice.randrange(-3, 12)
        price = 1_000 - away if side == BUY else 1_000 + away
        display = dice.choice((0, 0, 2)) if icebergs else 0
        choice = dice.random()
        live = [order for order in resting if order.level is not None]
        if choice < 0.25 and live:
            engine.cancel(dice.choice(live), 1, [])
        elif choice < 0.4 and live:
            order = dice.choice(live)
            engine.replace(order, order.price, dice.randrange(1, 12), [])
        else:
            tif = IOC if choice > 0.85 else GTC
            qty = dice.randrange(1, 30 if tif == IOC else 10)
            order = Order(number, number % 5, 0, number, side, LIMIT, tif, price, qty, display)
            engine.submit(order, [])
            resting.append(order)
        if not dice.randrange(4):
            compare(engine.book)


def compare(book: OrderBook) -> None:
    """Every read against the orders."""
    bids, asks = walk(book, BUY), walk(book, SELL)
    assert book.totals(BUY) == bids
    assert book.totals(SELL) == asks
    assert book.totals(BUY, 995) == [row for row in bids if row[0] >= 995]
    assert book.totals(SELL, 1_005) == [row for row in asks if row[0] <= 1_005]
    bid_prices, bid_lots, ask_keys, ask_lots = book.snapshot(3)
    assert list(zip(bid_prices, bid_lots, strict=True)) == book.depth(BUY, 3)
    assert [(-k, q) for k, q in zip(ask_keys, ask_lots, strict=True)] == book.depth(SELL, 3)


@pytest.mark.parametrize("icebergs", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_columns_are_the_levels(seed, icebergs):
    """Reads in the middle of any flow."""
    engine = MatchingEngine()
    drive(engine, 600, seed, icebergs)
    engine.book.check()


def test_books_that_nobody_reads_forget_and_start_again(monkeypatch):
    """Memory is bounded by the levels, not by the changes."""
    monkeypatch.setattr(book_module, "TOUCHED_MAX", 3)
    engine = MatchingEngine()
    drive(engine, 600, 9, icebergs=False)
    for price in range(2_000, 2_100):
        engine.submit(Order(10**6 + price, 1, 0, price, SELL, LIMIT, GTC, price, 1), [])
        assert len(engine.book._touched) <= 5
    compare(engine.book)


def test_a_change_that_is_not_noted_is_found():
    """BOOK-2 looks at the columns too."""
    engine = MatchingEngine()
    engine.submit(Order(1, 1, 0, 1, BUY, LIMIT, GTC, 100, 5), [])
    engine.book.check()
    (order,) = engine.book
    order.leaves = order.shown = order.level.total = 4

    with pytest.raises(InvariantViolation, match="columns"):
        engine.book.check()
