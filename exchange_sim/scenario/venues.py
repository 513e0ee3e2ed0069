"""The tables of a venue in a scenario file; see ``scenario.schema``.

Figures that are not given are the usual ones of the venue's profile: ``figures``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from exchange_sim.risk.profile import Numbers
from exchange_sim.risk.profiles import PROFILES
from exchange_sim.scenario.kinds import (
    ASSET,
    MONEY,
    POSITIVE,
    RATE,
    RATIO,
    Flag,
    Items,
    Of,
    Table,
    Text,
    Whole,
    entry,
    ppm,
)
from exchange_sim.scenario.rules import CollateralPriceRuleDef, RulesDef
from exchange_sim.scenario.times import Duration
from exchange_sim.units import NANOS_PER_HOUR, NANOS_PER_MS, NANOS_PER_S

_BUILT_IN: Final = ", ".join(f'"{name}"' for name in PROFILES)
_USUAL: Final = "by default the profile's."

ADL_RULES: Final = ("production_queue", "pro_rata", "optimised")
"""How a quantity is shared among counterparties."""


@attrs.frozen(kw_only=True)
class FeeDef:
    """A fee tier: shares of the quote value."""

    maker: Decimal = entry(RATIO, doc="Fee of the resting side.")
    taker: Decimal = entry(RATIO, doc="Fee of the incoming side.")


@attrs.frozen(kw_only=True)
class BandsDef:
    """Edges of the margin bands: adjusted equity over maintenance margin; an edge belongs below.

    Edges that are not given are those of the venue's profile.
    """

    reminder: Decimal | None = entry(RATE, default=None, doc="Reminder at or below.")
    reduce_only: Decimal | None = entry(RATE, default=None, doc="Only reducing orders.")
    liquidation: Decimal | None = entry(RATE, default=None, doc="Liquidation at or below.")
    claim: Decimal | None = entry(RATE, default=None, doc="Liquidation and claim at or below.")


@attrs.frozen(kw_only=True)
class VenueDef:
    """``[venues.NAME]``: an exchange and its rules."""

    profile: str = entry(
        Text(expected=f"one of {_BUILT_IN}, or a name of [profiles]"),
        doc="Rule set of marks, margin and liquidation.",
    )
    rules: RulesDef | None = entry(
        Of(RulesDef), default=None, doc="Rules that differ from the profile."
    )
    numeraire: str = entry(ASSET, doc="Asset in which equity and margin are counted.")
    fees: tuple[FeeDef, ...] = entry(Items(Of(FeeDef), least=1), doc="Fee tiers, tier 0 first.")
    service_time_ns: int = entry(
        Duration(), key="service_time", default=0, unit="ns", doc="Engine time per command."
    )
    mark_interval_ns: int = entry(
        Duration(low=NANOS_PER_MS),
        key="mark_interval",
        default=NANOS_PER_S,
        unit="ns",
        doc="Time between samples of the books for marks and margin.",
    )
    basis_samples: int | None = entry(
        Whole(1, 10_000), default=None, doc=f"Samples in the basis average; {_USUAL}"
    )
    funding_interval_ns: int | None = entry(
        Duration(low=NANOS_PER_S),
        key="funding_interval",
        default=None,
        unit="ns",
        doc=f"Time between funding settlements, counted from midnight UTC; {_USUAL}",
    )
    funding_cap: Decimal | None = entry(
        RATE, default=None, doc=f"Largest funding rate, in first maintenance rates; {_USUAL}"
    )
    interest_interval_ns: int = entry(
        Duration(low=NANOS_PER_S),
        key="interest_interval",
        default=NANOS_PER_HOUR,
        unit="ns",
        doc="Time between charges of interest on margin loans.",
    )
    liquidation_interval_ns: int = entry(
        Duration(low=NANOS_PER_MS),
        key="liquidation_interval",
        default=NANOS_PER_S,
        unit="ns",
        doc="Time between slots of the liquidation engine.",
    )
    liquidation_slice: Decimal = entry(
        MONEY, default=Decimal(0), doc="Quote value per instrument and slot; 0: no limit."
    )
    takeover_limit: Decimal = entry(
        MONEY, default=Decimal(0), doc="Value of taken-over positions per instrument before ADL."
    )
    liquidation_fee: Decimal | None = entry(
        RATIO,
        default=None,
        doc=f"Share of liquidated notional, to the insurance fund; {_USUAL}",
    )
    insurance: Decimal = entry(MONEY, default=Decimal(0), doc="Opening insurance fund, numeraire.")
    bands: BandsDef = entry(
        Of(BandsDef), default=BandsDef(), doc="Margin bands of unified accounts."
    )
    collateral_prices: dict[str, CollateralPriceRuleDef] = entry(
        Table(Of(CollateralPriceRuleDef), ASSET),
        default={},
        doc="Assets whose collateral price has a rule of its own.",
    )
    sale_order: tuple[str, ...] = entry(
        Items(ASSET), default=(), doc="Assets that a liquidation sells first, in this order."
    )
    auto_exchange: Decimal = entry(
        MONEY,
        default=Decimal(0),
        doc="Debit of a futures account beyond which its assets are sold pro rata; 0: never.",
    )
    auto_exchange_haircut: Decimal = entry(
        RATIO, default=Decimal(0), doc="What the venue takes off the price of assets so sold."
    )
    adl_rule: str = entry(
        Text(ADL_RULES), default="production_queue", doc="How ADL shares a position."
    )
    loan_mmr: Decimal | None = entry(
        RATIO, default=None, doc=f"Maintenance rate of loans; {_USUAL}"
    )
    loan_imr: Decimal | None = entry(RATIO, default=None, doc=f"Initial rate of loans; {_USUAL}")
    margin_pool: dict[str, Decimal] = entry(
        Table(MONEY, ASSET), default={}, doc="Opening cash that can be borrowed, by asset."
    )
    transfer_delay_ns: int = entry(
        Duration(),
        key="transfer_delay",
        default=60 * NANOS_PER_S,
        unit="ns",
        doc="Time that a transfer out of the venue takes.",
    )
    transfer_fee: dict[str, Decimal] = entry(
        Table(MONEY, ASSET), default={}, doc="Fee of a transfer out, by asset."
    )
    transfer_max: dict[str, Decimal] = entry(
        Table(MONEY, ASSET), default={}, doc="Largest single transfer out, by asset."
    )
    transfer_hourly: dict[str, Decimal] = entry(
        Table(MONEY, ASSET), default={}, doc="Most that leaves in a clock hour, by asset."
    )
    max_orders: int = entry(
        Whole(1, 10_000_000), default=10_000, doc="Open orders of one account in one instrument."
    )
    account_orders: int = entry(
        Whole(0, 10_000_000),
        default=0,
        doc="New and changed orders of one account in an interval, whatever its sessions; 0: any.",
    )
    account_orders_interval_ns: int = entry(
        Duration(low=NANOS_PER_MS),
        key="account_orders_interval",
        default=10 * NANOS_PER_S,
        unit="ns",
        doc="That interval, counted from midnight UTC.",
    )
    trade_groups: bool = entry(
        Flag(),
        default=False,
        doc="Self-trade prevention takes the accounts of one owner for one.",
    )
    stp_transfer: bool = entry(
        Flag(), default=False, doc="Spot: the prevention mode TRANSFER (2026) is offered."
    )
    orders_per_s: int = entry(
        Whole(0, 1_000_000), default=0, doc="Commands of one session in a second; 0: any number."
    )
    max_backlog: int = entry(
        Whole(1, 10_000_000),
        default=1_000_000,
        doc="Commands that may wait for the engine; more are refused.",
    )
    impact_margin: Decimal | None = entry(
        POSITIVE,
        default=None,
        doc=f"Times maximum leverage: the impact notional of premiums; {_USUAL}",
    )


def figures(venue: VenueDef, usual: Numbers) -> Numbers:
    """The figures that a venue has: its own where it gives one, else ``usual``.

    ``impact_margin`` is left to the builder, which knows the decimals of the numeraire.
    """

    def parts(given: Decimal | None, otherwise: int) -> int:
        return otherwise if given is None else ppm(given)

    bands = venue.bands
    edges = (bands.reminder, bands.reduce_only, bands.liquidation, bands.claim)
    reminder, reduce_only, liquidation, claim = (
        parts(edge, otherwise) for edge, otherwise in zip(edges, usual.bands, strict=True)
    )
    return Numbers(
        bands=(reminder, reduce_only, liquidation, claim),
        loan_mmr_ppm=parts(venue.loan_mmr, usual.loan_mmr_ppm),
        loan_imr_ppm=parts(venue.loan_imr, usual.loan_imr_ppm),
        liquidation_fee_ppm=parts(venue.liquidation_fee, usual.liquidation_fee_ppm),
        basis_samples=venue.basis_samples or usual.basis_samples,
        funding_interval_ns=venue.funding_interval_ns or usual.funding_interval_ns,
        funding_cap_ppm=parts(venue.funding_cap, usual.funding_cap_ppm),
        impact_margin=usual.impact_margin,
    )
