"""Forced sales of lenders: pledged collateral goes through the book, slot by slot.

A sale begins after the product's own reaction ``lag`` and sells at most its slice of each book per
slot.  A loan that recovered before the first order is left alone.  Selling is an ordinary IOC order
of the vault (``world.forced``).  Charges are paid first, then principal; what is left goes back to
the borrower.  A borrower may ask for the same sale (repay from collateral): no lag, no fee.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from exchange_sim.credit import desk
from exchange_sim.credit.desk import CALLED, HEALTHY, Loan
from exchange_sim.credit.loans import liquidation_fee, loan_state, sale_to_target
from exchange_sim.limits import INT64_MAX
from exchange_sim.messages.reasons import LoanChange, LoanEnd, LoanNoticeKind
from exchange_sim.model.enums import SELL
from exchange_sim.units import PPM
from exchange_sim.world.forced import collar, lots_for, send_ioc
from exchange_sim.world.lenders import (
    Lender,
    close,
    debt_of,
    enqueue,
    judge,
    notice,
    pay,
    terms_of,
    updated,
    value_of,
)
from exchange_sim.world.venue import VenueState, known_venue

if TYPE_CHECKING:
    from exchange_sim.world.world import World

Command = tuple[int, ...]


def loan_tick(w: World, c: Command) -> None:
    """One slot: calls whose grace is over, then every queued loan sells within the slice."""
    venue = known_venue(w, c)
    if venue is None:
        return
    for lender in w.lenders:
        if lender.spec.venue != venue.id:
            continue
        _expire_calls(w, lender)
        budget = dict.fromkeys(venue.spots, lender.spec.slice or INT64_MAX)
        for _ in range(len(lender.queue)):
            loan = w.loans[lender.queue.popleft()]
            if not _work(w, venue, lender, loan, budget):
                lender.queue.append(loan.id)


def _expire_calls(w: World, lender: Lender) -> None:
    calls = lender.calls
    while calls and calls[0][0] <= w.time_ns:
        due, loan_id = calls.popleft()
        loan = w.loans.get(loan_id)
        if loan is None or loan.state != CALLED or loan.due_ns != due:
            continue
        terms, value = terms_of(lender, loan), value_of(w, lender, loan)
        if loan_state(debt_of(w, lender, loan), value, terms) == "HEALTHY":
            loan.due_ns = 0
        else:
            target = int(terms.initial * PPM)
            enqueue(w, lender, loan, w.time_ns + lender.spec.lag_ns, target, forced=True)


def _work(w: World, venue: VenueState, lender: Lender, loan: Loan, budget: dict[int, int]) -> bool:
    """One slot of one loan; True when it has left the queue."""
    if loan.due_ns > w.time_ns:
        return False
    if not loan.selling and not _begin(w, lender, loan):
        return True
    instrument = venue.spot_of[loan.asset]
    inst, vault = w.instruments[instrument], w.accounts[lender.vault]
    limit = collar(w, instrument, SELL)
    owed, value = debt_of(w, lender, loan), value_of(w, lender, loan)
    if not loan.forced and loan_state(owed, value, terms_of(lender, loan)) == "LIQUIDATION":
        loan.forced, loan.selling, loan.target_ppm = True, False, 0
        loan.due_ns = w.time_ns + lender.spec.lag_ns
        notice(w, loan, LoanNoticeKind.LIQUIDATION, owed, value)
        return False
    if loan.target_ppm:
        owed = min(owed, -(-sale_to_target(owed, value, Fraction(loan.target_ppm, PPM)) // 1))
    held = loan.collateral // inst.lot_units
    wanted = lots_for(w, inst, vault, owed, limit) if owed else 0
    # A slice below the price of one lot still sells one lot per slot.
    most = budget[instrument] // (limit * inst.unit_value) or int(budget[instrument] > 0)
    qty = min(held, wanted, most)
    if qty > 0:
        lots, proceeds = send_ioc(w, vault, inst, SELL, limit, qty)
        budget[instrument] = budget[instrument] - proceeds if lots == qty else 0
        if lots:
            loan.collateral -= lots * inst.lot_units
            paid = min(proceeds, debt_of(w, lender, loan))
            pay(w, lender, loan, lender.vault, paid)
            forced = int(loan.forced)
            w.out.append((73, loan.id, loan.account, instrument, lots, proceeds, forced))
            updated(w, lender, loan, LoanChange.SOLD)
            return _after_sale(w, lender, loan, proceeds - paid)
    return _after_sale(w, lender, loan, 0)


def _begin(w: World, lender: Lender, loan: Loan) -> bool:
    """Before the first order: a loan that recovered is left alone, others pay the fee of a forced
    sale.
    """
    if not loan.forced:
        loan.selling = True
        return True
    terms, debt, value = terms_of(lender, loan), debt_of(w, lender, loan), value_of(w, lender, loan)
    state = loan_state(debt, value, terms)
    if state == "HEALTHY" or (state == "MARGIN_CALL" and not loan.target_ppm):
        loan.state = HEALTHY
        judge(w, lender, loan)
        return False
    loan.selling = True
    fee = liquidation_fee(debt, lender.spec.fee_ppm)
    if fee:
        desk.settle_interest(loan, lender.spec.interest_ppb_per_hour, w.time_ns)
        loan.charges += fee
        updated(w, lender, loan, LoanChange.FEE)
    return True


def _after_sale(w: World, lender: Lender, loan: Loan, surplus: int) -> bool:
    """End a loan that is paid, or whose collateral is gone; release one that reached its target."""
    venue = w.venues[lender.spec.venue]
    debt, inst = debt_of(w, lender, loan), w.instruments[venue.spot_of[loan.asset]]
    if debt == 0:
        end = LoanEnd.LIQUIDATED if loan.forced else LoanEnd.REPAID
        close(w, lender, loan, end, surplus)
        return True
    if loan.collateral < inst.lot_units:
        close(w, lender, loan, LoanEnd.SHORTFALL)
        return True
    value = value_of(w, lender, loan)
    if loan.target_ppm and debt * PPM <= loan.target_ppm * value:
        loan.state, loan.due_ns, loan.selling = HEALTHY, 0, False
        loan.target_ppm, loan.forced = 0, False
        judge(w, lender, loan)
        return True
    return False
