"""Loans: what is pledged and lent, calls and cures, and forced sales that meet a real book."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.credit.desk import Loan, PriceLadder, debt_at, worsens_at
from exchange_sim.credit.loans import LoanTerms, loan_state
from exchange_sim.messages.reasons import LoanEnd, RejectReason
from exchange_sim.units import NANOS_PER_HOUR
from tests.world.factory import SECOND, kinds, of, reason
from tests.world.loan_factory import (
    BTC,
    CALL,
    CURED,
    LIQUIDATION,
    SPOT,
    USDT,
    Bank,
    loan_config,
    loan_soup,
)

R = RejectReason


def test_a_loan_moves_collateral_and_cash():
    """What is pledged leaves the account, what is lent arrives, both to the unit."""
    bank = Bank()
    account, loan = bank.borrower(65_000)

    assert (bank.posted(account, BTC), bank.posted(account)) == (0, 65_000)
    assert bank.w.loans[loan].collateral == 100_000
    assert bank.posted(bank.w.lenders[0].fund) == 10**9 - 65_000


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ((0, BTC, 100_000, 65_001), R.LOAN_TO_VALUE),
        ((9, BTC, 100_000, 1), R.UNKNOWN_PRODUCT),
        ((1, 3, 10, 1), R.COLLATERAL_NOT_ACCEPTED),
        ((0, BTC, 0, 1), R.BAD_AMOUNT),
        ((0, BTC, 100, 0), R.BAD_AMOUNT),
        ((0, BTC, 100_001, 1), R.INSUFFICIENT_BALANCE),
        ((0, BTC, 100_000, 2 * 10**9), R.LENDER_EMPTY),
    ],
)
def test_what_a_lender_refuses(fields, why):
    """A refusal changes nothing."""
    bank = Bank()
    account = bank.account(btc=100_000)

    assert reason(bank.do(60, account, *fields)) == why
    assert bank.posted(account, BTC) == 100_000


def test_other_peoples_loans_are_unknown():
    """Nobody tops up, repays or sells somebody else's loan."""
    bank = Bank()
    _, loan = bank.borrower(50_000)
    stranger = bank.account(usdt=10, btc=10)

    for kind in (61, 62, 63):
        assert reason(bank.do(kind, stranger, loan, 1)) == R.UNKNOWN_LOAN


def test_call_and_cure():
    """At 80 % the borrower is called, back at 65 % the call is withdrawn."""
    bank = Bank()
    account, loan = bank.borrower(65_000)

    called = of(bank.drop(812), 72)
    assert [(e[1], e[2], e[3], e[4]) for e in called] == [(loan, account, CALL, 800_493)]
    assert of(bank.drop(900), 72) == []
    assert [e[3] for e in of(bank.drop(1_000), 72)] == [CURED]


@pytest.mark.parametrize("way", ["top up", "repay"])
def test_a_borrower_can_answer(way):
    """More collateral or less debt ends the call."""
    bank = Bank()
    account, loan = bank.borrower(65_000)
    bank.do(21, account, BTC, 60_000)
    bank.drop(800)

    events = bank.do(61, account, loan, 60_000) if way == "top up" else bank.do(
        62, account, loan, 13_000
    )  # fmt: skip

    assert [e[3] for e in of(events, 72)] == [CURED]


def test_repaying_everything_returns_the_collateral():
    """Interest goes to the venue, principal to the fund, coins to the borrower."""
    bank = Bank(loan_config({"interest_ppb_per_hour": 1_000_000}))
    account, loan = bank.borrower(60_000, usdt=1_000)
    bank.now += NANOS_PER_HOUR

    events = bank.do(62, account, loan, 10**9)

    assert of(events, 74) == [(74, loan, account, int(LoanEnd.REPAID), 100_000, 0, 0)]
    assert bank.posted(account) == 1_000 - 60
    assert bank.posted(bank.w.venues[0].fees) == 60
    assert bank.posted(bank.w.lenders[0].fund) == 10**9


def test_forced_sale_goes_through_the_book_after_the_lag():
    """At 90 % the lender waits its lag, then sells into the bids; fee and surplus are settled."""
    bank = Bank()
    account, loan = bank.borrower(65_000)
    assert [e[3] for e in of(bank.drop(722, bids=200), 72)] == [LIQUIDATION]

    assert of(bank.slot(4), 73) == []
    events = bank.slot(1)

    (trade,) = of(events, 6)
    assert (trade[3], trade[4]) == (722, 91)
    assert of(events, 73) == [(73, loan, account, SPOT, 91, 65_702, 1)]
    assert of(events, 74) == [(74, loan, account, int(LoanEnd.LIQUIDATED), 9_000, 52, 0)]
    assert bank.posted(bank.w.venues[0].fees) == 650


def test_a_thin_book_makes_the_sale_worse():
    """The same loan costs the borrower more where fewer bids stand: nothing else computes it."""
    left = []
    for bids in (200, 40):
        bank = Bank(loan_config({"lag_ns": 0}, spot={"liquidation_collar_ppm": 300_000}))
        account, _ = bank.borrower(65_000)
        bank.drop(722, bids=bids)
        bank.limit(bank.cash, SPOT, 0, 690, 200)
        bank.slot()
        left.append(bank.posted(account, BTC))

    assert left[0] > left[1] > 0


def test_recovery_before_the_first_order_saves_the_loan():
    """A slow lender looks again before it sells."""
    bank = Bank()
    account, loan = bank.borrower(65_000)
    bank.drop(720, bids=200)
    bank.drop(790)

    events = bank.slot(9)

    assert kinds(events) == ["LoanNotice"]
    assert of(events, 72)[0][3] == CALL
    assert bank.w.loans[loan].collateral == 100_000
    assert bank.posted(account, BTC) == 0


def test_what_collateral_cannot_pay_is_bad_debt_of_the_fund():
    """The lender loses the difference; the borrower owes nothing more."""
    bank = Bank(loan_config({"lag_ns": 0, "fee_ppm": 0}))
    account, loan = bank.borrower(65_000)
    bank.drop(500, bids=1_000)

    events = bank.slot()

    assert of(events, 36) == [(36, 0, account, USDT, 15_000)]
    assert of(events, 74) == [(74, loan, account, int(LoanEnd.SHORTFALL), 0, 0, 15_000)]
    assert bank.posted(bank.w.lenders[0].fund) == 10**9 - 15_000


def test_an_open_call_ends_with_its_grace():
    """Product 1 sells down to the initial level when nobody answers, slice by slice."""
    bank = Bank()
    account, loan = bank.borrower(60_000, product=1)
    bank.trade_at(5, 830, bank.account(venue=1, usdt=10**6), bank.account(venue=1, btc=10**6))
    bank.marks(venue=1)
    bank.drop(830, bids=1_000)
    assert of(bank.slot(8), 73) == []

    sold = [e for _ in range(20) for e in of(bank.slot(), 73)]

    assert len(sold) > 1
    assert all(e[5] <= 20_000 for e in sold)
    left = bank.w.loans[loan]
    assert left.principal * 100 <= 60 * left.collateral * 830 // 1_000
    assert bank.posted(account, BTC) == 0


def test_two_sources_protect_against_one_thin_book():
    """A product that takes the median of two venues is not called by a wick on one of them."""
    bank = Bank()
    bank.borrower(60_000, product=1)

    assert of(bank.drop(860), 72) == []


def test_repay_from_collateral_is_the_borrowers_own_sale():
    """No lag, no fee; it stops at the chosen loan-to-value and the loan goes on."""
    bank = Bank()
    account, loan = bank.borrower(65_000)
    bank.limit(bank.cash, SPOT, 0, 1_000, 500)
    bank.do(63, account, loan, 500_000)

    events = bank.slot(0)

    assert of(events, 73)[0][6] == 0
    kept = bank.w.loans[loan]
    assert kept.principal * 2 <= kept.collateral
    assert kept.principal * 2 > kept.collateral - 2_000
    assert bank.posted(bank.w.venues[0].fees) == 0


def test_own_sale_turns_into_a_forced_one():
    """While a voluntary sale finds no bids the price may still reach the liquidation level."""
    bank = Bank()
    account, loan = bank.borrower(65_000)
    bank.do(63, account, loan, 500_000)
    bank.drop(700)

    assert [e[3] for e in of(bank.slot(0), 72)] == [LIQUIDATION]
    assert bank.w.loans[loan].forced


def test_a_halt_stops_forced_sales():
    """Lenders trade by the rules of the venue."""
    bank = Bank(loan_config({"lag_ns": 0}))
    _, loan = bank.borrower(65_000)
    bank.drop(700, bids=500)
    bank.do(15, SPOT, 1)

    assert of(bank.slot(), 73) == []
    bank.do(15, SPOT, 0)
    assert of(bank.slot(), 73) != []
    assert loan not in bank.w.loans


def test_placed_loans_may_stand_above_their_initial_level():
    """The opening state of a borrower who is already close to a call."""
    bank = Bank()
    account = bank.account(btc=100_000)

    assert reason(bank.do(66, account, 0, BTC, 100_000, 90_000)) == R.LOAN_TO_VALUE
    events = bank.do(66, account, 0, BTC, 100_000, 85_000)

    assert [e[3] for e in of(events, 72)] == [CALL]


def test_random_borrowers():
    """Every command of random days leaves every rule intact; loans end in all three ways."""
    days = [loan_soup(seed) for seed in range(3)]

    assert all(of(day.events, 73) for day in days)
    assert {e[3] for day in days for e in of(day.events, 74)} == set(map(int, LoanEnd))


@given(
    debts=st.lists(st.integers(1, 10**6), min_size=1, max_size=20),
    collateral=st.integers(1, 10**6),
    price=st.integers(1, 10**4),
    hours=st.integers(0, 24),
)
@settings(max_examples=150, deadline=None)
def test_sorted_loans_miss_nothing(debts, collateral, price, hours):
    """Against the naive twin: every loan that is past its level at a price is among the named."""
    levels = LoanTerms(Fraction(6, 10), Fraction(8, 10), Fraction(9, 10))
    ladder, scale, rate = PriceLadder(), 100, 2_000_000
    loans = [Loan(i, 0, 0, 0, collateral, debt, 0) for i, debt in enumerate(debts)]
    for loan in loans:
        ladder.put(loan.id, worsens_at(loan, debt_at(loan, rate, 24 * NANOS_PER_HOUR), levels,
                                       scale))  # fmt: skip
    named = frozenset(ladder.concerned(price))

    for loan in loans:
        owed = debt_at(loan, rate, hours * NANOS_PER_HOUR)
        if loan_state(owed, collateral * price // scale, levels) != "HEALTHY":
            assert loan.id in named


def test_ladder_forgets_what_was_dropped():
    """Put again, a loan has one place; dropped, none."""
    ladder = PriceLadder()
    ladder.put(1, 10, 90)
    ladder.put(1, 20)
    ladder.put(2, 15)

    assert ladder.concerned(15) == [1, 2]
    assert ladder.concerned(95) == []
    ladder.drop(1)
    assert (ladder.concerned(1), len(ladder)) == ([2], 1)


def test_loans_belong_to_the_digest():
    """Two worlds that differ in a loan alone differ."""
    bank = Bank()
    before = bank.w.state_digest()
    bank.borrower(1_000)
    loan = next(iter(bank.w.loans.values()))
    after = bank.w.state_digest()
    loan.due_ns += SECOND

    assert len({before, after, bank.w.state_digest()}) == 3


def test_a_slice_below_one_lot_sells_one_lot_at_a_time():
    """Nothing waits for ever because a lot is dearer than the slice."""
    bank = Bank(loan_config({"lag_ns": 0, "slice": 100}))
    bank.borrower(65_000)
    bank.drop(700, bids=500)

    assert [e[4] for _ in range(3) for e in of(bank.slot(), 73)] == [1, 1, 1]
