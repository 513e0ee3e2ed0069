"""Isolated margin: wallets, what moves in and out of them, and how their losses end."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.messages.reasons import LiquidationOutcome, PostingKind
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import CASH, CROSS, ISOLATED, PORTFOLIO
from exchange_sim.model.enums import FLAG_LONG, FLAG_REDUCE_ONLY
from exchange_sim.risk.prices import liquidation_price_by_table
from exchange_sim.world import FeeTier
from exchange_sim.world.margin import requirements
from tests.world.factory import ETH_PERP, PERP, PRICE, SPOT, Desk, Street, of, reason

BUY, SELL = 0, 1
MODE, MARGIN = 50, 51
COMBINED = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "cancel", "margin", "price"]), st.integers(1, 30),
        st.integers(-40, 40),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


def wallet(desk: Desk, account: int, inst: int = PERP, side: int = 0) -> int:
    """The wallet of a position."""
    modes = desk.w.accounts[account].modes
    assert modes is not None
    return modes.wallets[inst, side]


def filled(desk: Street, account: int, lots: int, price: int = PRICE, inst: int = PERP) -> int:
    """Buy ``lots`` (negative: sell) from the house; returns the wallet."""
    side = BUY if lots > 0 else SELL
    desk.limit(desk.house, inst, 1 - side, price, abs(lots))
    desk.limit(account, inst, side, price, abs(lots))
    return wallet(desk, account, inst)


def test_an_order_takes_its_cost_and_a_cancel_gives_it_back():
    """Margin at the chosen leverage plus fee leaves the account while the order is open."""
    desk = Desk(fees=(FeeTier(200, 500),))
    account = desk.account(ISOLATED, usdt=5_000)
    events = desk.limit(account, PERP, BUY, PRICE, 10, id=1)

    assert [event[0] for event in events][:2] == [12, 60]
    own = wallet(desk, account)
    assert of(events, 60) == [(60, own, account, PERP, 0)]
    assert desk.posted(account) == 5_000 - 1_000 - 5
    assert desk.posted(own) == 1_000 + 5
    desk.do(2, account, 1)
    assert (desk.posted(account), desk.posted(own)) == (5_000, 0)


def test_two_positions_fail_alone():
    """The losing wallet is liquidated; the other position, the cash and the coins stay."""
    desk = Street()
    account = desk.account(ISOLATED, usdt=3_000, btc=5_000)
    own = filled(desk, account, 10)
    other = filled(desk, account, 5, inst=ETH_PERP)
    assert desk.posted(account) == 1_500
    desk.move(880, bids=50)
    desk.drain()

    assert desk.position(own) == (0, 0)
    assert desk.position(other, ETH_PERP) == (5, 5_000)
    assert desk.posted(account) == 1_500
    assert desk.posted(account, 1) == 5_000
    assert not desk.w.accounts[account].loans


def test_the_same_positions_in_common_fail_together():
    """What an isolated wallet protects is lost in a cross-margin account."""
    desk = Street()
    account = desk.account(CROSS, usdt=1_300)
    desk.limit(desk.house, PERP, SELL, PRICE, 10)
    desk.limit(account, PERP, BUY, PRICE, 10)
    desk.limit(desk.house, ETH_PERP, SELL, PRICE, 3)
    desk.limit(account, ETH_PERP, BUY, PRICE, 3)
    desk.move(865, bids=500)
    desk.drain()
    assert desk.posted(account) < 200


@pytest.mark.parametrize("lots", [40, -40])
def test_liquidation_starts_at_the_published_price(lots: int):
    """One tick before the price of the formula nothing happens, one beyond it the wallet fails."""
    desk = Street()
    account = desk.account(ISOLATED, usdt=20_000)
    own = filled(desk, account, lots)
    table = desk.w.brackets[PERP]
    assert table is not None
    side = 1 if lots > 0 else -1
    price = liquidation_price_by_table(side, abs(lots), PRICE, desk.posted(own), table)
    assert price is not None
    for step, liquidated in ((1, False), (-1, True)):
        desk.w.marks[PERP] = round((price + Fraction(step * side, 2)) * 1_000_000)
        equity, _, maintenance = requirements(desk.w, desk.w.accounts[own])
        assert (equity < maintenance) == liquidated


def test_margin_is_added_and_taken_out():
    """Only what the position does not need at its leverage comes out again."""
    desk = Street()
    account = desk.account(ISOLATED, usdt=5_000)
    own = filled(desk, account, 10)
    assert desk.posted(own) == 1_000
    desk.do(MARGIN, account, PERP, 0, 700)
    assert desk.posted(own) == 1_700
    assert desk.w.wallets[own].assigned == 1_700
    assert reason(desk.do(MARGIN, account, PERP, 0, -701)) == R.ISOLATED_BALANCE_INSUFFICIENT
    desk.do(MARGIN, account, PERP, 0, -700)
    assert desk.posted(own) == 1_000
    assert reason(desk.do(MARGIN, account, PERP, 0, 10_000)) == R.INSUFFICIENT_BALANCE
    assert reason(desk.do(MARGIN, account, ETH_PERP, 0, 10)) == R.ISOLATED_ONLY
    assert reason(desk.do(MARGIN, account, SPOT, 0, 10)) == R.UNKNOWN_INSTRUMENT
    assert reason(desk.do(MARGIN, account, PERP, 0, 0)) == R.BAD_AMOUNT
    assert reason(desk.do(MARGIN, 10**6, PERP, 0, 5)) == R.UNKNOWN_ACCOUNT


def test_a_smaller_position_frees_its_share():
    """Half of the position, half of its margin, and the profit of that half."""
    desk = Street()
    account = desk.account(ISOLATED, usdt=5_000)
    own = filled(desk, account, 10)
    filled(desk, account, -5, price=PRICE + 10)
    assert desk.posted(own) == 500
    assert desk.posted(account) == 5_000 - 500 + 50


def test_bankrupt_wallet_is_taken_over_and_the_parent_keeps_its_cash():
    """The deficit is the fund's, or bad debt; it never reaches the parent."""
    desk = Street()
    account = desk.account(ISOLATED, usdt=10_000)
    own = filled(desk, account, 50)
    desk.move(700)
    events = desk.drain()

    ended = [event for event in events if event[0] == 33 and event[1] == own]
    assert ended[-1][2] == LiquidationOutcome.BANKRUPT
    assert desk.posted(account) == 5_000
    moved = [e for e in events if e[0] == 10 and account in e[2:4]]
    assert moved == []


def test_the_mode_is_fixed_while_anything_is_open():
    """Each obstacle has its own number."""
    desk = Street()
    account = desk.account(CROSS, usdt=5_000)
    assert reason(desk.do(MODE, account, PERP, 0)) == R.NO_NEED_TO_CHANGE
    desk.limit(account, PERP, BUY, PRICE - 10, 1, id=1)
    assert reason(desk.do(MODE, account, PERP, 1)) == R.MARGIN_MODE_HAS_ORDERS
    desk.do(2, account, 1)
    assert desk.do(MODE, account, PERP, 1) == [(61, account, PERP, 1)]
    own = filled(desk, account, 3)
    assert reason(desk.do(MODE, account, PERP, 0)) == R.MARGIN_MODE_HAS_POSITION
    filled(desk, account, -3)
    assert desk.position(own) == (0, 0)
    assert desk.do(MODE, account, PERP, 0) == [(61, account, PERP, 0)]
    filled_cross = desk.limit(account, PERP, BUY, PRICE - 10, 1)
    assert filled_cross[0][2] == account
    unified, cash = desk.account(PORTFOLIO, usdt=10), desk.account(CASH, usdt=10)
    assert reason(desk.do(MODE, unified, PERP, 1)) == R.MARGIN_MODE_NOT_OFFERED
    assert desk.do(MODE, cash, PERP, 1) == [(61, cash, PERP, 1)]
    assert reason(desk.do(MODE, cash, PERP, 7)) == R.MALFORMED
    assert reason(desk.do(MODE, cash, 6, 1)) == R.WRONG_VENUE


def test_orders_of_wallets_belong_to_the_account():
    """Cancel, replace and mass cancel by the account; an id is used once in all its parts."""
    desk = Desk()
    account = desk.account(ISOLATED, usdt=9_000, btc=9_000)
    desk.limit(account, PERP, BUY, PRICE, 3, id=1)
    desk.limit(account, ETH_PERP, BUY, PRICE, 3, id=2)
    desk.limit(account, SPOT, SELL, PRICE, 3, id=3)
    for inst in (PERP, ETH_PERP, SPOT):
        again = desk.limit(account, inst, BUY, PRICE, 1, id=1 if inst != PERP else 3)
        assert reason(again) == R.DUPLICATE_CLIENT_ORDER_ID
    (replaced,) = of(desk.do(3, account, 1, PRICE - 1, 5), 4)
    assert replaced[2] == wallet(desk, account)
    assert desk.posted(wallet(desk, account)) == 500
    canceled = [event[4] for event in of(desk.do(4, account, -1, -1), 3)]
    assert canceled == [1, 2, 3]
    assert desk.posted(account) == 9_000
    flagged = desk.limit(account, PERP, BUY, PRICE, 1, flags=FLAG_LONG)
    assert reason(flagged) == R.POSITION_SIDE_MISMATCH


def test_nothing_but_orders_reaches_a_wallet():
    """Deposits, loans and transfers name accounts of participants."""
    desk = Desk()
    account = desk.account(ISOLATED, usdt=9_000)
    desk.limit(account, PERP, BUY, PRICE, 3, id=1)
    own = wallet(desk, account)
    for command in ((21, own, 0, 5), (22, own, 0, 5), (23, own, 0, 5), (26, account, own, 0, 5)):
        assert reason(desk.do(*command)) == R.UNKNOWN_ACCOUNT
    assert reason(desk.limit(account, PERP, SELL, PRICE, 1, flags=FLAG_REDUCE_ONLY)) == (
        R.REDUCE_ONLY_REJECTED
    )


def test_leverage_reaches_the_wallets():
    """The leverage chosen for the account margins the next order of its wallet."""
    desk = Desk()
    account = desk.account(ISOLATED, usdt=9_000)
    desk.do(29, account, PERP, 20)
    desk.limit(account, PERP, BUY, PRICE, 10, id=1)
    assert desk.posted(wallet(desk, account)) == 500
    desk.do(2, account, 1)
    desk.do(29, account, PERP, 5)
    desk.limit(account, PERP, BUY, PRICE, 10, id=2)
    assert desk.posted(wallet(desk, account)) == 2_000


@settings(max_examples=25, deadline=None)
@given(COMBINED)
def test_money_only_changes_hands(actions):
    """Whatever an isolated account does, what it loses is what others gain (checked each step)."""
    desk = Street(fees=(FeeTier(200, 500),))
    account = desk.account(ISOLATED, usdt=4_000)
    desk.move(PRICE, bids=100, asks=100)
    for what, size, shift in actions:
        price = PRICE + shift
        if what in {"buy", "sell"}:
            desk.limit(account, PERP, int(what == "sell"), price, size)
        elif what == "cancel":
            desk.do(4, account, -1, -1)
        elif what == "margin":
            desk.do(MARGIN, account, PERP, 0, shift * size)
        else:
            desk.move(price, bids=100, asks=100)
            desk.tick()
    desk.do(4, account, -1, -1)
    moves = [e for e in desk.events if e[0] == 10 and e[5] == PostingKind.ISOLATED_MARGIN]
    modes = desk.w.accounts[account].modes
    assert modes is not None
    for own in modes.wallets.values():
        into = sum(e[4] for e in moves if e[3] == own) - sum(e[4] for e in moves if e[2] == own)
        if not desk.w.accounts[own].positions.get(PERP) and not desk.w.accounts[own].loans:
            assert desk.posted(own) == 0
        assert into >= 0 or desk.posted(account) > 0
