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


@command(67)
class Wrap(Message):
    """Turn ``amount`` units of the underlying into a wrapper at its rate, at once."""

    time_ns: Nanos
    account: AccountId
    wrapper: AssetId
    amount: Amount


@command(68)
class Unwrap(Message):
    """Give up ``amount`` units of a wrapper; the underlying arrives with ``FinishUnwrap``."""

    time_ns: Nanos
    account: AccountId
    wrapper: AssetId
    amount: Amount


@command(69)
class FinishUnwrap(Message):
    """Pay out a redemption of a wrapper whose delay is over."""

    time_ns: Nanos
    request: int


@command(70)
class AccrueWrapper(Message):
    """Add the staking rewards since the last time to a wrapper's vault and rate."""

    time_ns: Nanos
    wrapper: AssetId


@command(71)
class FundVault(Message):
    """Initial state: the underlying of all units of a wrapper that exist comes into its vault."""

    time_ns: Nanos
    wrapper: AssetId


@command(72)
class AppointIssuer(Message):
    """Initial state: the wallet that holds the liquid backing of a synthetic dollar."""

    time_ns: Nanos
    wallet: AccountId
    issuer: int


@command(73)
class SetWhitelisted(Message):
    """Allow (1) or forbid (0) a wallet to mint and redeem at an issuer."""

    time_ns: Nanos
    wallet: AccountId
    issuer: int
    allowed: int


@command(74)
class SwitchIssuer(Message):
    """Open (1) or close (0) minting and redemption at an issuer."""

    time_ns: Nanos
    issuer: int
    minting: int
    redeeming: int
