"""Commands of lenders, issuers and staking wrappers; ``messages.commands`` offers them too."""

from __future__ import annotations

from exchange_sim.ids import AccountId, AssetId, VenueId
from exchange_sim.messages.registry import Message, command
from exchange_sim.units import Amount, Nanos


@command(60)
class OpenLoan(Message):
    """Pledge ``collateral`` at a lender and borrow ``principal`` of the venue's numeraire."""

    time_ns: Nanos
    account: AccountId
    product: int
    collateral_asset: AssetId
    collateral: Amount
    principal: Amount


@command(61)
class TopUpLoan(Message):
    """Pledge more of the collateral asset of a loan."""

    time_ns: Nanos
    account: AccountId
    loan: int
    amount: Amount


@command(62)
class RepayLoan(Message):
    """Pay a loan back from free cash: fee first, then interest, then principal."""

    time_ns: Nanos
    account: AccountId
    loan: int
    amount: Amount


@command(63)
class RepayFromCollateral(Message):
    """Have the lender sell collateral through the book until the loan-to-value is ``target_ppm``.

    0 sells until the loan is repaid.
    """

    time_ns: Nanos
    account: AccountId
    loan: int
    target_ppm: int


@command(64)
class LoanTick(Message):
    """Let the lenders of a venue work for one slot: overdue calls, then forced sales."""

    time_ns: Nanos
    venue: VenueId


@command(65)
class FundLender(Message):
    """Bring money that a product can lend in from outside, in its venue's numeraire."""

    time_ns: Nanos
    product: int
    amount: Amount


@command(66)
class PlaceLoan(Message):
    """Initial state: a loan made before the start, at any loan-to-value below liquidation."""

    time_ns: Nanos
    account: AccountId
    product: int
    collateral_asset: AssetId
    collateral: Amount
    principal: Amount
