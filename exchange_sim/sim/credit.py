"""Everything about lenders, borrowers and wrappers that takes time, in one place for a run."""

from __future__ import annotations

from exchange_sim.rng import Stream
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import Kernel
from exchange_sim.sim.lenders import Borrowers, LenderClock, LendingWorld
from exchange_sim.sim.venue import VenueServer
from exchange_sim.sim.wrappers import WrapperClock
from exchange_sim.world.config import WorldConfig


class CreditClocks:
    """The clocks of lenders and wrappers; ``borrowers`` answer margin calls."""

    def __init__(
        self,
        world: LendingWorld,
        config: WorldConfig,
        kernel: Kernel,
        exchange: Exchange,
        servers: list[VenueServer],
        stream: Stream,
    ) -> None:
        venues = dict.fromkeys(product.venue for product in config.loans)
        self._lenders = [LenderClock(world, kernel, servers[venue]) for venue in venues]
        self._wrappers = WrapperClock(config.wrappers, kernel, exchange)
        self.borrowers = Borrowers(kernel, exchange, servers, stream)

    def start(self) -> None:
        """Schedule the first instants."""
        for clock in self._lenders:
            clock.start()
        self._wrappers.start()
