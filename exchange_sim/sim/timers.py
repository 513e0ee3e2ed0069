"""What a venue does by the clock: marks, funding, interest, liquidation slots, expiries, transfers.

Instants are multiples of their interval since the epoch, so that funding falls on 00:00, 08:00 and
16:00 UTC.  What falls on one instant runs in the order marks, interest, funding, expiry,
liquidation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from exchange_sim.sim.account_view import MARGIN_SNAPSHOT
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.links import Latency
from exchange_sim.sim.seams import Event
from exchange_sim.sim.session import Session
from exchange_sim.sim.venue import BACKLOG_MAX, VenueServer
from exchange_sim.units import NANOS_PER_HOUR, NANOS_PER_MINUTE, NANOS_PER_MS, NANOS_PER_S

_ORDER_LINK = Latency(500_000, 500_000)
_DATA_LINK = Latency(500_000, 1_000_000)


@attrs.frozen
class VenueTiming:
    """Everything about one venue that takes time.

    An interval of 0 turns its timer off.  ``transfer_delay_ns`` is what a withdrawal takes,
    ``transfer_delays`` overrides it by asset id.  ``order_entry``, ``replies`` and ``market_data``
    are the venue's usual links; a strategy may have others.  ``orders_per_s`` 0: no rate limit.
    ``backlog_max`` commands may wait for the engine.
    """

    mark_interval_ns: int = NANOS_PER_S
    funding_interval_ns: int = 8 * NANOS_PER_HOUR
    interest_interval_ns: int = NANOS_PER_HOUR
    liquidation_interval_ns: int = 100 * NANOS_PER_MS
    expiry_interval_ns: int = NANOS_PER_S
    service_base_ns: int = 10_000
    service_fill_ns: int = 2_000
    transfer_delay_ns: int = 10 * NANOS_PER_MINUTE
    transfer_delays: dict[int, int] = attrs.field(factory=dict)
    order_entry: Latency = _ORDER_LINK
    replies: Latency = _ORDER_LINK
    market_data: Latency = _DATA_LINK
    orders_per_s: int = 0
    backlog_max: int = BACKLOG_MAX


def timeless(timing: VenueTiming) -> VenueTiming:
    """The same links without any timer: a chain does everything in its blocks."""
    return attrs.evolve(
        timing,
        mark_interval_ns=0,
        funding_interval_ns=0,
        interest_interval_ns=0,
        liquidation_interval_ns=0,
        expiry_interval_ns=0,
    )


class VenueTimers:
    """The clockwork of one venue."""

    def __init__(
        self,
        venue: int,
        timing: VenueTiming,
        kernel: Kernel,
        exchange: Exchange,
        server: VenueServer,
        has_perpetuals: bool,
    ) -> None:
        self.venue = venue
        self.timing = timing
        self.sessions: list[Session] = []
        self._kernel = kernel
        self._exchange = exchange
        self._server = server
        works = [
            (timing.mark_interval_ns, self._update_marks),
            (timing.interest_interval_ns, self._accrue_interest),
            (timing.funding_interval_ns if has_perpetuals else 0, self._apply_funding),
            (timing.expiry_interval_ns, self._expire),
            (timing.liquidation_interval_ns, self._liquidate),
        ]
        self._works = [(interval, work) for interval, work in works if interval > 0]

    def start(self) -> None:
        """Schedule the first instant."""
        if self._works:
            self._schedule()

    def _schedule(self) -> None:
        now = self._kernel.now_ns
        following = min((now // interval + 1) * interval for interval, _ in self._works)
        self._kernel.at(following, self._tick, None, SYSTEM)

    def _tick(self, _: None) -> None:
        """Everything that is due now, in its order."""
        now = self._kernel.now_ns
        for interval, work in self._works:
            if now % interval == 0:
                work(now)
        self._schedule()

    def _accrue_interest(self, now: int) -> None:
        self._exchange.apply((12, now, self.venue))

    def _apply_funding(self, now: int) -> None:
        self._exchange.apply((11, now, self.venue))

    def _update_marks(self, now: int) -> None:
        """Marks first, then a margin snapshot for every session that looks at its margin."""
        self._exchange.apply((10, now, self.venue))
        self.publish_margins(now)

    def publish_margins(self, now: int) -> None:
        """Send the margin state of the watched accounts, each over its own link."""
        margin_of = self._exchange.world.margin_of
        for session in self.sessions:
            if session.watches_margin:
                snapshot: Any = (MARGIN_SNAPSHOT, margin_of(session.account))
                session.deliver(now, snapshot)

    def _expire(self, _now: int) -> None:
        server = self._server
        if server.has_gtd and not (server.down or server.own_waiting.get(14)):
            server.arrive([(None, 14, (self.venue,))])

    def _liquidate(self, _now: int) -> None:
        """One slot of the liquidation engine, through the same queue as everybody's orders."""
        server = self._server
        if server.down or server.own_waiting.get(13):
            return
        if self._exchange.world.liquidation_pending(self.venue):
            server.arrive([(None, 13, (self.venue,))])


class Transfers:
    """Finishes transfers after their delay; ``venue_of`` tells the venue of the sender."""

    def __init__(
        self,
        kernel: Kernel,
        exchange: Exchange,
        timings: list[VenueTiming],
        venue_of: Callable[[int], int],
    ) -> None:
        self._kernel = kernel
        self._exchange = exchange
        self._timings = timings
        self._venue_of = venue_of
        exchange.on_transfer = self.started

    def started(self, now: int, event: Event) -> None:
        """A ``TransferStarted`` event: it arrives after the delay of the sending venue."""
        _, transfer, source, _, asset, _, _ = event
        timing = self._timings[self._venue_of(source)]
        delay = timing.transfer_delays.get(asset, timing.transfer_delay_ns)
        self._kernel.at(now + delay, self._finish, transfer, SYSTEM)

    def _finish(self, transfer: int) -> None:
        self._exchange.apply((27, self._kernel.now_ns, transfer))
