"""Loans against pledged coins as a borrower's assets and debts, from the events of the lender.

Pledged coins stay the borrower's until the lender sells them, and the principal is owed until it is
paid.  Interest counts when it is paid; what has accrued at the end of a run is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from exchange_sim.messages.reasons import LoanChange

Move = tuple[int, int, int, str]
"""(account, asset, units, part of the profit)."""
CASH: Final = -1
"""Stands for the numeraire of the account's venue."""


class Pledges:
    """Open loans by number: borrower, pledged asset, pledged units, principal."""

    def __init__(self) -> None:
        self._loans: dict[int, list[int]] = {}

    def opened(self, row: dict[str, Any]) -> Iterator[Move]:
        """Coins became a pledge, cash came in and is owed: nothing was gained."""
        account, asset = row["account"], row["collateral_asset"]
        self._loans[row["loan"]] = [account, asset, row["collateral"], row["principal"]]
        yield account, asset, row["collateral"], "other"
        yield account, CASH, -row["principal"], "other"

    def updated(self, row: dict[str, Any]) -> Iterator[Move]:
        """More pledged, something repaid, or coins sold by the lender."""
        loan = self._loans.get(row["loan"])
        if loan is None:
            return
        account, asset, pledged, owed = loan
        part = "liquidation" if row["change"] == LoanChange.SOLD else "other"
        yield account, asset, row["collateral"] - pledged, part
        yield account, CASH, owed - row["principal"], part
        loan[2:] = [row["collateral"], row["principal"]]

    def closed(self, row: dict[str, Any]) -> Iterator[Move]:
        """What is left of the pledge came back; what is still owed is not asked for."""
        loan = self._loans.pop(row["loan"], None)
        if loan is None:
            return
        account, asset, pledged, owed = loan
        yield account, asset, -pledged, "other"
        yield account, CASH, owed, "liquidation"

    def held(self) -> Iterator[tuple[int, int, int]]:
        """(account, asset, units) of open loans: pledges, and debts as negative cash."""
        for account, asset, pledged, owed in self._loans.values():
            yield account, asset, pledged
            yield account, CASH, -owed
