"""What a chain is made of: the frozen, integer-only description from which its state starts."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import attrs

from exchange_sim.defi.feeds import OracleSpec
from exchange_sim.defi.gas import BLOCK_SECONDS, GWEI
from exchange_sim.defi.isolated import MarketSpec
from exchange_sim.defi.reserves import PoolSpec
from exchange_sim.units import NANOS_PER_S

GAS_LIMIT: Final = 45_000_000
"""Gas of an Ethereum block from July to November 2025."""


COINS_MAX: Final = 4
"""Coins of one AMM; an action has that many amounts."""


class AmmKind(IntEnum):
    """How an AMM makes its price."""

    STABLESWAP = 0
    CONSTANT_PRODUCT = 1
    CONCENTRATED = 2


@attrs.frozen
class AmmSpec:
    """An automated market maker.  ``fee_ppm`` is charged on each swap.

    ``amplification`` (A) and ``offpeg_ppm`` (how many times the fee grows far off the peg;
    1_000_000: not at all) are for stableswap; with ``use_rates`` its coins count at what they are
    redeemed for.  ``price_1e18`` is the first price of a concentrated pool: units of the second
    asset per unit of the first, times 10**18.
    """

    name: str
    kind: AmmKind
    assets: tuple[int, ...]
    fee_ppm: int
    amplification: int = 200
    offpeg_ppm: int = 1_000_000
    use_rates: bool = False
    price_1e18: int = 10**18


@attrs.frozen
class ChainSpec:
    """A chain with a fee market.

    Its wallets are CASH accounts of the venue with id ``venue``, which trades nothing and charges
    ``transfer_fee`` for nothing: what leaves a wallet is a transaction.  ``base_fee_wei`` is the
    base fee of the first block.
    """

    venue: int
    gas_asset: int
    block_interval_ns: int = BLOCK_SECONDS * NANOS_PER_S
    gas_limit: int = GAS_LIMIT
    base_fee_wei: int = GWEI
    oracles: tuple[OracleSpec, ...] = ()
    pools: tuple[PoolSpec, ...] = ()
    markets: tuple[MarketSpec, ...] = ()
    amms: tuple[AmmSpec, ...] = ()
