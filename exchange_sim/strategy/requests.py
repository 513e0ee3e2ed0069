"""What a strategy asks of venues and lenders beside orders.  ``Strategy`` offers all of it.

Every request returns False when it could not be sent; answers come as events, refusals as
``on_refusal``.
"""

from __future__ import annotations

from exchange_sim.marketdata.market import Number
from exchange_sim.model.enums import PositionSide
from exchange_sim.strategy.context import SymbolLike
from exchange_sim.strategy.edge import member
from exchange_sim.strategy.loan_types import LoanView
from exchange_sim.strategy.reads import Reads


class AccountRequests(Reads):
    """Requests about accounts: margin loans, transfers, leverage, loans against pledged coins."""

    def borrow(
        self, asset: str, qty: Number, venue: str | None = None, account: str | None = None
    ) -> bool:
        """Ask to borrow from the venue's margin pool; False when the request could not be sent."""
        return self._ctx.borrow(asset, qty, venue, account)

    def repay(
        self, asset: str, qty: Number, venue: str | None = None, account: str | None = None
    ) -> bool:
        """Ask to repay a margin loan; False when the request could not be sent."""
        return self._ctx.repay(asset, qty, venue, account)

    def transfer(
        self,
        asset: str,
        qty: Number,
        from_venue: str,
        to_venue: str,
        from_account: str | None = None,
        to_account: str | None = None,
    ) -> bool:
        """Send an asset from an own account to another; see ``on_transfer`` and ``on_refusal``."""
        return self._ctx.transfer(asset, qty, from_venue, to_venue, from_account, to_account)

    def set_leverage(self, symbol: SymbolLike, leverage: int, account: str | None = None) -> bool:
        """Choose the leverage of a perpetual (bounds the initial margin from below)."""
        return self._ctx.set_leverage(symbol, leverage, account)

    def set_margin_mode(
        self, symbol: SymbolLike, isolated: bool, account: str | None = None
    ) -> bool:
        """Margin a perpetual by a wallet of its own, or in common; see ``on_refusal``."""
        market = self._ctx.market(symbol)
        return self._ctx.request(50, (market.id, int(bool(isolated))), market.venue, account)

    def change_margin(
        self,
        symbol: SymbolLike,
        amount: float,
        side: PositionSide | int | str = PositionSide.BOTH,
        account: str | None = None,
    ) -> bool:
        """Add to the margin of an isolated position, or take from it (``amount`` below zero)."""
        market = self._ctx.market(symbol)
        units = self._ctx.units(market.base if market.is_inverse else market.quote, abs(amount))
        fields = (market.id, member(PositionSide, side), units if amount > 0 else -units)
        return units > 0 and self._ctx.request(51, fields, market.venue, account)

    def set_position_mode(
        self, hedge: bool, venue: str | None = None, account: str | None = None
    ) -> bool:
        """Hold one position per perpetual, or a long and a short one side by side."""
        return self._ctx.request(52, (int(bool(hedge)),), venue, account)

    # loans against pledged coins

    def open_loan(
        self,
        product: str,
        collateral: str,
        qty: Number,
        amount: Number,
        venue: str | None = None,
        account: str | None = None,
    ) -> bool:
        """Pledge ``qty`` of an asset and borrow ``amount`` of the venue's numeraire."""
        ctx = self._ctx
        pledged = ctx.units(collateral, qty)
        wanted = ctx.units(ctx.numeraire(venue, account), amount)
        fields = (ctx.loan_product(product), ctx.asset_id(collateral), pledged, wanted)
        return bool(pledged and wanted) and ctx.request(60, fields, venue, account)

    def top_up_loan(self, loan: LoanView, qty: Number) -> bool:
        """Pledge more of the loan's collateral asset."""
        pledged = self._ctx.units(loan.collateral_asset, qty)
        fields = (loan.loan, pledged)
        return pledged > 0 and self._ctx.request(61, fields, loan.venue, loan.account)

    def repay_loan(self, loan: LoanView, amount: Number) -> bool:
        """Pay back from free cash, at most what is owed."""
        paid = self._ctx.units(self._ctx.numeraire(loan.venue, loan.account), amount)
        return paid > 0 and self._ctx.request(62, (loan.loan, paid), loan.venue, loan.account)

    def repay_from_collateral(self, loan: LoanView, target_ltv: float = 0.0) -> bool:
        """Have the lender sell collateral until the loan-to-value is ``target_ltv``."""
        target = max(0, min(999_999, round(target_ltv * 1_000_000)))
        return self._ctx.request(63, (loan.loan, target), loan.venue, loan.account)

    def pledged_loans(self, venue: str | None = None, account: str | None = None) -> list[LoanView]:
        """Open loans against pledged coins, oldest first."""
        return self._ctx.pledged_loans(venue, account)
