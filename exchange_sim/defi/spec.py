"""What a chain is made of: the frozen, integer-only description from which its state starts."""

from __future__ import annotations

from typing import Final

import attrs

from exchange_sim.defi.gas import BLOCK_SECONDS, GWEI
from exchange_sim.units import NANOS_PER_S

GAS_LIMIT: Final = 45_000_000
"""Gas of an Ethereum block from July to November 2025."""


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
