"""Trigger orders in chains, halts, call auctions."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import CancelReason
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import CASH, CROSS
from exchange_sim.model.enums import (
    BUY,
    FLAG_MARK_TRIGGER,
    FLAG_REDUCE_ONLY,
    FLAG_SLIDE,
    GTC,
    GTX,
    SELL,
    STOP,
    STOP_MARKET,
    TAKE_PROFIT,
    TAKE_PROFIT_MARKET,
    TRAILING_STOP_MARKET,
)
from tests.world.factory import BTC, PERP, SPOT, Desk, kinds, of, reason

TRADING, HALT, AUCTION, CANCEL_ONLY = range(4)


def market_of(*, inst=SPOT, mode=CASH):
    """A desk, a maker and a taker, with a last price of 1,000."""
    desk = Desk()
    maker = desk.account(mode, usdt=10**7, btc=10**7 if mode == CASH else 1)
    taker = desk.account(mode, usdt=10**6, btc=10**6 if mode == CASH else 1)
    desk.trade_at(inst, 1_000, maker, taker)
    return desk, maker, taker


def stop(desk, account, side, trigger, qty, inst=SPOT, kind=STOP_MARKET, price=0, **more):
    """Arm a trigger order."""
    return desk.order(account, inst, side, kind, price, qty, tif=more.pop("tif", GTC),
                      trigger=trigger, **more)  # fmt: skip


def test_a_chain_of_stops_is_settled_link_by_link():
    """Each stop enters after the trades that fired it are settled, and fires the next."""
    desk, maker, taker = market_of()
    for price in (990, 980, 970, 960):
        desk.limit(maker, SPOT, BUY, price, 5)
    stop(desk, taker, SELL, 985, 5, id=102)
    stop(desk, taker, SELL, 995, 5, id=101)
    events = desk.market(taker, SPOT, SELL, 5)

    assert [e[4] for e in of(events, 5)] == [101, 102]
    assert kinds(events) == [
        "OrderAccepted", "Traded", "OrderTriggered", "Traded", "OrderTriggered", "Traded",
    ]  # fmt: skip
    assert [e[3] for e in of(events, 6)] == [990, 980, 970]


def test_a_stop_that_cannot_be_paid_ends_when_it_fires():
    """Money is looked at when the order enters the book."""
    desk, maker, taker = market_of()
    poor = desk.account(usdt=100)
    stop(desk, poor, BUY, 1_010, 5)
    desk.limit(maker, SPOT, SELL, 1_010, 10)
    events = desk.limit(taker, SPOT, BUY, 1_010, 1)

    (ended,) = of(events, 3)
    assert ended[2:] == (poor, SPOT, desk.last_client_id - 2, 5, 0, CancelReason.INSUFFICIENT_FUNDS)


def test_stop_limits_rest_at_their_price_and_take_profits_mirror():
    """STOP becomes a limit order with its hold; TAKE_PROFIT fires the other way."""
    desk, maker, taker = market_of()
    stop(desk, taker, BUY, 1_010, 5, kind=STOP, price=1_005, id=101)
    stop(desk, taker, SELL, 1_010, 5, kind=TAKE_PROFIT, price=1_020, id=102)
    stop(desk, taker, SELL, 1_010, 5, kind=TAKE_PROFIT_MARKET, id=103)
    desk.limit(maker, SPOT, SELL, 1_010, 1)
    events = desk.limit(taker, SPOT, BUY, 1_010, 1)

    assert [e[4] for e in of(events, 5)] == [101, 102, 103]
    resting = desk.w.accounts[taker].orders
    assert {client: order.price for client, order in resting.items()} == {102: 1_020}
    assert of(events, 6)[-1][3] == 1_005
    assert resting[102].reserved == 5_000


def test_post_only_stops_rest_or_end():
    """A fired post-only order never takes: it slides when asked to, else it ends."""
    desk, maker, taker = market_of()
    stop(desk, taker, BUY, 1_010, 5, kind=STOP, price=1_020, tif=GTX, id=101)
    stop(desk, taker, BUY, 1_010, 5, kind=STOP, price=1_020, tif=GTX, id=102, flags=FLAG_SLIDE)
    desk.limit(maker, SPOT, SELL, 1_010, 9)
    events = desk.limit(taker, SPOT, BUY, 1_010, 1)

    assert of(events, 3)[0][4:] == (101, 5, 0, CancelReason.POST_ONLY)
    assert of(events, 4)[0][4:] == (102, 1_009, 5, 0)
    assert desk.w.accounts[taker].orders[102].price == 1_009


def test_a_reduce_only_stop_is_cut_to_the_position_when_it_fires():
    """The part that closes nothing leaves with an event."""
    desk, maker, taker = market_of(inst=PERP, mode=CROSS)
    desk.pair(taker, maker, PERP, 1_000, 5)
    stop(desk, taker, SELL, 990, 20, inst=PERP, flags=FLAG_REDUCE_ONLY, id=101)
    desk.limit(maker, PERP, BUY, 980, 50)
    desk.limit(maker, PERP, BUY, 990, 1)
    events = desk.limit(taker, PERP, SELL, 990, 1)

    assert [(e[4], e[5], e[6]) for e in of(events, 3)] == [(101, 17, 3)]
    assert desk.position(taker) == (0, 0)


def test_an_ordinary_stop_limit_that_rests_trims_reduce_only_orders():
    """It counts as closing from the moment it rests."""
    desk, maker, taker = market_of(inst=PERP, mode=CROSS)
    desk.pair(taker, maker, PERP, 1_000, 11)
    desk.limit(taker, PERP, SELL, 1_100, 10, flags=FLAG_REDUCE_ONLY, id=101)
    stop(desk, taker, SELL, 990, 8, inst=PERP, kind=STOP, price=1_000, id=102)
    other = desk.account(CROSS, usdt=10**6)
    desk.trade_at(PERP, 990, maker, other)

    assert desk.w.accounts[taker].orders[102].level is not None
    assert desk.w.accounts[taker].orders[101].leaves == 2


def test_trailing_stops_are_counted_until_they_end():
    """Cancelled or fired, with or without activation price."""
    desk, _, taker = market_of()
    stop(desk, taker, SELL, 0, 5, kind=TRAILING_STOP_MARKET, trailing=10_000, id=101)
    assert desk.w.accounts[taker].trigger_orders == 1
    desk.do(2, taker, 101)
    assert desk.w.accounts[taker].trigger_orders == 0


def test_triggers_on_the_mark_fire_against_the_new_margin():
    """All prices of a venue change before the first trigger fires."""
    desk, maker, taker = market_of(inst=PERP, mode=CROSS)
    cash = desk.account(usdt=10**7, btc=10**7)
    stop(desk, taker, SELL, 950, 5, inst=PERP, flags=FLAG_MARK_TRIGGER, id=101)
    desk.limit(maker, PERP, BUY, 899, 50)
    desk.limit(maker, PERP, SELL, 901, 50)
    desk.trade_at(SPOT, 900, cash, cash)
    events = [event for _ in range(4) for event in desk.marks()]

    assert [e[4] for e in of(events, 5)] == [101]
    first = next(i for i, e in enumerate(events) if e[0] == 5)
    assert [e[1] for e in events[:first] if e[0] == 20][-2:] == [2, 3]


def test_nothing_fires_during_a_halt():
    """Triggers that were reached wait, and fire when trading resumes."""
    desk, maker, taker = market_of(inst=PERP, mode=CROSS)
    cash = desk.account(usdt=10**7, btc=10**7)
    stop(desk, taker, SELL, 950, 5, inst=PERP, flags=FLAG_MARK_TRIGGER, id=101)
    desk.limit(maker, PERP, BUY, 900, 50)
    desk.limit(maker, PERP, SELL, 902, 50)
    desk.do(15, PERP, HALT)
    desk.trade_at(SPOT, 900, cash, cash)
    quiet = [event for _ in range(4) for event in desk.marks()]
    resumed = desk.do(15, PERP, TRADING)

    assert of(quiet, 5) == []
    assert kinds(resumed) == ["InstrumentStatusChanged", "OrderTriggered", "Traded"]


def test_a_halt_refuses_orders_and_allows_cancels():
    """Cancel-only too; a replace needs a market that takes orders."""
    desk, maker, _ = market_of()
    desk.limit(maker, SPOT, BUY, 900, 5, id=101)
    for status, why in ((HALT, R.INSTRUMENT_HALTED), (CANCEL_ONLY, R.CANCEL_ONLY)):
        desk.do(15, SPOT, status)
        assert reason(desk.limit(maker, SPOT, BUY, 900, 5)) == why
        assert reason(desk.do(3, maker, 101, 0, 4)) == why

    assert kinds(desk.do(2, maker, 101)) == ["OrderCanceled"]


def collected():
    """A desk whose auction has collected crossing orders."""
    desk, maker, taker = market_of()
    desk.do(15, SPOT, AUCTION)
    desk.limit(maker, SPOT, BUY, 1_010, 5)
    desk.limit(maker, SPOT, BUY, 1_000, 5)
    desk.limit(taker, SPOT, SELL, 990, 7)
    return desk, maker, taker


def test_an_auction_collects_and_then_trades_at_one_price():
    """The price trades most; both sides pay or get it, holds are released."""
    desk, maker, _ = collected()
    assert desk.w.engines[SPOT].book.best_bid > desk.w.engines[SPOT].book.best_ask
    events = desk.do(15, SPOT, TRADING)

    assert of(events, 24)[0][2:] == (1_000, 7)
    assert [(e[3], e[4]) for e in of(events, 6)] == [(1_000, 5), (1_000, 2)]
    assert desk.w.ledger.reserved[maker][0] == 3_000


def test_a_halt_does_not_end_an_auction():
    """What was collected stays until trading resumes."""
    desk, _, _ = collected()

    assert kinds(desk.do(15, SPOT, HALT)) == ["InstrumentStatusChanged"]
    assert kinds(desk.do(15, SPOT, CANCEL_ONLY)) == ["InstrumentStatusChanged"]
    assert of(desk.do(15, SPOT, TRADING), 24)[0][3] == 7


def test_post_only_orders_may_join_an_auction():
    """Nothing can be taken while orders are collected."""
    desk, maker, taker = market_of()
    desk.do(15, SPOT, AUCTION)
    desk.limit(maker, SPOT, BUY, 1_010, 5)

    assert kinds(desk.limit(taker, SPOT, SELL, 1_000, 5, tif=GTX)) == ["OrderAccepted"]


@pytest.mark.parametrize(("instrument", "status", "why"), [
    (99, 0, R.UNKNOWN_INSTRUMENT), (-1, 0, R.UNKNOWN_INSTRUMENT), (SPOT, 4, R.MALFORMED),
])  # fmt: skip
def test_bad_status_commands_are_refused(instrument, status, why):
    """Nothing changes."""
    desk, _, _ = market_of()

    assert reason(desk.do(15, instrument, status)) == why
    assert desk.w.status[SPOT] == TRADING
    assert desk.posted(1, BTC) == 0
