"""Everything of the chain that takes time, in one place: blocks, views, loops, measurements."""

from __future__ import annotations

from exchange_sim.rng import Streams
from exchange_sim.sim.chain import ChainClock, Traffic
from exchange_sim.sim.chain_feed import ChainFeed
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.loopers import Loopers
from exchange_sim.sim.seams import Event
from exchange_sim.sim.session import Session
from exchange_sim.sim.venue import VenueServer
from exchange_sim.world.world import World

BLOCK_PRODUCED, TRANSACTION_FAILED = 104, 102


class OnChain:
    """The chain of a run; ``sample_ns`` is the time between measurements (0: none)."""

    def __init__(
        self,
        w: World,
        kernel: Kernel,
        exchange: Exchange,
        server: VenueServer,
        streams: Streams,
        traffic: Traffic,
        sample_ns: int = 0,
    ) -> None:
        assert w.chain is not None
        self.feed = ChainFeed(w)
        self.clock = ChainClock(w.chain, traffic, kernel, exchange, streams.stream("chain/traffic"))
        self.loopers = Loopers(w, self.feed, kernel, server, streams.stream("chain/loopers"))
        self._kernel = kernel
        self._exchange = exchange
        self._sample_ns = sample_ns
        exchange.listeners[BLOCK_PRODUCED] = self._produced
        exchange.listeners[TRANSACTION_FAILED] = self.loopers.failed

    def start(self, sessions: list[Session]) -> None:
        """Schedule the first block; ``sessions`` are those with a wallet, who see the chain."""
        for session in sessions:
            self.feed.wallets.append(session.account)
            if session.agent.chain_feed is None:
                session.agent.follow_chain(self.feed)
        self.loopers.start()
        self.feed.publish(None)
        self.clock.start()
        if self._sample_ns:
            self._exchange.apply((104, self._kernel.now_ns))
            self._next_sample()

    def _produced(self, _now: int, block: Event) -> None:
        self.feed.publish(block)
        self.loopers.on_block(self.feed.views[-1])

    def _next_sample(self) -> None:
        now = self._kernel.now_ns
        following = (now // self._sample_ns + 1) * self._sample_ns
        self._kernel.at(following, self._sample, None, SYSTEM)

    def _sample(self, _: None) -> None:
        self._exchange.apply((104, self._kernel.now_ns))
        self._next_sample()
