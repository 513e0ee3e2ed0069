"""Lenders, staking wrappers and issuers of a scenario, and loans that exist when it starts."""

from __future__ import annotations

from decimal import Decimal

import attrs

from exchange_sim.scenario.kinds import (
    ASSET,
    MONEY,
    NAME_TEXT,
    POSITIVE,
    RATIO,
    VENUE,
    Flag,
    Items,
    Number,
    Of,
    Ref,
    Table,
    entry,
)
from exchange_sim.scenario.times import Duration


@attrs.frozen(kw_only=True)
class LadderDef:
    """Loan-to-value levels of one collateral asset."""

    initial: Decimal = entry(RATIO, doc="At most this when the loan is made.")
    call: Decimal = entry(RATIO, doc="Margin call at or above.")
    liquidation: Decimal = entry(RATIO, doc="Forced sale at or above.")


@attrs.frozen(kw_only=True)
class LoanProductDef:
    """``[loans.NAME]``: a lender of one venue; it lends the venue's numeraire."""

    venue: str = entry(VENUE, doc="Where borrowers have accounts and collateral is sold.")
    fund: Decimal = entry(MONEY, doc="Money that can be lent, numeraire.")
    collateral: dict[str, LadderDef] = entry(
        Table(Of(LadderDef), ASSET), doc="Levels by collateral asset."
    )
    source: tuple[str, ...] = entry(
        Items(VENUE, single=True),
        default=(),
        doc="Venues whose collateral prices count (their median); none: its own.",
    )
    redemption_price: bool = entry(
        Flag(), default=False, doc="Redeemable collateral is worth what it is redeemed for."
    )
    interest_daily: Decimal = entry(
        Number(Decimal(0), Decimal(1), step=Decimal(1).scaleb(-8)),
        default=Decimal(0),
        doc="Interest on the principal, per day.",
    )
    fee: Decimal = entry(RATIO, default=Decimal(0), doc="Share of the debt, in a forced sale.")
    grace_ns: int = entry(
        Duration(), key="grace", default=0, unit="ns", doc="How long a call may stay open; 0: ever."
    )
    lag_ns: int = entry(
        Duration(),
        key="lag",
        default=0,
        unit="ns",
        doc="Time from the liquidation level to the first order.",
    )
    slice: Decimal = entry(
        MONEY, default=Decimal(0), doc="Quote value per book and second; 0: no limit."
    )


@attrs.frozen(kw_only=True)
class PledgeDef:
    """A loan that a participant owes at the start; what it borrowed has been spent."""

    product: str = entry(Ref("loans", "loan product"), doc="Who lent.")
    asset: str = entry(ASSET, doc="What is pledged, on top of its capital.")
    qty: Decimal = entry(POSITIVE, doc="How much of it.")
    principal: Decimal = entry(POSITIVE, doc="What is owed, in the venue's numeraire.")


@attrs.frozen(kw_only=True)
class PositionDef:
    """A position that a participant holds at the start, against another participant."""

    instrument: str = entry(Ref("instruments", "instrument"), doc='"venue:SYMBOL", a perpetual.')
    qty: Decimal = entry(
        Number(Decimal(-(10**15)), Decimal(10) ** 15), doc="Base units; below zero: short."
    )
    against: str = entry(NAME_TEXT, doc="Who holds the other side: a participant on that venue.")


@attrs.frozen(kw_only=True)
class WrapperDef:
    """``[wrappers.ASSET]``: a staked token; its rate starts at the asset's redemption value."""

    venues: tuple[str, ...] = entry(
        Items(VENUE, single=True), default=(), doc="Where it is wrapped and redeemed."
    )
    delay_ns: int = entry(
        Duration(), key="delay", default=0, unit="ns", doc="How long a redemption takes."
    )
    reward_yearly: Decimal = entry(RATIO, default=Decimal(0), doc="Growth of the rate, per year.")


@attrs.frozen(kw_only=True)
class IssuerDef:
    """``[issuers.NAME]``: makes a dollar on the chain and redeems it at par."""

    asset: str = entry(ASSET, doc="The dollar that it issues.")
    backing: str = entry(ASSET, doc="What it takes and pays.")
    wallet: str = entry(NAME_TEXT, doc="Participant whose wallet holds the liquid backing.")
    members: tuple[str, ...] = entry(
        Items(NAME_TEXT),
        default=(),
        doc="Who may mint and redeem; a name stands for all instances.",
    )
    mint_limit: Decimal = entry(MONEY, default=Decimal(0), doc="Most per block; 0: no limit.")
    redeem_limit: Decimal = entry(MONEY, default=Decimal(0), doc="Most per block; 0: no limit.")
    fee: Decimal = entry(RATIO, default=Decimal(0), doc="Share of a redemption that is kept.")
