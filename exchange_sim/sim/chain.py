"""The clock of the chain: a block at every multiple of its interval, and traffic of others.

What the rest of the chain's users demand is an input: a share of a block's gas at the reference
base fee, which varies from block to block (log-normal) and falls as the base fee rises
(``elasticity``).  They pay ``tip_wei`` as priority fee.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import attrs

from exchange_sim.rng import Stream
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.units import NANOS_PER_MINUTE
from exchange_sim.world.chain.state import ChainState

SURGE_WINDOW_NS: Final = 5 * NANOS_PER_MINUTE


@attrs.frozen
class Traffic:
    """Demand for gas outside of the emulated world.

    ``share`` of a block's gas at ``reference_fee_wei``; half a block keeps the base fee there.
    ``sigma`` is the log-sd of a block, ``elasticity`` the exponent by which demand falls with the
    base fee.  ``surge`` is added per 1 % that the gas asset has moved in ``SURGE_WINDOW_NS``.
    """

    share: float = 0.5
    sigma: float = 0.3
    elasticity: float = 0.5
    reference_fee_wei: int = 10**9
    tip_wei: int = 10**8
    surge: float = 0.0

    def demand(self, gas_limit: int, base_fee: int, stream: Stream, moved: float = 0.0) -> int:
        """Gas demanded in the next block when the gas asset has moved by ``moved`` (a share)."""
        scale = (self.reference_fee_wei / max(1, base_fee)) ** self.elasticity
        noise = math.exp(self.sigma * stream.gauss(0.0, 1.0) - self.sigma**2 / 2)
        wanted = self.share + self.surge * 100.0 * abs(moved)
        return int(wanted * gas_limit * min(scale, 10.0) * noise)


class ChainClock:
    """Produces blocks."""

    def __init__(
        self,
        chain: ChainState,
        traffic: Traffic,
        kernel: Kernel,
        exchange: Exchange,
        stream: Stream,
    ) -> None:
        self.traffic = traffic
        self._chain = chain
        self._kernel = kernel
        self._exchange = exchange
        self._stream = stream
        self._prices: deque[tuple[int, int]] = deque()

    def start(self) -> None:
        """Schedule the next block."""
        now, interval = self._kernel.now_ns, self._chain.spec.block_interval_ns
        self._kernel.at((now // interval + 1) * interval, self._block, None, SYSTEM)

    def _block(self, _: None) -> None:
        chain, traffic = self._chain, self.traffic
        moved = self._moved() if traffic.surge else 0.0
        others = traffic.demand(chain.spec.gas_limit, chain.base_fee, self._stream, moved)
        self._exchange.apply((103, self._kernel.now_ns, others, traffic.tip_wei))
        self.start()

    def _moved(self) -> float:
        """How far the oracle of the gas asset has moved within the window."""
        now, kept = self._kernel.now_ns, self._prices
        for feed in self._chain.feeds:
            if feed.spec.asset == self._chain.gas_asset:
                kept.append((now, feed.price))
                break
        while kept and kept[0][0] < now - SURGE_WINDOW_NS:
            kept.popleft()
        return kept[-1][1] / kept[0][1] - 1.0 if kept and kept[0][1] else 0.0
