"""A second bookkeeper for loans, and the step rule of issuers and wrappers: what events say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from exchange_sim.credit.desk import HEALTHY, LIQUIDATING
from exchange_sim.credit.loans import loan_state
from exchange_sim.messages.reasons import LoanNoticeKind
from exchange_sim.units import PPM
from exchange_sim.world.invariants import STEP, Violation, broken, invariant
from exchange_sim.world.lenders import debt_of, price_of
from exchange_sim.world.vaults import PPB

if TYPE_CHECKING:
    from exchange_sim.world.steps import Step
    from exchange_sim.world.world import World

Event = tuple[int, ...]
Problem = tuple[str, str, str, tuple[int, ...]]
LIQUIDATION = int(LoanNoticeKind.LIQUIDATION)


class ShadowLoans:
    """Collateral, principal and charges of every loan, rebuilt from events 70 to 74."""

    def __init__(self, w: World) -> None:
        self.known = {loan.id: _facts(w, loan.id) for loan in w.loans.values()}
        self._announced = {loan.id: loan.forced for loan in w.loans.values()}
        self._touched: dict[int, int] = {}
        self._problems: list[Problem] = []

    def apply(self, event: Event) -> None:
        """Take one event in the order of happening; other kinds change nothing."""
        kind = event[0]
        if not 70 <= kind <= 74:
            return
        if kind == 70:
            _, loan, _, account, _, collateral, principal, _ = event
            self.known[loan] = collateral, principal, 0
        else:
            loan, account = event[1], event[2]
            if loan not in self.known:
                self._blame("events of open loans", event, account)
                return
            if kind == 71:
                self.known[loan] = event[4], event[5], event[6]
            elif kind == 72:
                self._announced[loan] = event[3] == LIQUIDATION
            elif kind == 73 and event[6] and not self._announced.get(loan):
                self._blame("a forced sale was announced", event, account)
            elif kind == 74:
                del self.known[loan]
                self._announced.pop(loan, None)
        self._touched[loan] = account

    def _blame(self, rule: str, event: Event, account: int) -> None:
        self._problems.append(("LOAN-2", rule, str(event), (account,)))

    def take_problems(self, w: World) -> list[Problem]:
        """What was wrong since the last time, with the loans whose figures differ."""
        found, self._problems = self._problems, []
        for loan, account in self._touched.items():
            have = _facts(w, loan) if loan in w.loans else None
            want = self.known.get(loan)
            if want != have:
                found.append(("LOAN-2", f"loan {loan}: {want}", f"{have}", (account,)))
        self._touched.clear()
        return found


def _facts(w: World, loan_id: int) -> tuple[int, int, int]:
    loan = w.loans[loan_id]
    return loan.collateral, loan.principal, loan.charges


def missed_levels(w: World, venue: int) -> Iterator[Problem]:
    """Loans that stand at or past a level of which their state knows nothing.  O(loans)."""
    for loan in w.loans.values():
        lender = w.lenders[loan.product]
        if lender.spec.venue != venue or loan.state == LIQUIDATING:
            continue
        value = loan.collateral * price_of(w, lender, loan.asset) // w.price_scales[loan.asset]
        state = loan_state(debt_of(w, lender, loan), value, lender.spec.terms[loan.asset])
        if state == "LIQUIDATION" or (state == "MARGIN_CALL" and loan.state == HEALTHY):
            yield "LOAN-3", state, f"loan {loan.id} in state {loan.state}", (loan.account,)


@invariant(
    "ISS-3", "Dollars are minted and redeemed at par, wrappers at their rate.", "O(events)", STEP
)
def exchanged_at_par(step: Step) -> Iterator[Violation]:
    """Nobody gets more than par or rate, nor less by more than a unit and the fee."""
    w = step.world
    assets = w.config.assets
    for event in step.events:
        if event[0] in (80, 81):
            issuer = w.issuers[event[1]].spec
            dollars, paid = (event[4], event[3]) if event[0] == 80 else (event[3], event[4])
            dollar, backing = assets[issuer.asset].asset.scale, assets[issuer.backing].asset.scale
            worth = dollars * backing
            given = paid * dollar
            if event[0] == 80 and paid and not given - dollar < worth <= given:
                yield broken(w, "ISS-3", "minted at par", event, event[2])
            least = worth * (PPM - issuer.fee_ppm) // PPM - dollar
            if event[0] == 81 and not least <= given <= worth:
                yield broken(w, "ISS-3", "redeemed at par less the fee", event, event[2])
        elif event[0] in (75, 76):
            under, units, rate = event[-3:] if event[0] == 75 else (event[5], event[4], event[6])
            exact = units * rate
            good = exact <= under * PPB if event[0] == 75 else under * PPB <= exact
            if not good or abs(exact - under * PPB) >= max(rate, PPB):
                yield broken(w, "ISS-3", "exchanged at the rate", event)
