"""A chain with a lending pool, an isolated market, three AMMs and oracles.

Assets have six decimals; oracles follow the books of the first venue, in which a tick is a
thousandth: a book at 1,000 ticks is a price of one dollar.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.defi.feeds import OracleKind, OracleSpec
from exchange_sim.defi.isolated import MarketSpec
from exchange_sim.defi.reserves import EModeSpec, PoolSpec, ReserveSpec
from exchange_sim.defi.spec import AmmKind, AmmSpec
from exchange_sim.messages.reasons import ActionKind as A
from exchange_sim.world import WorldConfig
from exchange_sim.world.chain.health import Health, health_of
from tests.world.chain_factory import ChainDesk, chain_config
from tests.world.factory import BTC, ETH, ETH_SPOT, SPOT, USDE, USDE_SPOT, USDT, Event

ONE = 10**6
CURVE, V2, V3 = range(3)
USDT_FEED, BTC_FEED, ETH_FEED, USDE_FEED, PINNED_FEED = range(5)
USD8 = 10**8

ORACLES = (
    OracleSpec("USDT", OracleKind.FIXED, USDT),
    OracleSpec("BTC", OracleKind.MARKET, BTC, sources=(SPOT,), quote=USDT_FEED),
    OracleSpec("ETH", OracleKind.MARKET, ETH, sources=(ETH_SPOT,), quote=USDT_FEED),
    OracleSpec("USDE", OracleKind.MARKET, USDE, sources=(USDE_SPOT,), quote=USDT_FEED),
    OracleSpec("USDE pinned", OracleKind.CAPPED, USDE, base=USDT_FEED, cap=104 * 10**6),
)
RESERVES = (
    ReserveSpec(USDT, USDT_FEED, 750_000, 780_000, 1_045_000),
    ReserveSpec(ETH, ETH_FEED, 805_000, 830_000, 1_055_000),
    ReserveSpec(USDE, USDE_FEED, 720_000, 750_000, 1_085_000),
)
EMODE = EModeSpec(900_000, 930_000, 1_020_000, collateral=(2,), borrowable=(0,))
POOL = PoolSpec("core", RESERVES, (EMODE,))
MARKET = MarketSpec("usde", USDE, USDT, USDE_FEED, USDT_FEED, 860_000)
AMMS = (
    AmmSpec("curve", AmmKind.STABLESWAP, (USDE, USDT), 100),
    AmmSpec("v2", AmmKind.CONSTANT_PRODUCT, (ETH, USDT), 3_000),
    AmmSpec("v3", AmmKind.CONCENTRATED, (ETH, USDT), 500, price_1e18=10**18),
)


def defi_config(**settings: Any) -> WorldConfig:
    """A world in which all of them exist."""
    parts = {"oracles": ORACLES, "pools": (POOL,), "markets": (MARKET,), "amms": AMMS}
    return chain_config(None, **{**parts, **settings})


class DefiDesk(ChainDesk):
    """A desk that knows a lender, prices and health factors."""

    def __init__(self, check: bool = True, config: WorldConfig | None = None, **settings: Any):
        super().__init__(config or defi_config(**settings), check)
        self.pool = self.chain.pools[0]
        self.printer = self.account(usdt=10**12, btc=10**12, usde=10**12)
        self.do(21, self.printer, ETH, 10**12)

    def lender(self, **units: int) -> int:
        """A wallet with all of it deposited in the pool."""
        wallet = self.wallet(**units)
        for name, amount in units.items():
            asset = ("usdt", "btc", "eth", "usde").index(name)
            self.act(wallet, (A.SUPPLY, 0, asset, amount))
        return wallet

    def price(self, book: int, ticks: int) -> None:
        """Print a price in a spot book, which oracles see before the next block."""
        self.trade_at(book, ticks, self.printer, self.printer)

    def health(self, wallet: int, pool: int = 0) -> Health:
        """Health of a position in a pool."""
        found = self.chain.pools[pool]
        return health_of(self.w, found, found.positions[wallet])

    def state(self) -> tuple[Any, ...]:
        """Everything that a failed transaction must leave as it was."""
        chain = tuple(part for part in self.chain.parts() if part[0] != "chain")
        return chain, [list(row) for row in self.w.ledger.posted]


def free_pool(reserves: tuple[ReserveSpec, ...] = RESERVES, **changes: Any) -> PoolSpec:
    """The pool without interest: figures stay round."""
    free = [attrs.evolve(r, base_rate_ppm=0, slope1_ppm=0, slope2_ppm=0) for r in reserves]
    return attrs.evolve(POOL, reserves=tuple(free), **changes)


def swapped(events: list[Event]) -> list[Event]:
    """The swaps among events."""
    return [event for event in events if event[0] == 120]
