"""Markets, views and the conflated feed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.marketdata.feed import DEPTH_CLASSES, HORIZON_NS, TRADES_KEPT, Feed, depth_class
from exchange_sim.marketdata.market import Market
from exchange_sim.marketdata.publication import Columns
from exchange_sim.marketdata.views import BookView, MarkPrice, Trade
from exchange_sim.model.enums import BUY, FLAG_LIQUIDATION, SELL
from exchange_sim.strategy.testing import make_market

MARKET = make_market("v:BTCUSDT")
STEPS = st.sampled_from(["0.1", "0.01", "0.05", "0.00001", "0.25", "1", "10", "0.003"])


@given(STEPS, st.integers(0, 10**12))
def test_prices_survive_the_way_to_floats_and_back(tick, ticks):
    """For both sides: the float of a grid price is that grid price."""
    market = make_market("v:X", tick=tick)

    assert market.to_ticks(market.price(ticks), BUY) == ticks
    assert market.to_ticks(market.price(ticks), SELL) == ticks
    assert market.to_ticks(Decimal(tick) * ticks, BUY) == ticks


@given(STEPS, st.floats(1e-6, 1e9))
def test_rounding_brackets_the_price(tick, price):
    """A buy is never dearer and a sell never cheaper than asked, beyond a billionth of a step."""
    market = make_market("v:X", tick=tick)
    low, high = market.to_ticks(price, BUY), market.to_ticks(price, SELL)
    slack = 1e-9 * max(market.tick, price) * 1.01

    assert market.price(low) <= price + slack
    assert market.price(high) >= price - slack
    assert 0 <= high - low <= 1


@pytest.mark.parametrize("junk", [float("nan"), float("inf"), Decimal("NaN")])
def test_numbers_that_are_none_raise(junk):
    """ValueError, which the API turns into a rejected handle."""
    with pytest.raises(ValueError, match="finite"):
        MARKET.to_ticks(junk, BUY)


def test_market_knows_its_grid():
    """Decimals, lot units and fees for people."""
    market = Market(
        instrument_id=3, name="BTCUSDT", venue="v", venue_id=1, kind=0, base="BTC", quote="USDT",
        base_id=0, quote_id=1, tick_size=Decimal("0.10"), lot_size=Decimal("0.00100"),
        base_decimals=8, maker_fee_ppm=200, taker_fee_ppm=500,
    )  # fmt: skip

    assert (market.price_decimals, market.qty_decimals, market.lot_units) == (1, 3, 100_000)
    assert (market.maker_fee, market.taker_fee) == (0.0002, 0.0005)
    assert not market.is_perpetual
    assert market.notional(1_000, 500) == 50.0


def view(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> BookView:
    return BookView(MARKET, 5, bids, asks, 1_000)


def test_book_view_in_floats():
    """Everything that a person asks of a book."""
    book = view([(999, 10), (998, 20), (900, 500)], [(1_001, 30), (1_002, 5)])

    assert (book.best_bid, book.best_ask, book.mid, book.spread) == (99.9, 100.1, 100.0, 0.2)
    assert book.microprice == pytest.approx((99.9 * 30 + 100.1 * 10) / 40)
    assert book.bids(2) == [(99.9, 0.01), (99.8, 0.02)]
    assert book.asks() == [(100.1, 0.03), (100.2, 0.005)]
    assert book.depth(BUY, 0.01) == 0.03
    assert book.depth_lots(BUY, 0.10) == 530
    assert book.imbalance(1) == pytest.approx(-0.5)
    assert book.last == 100.0


def test_one_sided_and_empty_books_have_no_mid():
    """None instead of a wrong number."""
    lonely, empty = view([(999, 10)], []), view([], [])

    assert (lonely.best_bid, lonely.best_ask, lonely.mid, lonely.spread) == (99.9, None, None, None)
    assert lonely.microprice is None
    assert lonely.depth(BUY, 0.01) == 0.01
    assert (empty.best_bid, empty.mid_ticks, empty.imbalance(5)) == (None, 0.0, 0.0)


class Book:
    """A book whose best bid is a number that tests change."""

    def __init__(self) -> None:
        self.best = 1_000

    def snapshot(self, n: int) -> Columns:
        bids = [self.best - i - 1 for i in range(min(n, 50))]
        asks = [-self.best - i - 1 for i in range(min(n, 50))]
        return bids, [10] * len(bids), asks, [10] * len(asks)


def feed() -> tuple[Feed, Book]:
    book = Book()
    return Feed([MARKET], [book], 1), book


def publish(made: Feed, book: Book, now: int, best: int) -> None:
    book.best = best
    made.dirty[0] = 1
    made.publish(now)


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(100, 10**6)), min_size=1, max_size=60),
    st.integers(0, 2 * 10**9),
)
def test_reader_sees_the_newest_view_that_was_available(steps, delay):
    """Against a list of all publications: never newer than now - delay, never older than needed."""
    made, book = feed()
    now, published = 0, []
    for gap, best in steps:
        now += gap
        publish(made, book, now, best)
        published.append((now, best - 1))
        seen = made.book(0, 1, now - delay)
        expected = [bid for at, bid in published if at <= now - delay]
        assert seen.bid_ticks == (expected[-1] if expected else 0)


def test_unchanged_books_are_not_published_again():
    """Publication costs nothing for markets that did not move."""
    made, book = feed()
    publish(made, book, 100, 500)
    first = made.book(0, 1, 200)
    made.publish(200)

    assert made.book(0, 1, 200) is first


def test_ring_forgets_what_nobody_can_still_see():
    """Memory is bounded by the horizon, not by the length of the run."""
    made, book = feed()
    for i in range(1_000):
        publish(made, book, i * 10**8, 500 + i)
    ring = made._rings[0]

    assert len(ring) <= HORIZON_NS // 10**8 + 2
    assert made.book(0, 1, 999 * 10**8 - HORIZON_NS).time_ns == 999 * 10**8 - HORIZON_NS


def test_depth_comes_in_classes_of_their_own():
    """A subscription is rounded up; others keep theirs; an unknown class is refused."""
    made, book = feed()
    assert [depth_class(n) for n in (1, 2, 5, 6, 21)] == [1, 5, 5, 20, 100]
    with pytest.raises(ValueError, match="at most"):
        depth_class(DEPTH_CLASSES[-1] + 1)

    assert made.require_depth(0, 15, 50) == 20
    publish(made, book, 100, 500)
    assert len(made.book(0, 20, 100).bid_levels) == 20
    assert len(made.book(0, 1, 100).bid_levels) == 1
    assert made.book(0, 1, 99).time_ns == 0
    assert made.book(0, 20, 99).time_ns == 50


def traded(number: int, price: int, qty: int, side: int, flags: int = 0) -> tuple[int, ...]:
    return (6, number, 0, price, qty, side, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, flags, 0, 0, 0, 0)


def test_trades_and_totals():
    """The tape is delayed like the book; totals count since the start."""
    made, book = feed()
    heard: list[Trade] = []
    made.trade_listeners[0].append(heard.append)
    made.trade(10, traded(1, 1_000, 5, BUY))
    made.trade(20, traded(2, 1_001, 7, SELL, FLAG_LIQUIDATION))
    publish(made, book, 100, 1_000)
    seen = made.book(0, 1, 100)

    assert [t.trade_id for t in made.last_trades(0, 10, 15)] == [1]
    assert [t.trade_id for t in made.last_trades(0, 1, 25)] == [2]
    assert (seen.trade_count, seen.buy_lots, seen.sell_lots, seen.last_ticks) == (2, 5, 7, 1_001)
    assert [t.is_liquidation for t in heard] == [False, True]
    for i in range(TRADES_KEPT + 10):
        made.trade(30 + i, traded(i, 1_000, 1, BUY))
    assert len(made.last_trades(0, 10**6, 10**9)) == TRADES_KEPT


def test_marks_are_delayed_too():
    """Mark and index in micro-ticks, floats for people."""
    made, _ = feed()
    heard: list[MarkPrice] = []
    made.mark_listeners[0].append(heard.append)
    made.mark(100, (20, 0, 1_000_500_000, 999_000_000, 1_000, 0, 12_000))

    assert made.latest_mark(0, 99) is None
    mark = made.latest_mark(0, 100)
    assert mark is heard[0]
    assert (mark.mark, mark.index, mark.open_interest) == (100.05, 99.9, 12.0)


def test_frozen_feed_publishes_nothing_and_catches_up():
    """What changed meanwhile is published with the first publication afterwards."""
    made, book = feed()
    publish(made, book, 100, 500)
    made.impair(0, frozen=True, delay_ns=0)
    publish(made, book, 200, 600)
    made.trade(210, traded(1, 1, 1, BUY))
    assert made.book(0, 1, 300).time_ns == 100
    assert made.last_trades(0, 5, 300) == []

    made.impair(0, frozen=False, delay_ns=0)
    made.publish(300)
    assert (made.book(0, 1, 300).bid_ticks, made.book(0, 1, 300).trade_count) == (599, 1)


def test_shrinking_delay_never_lets_data_overtake():
    """Data published later is available later, also when the feed recovers in between."""
    made, book = feed()
    made.impair(0, frozen=False, delay_ns=1_000)
    publish(made, book, 100, 500)
    made.impair(0, frozen=False, delay_ns=0)
    publish(made, book, 200, 600)

    assert made.book(0, 1, 1_099).time_ns == 0
    assert made.book(0, 1, 1_100).time_ns == 200
