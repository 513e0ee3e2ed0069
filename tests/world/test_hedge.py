"""Hedge mode: two legs in one instrument, their orders, their margin and their end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.messages.reasons import PostingKind
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import CROSS, ISOLATED, PORTFOLIO
from exchange_sim.model.enums import FLAG_LONG, FLAG_REDUCE_ONLY, FLAG_SHORT, STOP_MARKET
from tests.world.factory import ETH_PERP, PERP, PRICE, SPOT, Street, of, reason

BUY, SELL = 0, 1
MODE = 52
ORDERS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([FLAG_LONG, FLAG_SHORT]), st.integers(1, 9),
              st.integers(-15, 15)),
    min_size=1, max_size=25,
)  # fmt: skip


def hedged(desk: Street, mode: int = CROSS, **units: int) -> int:
    """An account in hedge mode."""
    account = desk.account(mode, **(units or {"usdt": 50_000}))
    assert desk.do(MODE, account, 1) == [(62, account, 1)]
    return account


def trade(desk: Street, account: int, side: int, flags: int, lots: int, price: int = PRICE) -> None:
    """Trade with the house at a price."""
    desk.limit(desk.house, PERP, 1 - side, price, lots)
    desk.limit(account, PERP, side, price, lots, flags=flags)


def legs(desk: Street, account: int) -> tuple[int, int]:
    """Lots of the long and of the short leg."""
    position = desk.w.accounts[account].positions.get(PERP)
    if position is None:
        return 0, 0
    assert position.legs is not None
    return position.legs[0].qty, position.legs[1].qty


def test_both_sides_side_by_side():
    """A short beside a long closes nothing; each leg is closed by its own orders."""
    desk = Street()
    account = hedged(desk)
    trade(desk, account, BUY, FLAG_LONG, 10)
    trade(desk, account, SELL, FLAG_SHORT, 4)
    assert legs(desk, account) == (10, -4)
    assert desk.position(account) == (6, 6_000)
    trade(desk, account, SELL, FLAG_LONG, 3, PRICE + 20)
    assert legs(desk, account) == (7, -4)
    assert desk.posted(account) == 50_000 + 60
    trade(desk, account, BUY, FLAG_SHORT, 4, PRICE + 20)
    assert legs(desk, account) == (7, 0)
    assert desk.posted(account) == 50_000 + 60 - 80


def test_margin_is_that_of_both_legs():
    """A hedge has no price risk and still needs margin, twice."""
    desk = Street()
    account, plain = hedged(desk), desk.account(CROSS, usdt=50_000)
    trade(desk, account, BUY, FLAG_LONG, 10)
    trade(desk, plain, BUY, 0, 10)
    single = desk.w.margin_of(plain)
    assert desk.w.margin_of(account) == single
    trade(desk, account, SELL, FLAG_SHORT, 10)
    both = desk.w.margin_of(account)
    assert (both.initial, both.maintenance) == (2 * single.initial, 2 * single.maintenance)
    desk.move(PRICE - 100)
    assert desk.w.margin_of(account).equity == 50_000


def test_an_order_names_its_leg():
    """Without a side, with one in one-way mode, or reduce-only in hedge mode: refused."""
    desk = Street()
    account, plain = hedged(desk), desk.account(CROSS, usdt=50_000)
    assert reason(desk.limit(account, PERP, BUY, PRICE, 1)) == R.POSITION_SIDE_MISMATCH
    both = FLAG_LONG | FLAG_SHORT
    assert reason(desk.limit(account, PERP, BUY, PRICE, 1, flags=both)) == R.POSITION_SIDE_MISMATCH
    flags = FLAG_LONG | FLAG_REDUCE_ONLY
    assert reason(desk.limit(account, PERP, BUY, PRICE, 1, flags=flags)) == R.INVALID_COMBINATION
    one_way = desk.limit(plain, PERP, BUY, PRICE, 1, flags=FLAG_LONG)
    assert reason(one_way) == R.POSITION_SIDE_MISMATCH
    assert desk.limit(account, SPOT, BUY, PRICE, 1)[0][0] == 1
    nothing = desk.limit(account, PERP, SELL, PRICE, 1, flags=FLAG_LONG)
    assert reason(nothing) == R.REDUCE_ONLY_REJECTED


def test_closing_orders_are_cut_to_their_leg():
    """Orders on one leg never count against the other."""
    desk = Street()
    account = hedged(desk)
    trade(desk, account, BUY, FLAG_LONG, 10)
    trade(desk, account, SELL, FLAG_SHORT, 8)
    desk.limit(account, PERP, SELL, PRICE + 5, 30, flags=FLAG_SHORT, id=900)
    (accepted,) = of(desk.limit(account, PERP, SELL, PRICE + 5, 30, flags=FLAG_LONG, id=901), 1)
    assert accepted[9] == 10
    desk.order(account, PERP, SELL, STOP_MARKET, 0, 10, trigger=PRICE - 50, flags=FLAG_LONG, id=902)
    desk.limit(desk.house, PERP, BUY, PRICE + 5, 34)
    assert legs(desk, account) == (6, -38)
    left = {k: order.leaves for k, order in desk.w.accounts[account].orders.items()}
    assert left == {901: 6, 902: 10}


def test_the_mode_is_fixed_while_anything_is_open():
    """Orders, then a position; spot orders do not matter."""
    desk = Street()
    account = desk.account(PORTFOLIO, usdt=50_000)
    assert reason(desk.do(MODE, account, 0)) == R.NO_NEED_TO_CHANGE
    assert reason(desk.do(MODE, account, 2)) == R.MALFORMED
    assert reason(desk.do(MODE, 10**6, 1)) == R.UNKNOWN_ACCOUNT
    desk.limit(account, SPOT, BUY, PRICE - 20, 1)
    desk.limit(account, ETH_PERP, BUY, PRICE - 20, 1, id=950)
    assert reason(desk.do(MODE, account, 1)) == R.POSITION_MODE_HAS_ORDERS
    desk.do(2, account, 950)
    trade(desk, account, BUY, 0, 2)
    assert reason(desk.do(MODE, account, 1)) == R.POSITION_MODE_HAS_POSITION
    trade(desk, account, SELL, 0, 2)
    desk.do(29, account, PERP, 20)
    assert desk.do(MODE, account, 1) == [(62, account, 1)]
    trade(desk, account, BUY, FLAG_LONG, 10)
    assert desk.w.margin_of(account).initial == 500
    assert desk.do(29, account, PERP, 10)[-1:] == []
    assert desk.w.margin_of(account).initial == 1_000


@pytest.mark.parametrize("mode", [CROSS, PORTFOLIO])
def test_liquidation_offsets_the_legs_first(mode: int):
    """The hedged part is closed at the mark without a trade; the rest goes through the book.

    For the cross-margin account that is enough: half of its margin was that of the hedge.
    """
    desk = Street()
    account = hedged(desk, mode, usdt=2_350)
    trade(desk, account, BUY, FLAG_LONG, 10)
    trade(desk, account, SELL, FLAG_SHORT, 4)
    desk.move(620, bids=100)
    events = desk.drain()

    (closed,) = of(events, 63)
    assert closed[1:4] == (account, PERP, 4)
    assert closed[5] == -4 * (PRICE - 620) + 4 * (PRICE - 620)
    sold = sum(event[4] for event in of(events, 6) if event[9] == account)
    assert (sold, legs(desk, account)) == ((0, (6, 0)) if mode == CROSS else (6, (0, 0)))


def test_wallets_of_hedge_mode_fail_one_by_one():
    """Isolated and hedged: the short survives what ends the long."""
    desk = Street()
    account = hedged(desk, ISOLATED, usdt=9_000)
    trade(desk, account, BUY, FLAG_LONG, 20)
    trade(desk, account, SELL, FLAG_SHORT, 20)
    modes = desk.w.accounts[account].modes
    assert modes is not None
    long, short = modes.wallets[PERP, 1], modes.wallets[PERP, 2]
    assert desk.posted(account) == 5_000
    desk.move(905, bids=100)
    desk.drain()
    assert 0 <= desk.position(long)[0] < 20
    assert desk.position(short) == (-20, -20_000)
    assert desk.posted(account) >= 5_000


@settings(max_examples=25, deadline=None)
@given(ORDERS)
def test_legs_book_as_two_accounts_would(orders):
    """Differential: the same orders of two one-way accounts end with the same lots and money."""
    desk = Street()
    account = hedged(desk, usdt=10**8)
    twins = desk.account(CROSS, usdt=10**8), desk.account(CROSS, usdt=10**8)
    for side, flag, wanted, shift in orders:
        twin = twins[flag == FLAG_SHORT]
        held = abs(desk.position(twin)[0])
        closes = side == (SELL if flag == FLAG_LONG else BUY)
        lots = min(wanted, held) if closes else wanted
        if lots:
            trade(desk, account, side, flag, lots, PRICE + shift)
            trade(desk, twin, side, 0, lots, PRICE + shift)
    assert legs(desk, account) == tuple(desk.position(twin)[0] for twin in twins)
    assert desk.posted(account) == sum(desk.posted(twin) for twin in twins) - 10**8
    assert desk.position(account)[1] == sum(desk.position(twin)[1] for twin in twins)
    assert not [e for e in desk.events if e[0] == 10 and e[5] == PostingKind.LEGS_OFFSET]
