"""Loans against pledged coins and transactions, as their owners know them."""

from __future__ import annotations

import attrs

from exchange_sim.messages.reasons import RejectReason


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


@attrs.frozen
class TransactionNotice:
    """An own transaction waits, was executed, failed or was dropped (``status``).

    ``number`` is what ``transact`` returned, ``output`` what its last action gave in smallest units
    of whatever that was, ``gas_fee`` what was paid for gas in the gas asset.
    """

    number: int
    wallet: int
    status: str
    time_ns: int
    gas_fee: float = 0.0
    output: int = 0
    reason: RejectReason | None = None
