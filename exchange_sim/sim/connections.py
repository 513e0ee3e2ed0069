"""How a strategy is connected beyond its links: conflation of the feed, lost sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from exchange_sim.rng import Streams
from exchange_sim.sim.agent import Agent
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import SYSTEM, Kernel

_AT_LEAST_ZERO = attrs.validators.ge(0)


@attrs.frozen
class Connection:
    """Conflation and reliability of one strategy's connections.

    Books are seen at most once per ``conflation_ns`` (0: as published).  Sessions are lost after an
    exponential time of mean ``lost_every_ns`` (0: never), for one of mean ``lost_for_ns``; with
    ``cancel_on_disconnect`` the venue cancels the orders of a lost session, whatever the cause.
    """

    conflation_ns: int = attrs.field(default=0, validator=_AT_LEAST_ZERO)
    lost_every_ns: int = attrs.field(default=0, validator=_AT_LEAST_ZERO)
    lost_for_ns: int = attrs.field(default=5_000_000_000, validator=attrs.validators.gt(0))
    cancel_on_disconnect: bool = False


RELIABLE: Final = Connection()
"""Never lost, not conflated."""


class Connections:
    """Loses and restores the sessions of all agents; who is away for two reasons stays away."""

    def __init__(self, kernel: Kernel, exchange: Exchange, streams: Streams) -> None:
        self._kernel = kernel
        self._exchange = exchange
        self._streams = streams
        self._away: dict[tuple[str, int], int] = {}

    def lose(self, agent: Agent, venue: int, reason: str, *, cancel: bool = False) -> None:
        """The sessions of an agent with a venue are lost."""
        key = agent.name, venue
        self._away[key] = self._away.get(key, 0) + 1
        if self._away[key] > 1:
            return
        now = self._kernel.now_ns
        for session in agent.sessions:
            if session.server.venue == venue:
                session.disconnect()
                if cancel or session.cancel_on_disconnect:
                    self._exchange.apply((4, now, session.account, -1, -1))
        agent.disconnected(agent.names.venues[venue], reason)

    def restore(self, agent: Agent, venue: int) -> None:
        """They are back, unless another cause keeps them away."""
        key = agent.name, venue
        self._away[key] -= 1
        if self._away[key]:
            return
        for session in agent.sessions:
            if session.server.venue == venue:
                session.reconnect()
        agent.reconnected(agent.names.venues[venue])

    def connect(self, agent: Agent, connection: Connection) -> None:
        """Set up an agent's connections; unreliable ones break from now on, venue by venue."""
        agent.conflate(connection.conflation_ns)
        for session in agent.sessions:
            session.cancel_on_disconnect = connection.cancel_on_disconnect
        if not connection.lost_every_ns:
            return
        for venue in dict.fromkeys(session.server.venue for session in agent.sessions):
            _Breaker(self, self._kernel, self._streams, agent, venue, connection).arm()


class _Breaker:
    """Breaks one agent's connection with one venue again and again."""

    def __init__(
        self,
        owner: Connections,
        kernel: Kernel,
        streams: Streams,
        agent: Agent,
        venue: int,
        connection: Connection,
    ) -> None:
        path = f"fault/connection/{agent.name}/{agent.names.venues[venue]}"
        self._owner = owner
        self._kernel = kernel
        self._stream = streams.stream(path)
        self._agent = agent
        self._venue = venue
        self._connection = connection

    def arm(self) -> None:
        """Draw when the connection breaks next."""
        self._after(self._connection.lost_every_ns, self._break)

    def _after(self, mean_ns: int, act: Callable[[None], None]) -> None:
        delay = self._stream.exponential_ns(mean_ns)
        self._kernel.at(self._kernel.now_ns + delay, act, None, SYSTEM)

    def _break(self, _: None) -> None:
        if self._agent.closed:
            return
        self._owner.lose(self._agent, self._venue, "connection lost")
        self._after(self._connection.lost_for_ns, self._mend)

    def _mend(self, _: None) -> None:
        self._owner.restore(self._agent, self._venue)
        self.arm()
