"""What borrowers ask of lenders: open, top up, repay, have collateral sold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.credit.desk import LIQUIDATING, Loan
from exchange_sim.limits import INT64_MAX
from exchange_sim.messages.reasons import LoanChange, LoanEnd, PostingKind, RejectReason
from exchange_sim.model.account import Account
from exchange_sim.units import PPM
from exchange_sim.world.accounts import may_leave, move, refuse, touch, user_account
from exchange_sim.world.lenders import (
    Lender,
    close,
    debt_of,
    enqueue,
    judge,
    ltv_ppm,
    pay,
    price_of,
    updated,
)

if TYPE_CHECKING:
    from exchange_sim.world.world import World

Command = tuple[int, ...]
R = RejectReason
EXTERNAL = 0


def fund_lender(w: World, c: Command) -> None:
    """Bring in money that can be lent."""
    if not 0 <= c[2] < len(w.lenders):
        return refuse(w, (c[0], c[1], -1), R.UNKNOWN_PRODUCT)
    lender, amount = w.lenders[c[2]], c[3]
    asset = w.venues[lender.spec.venue].numeraire
    if not 0 < amount <= INT64_MAX // 4 + w.ledger.posted[EXTERNAL][asset]:
        return refuse(w, (c[0], c[1], -1), R.BAD_AMOUNT)
    move(w, asset, EXTERNAL, lender.fund, amount, PostingKind.DEPOSIT)
    lender.funded += amount
    return None


def open_loan(w: World, c: Command) -> None:
    """Lend against what the borrower pledges now, at most the initial loan-to-value."""
    _make(w, c, initial=True)


def place_loan(w: World, c: Command) -> None:
    """A loan from before the start: prices may have moved since, but not to liquidation."""
    _make(w, c, initial=False)


def _make(w: World, c: Command, initial: bool) -> None:
    _, _, account_id, product, asset, amount, principal = c
    account = user_account(w, c, account_id)
    if account is None:
        return None
    if not 0 <= product < len(w.lenders):
        return refuse(w, c, R.UNKNOWN_PRODUCT)
    lender = w.lenders[product]
    terms = lender.spec.terms.get(asset)
    reason = _why_not(w, lender, account, asset, amount, principal)
    if reason or terms is None:
        return refuse(w, c, reason)
    value = amount * price_of(w, lender, asset) // w.price_scales[asset]
    level = terms.initial if initial else terms.liquidation
    if principal > level * value or (not initial and principal == level * value):
        return refuse(w, c, R.LOAN_TO_VALUE)
    numeraire = w.venues[account.venue].numeraire
    loan = Loan(w.next_loan, product, account_id, asset, amount, principal, w.time_ns)
    w.next_loan += 1
    w.loans[loan.id] = loan
    lender.lent += principal
    move(w, asset, account_id, lender.vault, amount, PostingKind.LOAN_COLLATERAL)
    move(w, numeraire, lender.fund, account_id, principal, PostingKind.LOAN_PRINCIPAL)
    ratio = ltv_ppm(principal, value)
    w.out.append((70, loan.id, product, account_id, asset, amount, principal, ratio))
    touch(w, account)
    judge(w, lender, loan)
    return None


def _why_not(
    w: World, lender: Lender, account: Account, asset: int, amount: int, principal: int
) -> int:
    """Reason why a product does not lend, or 0; the level is checked afterwards."""
    if account.venue != lender.spec.venue:
        return R.WRONG_VENUE
    if asset not in lender.spec.terms:
        return R.COLLATERAL_NOT_ACCEPTED
    if amount <= 0 or principal <= 0:
        return R.BAD_AMOUNT
    if principal > w.ledger.posted[lender.fund][w.venues[account.venue].numeraire]:
        return R.LENDER_EMPTY
    return may_leave(w, account, asset, amount)


def _own_loan(w: World, c: Command) -> tuple[Account, Lender, Loan] | None:
    """The loan that a borrower's command names, or a refusal."""
    account = user_account(w, c, c[2])
    if account is None:
        return None
    loan = w.loans.get(c[3])
    if loan is None or loan.account != account.id:
        refuse(w, c, R.UNKNOWN_LOAN)
        return None
    return account, w.lenders[loan.product], loan


def top_up(w: World, c: Command) -> None:
    """Pledge more; possible until the lender's first sale."""
    found = _own_loan(w, c)
    if found is None:
        return None
    account, lender, loan = found
    amount = c[4]
    if loan.selling:
        return refuse(w, c, R.LOAN_IN_LIQUIDATION)
    if amount <= 0:
        return refuse(w, c, R.BAD_AMOUNT)
    reason = may_leave(w, account, loan.asset, amount)
    if reason:
        return refuse(w, c, reason)
    move(w, loan.asset, account.id, lender.vault, amount, PostingKind.LOAN_COLLATERAL)
    loan.collateral += amount
    touch(w, account)
    updated(w, lender, loan, LoanChange.TOPPED_UP)
    judge(w, lender, loan)
    return None


def repay(w: World, c: Command) -> None:
    """Pay back from free cash, at most what is owed; a loan without debt ends."""
    found = _own_loan(w, c)
    if found is None:
        return None
    account, lender, loan = found
    if loan.selling:
        return refuse(w, c, R.LOAN_IN_LIQUIDATION)
    amount = min(c[4], debt_of(w, lender, loan))
    if amount <= 0:
        return refuse(w, c, R.BAD_AMOUNT)
    reason = may_leave(w, account, w.venues[account.venue].numeraire, amount)
    if reason:
        return refuse(w, c, reason)
    pay(w, lender, loan, account.id, amount)
    touch(w, account)
    updated(w, lender, loan, LoanChange.REPAID)
    if loan.principal + loan.charges == 0:
        close(w, lender, loan, LoanEnd.REPAID)
    else:
        judge(w, lender, loan)
    return None


def repay_from_collateral(w: World, c: Command) -> None:
    """The borrower has collateral sold, at once, down to a loan-to-value of its choice."""
    found = _own_loan(w, c)
    if found is None:
        return None
    _, lender, loan = found
    if loan.state == LIQUIDATING:
        return refuse(w, c, R.LOAN_IN_LIQUIDATION)
    if not 0 <= c[4] < PPM:
        return refuse(w, c, R.BAD_AMOUNT)
    enqueue(w, lender, loan, w.time_ns, c[4], forced=False)
    return None
