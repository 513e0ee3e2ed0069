"""Price feeds of a chain: where a price comes from and when it becomes known on the chain.

Prices are 10**-8 USD per whole asset.  A feed that watches a market publishes only when the price
has moved by ``deviation_ppm`` or ``heartbeat_ns`` has passed, and what it publishes was sampled
``delay_ns`` before (Chainlink's aggregators work so: https://docs.chain.link/data-feeds).  A feed
that adapts another one (cap, exchange rate) is computed when it is read.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import Final

import attrs

from exchange_sim.units import PPM

USD: Final = 10**8
"""One dollar in the unit of prices and values."""


class OracleKind(IntEnum):
    """Where a price comes from."""

    FIXED = 0
    """``price``: the unit of account and what is redeemable without question."""
    MARKET = 1
    """The median of spot books of venues (``sources``), in dollars by the ``quote`` oracle."""
    AMM = 2
    """The marginal price in an AMM (``sources[0]``) against the asset of the ``quote`` oracle."""
    CAPPED = 3
    """``min(base, cap)``; with another asset's oracle as base, the price is pinned to that."""
    RATIO = 4
    """The base oracle times the asset's redemption rate, whose growth is capped."""


@attrs.frozen
class OracleSpec:
    """A price feed.  ``base`` and ``quote`` are positions of earlier oracles; -1: one dollar.

    ``price`` is the fixed price, ``cap`` the ceiling of a capped one (0: none).  ``growth_ppm`` is
    the yearly growth that a redemption rate is allowed.  ``stale_ns`` 0: a price never gets stale.
    """

    name: str
    kind: OracleKind
    asset: int
    price: int = USD
    sources: tuple[int, ...] = ()
    quote: int = -1
    base: int = -1
    cap: int = 0
    growth_ppm: int = 0
    delay_ns: int = 0
    heartbeat_ns: int = 0
    deviation_ppm: int = 0
    stale_ns: int = 0


class Feed:
    """State of one oracle: the published price, when it was published, and samples under way."""

    __slots__ = ("price", "samples", "spec", "updated_ns")

    def __init__(self, spec: OracleSpec, now: int) -> None:
        self.spec = spec
        self.price = spec.price
        self.updated_ns = now
        self.samples: deque[tuple[int, int]] = deque()

    def sample(self, now: int, price: int) -> int:
        """Take a sample; the instant of the sample that is published now, or -1."""
        spec, due = self.spec, now - self.spec.delay_ns
        self.samples.append((now, price))
        found = None
        while self.samples and self.samples[0][0] <= due:
            found = self.samples.popleft()
        if found is None:
            return -1
        moved = abs(found[1] - self.price) * PPM
        changed = moved >= spec.deviation_ppm * self.price and moved > 0
        late = spec.heartbeat_ns > 0 and now - self.updated_ns >= spec.heartbeat_ns
        if not changed and not late:
            return -1
        self.price, self.updated_ns = found[1], now
        return found[0]

    def is_stale(self, now: int) -> bool:
        """Whether the published price is too old to be used."""
        limit = self.spec.stale_ns
        return limit > 0 and now - self.updated_ns > limit
