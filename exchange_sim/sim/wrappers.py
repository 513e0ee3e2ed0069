"""The clock of staking wrappers: redemptions end after their delay, rewards come every hour."""

from __future__ import annotations

from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.seams import Event
from exchange_sim.units import NANOS_PER_HOUR
from exchange_sim.world.config import WrapperSpec


class WrapperClock:
    """Time of all wrappers."""

    def __init__(
        self, wrappers: tuple[WrapperSpec, ...], kernel: Kernel, exchange: Exchange
    ) -> None:
        self._kernel = kernel
        self._exchange = exchange
        self._delays = {spec.asset: spec.delay_ns for spec in wrappers}
        self._rewarded = [spec.asset for spec in wrappers if spec.reward_ppb_per_hour]
        exchange.listeners[76] = self._started

    def start(self) -> None:
        """Schedule the next full hour, if there is anything to accrue."""
        if self._rewarded:
            following = (self._kernel.now_ns // NANOS_PER_HOUR + 1) * NANOS_PER_HOUR
            self._kernel.at(following, self._accrue, None, SYSTEM)

    def _accrue(self, _: None) -> None:
        for asset in self._rewarded:
            self._exchange.apply((70, self._kernel.now_ns, asset))
        self.start()

    def _started(self, now: int, event: Event) -> None:
        _, request, _, wrapper, *_ = event
        self._kernel.at(now + self._delays[wrapper], self._finish, request, SYSTEM)

    def _finish(self, request: int) -> None:
        self._exchange.apply((69, self._kernel.now_ns, request))
