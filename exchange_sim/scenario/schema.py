"""The tables of a scenario file as frozen classes.

Python names carry the unit (``service_time_ns``); the key in the file is the name without it.
Money and rates are exact decimals here; the builder turns them into integers with the scales of the
assets. Every field's metadata says how it is read and what it means: the reference page is made
from it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from exchange_sim.scenario.chain import AmmDef, ChainDef, MarketDef, OracleDef, PoolDef
from exchange_sim.scenario.collateral import (
    COLLATERAL,
    LIABILITY,
    CollateralTier,
    LiabilityBracket,
)
from exchange_sim.scenario.faults import HaltDef, OutageDef
from exchange_sim.scenario.kinds import (
    ASSET,
    MONEY,
    NAME_TEXT,
    POSITIVE,
    RATE,
    RATIO,
    VENUE,
    Flag,
    Free,
    Items,
    Number,
    Of,
    Ref,
    Table,
    Text,
    Whole,
    entry,
)
from exchange_sim.scenario.lending import IssuerDef, LoanProductDef, WrapperDef
from exchange_sim.scenario.mechanisms import MECHANISM, Mechanisms
from exchange_sim.scenario.participants import LatencyDef, ParticipantDef, PopulationDef
from exchange_sim.scenario.recorded_def import RecordedDef
from exchange_sim.scenario.rules import ProfileDef
from exchange_sim.scenario.times import Duration, Instant
from exchange_sim.scenario.venues import VenueDef
from exchange_sim.units import NANOS_PER_S


@attrs.frozen(kw_only=True)
class About:
    """``[scenario]``: what is emulated and when."""

    name: str = entry(NAME_TEXT, doc="Names the run directory and the random streams' owner.")
    description: str = entry(Text(), default="", doc="One or two sentences for `scenarios`.")
    start_ns: int = entry(Instant(relative=False), key="start", unit="ns", doc="First instant.")
    duration_ns: int = entry(Duration(low=1), key="duration", unit="ns", doc="How long it runs.")
    seed: int = entry(Whole(0, 2**62), doc="Seed of all random streams; there is no default.")
    exogenous: tuple[str, ...] = entry(
        Items(Text()), default=(), doc="Every input that is not an outcome, in words."
    )
    checks: str = entry(
        Text(("cheap", "sampled", "full")), default="cheap", doc="Invariants checked while running."
    )


@attrs.frozen(kw_only=True)
class AssetDef:
    """``[assets.NAME]``: something that is held."""

    decimals: int = entry(Whole(0, 12), doc="Decimal places of its smallest unit.")
    kind: str = entry(
        Text(("quote", "major", "alt", "defensive", "pegged", "wrapper")),
        doc="Its role; selects populations.",
    )
    beta: Decimal = entry(MONEY, default=Decimal(1), doc="Move per move of the market's factor.")
    collateral: tuple[CollateralTier, ...] = entry(
        COLLATERAL, default=(), doc="Collateral ratio, or tiers by value; none: no collateral."
    )
    liability: tuple[LiabilityBracket, ...] = entry(
        LIABILITY,
        default=(),
        doc="Margin of what `margin_pro` accounts owe of it, by value; none: the venue's rates.",
    )
    interest_daily: Decimal = entry(
        Number(Decimal(0), Decimal(1), step=Decimal(1).scaleb(-8)),
        default=Decimal(0),
        doc="Interest on margin loans in this asset, per day.",
    )
    redemption_asset: str = entry(ASSET, default="", doc="What one unit is redeemed into.")
    redemption_value: Decimal | None = entry(
        Number(Decimal(0), Decimal(1000), above=True, step=Decimal(1).scaleb(-6)),
        default=None,
        doc="Units of `redemption_asset` per unit.",
    )
    max_loan: Decimal | None = entry(
        MONEY, default=None, doc="Largest loan that an account may ask for."
    )
    count: int = entry(
        Whole(1, 100_000),
        default=1,
        doc="Stands for so many assets: NAME0001 and so on (see `exchange_sim.scenario.series`).",
    )


@attrs.frozen(kw_only=True)
class BracketDef:
    """One leverage bracket."""

    floor: Decimal = entry(MONEY, doc="Notional above which it applies, in quote.")
    leverage: int = entry(Whole(1, 1000), doc="Largest leverage.")
    mmr: Decimal = entry(RATIO, doc="Maintenance margin rate.")


@attrs.frozen(kw_only=True)
class IndexSource:
    """A book that an index or a mark is made of."""

    instrument: str = entry(Ref("instruments", "instrument"), doc='"venue:SYMBOL".')
    weight: int = entry(Whole(1, 1_000_000), default=1, doc="Relative weight.")


@attrs.frozen(kw_only=True)
class InstrumentDef:
    """``[[instruments]]``: something that is traded on one venue."""

    symbol: str = entry(NAME_TEXT, doc="As the venue spells it.")
    venue: str = entry(VENUE, doc="Where.")
    kind: str = entry(Text(("SPOT", "PERPETUAL", "INVERSE_PERPETUAL")), doc="What is traded.")
    base: str = entry(ASSET, doc="What is bought and sold.")
    quote: str = entry(ASSET, doc="What it is paid with.")
    tick_size: Decimal = entry(POSITIVE, doc="Smallest price step, in quote.")
    lot_size: Decimal = entry(
        POSITIVE, default=Decimal(0), doc="Smallest quantity step, in base; inverse: none."
    )
    contract_size: Decimal = entry(
        POSITIVE, default=Decimal(0), doc="Inverse perpetuals: quote value of one contract."
    )
    price: Decimal = entry(POSITIVE, doc="Price before the first trade; an initial state.")
    min_notional: Decimal = entry(MONEY, default=Decimal(5), doc="Smallest order value, in quote.")
    max_qty: Decimal | None = entry(POSITIVE, default=None, doc="Largest order, in base.")
    percent_price_up: Decimal | None = entry(
        RATE,
        default=None,
        doc="Both sides: highest limit price, as a multiple of the average (spot) or mark.",
    )
    percent_price_down: Decimal | None = entry(
        RATE,
        default=None,
        doc="Both sides: lowest limit price, as a multiple of the average (spot) or mark.",
    )
    bid_multiplier_up: Decimal | None = entry(
        RATE, default=None, doc="Buy orders: in place of `percent_price_up`."
    )
    bid_multiplier_down: Decimal | None = entry(
        RATE, default=None, doc="Buy orders: in place of `percent_price_down`."
    )
    ask_multiplier_up: Decimal | None = entry(
        RATE, default=None, doc="Sell orders: in place of `percent_price_up`."
    )
    ask_multiplier_down: Decimal | None = entry(
        RATE, default=None, doc="Sell orders: in place of `percent_price_down`."
    )
    average_price_window_ns: int = entry(
        Duration(),
        key="average_price_window",
        default=0,
        unit="ns",
        doc="Spot: window of that volume-weighted average; 0: the last price stands in.",
    )
    market_take_bound: Decimal = entry(
        RATIO, default=Decimal(0), doc="How far from the mark a market order may trade; 0: any."
    )
    liquidation_collar: Decimal = entry(
        RATIO, default=Decimal("0.02"), doc="How far below mid and mark a liquidation may sell."
    )
    liquidation_slice: Decimal | None = entry(
        MONEY, default=None, doc="Overrides the venue's, for this instrument."
    )
    takeover_limit: Decimal | None = entry(
        MONEY, default=None, doc="Overrides the venue's, for this instrument."
    )
    price_range: Decimal = entry(
        RATIO,
        default=Decimal(0),
        doc="Spot: how far from the mean of recent trades one may trade; 0: no such rule (2025).",
    )
    price_range_window_ns: int = entry(
        Duration(low=NANOS_PER_S),
        key="price_range_window",
        default=60 * NANOS_PER_S,
        unit="ns",
        doc="Window of that mean.",
    )
    trigger_protect: Decimal = entry(
        RATIO, default=Decimal(0), doc="Stops wait while last and mark are further apart; 0: never."
    )
    brackets: str = entry(
        Ref("brackets", "bracket table"), default="", doc="Leverage brackets; perpetuals need them."
    )
    default_leverage: int = entry(Whole(1, 1000), default=20, doc="Leverage of a new account.")
    depth_usd: Decimal = entry(
        MONEY, default=Decimal(0), doc="D1: calm resting bid value within 1 % x beta of the price."
    )
    index: tuple[IndexSource, ...] = entry(
        Items(Of(IndexSource)), default=(), doc="Sources of the index price."
    )
    mark_sources: tuple[IndexSource, ...] = entry(
        Items(Of(IndexSource)), default=(), doc="Other venues' perpetuals that an oracle mark uses."
    )
    tags: tuple[str, ...] = entry(
        Items(NAME_TEXT, single=True), default=(), doc="Labels by which populations select it."
    )
    template: str = entry(
        NAME_TEXT, default="", doc="A name in [templates] that fills in the rest."
    )

    @property
    def name(self) -> str:
        """``venue:SYMBOL``, by which everything else refers to it."""
        return f"{self.venue}:{self.symbol}"

    @property
    def inverse(self) -> bool:
        """Whether it is settled in its base asset."""
        return self.kind == "INVERSE_PERPETUAL"

    @property
    def lot(self) -> Decimal:
        """One lot: in base, or in quote for a contract of fixed value."""
        return self.contract_size if self.inverse else self.lot_size

    @property
    def lot_value(self) -> Decimal:
        """Quote value of one lot at the initial price."""
        return self.contract_size if self.inverse else self.price * self.lot_size


@attrs.frozen(kw_only=True)
class ShockDef:
    """``[[shocks]]``: a published exogenous happening."""

    name: str = entry(NAME_TEXT, doc="Addresses it in --set.")
    at_ns: int = entry(Instant(), key="at", unit="ns", doc="When it happens.")
    enabled_by: str = entry(MECHANISM, default="macro_shock", doc="Mechanism that switches it.")
    enabled: bool = entry(Flag(), default=True, doc="False drops one that a base file has.")
    params: dict[str, Any] = entry(Free(), default={}, doc="What participants are told.")


@attrs.frozen(kw_only=True)
class ScoreDef:
    """``[score]``: which part of the record each venue and asset plays, for ``score``."""

    script: str = entry(
        Text(("record", "article")), default="record", doc="The list that a run is scored on."
    )
    news_ns: int | None = entry(
        Instant(), key="news", default=None, unit="ns", doc="Instant that windows count from."
    )
    venues: dict[str, str] = entry(
        Table(VENUE), default={}, doc="Venue by part: primary, secondary, onchain, amm, lending."
    )
    assets: dict[str, tuple[str, ...]] = entry(
        Table(Items(ASSET, single=True)), default={}, doc="Assets by kind, such as small_alt."
    )


@attrs.frozen(kw_only=True)
class Tables:
    """The whole file."""

    about: About = entry(Of(About), key="scenario", doc="What is emulated and when.")
    mechanisms: Mechanisms = entry(Of(Mechanisms), default=Mechanisms(), doc="Switches.")
    assets: dict[str, AssetDef] = entry(Table(Of(AssetDef)), doc="What is held.")
    profiles: dict[str, ProfileDef] = entry(
        Table(Of(ProfileDef)), default={}, doc="Rule sets of your own, by name."
    )
    venues: dict[str, VenueDef] = entry(Table(Of(VenueDef)), doc="Where it is traded.")
    brackets: dict[str, tuple[BracketDef, ...]] = entry(
        Table(Items(Of(BracketDef), least=1)), default={}, doc="Leverage brackets by name."
    )
    latency: dict[str, LatencyDef] = entry(
        Table(Of(LatencyDef)), default={}, doc="Latency profiles by name."
    )
    instruments: tuple[InstrumentDef, ...] = entry(Items(Of(InstrumentDef)), doc="What is traded.")
    participants: tuple[ParticipantDef, ...] = entry(
        Items(Of(ParticipantDef)), default=(), doc="Who trades, one by one."
    )
    populations: tuple[PopulationDef, ...] = entry(
        Items(Of(PopulationDef)), default=(), doc="Who trades, by the thousand."
    )
    loans: dict[str, LoanProductDef] = entry(
        Table(Of(LoanProductDef)), default={}, doc="Lenders against pledged coins."
    )
    wrappers: dict[str, WrapperDef] = entry(
        Table(Of(WrapperDef), ASSET), default={}, doc="Staked tokens that are redeemed in time."
    )
    issuers: dict[str, IssuerDef] = entry(
        Table(Of(IssuerDef)), default={}, doc="Issuers of synthetic dollars on the chain."
    )
    chain: ChainDef | None = entry(Of(ChainDef), default=None, doc="A chain with wallets.")
    oracles: dict[str, OracleDef] = entry(
        Table(Of(OracleDef)), default={}, doc="Prices that are known on the chain."
    )
    pools: dict[str, PoolDef] = entry(
        Table(Of(PoolDef)), default={}, doc="Lending pools on the chain."
    )
    markets: dict[str, MarketDef] = entry(
        Table(Of(MarketDef)), default={}, doc="Isolated lending markets on the chain."
    )
    amms: dict[str, AmmDef] = entry(
        Table(Of(AmmDef)), default={}, doc="Automated market makers on the chain."
    )
    shocks: tuple[ShockDef, ...] = entry(Items(Of(ShockDef)), default=(), doc="News.")
    outages: tuple[OutageDef, ...] = entry(Items(Of(OutageDef)), default=(), doc="Failures.")
    halts: tuple[HaltDef, ...] = entry(
        Items(Of(HaltDef)), default=(), doc="Scheduled suspensions of trading."
    )
    recorded: tuple[RecordedDef, ...] = entry(
        Items(Of(RecordedDef)), default=(), doc="Recorded market data that is played."
    )
    score: ScoreDef = entry(
        Of(ScoreDef),
        default=ScoreDef(),
        doc="What targets of `score` mean here; no effect on runs.",
    )
