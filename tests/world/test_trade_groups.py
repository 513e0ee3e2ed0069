"""Self-trade prevention between the accounts of one owner, its mode TRANSFER, and order rates."""

from __future__ import annotations

import random

import pytest

from exchange_sim.messages.reasons import CancelReason, PostingKind, RejectReason
from exchange_sim.model.account import PORTFOLIO
from exchange_sim.model.enums import FOK, IOC, StpMode
from tests.world.factory import BTC, FEES, PERP, PRICE, SECOND, SPOT, USDT, Desk, of, reason

R = RejectReason
BUY, SELL = 0, 1
OPEN = {"trade_groups": True, "stp_transfer": True}
TRANSFER = int(StpMode.TRANSFER)
LOT = 1_000
"""Units of BTC in a lot."""


def desk_of(**rules: object) -> Desk:
    """A desk whose venues have such rules."""
    return Desk(venue=rules)


def stranger(desk: Desk, **units: int) -> int:
    """An account of another owner."""
    (event,) = desk.do(20, 0, 8, 0, 0)
    for name, amount in units.items():
        desk.do(21, event[1], ("usdt", "btc").index(name), amount)
    return event[1]


def test_two_accounts_of_one_owner_hand_over_what_they_do_not_trade() -> None:
    """3 of 5 lots at 1,000: no trade, no fee, no price; the smaller order ends, the rest rests."""
    desk = desk_of(**OPEN, fee_tiers=FEES)
    giver, taker = desk.account(btc=10 * LOT), desk.account(usdt=10_000)
    desk.limit(giver, SPOT, SELL, PRICE, 3, stp=TRANSFER, id=1)
    events = desk.limit(taker, SPOT, BUY, PRICE + 5, 5, stp=TRANSFER, id=2)
    assert not of(events, 6)
    assert of(events, 10) == [
        (10, BTC, giver, taker, 3 * LOT, PostingKind.STP_TRANSFER),
        (10, USDT, taker, giver, 3 * PRICE, PostingKind.STP_TRANSFER),
    ]
    ended = {event[4]: event[5:] for event in of(events, 3)}
    assert ended == {1: (3, 0, CancelReason.STP), 2: (3, 2, CancelReason.STP)}
    assert desk.w.accounts[taker].orders[2].leaves == 2
    assert desk.w.ledger.reserved[taker][USDT] == 2 * (PRICE + 5) + 2
    assert desk.w.last_prices[SPOT] == PRICE


@pytest.mark.parametrize("mine", list(StpMode))
@pytest.mark.parametrize("theirs", list(StpMode))
def test_the_mode_of_the_taker_rules_and_transfer_needs_both(mine: StpMode, theirs: StpMode):
    """Against any other mode TRANSFER is DECREMENT; a maker's TRANSFER alone does nothing."""
    desk = desk_of(**OPEN)
    giver, taker = desk.account(btc=10 * LOT), desk.account(usdt=10_000)
    desk.limit(giver, SPOT, SELL, PRICE, 3, stp=theirs, id=1)
    events = desk.limit(taker, SPOT, BUY, PRICE, 5, stp=mine, id=2)
    moved = [event for event in of(events, 10) if event[5] == PostingKind.STP_TRANSFER]
    assert bool(moved) is (mine == theirs == StpMode.TRANSFER)
    assert bool(of(events, 6)) is (mine == StpMode.NONE)
    left = desk.w.accounts[taker].orders.get(2)
    expected = {
        StpMode.NONE: 2, StpMode.EXPIRE_TAKER: 0, StpMode.EXPIRE_MAKER: 5, StpMode.EXPIRE_BOTH: 0,
        StpMode.DECREMENT: 2, StpMode.TRANSFER: 2,
    }  # fmt: skip
    assert (left.leaves if left else 0) == expected[mine]


def test_within_one_account_transfer_is_decrement() -> None:
    """There is nothing to hand over."""
    desk = desk_of(**OPEN)
    account = desk.account(usdt=10_000, btc=10 * LOT)
    desk.limit(account, SPOT, SELL, PRICE, 3, stp=TRANSFER)
    events = desk.limit(account, SPOT, BUY, PRICE, 5, stp=TRANSFER)
    assert not of(events, 6) + of(events, 10)
    assert [event[5] for event in of(events, 3)] == [3, 3]


def test_strangers_trade_and_without_groups_accounts_do() -> None:
    """Prevention is about owners only where the venue says so."""
    for rules, other in (({}, None), (OPEN, "stranger")):
        desk = desk_of(**rules)
        giver = desk.account(btc=10 * LOT)
        taker = stranger(desk, usdt=10_000) if other else desk.account(usdt=10_000)
        desk.limit(giver, SPOT, SELL, PRICE, 3, stp=4)
        assert of(desk.limit(taker, SPOT, BUY, PRICE, 3, stp=4), 6)


def test_fill_or_kill_does_not_count_on_its_own_group() -> None:
    """Three lots of a sibling and three of a stranger are three."""
    for qty, trades in ((3, 1), (4, 0)):
        desk = desk_of(trade_groups=True)
        sibling, maker = desk.account(btc=10 * LOT), stranger(desk, btc=10 * LOT)
        taker = desk.account(usdt=10_000)
        desk.limit(sibling, SPOT, SELL, PRICE, 3)
        desk.limit(maker, SPOT, SELL, PRICE, 3)
        events = desk.limit(taker, SPOT, BUY, PRICE, qty, tif=FOK, stp=2)
        assert len(of(events, 6)) == trades


def test_a_margin_account_that_hands_over_collateral_stays_sound() -> None:
    """Its debt is repaid by what it receives, and every rule is checked after each command."""
    desk = desk_of(**OPEN)
    giver = desk.account(PORTFOLIO, btc=30 * LOT)
    taker = desk.account(PORTFOLIO, usdt=50_000)
    desk.limit(giver, SPOT, SELL, PRICE, 20, stp=TRANSFER)
    events = desk.market(taker, SPOT, BUY, 12, stp=TRANSFER)
    assert len(of(events, 10)) == 2
    assert desk.posted(giver) == 12 * PRICE
    assert desk.posted(taker, BTC) == 12 * LOT


def test_no_rule_is_broken_among_siblings() -> None:
    """Cash, unified and spot margin accounts of one owner, some in debt, and a stranger."""
    desk, rng = desk_of(**OPEN, fee_tiers=FEES), random.Random(3)
    desk.do(30, 0, 10**6)
    accounts = [desk.account(mode, usdt=30_000, btc=30 * LOT) for mode in (0, 1, 1, 5, 6)]
    accounts.append(stranger(desk, usdt=30_000, btc=30 * LOT))
    for account in accounts[1:5]:
        desk.do(23, account, rng.choice((USDT, BTC)), 5 * LOT)
    for _ in range(400):
        desk.now += SECOND // 10
        account, side, price = rng.choice(accounts), rng.randrange(2), rng.randint(996, 1_004)
        stp, tif = rng.choice((5, 5, 5, 4, 2, 0)), rng.choice((0, 0, 0, 1, 2))
        display = rng.choice((0, 0, 1)) if not tif else 0
        qty = rng.randint(1, 6)
        desk.limit(account, SPOT, side, price, qty, stp=stp, tif=tif, display=display)
    handed = [event for event in desk.events if event[0] == 10 and event[5] == 33]
    assert len(handed) > 40
    assert of(desk.events, 6)


def test_the_mode_is_refused_where_it_is_not_offered() -> None:
    """Elsewhere, and in perpetuals."""
    desk = desk_of(trade_groups=True)
    account = desk.account(PORTFOLIO, usdt=10_000)
    assert reason(desk.limit(account, SPOT, BUY, 900, 1, stp=TRANSFER)) == R.STP_MODE_NOT_OFFERED
    desk = desk_of(**OPEN)
    account = desk.account(PORTFOLIO, usdt=10_000)
    assert reason(desk.limit(account, PERP, BUY, 900, 1, stp=TRANSFER)) == R.STP_MODE_NOT_OFFERED


def test_an_account_may_enter_so_many_orders_in_an_interval() -> None:
    """New and changed orders count, refused ones too; cancels do not; a new interval starts."""
    desk = desk_of(account_orders=3, account_orders_ns=10 * SECOND)
    desk.now += -desk.now % (10 * SECOND)
    account, other = desk.account(usdt=10_000), desk.account(usdt=10_000)
    desk.limit(account, SPOT, BUY, 900, 1, id=1)
    desk.do(3, account, 1, 901, -1)
    assert reason(desk.limit(account, SPOT, BUY, 900, 10**6, id=2)) == R.INSUFFICIENT_BALANCE
    assert reason(desk.limit(account, SPOT, BUY, 900, 1, id=3)) == R.ACCOUNT_ORDER_RATE
    assert reason(desk.do(3, account, 1, 902, -1)) == R.ACCOUNT_ORDER_RATE
    assert desk.w.accounts[account].orders[1].price == 901
    assert not of(desk.limit(other, SPOT, BUY, 900, 1), 2)
    assert not of(desk.do(2, account, 1), 2)
    desk.now += 10 * SECOND
    assert not of(desk.limit(account, SPOT, BUY, 900, 1, id=4, tif=IOC), 2)


def test_counts_are_state() -> None:
    """Two worlds that differ in nothing but what an account has used up are not the same."""
    digests = set()
    for sent in (1, 2):
        desk = desk_of(account_orders=3)
        account = desk.account(usdt=10_000)
        for _ in range(sent):
            desk.limit(account, SPOT, BUY, 0, 1, id=1)
        desk.w.seq = 0
        digests.add(desk.w.state_digest())
    assert len(digests) == 2
