"""What a borrower knows about its loans, from the messages that reached it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from exchange_sim.messages.reasons import LoanChange, LoanNoticeKind
from exchange_sim.strategy.loan_types import LoanView
from exchange_sim.units import PPM

Event = tuple[int, ...]
Notice = tuple[str, Any]

LOAN_EVENTS: Final = (70, 71, 72, 74)
_CHANGES: Final = {int(kind): kind.name.lower() for kind in LoanChange}
_NOTICES: Final = {int(kind): kind.name.lower() for kind in LoanNoticeKind}


class LoanBook:
    """Loans of one account by number."""

    def __init__(
        self, account: int, venue: str, names: Sequence[str], scales: Sequence[int], scale: int
    ) -> None:
        self.loans: dict[int, LoanView] = {}
        self._account = account
        self._venue = venue
        self._names = names
        self._scales = scales
        self._scale = scale

    def apply(self, time_ns: int, event: Event) -> list[Notice]:
        """Take one message about a loan."""
        kind, loan = event[0], event[1]
        if kind == 70:
            _, _, product, _, asset, collateral, principal, ltv = event
            view = LoanView(
                loan, self._venue, self._account, product, self._names[asset],
                collateral / self._scales[asset], principal / self._scale, 0.0, ltv / PPM,
                "opened", 0, time_ns,
            )  # fmt: skip
        elif loan not in self.loans:
            return []
        elif kind == 71:
            _, _, _, change, collateral, principal, charges, ltv = event
            known = self.loans[loan]
            scale = self._scales[self._names.index(known.collateral_asset)]
            view = attrs.evolve(
                known, collateral=collateral / scale, principal=principal / self._scale,
                charges=charges / self._scale, ltv=ltv / PPM, happened=_CHANGES[change],
                time_ns=time_ns,
            )  # fmt: skip
        elif kind == 72:
            _, _, _, what, ltv, _, _, due = event
            view = attrs.evolve(
                self.loans[loan], ltv=ltv / PPM, happened=_NOTICES[what], due_ns=due,
                time_ns=time_ns,
            )  # fmt: skip
        else:
            view = attrs.evolve(self.loans.pop(loan), happened="closed", time_ns=time_ns)
            return [("on_loan", view)]
        self.loans[loan] = view
        return [("on_loan", view)]
