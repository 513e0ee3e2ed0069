"""Events of lenders, issuers and staking wrappers; ``messages.events`` offers them too."""

from __future__ import annotations

from exchange_sim.ids import AccountId, AssetId, InstrumentId
from exchange_sim.messages.reasons import LoanChange, LoanEnd, LoanNoticeKind
from exchange_sim.messages.registry import Message, event
from exchange_sim.units import Amount, Lots, Nanos


@event(70)
class LoanOpened(Message):
    """A loan was made: ``collateral`` went to the lender's vault, ``principal`` to the borrower."""

    loan: int
    product: int
    account: AccountId
    collateral_asset: AssetId
    collateral: Amount
    principal: Amount
    ltv_ppm: int


@event(71)
class LoanUpdated(Message):
    """What a loan is now, after ``change``: owed are ``principal`` and ``charges`` (interest and
    fee).
    """

    loan: int
    account: AccountId
    change: LoanChange
    collateral: Amount
    principal: Amount
    charges: Amount
    ltv_ppm: int


@event(72)
class LoanNotice(Message):
    """A lender told a borrower where a loan stands.

    ``value`` is what the collateral is worth at the product's price source, ``due_ns`` when the
    lender acts (0: when the liquidation level is reached).
    """

    loan: int
    account: AccountId
    kind: LoanNoticeKind
    ltv_ppm: int
    debt: Amount
    value: Amount
    due_ns: Nanos


@event(73)
class LoanCollateralSold(Message):
    """A lender sold pledged collateral through the book: ``value`` came in for ``qty`` lots."""

    loan: int
    account: AccountId
    instrument: InstrumentId
    qty: Lots
    value: Amount
    forced: int


@event(74)
class LoanClosed(Message):
    """A loan ended: collateral ``returned`` and ``surplus`` cash went back; the lender lost
    ``shortfall``.
    """

    loan: int
    account: AccountId
    end: LoanEnd
    returned: Amount
    surplus: Amount
    shortfall: Amount


@event(75)
class Wrapped(Message):
    """``underlying`` went into a wrapper's vault for ``amount`` new units of it."""

    account: AccountId
    wrapper: AssetId
    underlying: Amount
    amount: Amount
    rate_ppb: int


@event(76)
class UnwrapStarted(Message):
    """``amount`` units of a wrapper are gone; ``underlying`` is owed for them."""

    request: int
    account: AccountId
    wrapper: AssetId
    amount: Amount
    underlying: Amount
    rate_ppb: int


@event(77)
class UnwrapFinished(Message):
    """The underlying of an earlier redemption was paid out."""

    request: int
    account: AccountId
    wrapper: AssetId
    underlying: Amount


@event(78)
class WrapperRateChanged(Message):
    """``reward`` was added to a wrapper's vault: each unit is now redeemed at ``rate_ppb``."""

    wrapper: AssetId
    rate_ppb: int
    reward: Amount


@event(80)
class SyntheticMinted(Message):
    """An issuer took ``paid`` units of backing and made ``amount`` units of its dollar."""

    issuer: int
    wallet: AccountId
    paid: Amount
    amount: Amount
    supply: Amount


@event(81)
class SyntheticRedeemed(Message):
    """An issuer destroyed ``amount`` units of its dollar and paid ``paid`` units of backing."""

    issuer: int
    wallet: AccountId
    amount: Amount
    paid: Amount
    buffer: Amount


@event(82)
class IssuerSwitched(Message):
    """Minting and redemption at an issuer are open (1) or closed (0)."""

    issuer: int
    minting: int
    redeeming: int


@event(83)
class WhitelistChanged(Message):
    """A wallet may (1) or may not (0) mint and redeem at an issuer."""

    issuer: int
    wallet: AccountId
    allowed: int
