"""A small real world under the shell: two venues, three markets, and helpers to trade on them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exchange_sim.matching.filters import Filters
from exchange_sim.model.enums import BUY, InstrumentKind
from exchange_sim.model.instrument import Asset, Instrument
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.sim import Latency, Run, VenueTiming
from exchange_sim.strategy import Strategy
from exchange_sim.units import NANOS_PER_MS
from exchange_sim.world import AssetSpec, FeeTier, InstrumentSpec, VenueSpec, World, WorldConfig

START_NS = 1_760_000_000 * 10**9
MS = NANOS_PER_MS
BTC, USDT = 0, 1
SPOT, PERP, OTHER_SPOT = 0, 1, 2
QUIET = VenueTiming(
    mark_interval_ns=0,
    funding_interval_ns=0,
    interest_interval_ns=0,
    liquidation_interval_ns=0,
    expiry_interval_ns=0,
    service_base_ns=0,
    service_fill_ns=0,
    order_entry=Latency(2 * MS),
    replies=Latency(3 * MS),
    market_data=Latency(4 * MS),
)
"""A venue without clockwork or service time and with constant links of 2, 3 and 4 ms."""


def make_config() -> WorldConfig:
    """Leading venue with BTC spot and perpetual, second venue with BTC spot."""
    btc, usdt = Asset(BTC, "BTC", 8), Asset(USDT, "USDT", 6)

    def instrument(i: int, symbol: str, venue: int, kind: InstrumentKind) -> Instrument:
        tick, lot = Decimal("0.1"), Decimal("0.001")
        return Instrument.make(i, symbol, venue, kind, btc, usdt, tick, lot)

    def venue(i: int, name: str) -> VenueSpec:
        return VenueSpec(
            id=i,
            name=name,
            numeraire=USDT,
            fee_tiers=(FeeTier(200, 500),),
            collateral={USDT: CollateralTable.of_ratio(1_000_000)},
            margin_pool={USDT: 10**14},
            insurance=10**12,
        )

    brackets = BracketTable(floors=(0, 10**13), leverage=(20, 10), mmr_ppm=(20_000, 50_000))
    return WorldConfig(
        START_NS,
        (AssetSpec(btc), AssetSpec(usdt)),
        (venue(0, "leading"), venue(1, "second")),
        (
            InstrumentSpec(
                instrument(SPOT, "BTCUSDT", 0, InstrumentKind.SPOT), 1_000_000, Filters()
            ),
            InstrumentSpec(
                instrument(PERP, "BTCUSDT-PERP", 0, InstrumentKind.PERPETUAL),
                1_000_000,
                Filters(),
                brackets=brackets,
                index_sources=((SPOT, 1),),
            ),
            InstrumentSpec(
                instrument(OTHER_SPOT, "BTCUSDT", 1, InstrumentKind.SPOT), 1_000_000, Filters()
            ),
        ),
    )


def make_run(**options: Any) -> Run:
    """A run over a fresh world, quiet unless ``timings`` says otherwise."""
    options.setdefault("timings", [QUIET, QUIET])
    return Run(World(make_config()), seed=options.pop("seed", 7), **options)


def fund(run: Run, venue: str, btc: int = 100, usdt: int = 10_000_000) -> int:
    """A new unified account with so many whole BTC and USDT."""
    account = run.open_account(venue)
    now = run.kernel.now_ns
    run.apply_all([(21, now, account, BTC, btc * 10**8), (21, now, account, USDT, usdt * 10**6)])
    return account


def add(run: Run, name: str, strategy: Strategy, venue: str = "leading", **options: Any) -> int:
    """Add a strategy with one funded account; returns the account."""
    account = fund(run, venue)
    run.add_strategy(name, strategy, {venue: account}, **options)
    return account


def quote(run: Run, instrument: int = SPOT, levels: int = 5, lots: int = 100) -> int:
    """Rest a ladder on both sides of 100,000.0 at once, from an account of its own."""
    market = run.names.markets[instrument]
    account = fund(run, market.venue)
    now = run.kernel.now_ns
    for i in range(levels):
        for side in (0, 1):
            price = 999_999 - i if side == BUY else 1_000_001 + i
            client_id = 1 + 2 * i + side
            run.exchange.apply(
                (1, now, account, instrument, client_id, side, 0, 0, price, lots, 0, 0, 0, 0, 0, 0)
            )
    return account
