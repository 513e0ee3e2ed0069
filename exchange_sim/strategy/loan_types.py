"""A loan against pledged coins, as its borrower knows it."""

from __future__ import annotations

import attrs


@attrs.frozen
class LoanView:
    """A loan as its borrower knows it; ``happened`` says what the last message was about.

    ``happened`` is ``"opened"``, ``"topped_up"``, ``"repaid"``, ``"sold"``, ``"fee"``, ``"call"``,
    ``"cured"``, ``"liquidation"`` or ``"closed"``.  Amounts are whole assets; ``ltv`` is that of
    the lender's price at ``time_ns``; ``due_ns`` is when the lender acts on a call (0: never).
    """

    loan: int
    venue: str
    account: int
    product: int
    collateral_asset: str
    collateral: float
    principal: float
    charges: float
    ltv: float
    happened: str
    due_ns: int
    time_ns: int

    @property
    def debt(self) -> float:
        """Principal, interest and fees as of the last message."""
        return self.principal + self.charges

    @property
    def called(self) -> bool:
        """Whether the lender wants an answer."""
        return self.happened in {"call", "liquidation"}
