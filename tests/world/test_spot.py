"""Spot: what is held, what is paid, what is given back; replace, cancel, expiry."""

from __future__ import annotations

from exchange_sim.messages.reasons import CancelReason
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import CASH, PORTFOLIO
from exchange_sim.model.enums import BUY, FLAG_SLIDE, FOK, GTD, GTX, IOC, SELL
from exchange_sim.world import FeeTier
from tests.world.factory import (
    BTC,
    FEES,
    SECOND,
    SPOT,
    USDE,
    USDE_SPOT,
    USDT,
    Desk,
    kinds,
    of,
    reason,
)


def two_sides(**tables):
    """A desk, a buyer with USDT and a seller with BTC."""
    desk = Desk(**tables)
    return desk, desk.account(CASH, usdt=100_000), desk.account(CASH, btc=100_000)


def test_a_buy_holds_cost_and_fee_rounded_up():
    """10,001 at 500 ppm is 5.0005: six are held."""
    desk, buyer, _ = two_sides(fees=FEES)
    desk.limit(buyer, SPOT, BUY, 73, 137)

    assert 73 * 137 == 10_001
    assert desk.free(buyer) == 100_000 - 10_001 - 6


def test_a_better_price_gives_the_rest_back():
    """The hold is at the limit, the payment at the maker's price, the difference is free again."""
    desk, buyer, seller = two_sides(fees=FEES)
    desk.limit(seller, SPOT, SELL, 900, 7)
    events = desk.limit(buyer, SPOT, BUY, 1_000, 10)

    (trade,) = of(events, 6)
    assert trade[3:5] == (900, 7)
    assert trade[10:14] == (7_000, 6_300, 1, 3)  # base, quote, both fees rounded down
    assert desk.posted(buyer) == 100_000 - 6_300 - 3
    assert desk.free(buyer) == desk.posted(buyer) - 3_000 - 2
    assert desk.posted(seller) == 6_300 - 1
    assert desk.posted(desk.w.venues[0].fees) == 4
    assert (desk.posted(buyer, BTC), desk.posted(seller, BTC)) == (7_000, 93_000)


def test_an_order_filled_in_many_parts_leaves_no_hold():
    """Fees are rounded per fill in favour of the payer, so the hold always covers them."""
    desk, buyer, seller = two_sides(fees=FEES)
    desk.limit(buyer, SPOT, BUY, 333, 100)
    for qty in (1, 3, 7, 29, 60):
        desk.limit(seller, SPOT, SELL, 300, qty, tif=IOC)

    assert desk.w.ledger.reserved[buyer] == [0, 0, 0, 0]
    assert not desk.w.accounts[buyer].orders


def test_a_maker_may_pay_more_than_a_taker():
    """The hold covers whichever fee is higher."""
    desk, buyer, seller = two_sides(fees=(FeeTier(9_000, 100),))
    desk.do(22, buyer, USDT, 100_000 - 10_090)
    desk.limit(buyer, SPOT, BUY, 1_000, 10)
    desk.limit(seller, SPOT, SELL, 1_000, 10)

    assert desk.posted(buyer) == 0


def test_trading_with_oneself_costs_the_fees():
    """Without self-trade prevention both sides are settled, one after the other."""
    desk = Desk(fees=FEES)
    account = desk.account(usdt=50_000, btc=50_000)
    desk.limit(account, SPOT, SELL, 1_000, 10)
    desk.limit(account, SPOT, BUY, 1_000, 10)

    assert desk.posted(account) == 50_000 - 2 - 5
    assert desk.posted(account, BTC) == 50_000


def test_self_trade_prevention_can_shrink_and_then_fill_the_taker():
    """Each event tells the open quantity of its moment: 30 - 10 by STP, then 20 traded."""
    desk, buyer, seller = two_sides()
    desk.do(21, buyer, BTC, 10_000)
    desk.limit(buyer, SPOT, SELL, 1_000, 10)
    desk.limit(seller, SPOT, SELL, 1_001, 20)
    events = desk.limit(buyer, SPOT, BUY, 1_001, 30, stp=4)

    cuts = [(event[5], event[6], event[7]) for event in of(events, 3)]
    assert cuts == [(10, 0, CancelReason.STP), (10, 20, CancelReason.STP)]
    assert of(events, 6)[0][-2:] == (0, 0)


def test_times_in_force():
    """IOC leaves nothing, FOK trades all or nothing, post-only slides inside when asked to."""
    desk, buyer, seller = two_sides()
    desk.limit(seller, SPOT, SELL, 1_000, 5)

    fok = desk.limit(buyer, SPOT, BUY, 1_000, 6, tif=FOK)
    assert (of(fok, 6), of(fok, 3)[0][5:]) == ([], (6, 0, CancelReason.FOK))
    slid = desk.limit(buyer, SPOT, BUY, 1_005, 6, tif=GTX, flags=FLAG_SLIDE)
    assert slid[0][8] == 999
    assert desk.free(buyer) == 100_000 - 6 * 999
    ioc = desk.limit(buyer, SPOT, BUY, 1_000, 6, tif=IOC)
    assert (len(of(ioc, 6)), of(ioc, 3)[0][5:]) == (1, (1, 0, CancelReason.IOC))


def test_gtd_orders_end_when_their_time_comes():
    """In the order of expiry; an order that took the same id later is not meant."""
    desk, buyer, _ = two_sides()
    desk.limit(buyer, SPOT, BUY, 900, 1, tif=GTD, expire=desk.now + 2 * SECOND, id=1)
    desk.limit(buyer, SPOT, BUY, 900, 1, tif=GTD, expire=desk.now + SECOND, id=2)
    desk.limit(buyer, SPOT, BUY, 900, 1, tif=GTD, expire=desk.now + SECOND, id=3)
    desk.do(2, buyer, 3)
    desk.limit(buyer, SPOT, BUY, 900, 1, id=3, expire=desk.now + SECOND)
    desk.now += SECOND

    assert [event[4] for event in desk.do(14, 0)] == [2]
    desk.now += SECOND
    assert [event[4] for event in desk.do(14, 0)] == [1]
    assert list(desk.w.accounts[buyer].orders) == [3]


def test_ended_gtd_orders_do_not_pile_up():
    """The heap of expiries is swept when most of it is dead."""
    desk = Desk(check=False)
    buyer = desk.account(usdt=100_000)
    for _ in range(3_000):
        desk.limit(buyer, SPOT, BUY, 900, 1, tif=GTD, expire=desk.now + 10**15)
        desk.do(2, buyer, desk.last_client_id)
    desk.do(14, 0)

    assert len(desk.w.venues[0].gtd) == 0


def test_replace_keeps_the_place_only_when_it_shrinks():
    """Same price and less quantity keeps priority; hold and event follow."""
    desk, buyer, _ = two_sides()
    desk.limit(buyer, SPOT, BUY, 1_000, 10, id=1)

    assert desk.do(3, buyer, 1, 0, 4)[0][5:] == (1_000, 4, 1)
    assert desk.free(buyer) == 96_000
    assert desk.do(3, buyer, 1, 1_001, -1)[0][5:] == (1_001, 4, 0)
    assert desk.free(buyer) == 100_000 - 4_004
    assert desk.do(3, buyer, 1, 0, 20)[0][5:] == (1_001, 20, 0)
    assert desk.free(buyer) == 100_000 - 20_020
    assert kinds(desk.do(3, buyer, 1, 0, 0)) == ["OrderCanceled"]


def test_a_refused_replace_changes_nothing():
    """Hold, price and place stay when money, filters or the book say no."""
    desk, buyer, seller = two_sides()
    desk.limit(seller, SPOT, SELL, 1_000, 10)
    desk.limit(buyer, SPOT, BUY, 900, 10, tif=GTX, id=1)
    before = desk.w.state_digest()

    assert reason(desk.do(3, buyer, 1, 0, 200)) == R.INSUFFICIENT_BALANCE
    assert reason(desk.do(3, buyer, 1, 1_000, -1)) == R.POST_ONLY_WOULD_CROSS
    assert reason(desk.do(3, buyer, 1, -5, -1)) == R.BAD_PRICE
    assert reason(desk.do(3, buyer, 1, 0, -3)) == R.BAD_QTY
    desk.w.seq -= 4
    assert desk.w.state_digest() == before


def test_a_replaced_order_may_trade():
    """It enters the book anew and takes what it crosses."""
    desk, buyer, seller = two_sides()
    desk.limit(seller, SPOT, SELL, 1_000, 4)
    desk.limit(buyer, SPOT, BUY, 900, 10, id=1)

    assert kinds(desk.do(3, buyer, 1, 1_000, -1)) == ["OrderReplaced", "Traded"]
    assert desk.w.accounts[buyer].orders[1].leaves == 6
    assert desk.free(buyer) == 100_000 - 10_000


def test_mass_cancel_by_side_and_instrument():
    """In the order of entry, and only what is named."""
    desk, buyer, _ = two_sides()
    desk.do(21, buyer, BTC, 10_000)
    desk.limit(buyer, SPOT, BUY, 900, 1, id=1)
    desk.limit(buyer, SPOT, SELL, 1_100, 1, id=2)
    desk.limit(buyer, USDE_SPOT, BUY, 900, 1, id=3)

    assert [event[4] for event in desk.do(4, buyer, SPOT, BUY)] == [1]
    assert [(e[4], e[7]) for e in desk.do(4, buyer, -1, -1)] == [(2, 6), (3, 6)]


def test_unified_accounts_pay_for_the_haircut_of_what_they_buy():
    """Buying USDe (90 %) with USDT takes a tenth of its value from the margin."""
    desk = Desk()
    account, other = desk.account(PORTFOLIO, usdt=20_000), desk.account(PORTFOLIO, usdt=10**6)
    maker = desk.account(usde=10**6)
    desk.pair(account, other, 2, 1_000, 180)
    desk.limit(maker, USDE_SPOT, SELL, 1_000, 100)

    assert desk.w.margin_of(account).available == 2_000
    assert reason(desk.market(account, USDE_SPOT, BUY, 20)) == R.INSUFFICIENT_MARGIN
    assert kinds(desk.market(account, USDE_SPOT, BUY, 19)) == ["OrderAccepted", "Traded"]


def test_selling_collateral_for_cash_needs_no_free_margin():
    """It releases the haircut; only a price that would make the account liquidatable is refused."""
    desk = Desk()
    account, other = desk.account(PORTFOLIO, usde=30_000), desk.account(PORTFOLIO, usdt=10**6)
    bids = desk.account(usdt=10**6)
    desk.pair(account, other, 2, 1_000, 550)
    desk.limit(bids, USDE_SPOT, BUY, 980, 10)
    desk.limit(bids, USDE_SPOT, BUY, 1, 20)

    assert desk.w.margin_of(account).available < 0
    assert reason(desk.market(account, USDE_SPOT, SELL, 30)) == R.INSUFFICIENT_MARGIN
    assert kinds(desk.market(account, USDE_SPOT, SELL, 10)) == ["OrderAccepted", "Traded"]
    assert desk.posted(account, USDE) == 20_000


def test_market_orders_stop_at_the_take_bound():
    """Spot markets have no mark: the bound is measured from the last price, wherever it moved."""
    desk, buyer, seller = two_sides(spot={"market_take_bound_ppm": 50_000})
    desk.trade_at(SPOT, 500, buyer, seller)
    for price in (480, 475, 474):
        desk.limit(buyer, SPOT, BUY, price, 1)
    events = desk.market(seller, SPOT, SELL, 3)

    assert [event[3] for event in of(events, 6)] == [480, 475]
    assert of(events, 3)[0][5:] == (1, 0, CancelReason.PRICE_BOUND)
