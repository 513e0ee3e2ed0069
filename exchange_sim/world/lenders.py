"""Lenders of a venue: loans against pledged coins, their levels and their books.

A product lends the venue's numeraire against one coin per loan.  What is pledged lies in the
product's vault, a ledger account like any other; what can be lent is real money in its fund.

    LTV = (principal + interest + fee) / (collateral * price)

- At the call level the borrower is told.  With a ``grace`` the lender sells when the call is still
  open at its end, down to the initial level; without one the borrower may wait.
- At the liquidation level the lender sells everything that is owed (``world.loan_sales``).
- Collateral that is gone before the debt is a loss of the fund: ``BadDebtRecorded``.

Prices are the median of the collateral prices of the product's named source venues, so a thin book
moves them, unless redeemable assets are valued by what they are redeemed for.

Simplifications
---------------
One collateral asset per loan (products with baskets are several loans).  Loans have no term.  The
borrower does not owe a shortfall.  A remainder below one lot goes back to the borrower.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from exchange_sim.credit import desk
from exchange_sim.credit.desk import CALLED, HEALTHY, LIQUIDATING, Loan, PriceLadder
from exchange_sim.credit.loans import LoanTerms, loan_state
from exchange_sim.messages.reasons import LoanChange, LoanEnd, LoanNoticeKind, PostingKind
from exchange_sim.model.account import CASH
from exchange_sim.risk.marks import median
from exchange_sim.units import NANOS_PER_DAY, PPM
from exchange_sim.world.accounts import move, touch
from exchange_sim.world.vaults import redemption_value

if TYPE_CHECKING:
    from exchange_sim.world.config import LoanProductSpec
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

HORIZON_NS = NANOS_PER_DAY
"""Interest that the sorted prices of loans already contain; they are renewed when it has passed."""
LTV_MAX_PPM = 10**12
"""Shown instead of the loan-to-value of worthless collateral."""


class Lender:
    """State of one product.  ``fund`` and ``vault`` are its ledger accounts.

    ``lent`` is the principal outside, ``lost`` what was written off, ``funded`` what came in.
    ``calls`` are (due, loan) of open calls with a grace, ``queue`` the loans whose collateral is to
    be sold, ``ladders`` the loans by collateral asset.
    """

    def __init__(self, spec: LoanProductSpec, fund: int, vault: int) -> None:
        self.spec = spec
        self.fund = fund
        self.vault = vault
        self.funded = self.lent = self.lost = 0
        self.ladders = {asset: PriceLadder() for asset in spec.terms}
        self.calls: deque[tuple[int, int]] = deque()
        self.queue: deque[int] = deque()
        self.renew_ns = 0

    def pending(self, now: int) -> bool:
        """Whether there is something to do in a slot."""
        return bool(self.queue) or (bool(self.calls) and self.calls[0][0] <= now)


def open_lenders(w: World) -> list[Lender]:
    """The ledger accounts of every product, when a world starts.

    Raises ``ValueError`` for a product that its venue could not run.
    """
    found = []
    for spec in w.config.loans:
        venue = w.config.venues[spec.venue]
        traded = {
            s.instrument.base
            for s in w.config.instruments
            if s.instrument.venue == spec.venue and s.instrument.quote == venue.numeraire
        }
        if not set(spec.terms) <= traded:
            raise ValueError(f"loan product {spec.name}: collateral must trade for the numeraire")
        fund = w.add_account(spec.venue, -1, CASH, 0)
        found.append(Lender(spec, fund, w.add_account(spec.venue, -1, CASH, 0)))
    return found


def price_of(w: World, lender: Lender, asset: int) -> int:
    """Median collateral price at the sources, in millionths of a numeraire unit; 0: none."""
    prices = [w.venues[v].asset_prices[asset] for v in lender.spec.sources]
    if lender.spec.redemption_value and w.config.assets[asset].redemption_ppm:
        under = w.config.assets[asset].redemption_asset
        below = [w.venues[v].asset_prices[under] for v in lender.spec.sources]
        prices = [redemption_value(w, asset, price) for price in below]
    known = [price for price in prices if price]
    return median(known) if known else 0


def value_of(w: World, lender: Lender, loan: Loan) -> int:
    """Value of what is pledged, in numeraire units, rounded down."""
    return loan.collateral * price_of(w, lender, loan.asset) // w.price_scales[loan.asset]


def debt_of(w: World, lender: Lender, loan: Loan) -> int:
    """Everything that is owed now, in numeraire units, rounded up."""
    return desk.debt_at(loan, lender.spec.interest_ppb_per_hour, w.time_ns)


def ltv_ppm(debt: int, value: int) -> int:
    """Loan-to-value for people and events, rounded up; at most ``LTV_MAX_PPM``."""
    return min(LTV_MAX_PPM, -(-debt * PPM // value)) if value > 0 else LTV_MAX_PPM


def terms_of(lender: Lender, loan: Loan) -> LoanTerms:
    """Levels of a loan."""
    return lender.spec.terms[loan.asset]


def screen(w: World, venue: VenueState) -> None:
    """After a mark update: judge the loans whose level the new prices may have reached."""
    for lender in w.lenders:
        if lender.spec.venue != venue.id:
            continue
        if w.time_ns >= lender.renew_ns:
            _renew(w, lender)
        for asset, ladder in lender.ladders.items():
            price = price_of(w, lender, asset) if len(ladder) else 0
            if price:
                for loan_id in ladder.concerned(price):
                    judge(w, lender, w.loans[loan_id])


def _renew(w: World, lender: Lender) -> None:
    """Sort the loans anew, with the interest of the next day in their prices."""
    lender.renew_ns = w.time_ns + HORIZON_NS
    for ladder in lender.ladders.values():
        for loan_id in ladder.loans():
            sort_again(w, lender, w.loans[loan_id])


def sort_again(w: World, lender: Lender, loan: Loan) -> None:
    """Note at which prices a loan must be judged again."""
    ladder, terms = lender.ladders[loan.asset], terms_of(lender, loan)
    if loan.state == LIQUIDATING:
        ladder.drop(loan.id)
        return
    scale, rate = w.price_scales[loan.asset], lender.spec.interest_ppb_per_hour
    later = desk.debt_at(loan, rate, max(w.time_ns, lender.renew_ns) + HORIZON_NS)
    rise = 0
    if loan.state == CALLED:
        rise = desk.improves_at(debt_of(w, lender, loan), loan.collateral, terms, scale)
    ladder.put(loan.id, desk.worsens_at(loan, later, terms, scale), rise)


def judge(w: World, lender: Lender, loan: Loan) -> None:
    """Compare a loan with its levels, exactly, and act: call, cure, or send to liquidation."""
    if loan.state == LIQUIDATING:
        return
    terms, debt, value = terms_of(lender, loan), debt_of(w, lender, loan), value_of(w, lender, loan)
    state = loan_state(debt, value, terms)
    if state == "LIQUIDATION":
        enqueue(w, lender, loan, w.time_ns + lender.spec.lag_ns, 0, forced=True)
        return
    if state == "MARGIN_CALL" and loan.state == HEALTHY:
        loan.state, loan.due_ns = CALLED, 0
        if lender.spec.grace_ns:
            loan.due_ns = w.time_ns + lender.spec.grace_ns
            lender.calls.append((loan.due_ns, loan.id))
        notice(w, loan, LoanNoticeKind.CALL, debt, value)
    elif loan.state == CALLED and debt <= terms.initial * value:
        loan.state, loan.due_ns = HEALTHY, 0
        notice(w, loan, LoanNoticeKind.CURED, debt, value)
    sort_again(w, lender, loan)


def notice(w: World, loan: Loan, kind: LoanNoticeKind, debt: int, value: int) -> None:
    """Tell the borrower where the loan stands."""
    ratio = ltv_ppm(debt, value)
    w.out.append((72, loan.id, loan.account, int(kind), ratio, debt, value, loan.due_ns))


def enqueue(
    w: World, lender: Lender, loan: Loan, due_ns: int, target_ppm: int, forced: bool
) -> None:
    """From now on collateral is sold, not before ``due_ns``."""
    loan.state, loan.due_ns = LIQUIDATING, due_ns
    loan.target_ppm, loan.forced = target_ppm, forced
    lender.queue.append(loan.id)
    sort_again(w, lender, loan)
    if forced:
        debt, value = debt_of(w, lender, loan), value_of(w, lender, loan)
        notice(w, loan, LoanNoticeKind.LIQUIDATION, debt, value)


def pay(w: World, lender: Lender, loan: Loan, source: int, amount: int) -> None:
    """Take ``amount`` (at most the debt) from an account: charges first, then principal."""
    desk.settle_interest(loan, lender.spec.interest_ppb_per_hour, w.time_ns)
    venue = w.venues[lender.spec.venue]
    charges = min(amount, loan.charges)
    if charges:
        move(w, venue.numeraire, source, venue.fees, charges, PostingKind.LOAN_CHARGES)
        loan.charges -= charges
    if amount > charges:
        back = amount - charges
        move(w, venue.numeraire, source, lender.fund, back, PostingKind.LOAN_PRINCIPAL)
        loan.principal -= back
        lender.lent -= back


def close(w: World, lender: Lender, loan: Loan, end: LoanEnd, surplus: int = 0) -> None:
    """Return what is left to the borrower, write off what is missing, forget the loan."""
    venue, account = w.venues[lender.spec.venue], w.accounts[loan.account]
    returned, shortfall = loan.collateral, loan.principal
    if returned:
        kind = PostingKind.LOAN_COLLATERAL
        move(w, loan.asset, lender.vault, account.id, returned, kind)
    if surplus:
        kind = PostingKind.LOAN_SURPLUS
        move(w, venue.numeraire, lender.vault, account.id, surplus, kind)
    if shortfall:
        lender.lent -= shortfall
        lender.lost += shortfall
        w.out.append((36, venue.id, account.id, venue.numeraire, shortfall))
    lender.ladders[loan.asset].drop(loan.id)
    del w.loans[loan.id]
    touch(w, account)
    w.out.append((74, loan.id, account.id, int(end), returned, surplus, shortfall))


def updated(w: World, lender: Lender, loan: Loan, change: LoanChange) -> None:
    """Record what a loan is now."""
    ratio = ltv_ppm(debt_of(w, lender, loan), value_of(w, lender, loan))
    w.out.append(
        (71, loan.id, loan.account, int(change), loan.collateral, loan.principal, loan.charges,
         ratio)
    )  # fmt: skip
