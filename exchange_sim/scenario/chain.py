"""The chain of a scenario: fee market, oracles, lending pools, isolated markets, AMMs."""

from __future__ import annotations

from decimal import Decimal

import attrs

from exchange_sim.defi.gas import BLOCK_SECONDS
from exchange_sim.defi.spec import GAS_LIMIT
from exchange_sim.scenario.kinds import (
    ASSET,
    MONEY,
    NAME_TEXT,
    POSITIVE,
    RATE,
    RATIO,
    Flag,
    Items,
    Number,
    Of,
    Ref,
    Table,
    Text,
    Whole,
    entry,
)
from exchange_sim.scenario.times import Duration
from exchange_sim.units import NANOS_PER_S

ORACLE = Ref("oracles", "oracle")
GWEI = Number(Decimal(0), Decimal(1_000_000), step=Decimal(1).scaleb(-9))


@attrs.frozen(kw_only=True)
class ChainDef:
    """``[chain]``: participants have wallets on it by naming it among their venues."""

    name: str = entry(NAME_TEXT, default="chain", doc="By which `venues` of participants name it.")
    numeraire: str = entry(ASSET, doc="Asset in which wallets are counted.")
    gas_asset: str = entry(ASSET, doc="What gas is paid with.")
    block_interval_ns: int = entry(
        Duration(low=NANOS_PER_S),
        key="block_interval",
        default=BLOCK_SECONDS * NANOS_PER_S,
        unit="ns",
        doc="Time between blocks.",
    )
    gas_limit: int = entry(
        Whole(1_000_000, 10**12), default=GAS_LIMIT, doc="Most gas of one block."
    )
    base_fee_gwei: Decimal = entry(GWEI, default=Decimal(1), doc="Base fee of the first block.")
    traffic: Decimal = entry(
        RATE,
        default=Decimal("0.5"),
        doc="Demand of everybody else at the first base fee, in blocks; 0.5 keeps the fee.",
    )
    traffic_sigma: Decimal = entry(
        RATE, default=Decimal("0.3"), doc="Log-standard deviation of that demand, by block."
    )
    traffic_elasticity: Decimal = entry(
        RATE, default=Decimal("0.5"), doc="Exponent by which it falls as the base fee rises."
    )
    traffic_tip_gwei: Decimal = entry(
        GWEI, default=Decimal("0.1"), doc="Priority fee that everybody else pays."
    )
    traffic_surge: Decimal = entry(
        RATE,
        default=Decimal(0),
        doc="Extra blocks of demand per 1 % that the gas asset has moved in five minutes.",
    )
    confirmation_ns: int = entry(
        Duration(),
        key="confirmation",
        default=180 * NANOS_PER_S,
        unit="ns",
        doc="How long a venue waits before it credits what came from a wallet.",
    )
    sample_interval_ns: int = entry(
        Duration(),
        key="sample_interval",
        default=60 * NANOS_PER_S,
        unit="ns",
        doc="Time between measurements of pledged capital and leverage; 0: none.",
    )


@attrs.frozen(kw_only=True)
class OracleDef:
    """``[oracles.NAME]``: a price feed in dollars."""

    kind: str = entry(
        Text(("fixed", "market", "amm", "capped", "ratio")), doc="Where the price comes from."
    )
    asset: str = entry(ASSET, doc="What it prices.")
    price: Decimal = entry(POSITIVE, default=Decimal(1), doc="`fixed`: dollars per asset.")
    sources: tuple[str, ...] = entry(
        Items(Ref("instruments", "instrument"), single=True),
        default=(),
        doc='`market`: spot books "venue:SYMBOL"; their median.',
    )
    amm: str = entry(Ref("amms", "AMM"), default="", doc="`amm`: whose marginal price.")
    quote: str = entry(ORACLE, default="", doc="`market`, `amm`: oracle of what it is quoted in.")
    base: str = entry(ORACLE, default="", doc="`capped`, `ratio`: oracle that it adapts.")
    cap: Decimal | None = entry(
        POSITIVE, default=None, doc="`capped`: highest price; with another asset's base: a pin."
    )
    growth: Decimal = entry(
        RATE, default=Decimal(0), doc="`ratio`: growth of the redemption value allowed per year."
    )
    delay_ns: int = entry(
        Duration(), key="delay", default=0, unit="ns", doc="From sample to publication."
    )
    heartbeat_ns: int = entry(
        Duration(), key="heartbeat", default=0, unit="ns", doc="Publishes at least so often; 0: no."
    )
    deviation: Decimal = entry(
        RATIO, default=Decimal(0), doc="Publishes when the price has moved so far."
    )
    stale_after_ns: int = entry(
        Duration(), key="stale_after", default=0, unit="ns", doc="Not used when older; 0: never."
    )


@attrs.frozen(kw_only=True)
class ReserveDef:
    """One asset of a lending pool."""

    oracle: str = entry(ORACLE, doc="Its price.")
    ltv: Decimal = entry(RATIO, default=Decimal(0), doc="What may be borrowed against it.")
    threshold: Decimal = entry(
        RATIO, default=Decimal(0), doc="Liquidation threshold; 0: no collateral."
    )
    bonus: Decimal = entry(RATIO, default=Decimal(0), doc="Liquidation bonus.")
    protocol_fee: Decimal = entry(
        RATIO, default=Decimal("0.1"), doc="Share of the bonus that the protocol keeps."
    )
    reserve_factor: Decimal = entry(
        RATIO, default=Decimal("0.1"), doc="Share of the interest that the protocol keeps."
    )
    optimal: Decimal = entry(
        Number(Decimal(0), Decimal("0.99"), above=True, step=Decimal(1).scaleb(-6)),
        default=Decimal("0.9"),
        doc="Utilisation at the kink of the rate.",
    )
    base_rate: Decimal = entry(RATE, default=Decimal(0), doc="Yearly rate of an idle reserve.")
    slope1: Decimal = entry(RATE, default=Decimal("0.05"), doc="Added up to the kink.")
    slope2: Decimal = entry(RATE, default=Decimal("0.6"), doc="Added from the kink to full use.")
    supply_cap: Decimal = entry(MONEY, default=Decimal(0), doc="Most that is deposited; 0: any.")
    borrow_cap: Decimal = entry(MONEY, default=Decimal(0), doc="Most that is lent; 0: any.")
    borrowable: bool = entry(Flag(), default=True, doc="Whether it is lent at all.")


@attrs.frozen(kw_only=True)
class EModeDef:
    """An e-mode category of a lending pool."""

    name: str = entry(NAME_TEXT, doc="By which positions choose it.")
    ltv: Decimal = entry(RATIO, doc="Instead of the reserve's.")
    threshold: Decimal = entry(RATIO, doc="Instead of the reserve's.")
    bonus: Decimal = entry(RATIO, default=Decimal(0), doc="Instead of the reserve's.")
    collateral: tuple[str, ...] = entry(Items(ASSET, least=1), doc="Reserves that it covers.")
    borrow: tuple[str, ...] = entry(Items(ASSET, least=1), doc="Reserves that may be borrowed.")


@attrs.frozen(kw_only=True)
class PoolDef:
    """``[pools.NAME]``: a lending pool of the Aave v3 kind."""

    reserves: dict[str, ReserveDef] = entry(Table(Of(ReserveDef), ASSET), doc="Its assets.")
    emodes: tuple[EModeDef, ...] = entry(Items(Of(EModeDef)), default=(), doc="Its categories.")
    flash_premium: Decimal = entry(RATIO, default=Decimal("0.0005"), doc="Premium of a flash loan.")
    min_base_usd: int = entry(
        Whole(0, 10**9), default=2_000, doc="Positions below it may be closed in one go."
    )
    min_leftover_usd: int = entry(
        Whole(0, 10**9), default=1_000, doc="Least that a partial liquidation leaves."
    )
    deposits: dict[str, Decimal] = entry(
        Table(MONEY, ASSET), default={}, doc="What others have deposited at the start."
    )


@attrs.frozen(kw_only=True)
class MarketDef:
    """``[markets.NAME]``: an isolated market of the Morpho Blue kind."""

    collateral: str = entry(ASSET, doc="What is pledged.")
    loan: str = entry(ASSET, doc="What is lent.")
    collateral_oracle: str = entry(ORACLE, doc="Price of the collateral.")
    loan_oracle: str = entry(ORACLE, doc="Price of the loan asset.")
    lltv: Decimal = entry(
        Number(Decimal(0), Decimal("0.999999"), above=True, step=Decimal(1).scaleb(-6)),
        doc="Loan to value at which a position is liquidated.",
    )
    optimal: Decimal = entry(
        Number(Decimal(0), Decimal("0.99"), above=True, step=Decimal(1).scaleb(-6)),
        default=Decimal("0.9"),
        doc="Utilisation at the kink of the rate.",
    )
    base_rate: Decimal = entry(RATE, default=Decimal(0), doc="Yearly rate of an idle market.")
    slope1: Decimal = entry(RATE, default=Decimal("0.04"), doc="Added up to the kink.")
    slope2: Decimal = entry(RATE, default=Decimal("0.4"), doc="Added from the kink to full use.")
    fee: Decimal = entry(RATIO, default=Decimal(0), doc="Share of interest that is kept.")
    deposits: Decimal = entry(
        MONEY, default=Decimal(0), doc="What others have lent at the start, loan asset."
    )


@attrs.frozen(kw_only=True)
class AmmDef:
    """``[amms.NAME]``: an automated market maker."""

    kind: str = entry(
        Text(("stableswap", "constant_product", "concentrated")), doc="How it makes its price."
    )
    assets: tuple[str, ...] = entry(Items(ASSET, least=2), doc="Its coins.")
    fee: Decimal = entry(RATIO, doc="Share of a swap.")
    amplification: int = entry(Whole(1, 1_000_000), default=200, doc="`stableswap`: A.")
    offpeg: Decimal = entry(
        RATE, default=Decimal(1), doc="`stableswap`: how many times the fee grows off the peg."
    )
    use_rates: bool = entry(
        Flag(), default=False, doc="`stableswap`: coins count at their redemption value."
    )
    price: Decimal | None = entry(
        POSITIVE, default=None, doc="`concentrated`: second coin per first at the start."
    )
    liquidity: dict[str, Decimal] = entry(
        Table(MONEY, ASSET), default={}, doc="What others have provided at the start."
    )
    range: tuple[Decimal, ...] = entry(
        Items(POSITIVE), default=(), doc="`concentrated`: prices between which that stands."
    )


@attrs.frozen(kw_only=True)
class OpeningDef:
    """A position that a participant has on the chain at the start, beside its capital.

    Name one of `pool`, `market` and `amm`.  What it borrowed has been spent, unless `keeps`.
    """

    pool: str = entry(Ref("pools", "pool"), default="", doc="Lending pool.")
    market: str = entry(Ref("markets", "isolated market"), default="", doc="Isolated market.")
    amm: str = entry(Ref("amms", "AMM"), default="", doc="AMM.")
    category: str = entry(NAME_TEXT, default="", doc="E-mode category in the pool.")
    supply: dict[str, Decimal] = entry(
        Table(MONEY, ASSET), default={}, doc="Deposits; collateral; liquidity."
    )
    borrow: dict[str, Decimal] = entry(Table(MONEY, ASSET), default={}, doc="Debts.")
    keeps: bool = entry(Flag(), default=False, doc="What was borrowed is still in the wallet.")
    range: tuple[Decimal, ...] = entry(
        Items(POSITIVE), default=(), doc="Prices between which concentrated liquidity stands."
    )
