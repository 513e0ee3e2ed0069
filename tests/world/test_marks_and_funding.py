"""Prices that come from the books, premium and funding, margin bands."""

from __future__ import annotations

from exchange_sim.model.account import CROSS, PORTFOLIO
from exchange_sim.model.enums import BUY, SELL
from tests.world.factory import (
    BTC,
    ETH_PERP,
    PERP,
    SPOT,
    USDE,
    USDE_SPOT,
    Desk,
    of,
)

MICRO = 1_000_000


def quoted(desk, inst, bid, ask, mode=0, qty=100):
    """A maker's two-sided quote."""
    maker = desk.account(mode, usdt=10**8, **({} if mode else {"btc": 10**8, "usde": 10**8}))
    desk.limit(maker, inst, BUY, bid, qty)
    desk.limit(maker, inst, SELL, ask, qty)
    return maker


def test_collateral_prices_are_medians_of_the_own_book():
    """Best bid, best ask and last trade; the last trade alone when a side is empty."""
    desk = Desk()
    maker = quoted(desk, SPOT, 900, 950)

    assert desk.marks()[0] == (21, 0, BTC, 950 * MICRO * 10**6 // 1_000)
    desk.do(4, maker, SPOT, SELL)
    assert desk.marks()[0] == (21, 0, BTC, 1_000 * MICRO * 10**6 // 1_000)


def test_prices_that_do_not_move_are_silent():
    """AssetPriceUpdated means a change."""
    desk = Desk(venue={"own_book_collateral": False})
    quoted(desk, USDE_SPOT, 600, 700)

    assert of(desk.marks(), 21) == []
    assert of(desk.marks(), 21) == []


def test_redeemable_collateral_can_be_valued_at_redemption():
    """Own book: the market price.  Otherwise: what it is redeemed for, whatever the market says."""
    for own, price in ((True, 700), (False, 1_000)):
        desk = Desk(venue={"own_book_collateral": own})
        quoted(desk, USDE_SPOT, 600, 700)
        desk.marks()
        whole = 10**6 * MICRO
        assert desk.w.venues[0].asset_prices[USDE] == price * whole // 1_000


def test_the_mark_follows_index_book_and_last():
    """Median of the index, the index plus mean basis, and the last contract price."""
    desk = Desk()
    quoted(desk, SPOT, 990, 990 + 10)
    quoted(desk, PERP, 900, 910, CROSS)
    first = desk.marks()

    update = next(event for event in of(first, 20) if event[1] == PERP)
    assert update[2:5] == (1_000 * MICRO, 1_000 * MICRO, 1_000)
    desk.trade_at(PERP, 905, desk.account(CROSS, usdt=10**7), desk.account(CROSS, usdt=10**7))
    update = next(event for event in of(desk.marks(), 20) if event[1] == PERP)
    assert update[2] == 905 * MICRO


def test_the_premium_is_measured_at_impact_prices():
    """Bids above the index are a positive premium, asks below it a negative one."""
    for bid, ask, sign in ((1_020, 1_030, 1), (970, 980, -1), (990, 1_010, 0)):
        desk = Desk()
        quoted(desk, PERP, bid, ask, CROSS)
        events = [event for _ in range(5) for event in desk.marks()]
        premium = [event[5] for event in of(events, 20) if event[1] == PERP][-1]
        assert premium == sign * 20_000


def test_a_book_too_thin_for_the_impact_notional_has_no_premium():
    """An impact notional of 100 times leverage 50 needs four lots."""
    desk = Desk()
    quoted(desk, PERP, 1_020, 1_030, CROSS, qty=3)
    events = [event for _ in range(5) for event in desk.marks()]

    assert [event[5] for event in of(events, 20) if event[1] == PERP][-1] == 0


def test_funding_paid_is_funding_received():
    """Longs pay 0.01 % of the mark value, shorts get it, the rounding goes to dust."""
    desk = Desk()
    a, b, c = (desk.account(CROSS, usdt=10**6) for _ in range(3))
    desk.pair(a, b, PERP, 1_000, 333)
    desk.pair(a, c, PERP, 1_000, 334)
    events = desk.do(11, 0)

    rate, paid = of(events, 22)[0][2:]
    assert (rate, paid) == (100_000, 67)
    assert desk.posted(a) == 10**6 - 67
    assert (desk.posted(b), desk.posted(c)) == (10**6 + 33, 10**6 + 33)
    assert desk.posted(2) == 1
    assert of(events, 22)[1] == (22, ETH_PERP, 100_000, 0)


def test_a_payer_without_cash_is_lent_the_funding():
    """No wallet is ever negative."""
    desk = Desk()
    payer, other = desk.account(PORTFOLIO, btc=10**6), desk.account(CROSS, usdt=10**6)
    desk.pair(payer, other, PERP, 1_000, 300)
    events = desk.do(11, 0)

    assert of(events, 11) == [(11, payer, 0, 30, 30, 7)]
    assert desk.posted(payer) == 0
    assert desk.posted(other) == 10**6 + 30


def test_bands_are_told_once_each_way():
    """Free, reminder, reduce-only, liquidation; and free again when the collateral recovers."""
    desk = Desk()
    account, other = desk.account(PORTFOLIO, usde=10_000), desk.account(CROSS, usdt=10**7)
    desk.pair(account, other, PERP, 1_000, 360)
    maker = quoted(desk, USDE_SPOT, 999, 1_001)
    told = []
    for price in (1_000, 990, 790, 790, 1_000, 690):
        desk.do(4, maker, -1, -1)
        desk.limit(maker, USDE_SPOT, BUY, price, 1)
        desk.limit(maker, USDE_SPOT, SELL, price, 1)
        desk.limit(maker, USDE_SPOT, BUY, price - 1, 1)
        desk.limit(maker, USDE_SPOT, SELL, price + 1, 1)
        told.append([event[2] for event in of(desk.marks(), 30)])

    assert desk.w.margin_of(account).maintenance == 6_000
    assert told == [[1], [], [2], [], [1], [3]]
    assert desk.w.accounts[account].liquidating


def test_cross_accounts_have_no_bands():
    """They are healthy until equity falls below maintenance."""
    desk = Desk()
    account, other = desk.account(CROSS, usdt=2_000), desk.account(CROSS, usdt=10**7)
    desk.pair(account, other, PERP, 1_000, 190)
    assert of(desk.marks(), 30) == []
    desk.pair(account, other, PERP, 1_001, 200)
    events = desk.marks()

    assert of(events, 30) == []
    assert [event[1] for event in of(events, 31)] == [account]


def test_an_account_that_adds_money_is_told_that_it_is_free():
    """At the next mark update, and only then."""
    desk = Desk()
    account, other = desk.account(PORTFOLIO, usdt=2_600), desk.account(CROSS, usdt=10**7)
    desk.pair(account, other, PERP, 1_000, 190)
    assert [event[2] for event in of(desk.marks(), 30)] == [1]
    assert of(desk.do(21, account, 0, 10**6), 30) == []
    assert [event[2] for event in of(desk.marks(), 30)] == [0]
