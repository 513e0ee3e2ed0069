"""Call auctions: the price, who trades, and that continuous trading starts from a sound book."""

from __future__ import annotations

import random

import pytest

from exchange_sim.matching.auction import clearing_price
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.matching.outcomes import TRADE, Outcome
from exchange_sim.model.enums import BUY, GTC, GTX, LIMIT, MARKET, SELL, STOP_MARKET
from exchange_sim.model.order import Order

Row = tuple[int, int, int]
"""Side, price, lots."""


def auction(rows: list[Row], last: int = 0, display: int = 0, tif: int = GTC) -> MatchingEngine:
    """An engine in an auction with these orders, numbered from 1."""
    engine = MatchingEngine()
    engine.book.last_price = last
    engine.auction = True
    for id, (side, price, qty) in enumerate(rows, start=1):
        out: list[Outcome] = []
        engine.submit(Order(id, id, 0, id, side, LIMIT, tif, price, qty, display), out)
        assert [row[0] for row in out] != [TRADE]
    return engine


def trades(engine: MatchingEngine) -> list[tuple[int, int, int, int]]:
    """Uncross; ``(maker, taker, price, qty)`` of each trade."""
    out: list[Outcome] = []
    engine.uncross(out)
    engine.book.check()
    return [(row[1].order_id, row[2].order_id, row[3], row[4]) for row in out if row[0] == TRADE]


def test_orders_rest_crossed_until_the_end() -> None:
    """During the auction the book may be crossed; afterwards it is not."""
    engine = auction([(BUY, 105, 5), (SELL, 95, 3)])
    assert (engine.book.best_bid, engine.book.best_ask) == (105, 95)
    engine.book.check(crossed=True)
    assert len(trades(engine)) == 1
    assert engine.book.depth(BUY) == [(105, 2)]
    assert not engine.auction


@pytest.mark.parametrize(
    ("rows", "last", "expected"),
    [
        ([], 0, (0, 0)),
        ([(BUY, 99, 5), (SELL, 101, 5)], 100, (0, 0)),
        # most volume: at 101 ten lots trade, at 100 or 102 fewer
        ([(BUY, 102, 4), (BUY, 101, 6), (SELL, 100, 5), (SELL, 101, 5)], 0, (101, 10)),
        # equal volume anywhere in 100..102; the imbalance is smallest at 101 and 102
        ([(BUY, 102, 5), (SELL, 100, 5), (BUY, 100, 3)], 90, (101, 5)),
        # equal volume and imbalance everywhere: closest to the last price
        ([(BUY, 110, 5), (SELL, 90, 5)], 97, (97, 5)),
        ([(BUY, 110, 5), (SELL, 90, 5)], 500, (110, 5)),
        ([(BUY, 110, 5), (SELL, 90, 5)], 5, (90, 5)),
        # never traded: the middle
        ([(BUY, 110, 5), (SELL, 90, 5)], 0, (100, 5)),
        # touching is crossing
        ([(BUY, 100, 5), (SELL, 100, 2)], 7, (100, 2)),
    ],
)
def test_price(rows: list[Row], last: int, expected: tuple[int, int]) -> None:
    """Volume, then imbalance, then distance from the reference."""
    assert clearing_price(auction(rows, last).book) == expected


def test_equally_close_prices_resolve_to_the_lower() -> None:
    """99 and 101 are as good and as close to 100: the lower wins."""
    rows = [(BUY, 101, 5), (BUY, 100, 7), (SELL, 100, 7), (SELL, 99, 5)]
    engine = auction(rows, 100)
    price, volume = clearing_price(engine.book)
    assert (price, volume) == (100, 12)
    rows = [(BUY, 101, 5), (SELL, 99, 5), (BUY, 99, 1), (SELL, 101, 1), (SELL, 300, 1)]
    assert clearing_price(auction(rows, 100).book) == (100, 5)


def test_time_priority_at_the_marginal_price() -> None:
    """All trades at one price; better prices first, then the older order."""
    engine = auction([(BUY, 100, 3), (BUY, 101, 3), (BUY, 100, 3), (SELL, 99, 7)], 100)
    assert trades(engine) == [(2, 4, 100, 3), (1, 4, 100, 3), (3, 4, 100, 1)]
    assert engine.book.last_price == 100


def test_older_order_is_the_maker_and_post_only_always() -> None:
    """The roles decide the fees."""
    assert trades(auction([(SELL, 99, 1), (BUY, 101, 1)])) == [(1, 2, 100, 1)]
    engine = auction([(SELL, 99, 1)])
    engine.submit(Order(7, 0, 0, 7, BUY, LIMIT, GTX, 101, 1), [])
    assert trades(engine) == [(7, 1, 100, 1)]


def test_icebergs_count_whole_and_trade_in_slices() -> None:
    """Hidden quantity makes volume."""
    engine = auction([(SELL, 99, 5), (SELL, 99, 5)], 99, display=2)
    engine.submit(Order(9, 9, 0, 9, BUY, LIMIT, GTC, 99, 8), [])
    assert [(maker, qty) for maker, _, _, qty in trades(engine)] == [(1, 2), (2, 2), (1, 2), (2, 2)]
    assert engine.book.total(SELL) == 2


def test_stops_wait_for_the_end_of_the_auction() -> None:
    """An armed order does not fire during the auction, and does after it."""
    engine = auction([(BUY, 100, 3), (SELL, 100, 1)], last=105)
    engine.submit(Order(8, 8, 0, 8, SELL, STOP_MARKET, GTC, 0, 1, trigger=104), [])
    engine.submit(Order(9, 9, 0, 9, SELL, STOP_MARKET, GTC, 0, 1, trigger=105), [])
    assert engine.next_triggered() is None
    out: list[Outcome] = []
    engine.uncross(out)
    engine.run_triggered(out)
    sold = [row[2].order_id for row in out if row[0] == TRADE and row[2].order_type == MARKET]
    assert sold == [8, 9]


def test_changes_and_cancels_during_the_auction() -> None:
    """An order can be moved and withdrawn; a crossing move just rests."""
    engine = auction([(BUY, 95, 3), (SELL, 100, 3)])
    bid = engine.book.orders[1]
    assert not engine.replace(bid, 102, 3, [])
    assert engine.book.best_bid == 102
    assert engine.cancel(bid, 1, [])
    assert trades(engine) == []


@pytest.mark.parametrize("seed", range(40))
def test_never_crossed_afterwards_and_no_better_price(seed: int) -> None:
    """Random auctions: nobody trades worse than his limit, and no tick would trade more."""
    dice = random.Random(seed)
    rows = [
        (dice.choice((BUY, SELL)), dice.randint(90, 110), dice.randint(1, 9))
        for _ in range(dice.randint(1, 40))
    ]
    engine = auction(rows, dice.choice((0, 95, 100)))
    price, volume = clearing_price(engine.book)
    best = max(
        min(
            sum(qty for side, limit, qty in rows if side == BUY and limit >= tick),
            sum(qty for side, limit, qty in rows if side == SELL and limit <= tick),
        )
        for tick in range(89, 112)
    )
    done = trades(engine)
    assert sum(row[3] for row in done) == volume == best
    for maker, taker, at, _ in done:
        assert at == price
        for id in (maker, taker):
            side, limit, _ = rows[id - 1]
            assert limit >= price if side == BUY else limit <= price
