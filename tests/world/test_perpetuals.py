"""Perpetuals: positions, realized profit, margin, leverage, reduce-only orders."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import CancelReason
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import CROSS, PORTFOLIO
from exchange_sim.model.enums import BUY, FLAG_REDUCE_ONLY, GTC, IOC, SELL, STOP_MARKET
from tests.world.factory import FEES, PERP, SPOT, USDT, Desk, kinds, of, reason

RO = {"flags": FLAG_REDUCE_ONLY}


def traders(**tables):
    """A desk with a rich maker and a taker, both cross-margin."""
    desk = Desk(**tables)
    return desk, desk.account(CROSS, usdt=10**7), desk.account(CROSS, usdt=10**6)


def trade(desk, maker, taker, side, price, qty):
    """``taker`` trades ``side`` with ``maker``; returns the trade."""
    desk.limit(maker, PERP, 1 - side, price, qty)
    return of(desk.limit(taker, PERP, side, price, qty, tif=IOC), 6)[0]


def test_opening_and_closing_a_long():
    """Entry notional is the exact sum; the profit of a part is its share, rounded down."""
    desk, maker, taker = traders()
    trade(desk, maker, taker, BUY, 1_000, 2)
    trade(desk, maker, taker, BUY, 1_001, 1)
    assert desk.position(taker) == (3, 3_001)

    closed = trade(desk, maker, taker, SELL, 1_100, 1)
    assert closed[15] == 1_100 - 1_001  # a third of 3,001 is 1,000.33: the cost is rounded up
    assert desk.position(taker) == (2, 2_000)
    assert closed[14] == -1_100 + 1_000  # the maker's share of -3,001 is -1,000.33
    assert desk.position(maker) == (-2, -2_001)
    assert desk.posted(desk.w.clearing[PERP]) == 1


def test_flipping_closes_and_opens_at_the_price():
    """Long 3, sell 5: three realize, two open short."""
    desk, maker, taker = traders()
    trade(desk, maker, taker, BUY, 1_000, 3)
    flipped = trade(desk, maker, taker, SELL, 1_010, 5)

    assert flipped[15] == 30
    assert desk.position(taker) == (-2, -2_020)
    assert desk.w.open_interest[PERP] == 2


def test_flat_positions_disappear():
    """Nothing is left behind, and the clearing account is empty."""
    desk, maker, taker = traders()
    trade(desk, maker, taker, SELL, 1_000, 7)
    trade(desk, maker, taker, BUY, 937, 7)

    assert desk.position(taker) == (0, 0)
    assert PERP not in desk.w.accounts[taker].positions
    assert desk.posted(taker) == 10**6 + 7 * 63
    assert desk.posted(desk.w.clearing[PERP]) == 0


def test_fees_go_to_the_venue():
    """Maker 200 and taker 500 ppm of the notional, each rounded down."""
    desk, maker, taker = traders(fees=FEES)
    done = trade(desk, maker, taker, BUY, 999, 7)

    assert done[12:14] == (1, 3)
    assert desk.posted(desk.w.venues[0].fees) == 4


def test_a_loss_beyond_the_wallet_is_lent():
    """No wallet is negative: the venue lends what is missing, and takes it back from a profit."""
    desk = Desk()
    maker, account = desk.account(CROSS, usdt=10**7), desk.account(PORTFOLIO, btc=100_000)
    desk.pair(account, maker, PERP, 1_000, 10)
    lost = desk.limit(maker, PERP, BUY, 990, 4) + desk.market(account, PERP, SELL, 4)
    assert kinds(lost)[-2:] == ["LedgerPosted", "LoanChanged"]
    assert desk.w.accounts[account].loans == {USDT: 40}

    desk.limit(maker, PERP, BUY, 1_030, 6)
    desk.market(account, PERP, SELL, 6)
    assert desk.w.accounts[account].loans == {}
    assert desk.posted(account) == 140


def test_orders_hold_their_initial_margin():
    """Price times quantity over leverage, released with the quantity."""
    desk, maker, taker = traders()
    desk.limit(taker, PERP, BUY, 997, 10, id=1)
    assert desk.w.accounts[taker].order_margin == 997

    desk.limit(maker, PERP, SELL, 997, 4)
    assert desk.w.accounts[taker].order_margin == -(-997 * 6 // 10)
    desk.do(2, taker, 1)
    assert desk.w.accounts[taker].order_margin == 0


def test_leverage_is_the_accounts_choice():
    """Within the table, only while no order is open, and only if the margin is there."""
    desk, maker, _ = traders()
    account = desk.account(CROSS, usdt=1_000)
    assert reason(desk.do(29, account, PERP, 51)) == R.LEVERAGE_LIMIT
    assert reason(desk.do(29, account, PERP, 0)) == R.LEVERAGE_LIMIT
    assert reason(desk.do(29, account, SPOT, 5)) == R.UNKNOWN_INSTRUMENT
    assert reason(desk.do(29, account, 6, 5)) == R.WRONG_VENUE
    desk.do(29, account, PERP, 50)
    desk.limit(account, PERP, BUY, 1_000, 49, id=1)
    assert desk.w.accounts[account].order_margin == 980
    assert reason(desk.do(29, account, PERP, 20)) == R.INVALID_COMBINATION
    desk.limit(maker, PERP, SELL, 1_000, 49)
    assert reason(desk.do(29, account, PERP, 20)) == R.INSUFFICIENT_MARGIN
    assert desk.do(29, account, PERP, 49) == []


def test_leverage_without_a_position_binds_nobody():
    """Having chosen a leverage is no exposure: everything can still be withdrawn."""
    desk, _, _ = traders()
    account = desk.account(PORTFOLIO, btc=5_000)
    desk.do(29, account, PERP, 5)

    assert kinds(desk.do(22, account, 1, 5_000)) == ["LedgerPosted"]


def test_margin_held_by_orders_cannot_be_withdrawn():
    """Also while there is no position yet."""
    desk, _, _ = traders()
    account = desk.account(CROSS, usdt=1_000)
    desk.limit(account, PERP, BUY, 1_000, 9)

    assert reason(desk.do(22, account, USDT, 101)) == R.INSUFFICIENT_MARGIN
    assert kinds(desk.do(22, account, USDT, 100)) == ["LedgerPosted"]


def test_reduce_only_is_clipped_to_the_position():
    """An order for more than the position is accepted for the position."""
    desk, maker, taker = traders()
    trade(desk, maker, taker, BUY, 1_000, 5)

    assert desk.limit(taker, PERP, SELL, 1_100, 9, **RO)[0][9] == 5


def test_reduce_only_shrinks_with_the_position():
    """When the position is closed otherwise, what no longer closes anything is cancelled."""
    desk, maker, taker = traders()
    trade(desk, maker, taker, BUY, 1_000, 10)
    desk.limit(taker, PERP, SELL, 1_100, 6, id=101, **RO)
    desk.limit(taker, PERP, SELL, 1_200, 4, id=102, **RO)
    desk.limit(maker, PERP, BUY, 1_000, 7)
    events = desk.limit(taker, PERP, SELL, 1_000, 7, tif=IOC)

    cut = [(e[4], e[5], e[6], e[7]) for e in of(events, 3)]
    assert cut == [(101, 3, 3, CancelReason.REDUCE_ONLY), (102, 4, 0, CancelReason.REDUCE_ONLY)]


def test_ordinary_orders_on_the_closing_side_count_first():
    """A resting ordinary sale and a reduce-only sale must not close the position twice."""
    desk, maker, taker = traders()
    trade(desk, maker, taker, BUY, 1_000, 10)
    desk.limit(taker, PERP, SELL, 1_100, 10, id=101, **RO)
    events = desk.limit(taker, PERP, SELL, 1_050, 8, id=102)

    assert [(e[4], e[5], e[6]) for e in of(events, 3)] == [(101, 8, 2)]


def test_a_sweep_through_both_orders_ends_flat():
    """One taker fills ordinary and reduce-only orders together."""
    desk, maker, taker = traders()
    trade(desk, maker, taker, BUY, 1_000, 10)
    desk.limit(taker, PERP, SELL, 1_010, 6)
    desk.limit(taker, PERP, SELL, 1_011, 9, **RO)
    desk.limit(maker, PERP, BUY, 1_020, 30, tif=IOC)

    assert desk.position(taker) == (0, 0)
    assert not desk.w.accounts[taker].orders


def test_enlarging_a_reduce_only_order_beyond_the_position_is_refused():
    """A replace is judged as a new order, without clipping."""
    desk, maker, taker = traders()
    trade(desk, maker, taker, BUY, 1_000, 5)
    desk.limit(taker, PERP, SELL, 1_100, 3, id=101, **RO)

    assert reason(desk.do(3, taker, 101, 0, 6)) == R.REDUCE_ONLY_REJECTED
    assert desk.do(3, taker, 101, 1_090, 5)[0][5:] == (1_090, 5, 0)


def test_reduce_only_stops_go_with_the_position():
    """They may wait for more than the position; when it is flat, they end."""
    desk, maker, taker = traders()
    trade(desk, maker, taker, BUY, 1_000, 5)
    desk.order(taker, PERP, SELL, STOP_MARKET, 0, 50, tif=GTC, trigger=900, id=101, **RO)
    desk.limit(maker, PERP, BUY, 1_000, 5)
    events = desk.limit(taker, PERP, SELL, 1_000, 5, tif=IOC)

    assert [(e[4], e[5], e[6]) for e in of(events, 3)] == [(101, 50, 0)]
    assert desk.w.accounts[taker].trigger_orders == 0


def under_water(desk, maker):
    """An account with less than its initial and more than its maintenance margin."""
    account = desk.account(CROSS, usdt=2_000)
    desk.pair(account, maker, PERP, 1_000, 100)
    return account


@pytest.mark.parametrize("more", [{}, RO])
def test_closing_is_possible_without_free_margin(more):
    """What shrinks the position may use the margin, as long as the account stays healthy."""
    desk, maker, _ = traders()
    account = under_water(desk, maker)
    desk.limit(maker, PERP, BUY, 998, 40)
    desk.limit(maker, PERP, BUY, 700, 60)

    assert desk.w.margin_of(account).available < 0
    assert reason(desk.market(account, PERP, SELL, 100, **more)) == R.INSUFFICIENT_MARGIN
    assert kinds(desk.market(account, PERP, SELL, 40, **more))[1] == "Traded"
    assert desk.position(account)[0] == 60


def test_an_account_past_its_threshold_may_get_out_at_any_price():
    """Between two screenings it is not yet taken over and may still close."""
    desk, maker, _ = traders()
    account = under_water(desk, maker)
    desk.pair(account, maker, PERP, 1_011, 100)
    desk.limit(maker, PERP, BUY, 900, 200)

    assert desk.w.margin_of(account).equity < desk.w.margin_of(account).maintenance
    assert kinds(desk.market(account, PERP, SELL, 200, **RO))[1] == "Traded"


def test_realizing_a_loss_that_must_be_lent_needs_margin():
    """Closing at the mark turns a loss into a loan, whose margin the account must have."""
    desk = Desk()
    maker, account = desk.account(CROSS, usdt=10**7), desk.account(PORTFOLIO, btc=12_000)
    desk.pair(account, maker, PERP, 1_080, 100)
    desk.limit(maker, PERP, BUY, 1_000, 100)
    healthy = desk.w.margin_of(account)

    assert healthy.uni_mmr_ppm > 1_200_000
    done = desk.market(account, PERP, SELL, 100, **RO)
    assert kinds(done)[1] == "Traded"
    assert desk.w.accounts[account].loans == {USDT: 8_000}
    assert desk.w.margin_of(account).equity == healthy.equity
