"""Faults of the infrastructure, as a scenario states them: what, where, from when till when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from exchange_sim.marketdata.feed import Feed
from exchange_sim.messages.reasons import NoteKind
from exchange_sim.sim.agent import Agent
from exchange_sim.sim.connections import Connections
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.venue import VenueServer
from exchange_sim.units import PPM

KINDS: Final = (
    "down",
    "stall",
    "slow",
    "feed_frozen",
    "feed_delayed",
    "transfers",
    "api_errors",
    "latency",
    "disconnect",
)


def _is_kind(_: object, _attribute: attrs.Attribute[str], value: str) -> None:
    if value not in KINDS:
        raise ValueError(f"outage kind {value!r} is none of {', '.join(KINDS)}")


@attrs.frozen
class Outage:
    """One fault of one venue in ``[start_ns, end_ns)``.

    - ``down``: commands are refused with ``VENUE_DOWN``, the backlog too; sessions are told.
    - ``stall``: commands wait and are served when the engine goes on.
    - ``slow``: service times are multiplied by ``factor``.
    - ``feed_frozen`` / ``feed_delayed``: no market data / ``delay_ns`` late.
    - ``transfers``: withdrawals are suspended (``SetTransfers`` commands).
    - ``api_errors``: ``share`` of the commands is refused with ``VENUE_DOWN``.
    - ``latency``: ``delay_ns`` more on every link of the venue.
    - ``disconnect``: the sessions of ``strategies`` (all when empty) are lost; with
      ``cancel_on_disconnect`` the venue cancels their orders.
    """

    kind: str = attrs.field(validator=_is_kind)
    venue: int
    start_ns: int
    end_ns: int = attrs.field()
    delay_ns: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    factor: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    share: float = attrs.field(default=0.0)
    strategies: tuple[str, ...] = ()
    cancel_on_disconnect: bool = False

    @end_ns.validator
    def _ends_after_start(self, _: attrs.Attribute[int], value: int) -> None:
        if value <= self.start_ns:
            raise ValueError(f"outage of kind {self.kind} ends at {value}, before it starts")

    @share.validator
    def _is_share(self, _: attrs.Attribute[float], value: float) -> None:
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"share of an outage must lie in [0, 1], got {value}")


class Outages:
    """Schedules outages and puts them into effect; they may overlap."""

    def __init__(
        self,
        kernel: Kernel,
        exchange: Exchange,
        feed: Feed,
        servers: Sequence[VenueServer],
        agents: Sequence[Agent],
        venue_names: Sequence[str],
        connections: Connections,
    ) -> None:
        self._kernel = kernel
        self._exchange = exchange
        self._feed = feed
        self._servers = servers
        self._agents = agents
        self._active: list[Outage] = []
        self._venue_names = venue_names
        self._connections = connections
        self._transfers_enabled: dict[int, int] = {}

    def add(self, outage: Outage) -> None:
        """Schedule an outage; one that began in the past begins now."""
        now = self._kernel.now_ns
        self._kernel.at(max(now, outage.start_ns), self._begin, outage, SYSTEM)
        self._kernel.at(max(now, outage.end_ns), self._end, outage, SYSTEM)
        self._feed.require_horizon(outage.delay_ns)

    def _begin(self, outage: Outage) -> None:
        self._note(NoteKind.OUTAGE_STARTED, outage)
        self._active.append(outage)
        self._apply(outage.venue)
        if outage.kind == "down":
            self._tell(outage, "venue is down")
        elif outage.kind == "disconnect":
            for agent in self._concerned(outage):
                self._connections.lose(
                    agent, outage.venue, "connection lost", cancel=outage.cancel_on_disconnect
                )

    def _end(self, outage: Outage) -> None:
        self._note(NoteKind.OUTAGE_ENDED, outage)
        self._active.remove(outage)
        self._apply(outage.venue)
        if outage.kind == "disconnect":
            for agent in self._concerned(outage):
                self._connections.restore(agent, outage.venue)
        elif outage.kind == "down":
            venue = self._venue_names[outage.venue]
            for agent in self._concerned(outage):
                agent.reconnected(venue)

    def _note(self, kind: NoteKind, outage: Outage) -> None:
        now = self._kernel.now_ns
        self._exchange.apply((40, now, -1, int(kind), outage.venue, KINDS.index(outage.kind)))

    def _of(self, venue: int, kind: str) -> list[Outage]:
        return [o for o in self._active if o.venue == venue and o.kind == kind]

    def _apply(self, venue: int) -> None:
        """Make the state of a venue what the active outages together say."""
        server, feed = self._servers[venue], self._feed
        stalled, down = bool(self._of(venue, "stall")), bool(self._of(venue, "down"))
        if down and not server.down:
            server.stop(refuse=True)
        if stalled and not server.stalled:
            server.stop(refuse=False)
        if not (stalled or down) and (server.stalled or server.down):
            server.resume()
        server.down, server.stalled = down, stalled
        server.slowdown = max([1, *(o.factor for o in self._of(venue, "slow"))])
        shares = [o.share for o in self._of(venue, "api_errors")]
        server.error_ppm = round(max([0.0, *shares]) * PPM)
        delay_ns = max([0, *(o.delay_ns for o in self._of(venue, "feed_delayed"))])
        feed.impair(venue, bool(self._of(venue, "feed_frozen")), delay_ns)
        extra = max([0, *(o.delay_ns for o in self._of(venue, "latency"))])
        for agent in self._agents:
            agent.readers[venue].link.extra_ns = extra
            for session in agent.sessions:
                if session.server.venue == venue:
                    session.entry.extra_ns = session.replies.extra_ns = extra
        self._switch_transfers(venue)

    def _switch_transfers(self, venue: int) -> None:
        enabled = int(not self._of(venue, "transfers"))
        if self._transfers_enabled.get(venue, 1) != enabled:
            self._transfers_enabled[venue] = enabled
            self._exchange.apply((28, self._kernel.now_ns, venue, enabled))

    def _concerned(self, outage: Outage) -> list[Agent]:
        return [
            agent
            for agent in self._agents
            if (not outage.strategies or agent.name in outage.strategies)
            and any(session.server.venue == outage.venue for session in agent.sessions)
        ]

    def _tell(self, outage: Outage, reason: str) -> None:
        venue = self._venue_names[outage.venue]
        for agent in self._concerned(outage):
            agent.disconnected(venue, reason)
