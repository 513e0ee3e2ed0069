"""Deposits, withdrawals, transfers, loans, interest, genesis positions."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import CASH, CROSS, PORTFOLIO
from exchange_sim.model.enums import BUY
from tests.world.factory import BTC, PERP, PERP_2, SPOT, USDE, USDT, Desk, kinds, reason

HOUR = 3_600


def test_accounts_are_opened_in_order():
    """Ids are dense; a wrong venue, mode, tier or owner is refused."""
    desk = Desk()
    first = desk.account()

    assert desk.account(PORTFOLIO, venue=1) == first + 1
    for fields in ((2, 1, 0, 0), (0, -1, 0, 0), (0, 1, 10, 0), (0, 1, 0, 1), (-1, 1, 0, 0)):
        assert reason(desk.do(20, *fields)) == R.MALFORMED


def test_deposits_and_withdrawals_use_the_outside():
    """What is inside is minus what is outside."""
    desk = Desk()
    account = desk.account(usdt=500)
    desk.do(22, account, USDT, 200)

    assert (desk.posted(account), desk.posted(0)) == (300, -300)
    assert reason(desk.do(22, account, USDT, 301)) == R.INSUFFICIENT_BALANCE
    desk.limit(account, SPOT, BUY, 100, 2)
    assert reason(desk.do(22, account, USDT, 101)) == R.INSUFFICIENT_BALANCE


@pytest.mark.parametrize("kind", [21, 22, 23])
@pytest.mark.parametrize(("asset", "amount"), [(9, 5), (-1, 5), (0, 0), (0, -7), (0, 2**62)])
def test_bad_amounts_are_refused(kind, asset, amount):
    """Unknown assets, amounts that are not positive, and deposits beyond 64 bits."""
    desk = Desk()
    account = desk.account(PORTFOLIO, usdt=100)

    refusal = reason(desk.do(kind, account, asset, amount))
    assert refusal in (R.BAD_AMOUNT, R.INSUFFICIENT_BALANCE, R.POOL_EMPTY)


@pytest.mark.parametrize("kind", [21, 22, 23, 24])
@pytest.mark.parametrize("account", [-1, 0, 99])
def test_system_accounts_take_no_requests(kind, account):
    """Only accounts of participants can be named."""
    assert reason(Desk().do(kind, account, 0, 1)) == R.UNKNOWN_ACCOUNT


def test_only_what_margin_does_not_need_can_leave():
    """A withdrawal counts by what the account's equity loses, haircut included."""
    desk = Desk()
    account, other = desk.account(PORTFOLIO, usde=20_000), desk.account(CROSS, usdt=10**6)
    desk.pair(account, other, PERP, 1_000, 90)

    assert desk.w.margin_of(account).available == 9_000
    assert reason(desk.do(22, account, USDE, 10_002)) == R.INSUFFICIENT_MARGIN
    assert kinds(desk.do(22, account, USDE, 10_000)) == ["LedgerPosted"]
    assert desk.w.margin_of(account).available == 0


def test_transfers_take_a_fee_and_arrive_later():
    """Debited now, under way in between, credited by the second command."""
    desk = Desk()
    here, there = desk.account(usdt=1_000), desk.account(venue=1)
    events = desk.do(26, here, there, USDT, 900)

    assert kinds(events) == ["LedgerPosted", "LedgerPosted", "TransferStarted"]
    assert (desk.posted(here), desk.posted(1), desk.posted(there)) == (90, 900, 0)
    assert desk.posted(desk.w.venues[0].fees) == 10
    assert kinds(desk.do(27, events[-1][1])) == ["LedgerPosted", "TransferFinished"]
    assert (desk.posted(1), desk.posted(there)) == (0, 900)
    assert reason(desk.do(27, events[-1][1])) == R.UNKNOWN_TRANSFER


def test_transfers_need_the_fee_too():
    """Amount plus fee, and only between venues."""
    desk = Desk()
    here, there, near = desk.account(usdt=1_000), desk.account(venue=1), desk.account()

    assert reason(desk.do(26, here, there, USDT, 991)) == R.INSUFFICIENT_BALANCE
    assert reason(desk.do(26, here, here, USDT, 1)) == R.BAD_AMOUNT
    assert reason(desk.do(26, here, 99, USDT, 1)) == R.UNKNOWN_ACCOUNT
    assert kinds(desk.do(26, here, near, USDT, 1_000))[-1] == "TransferStarted"


def test_suspended_transfers_hold_nothing_back_inside_a_venue():
    """Out of the venue is closed, into it and within it is open."""
    desk = Desk()
    here, there, near = desk.account(usdt=500), desk.account(venue=1, usdt=500), desk.account()
    assert desk.do(28, 0, 0) == [(25, 0, 0)]

    assert reason(desk.do(26, here, there, USDT, 1)) == R.TRANSFER_SUSPENDED
    assert kinds(desk.do(26, here, near, USDT, 1))[-1] == "TransferStarted"
    assert kinds(desk.do(26, there, here, USDT, 1))[-1] == "TransferStarted"
    desk.do(28, 0, 1)
    assert kinds(desk.do(26, here, there, USDT, 1))[-1] == "TransferStarted"


def test_a_transfer_under_way_arrives_although_the_venue_stops():
    """The amount belongs to nobody's venue while it travels."""
    desk = Desk()
    here, there = desk.account(usdt=500), desk.account(venue=1)
    started = desk.do(26, here, there, USDT, 100)[-1]
    desk.do(28, 0, 0)

    assert kinds(desk.do(27, started[1]))[-1] == "TransferFinished"


def test_borrowing_needs_initial_margin():
    """Ten per cent of the loan's value, from portfolio accounts only, while the pool lasts."""
    desk = Desk(venue={"margin_pool": {USDT: 150_000, BTC: 10**6}})
    account, cross = desk.account(PORTFOLIO, usdt=10_002), desk.account(CROSS, usdt=10_000)

    assert reason(desk.do(23, cross, USDT, 1)) == R.BORROW_LIMIT
    assert reason(desk.do(23, desk.account(CASH), USDT, 1)) == R.BORROW_LIMIT
    assert reason(desk.do(23, account, USDE, 1)) == R.POOL_EMPTY
    assert reason(desk.do(23, account, USDT, 100_010)) == R.INSUFFICIENT_MARGIN
    assert kinds(desk.do(23, account, USDT, 100_000)) == ["LedgerPosted", "LoanChanged"]
    assert desk.posted(account) == 110_002
    rich = desk.account(PORTFOLIO, usdt=10**6)
    assert reason(desk.do(23, rich, USDT, 50_001)) == R.POOL_EMPTY
    assert desk.do(23, rich, USDT, 50_000)[1][3] == 50_000


def test_what_no_market_trades_is_not_lent():
    """The engine could not buy it back."""
    desk = Desk(venue={"margin_pool": {2: 10**6}})
    account = desk.account(PORTFOLIO, venue=1, usdt=10**6)

    assert reason(desk.do(23, account, 2, 1)) == R.NOT_COLLATERAL


def test_repaying_ends_the_loan():
    """At most what is owed, from the free balance."""
    desk = Desk()
    account = desk.account(PORTFOLIO, usdt=1_000)
    desk.do(23, account, USDT, 500)

    assert desk.do(24, account, USDT, 200)[1] == (11, account, USDT, 300, -200, 8)
    assert desk.do(24, account, USDT, 9_000)[1] == (11, account, USDT, 0, -300, 8)
    assert reason(desk.do(24, account, USDT, 1)) == R.NOTHING_TO_REPAY
    desk.do(23, account, BTC, 500)
    desk.do(22, account, BTC, 500)
    assert reason(desk.do(24, account, BTC, 500)) == R.INSUFFICIENT_BALANCE


def test_interest_is_added_to_the_loan_rounded_up():
    """Ten ppm an hour on 500 units is 0.005: one unit is charged."""
    desk = Desk()
    account = desk.account(PORTFOLIO, usdt=10**6)
    desk.do(23, account, USDT, 500)
    desk.now += HOUR * 10**9
    assert desk.do(12, 0) == [(11, account, USDT, 501, 1, 9)]
    assert desk.do(12, 0) == []
    desk.do(23, account, USDT, 2 * 10**6 - 501)
    desk.now += HOUR * 10**9

    assert desk.do(12, 0)[0][4] == 20
    assert desk.w.venues[0].lent[USDT] == 2 * 10**6 + 20
    desk.do(24, account, USDT, 10**7)
    assert desk.posted(desk.w.venues[0].pool) == 21


def test_genesis_positions_are_sums_of_notionals():
    """A second pair may close what the first opened, and pays the difference."""
    desk = Desk()
    a, b = desk.account(CROSS, usdt=10**6), desk.account(CROSS, usdt=10**6)
    assert desk.pair(a, b, PERP, 1_000, 5) == [(16, a, b, PERP, 1_000, 5)]
    assert (desk.position(a), desk.position(b)) == ((5, 5_000), (-5, -5_000))
    desk.pair(b, a, PERP, 1_100, 2)

    assert (desk.posted(a), desk.posted(b)) == (10**6 + 200, 10**6 - 200)


@pytest.mark.parametrize(("changes", "why"), [
    ({"inst": 99}, R.UNKNOWN_INSTRUMENT), ({"inst": SPOT}, R.UNKNOWN_INSTRUMENT),
    ({"inst": PERP_2}, R.WRONG_VENUE), ({"price": 0}, R.MALFORMED), ({"qty": -1}, R.MALFORMED),
    ({"price": 2**62, "qty": 2**62}, R.MALFORMED), ({"short": "long"}, R.MALFORMED),
    ({"short": 0}, R.UNKNOWN_ACCOUNT), ({"short": "cash"}, R.INSUFFICIENT_MARGIN),
])  # fmt: skip
def test_bad_genesis_positions_are_refused(changes, why):
    """One wrong field each."""
    desk = Desk()
    who = {"long": desk.account(CROSS), "cash": desk.account(CASH)}
    fields = {"short": desk.account(CROSS), "inst": PERP, "price": 1_000, "qty": 1} | changes
    short = who.get(fields["short"], fields["short"])

    events = desk.do(25, who["long"], short, fields["inst"], fields["price"], fields["qty"])
    assert reason(events) == why


def test_notes_change_nothing():
    """A remark is one event."""
    desk = Desk()

    assert desk.do(40, 3, 9, 1, 2) == [(40, 3, 9, 1, 2)]


def test_the_insurance_fund_can_be_paid_into():
    """From outside, in the numeraire."""
    desk = Desk()

    assert desk.do(30, 0, 500) == [(10, USDT, 0, desk.w.venues[0].insurance, 500, 1),
                                   (34, 0, USDT, 500, 500)]  # fmt: skip
    assert reason(desk.do(30, 0, 0)) == R.BAD_AMOUNT
