"""The front of one venue: gateway checks, one server with a FIFO backlog, and its outages.

A command that arrives while the engine is idle is applied at once: one heap entry per packet.
While the engine is busy it queues, so an overloaded venue answers late.  Service time is a base per
command and a surcharge per fill.  What the gateway refuses never reaches the engine: the refusal is
recorded (``CommandRefused``), goes back to the session and is counted in ``refused``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.enums import FLAG_REDUCE_ONLY
from exchange_sim.rng import Stream
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.seams import Command
from exchange_sim.units import PPM

if TYPE_CHECKING:
    from exchange_sim.sim.session import Session

BACKLOG_MAX = 1_000_000
"""Commands that may wait at one venue by default; more are refused with ``SERVER_OVERLOADED``."""

Message = tuple[Any, int, tuple[int, ...]]
"""``(session, command type, fields after time_ns)``; the session is ``None`` for the venue's
own.
"""

_ORDER_COMMANDS = (2, 3)
NEW_ORDER, FLAGS_AT = 1, 11
"""A new order among the messages, and where its flags are among its fields."""


def _reduces(message: Message) -> bool:
    """Whether an overloaded venue takes a message all the same: a reduce-only order."""
    _, kind, fields = message
    return kind == NEW_ORDER and bool(fields[FLAGS_AT] & FLAG_REDUCE_ONLY)


class VenueServer:
    """One matching engine process with its queue.

    ``down``: the venue refuses everything.  ``stalled``: arrivals wait until it goes on.
    ``error_ppm``: share of commands that the gateway refuses while its API is failing.
    ``slowdown`` multiplies the service time.
    """

    def __init__(
        self,
        venue: int,
        kernel: Kernel,
        exchange: Exchange,
        errors: Stream,
        service_base_ns: int = 0,
        service_fill_ns: int = 0,
        backlog_max: int = BACKLOG_MAX,
    ) -> None:
        self.venue = venue
        self.service_base_ns = service_base_ns
        self.service_fill_ns = service_fill_ns
        self.backlog_max = backlog_max
        self.slowdown = 1
        self.busy_until = 0
        self.backlog: deque[Message] = deque()
        self.backlog_peak = 0
        self.down = False
        self.stalled = False
        self.error_ppm = 0
        self.refused: dict[int, int] = {}
        self.has_gtd = False
        self.own_waiting: dict[int, bool] = {}
        self._kernel = kernel
        self._exchange = exchange
        self._errors = errors
        self._scheduled = False

    def arrive(self, packet: list[Message]) -> None:
        """Commands of one session have reached the gateway together."""
        session, kind, fields = packet[0]
        now, backlog = self._kernel.now_ns, self.backlog
        if session is not None and (
            self.down
            or self.error_ppm
            or session.rate_interval_ns
            or len(backlog) + len(packet) > self.backlog_max
        ):
            packet = self._admitted(packet)
            if not packet:
                return
            _, kind, fields = packet[0]
        if backlog or self.busy_until > now or self.stalled:
            self._enqueue(packet, now)
            return
        exchange = self._exchange
        exchange.apply((kind, now, *fields))
        self.busy_until = now + self.slowdown * (
            self.service_base_ns + self.service_fill_ns * exchange.fills
        )
        if len(packet) > 1:
            backlog.extend(packet[1:])
            self.backlog_peak = max(self.backlog_peak, len(backlog))
            self._go_on()

    def _admitted(self, packet: list[Message]) -> list[Message]:
        """The commands of a packet that pass the gateway; the others are refused, in order."""
        admitted: list[Message] = []
        for message in packet:
            reason = self._gate(message, len(self.backlog) + len(admitted))
            if reason:
                self.refuse(message, reason)
            else:
                admitted.append(message)
        return admitted

    def _gate(self, message: Message, waiting: int) -> int:
        session: Session = message[0]
        if self.down:
            return RejectReason.VENUE_DOWN
        if self.error_ppm and self._errors.randrange(PPM) < self.error_ppm:
            return RejectReason.VENUE_DOWN
        if session.rate_interval_ns and not session.take_token(self._kernel.now_ns):
            return RejectReason.RATE_LIMIT
        if waiting < self.backlog_max or _reduces(message):
            return 0
        return RejectReason.SERVER_OVERLOADED

    def refuse(self, message: Message, reason: int) -> None:
        """Record a refusal and send it back over the session's link."""
        session, kind, fields = message
        self.refused[int(reason)] = self.refused.get(int(reason), 0) + 1
        if session is None:
            return
        now, account = self._kernel.now_ns, fields[0]
        instrument = client_id = -1
        if kind == 1:
            instrument, client_id = fields[1], fields[2]
        elif kind in _ORDER_COMMANDS:
            client_id = fields[1]
        event: Command
        if client_id >= 0:
            event = (2, account, instrument, client_id, int(reason), kind)
        else:
            event = (15, account, kind, int(reason))
        self._exchange.apply((41, now, account, kind, instrument, client_id, int(reason), 1))
        session.deliver(now, event)

    def _enqueue(self, packet: list[Message], now: int) -> None:
        backlog = self.backlog
        backlog.extend(packet)
        if packet[0][0] is None:
            self.own_waiting[packet[0][1]] = True
        self.backlog_peak = max(self.backlog_peak, len(backlog))
        if not self._scheduled and not self.stalled:
            self._scheduled = True
            self._kernel.at(max(now, self.busy_until), self._next, None, SYSTEM)

    def _next(self, _: None) -> None:
        """The engine is free: take the next command of the backlog."""
        self._scheduled = False
        if not self.stalled and self.backlog:
            self._serve(self._kernel.now_ns)
            self._go_on()

    def _serve(self, now: int) -> None:
        exchange = self._exchange
        session, kind, fields = self.backlog.popleft()
        if session is None:
            self.own_waiting[kind] = False
        exchange.apply((kind, now, *fields))
        service = self.service_base_ns + self.service_fill_ns * exchange.fills
        self.busy_until = now + service * self.slowdown

    def _go_on(self) -> None:
        """Serve what waits, one service time after the other, until something else comes first."""
        while self.backlog:
            free = self.busy_until
            if not self._kernel.skip_to(free):
                self._scheduled = True
                self._kernel.at(free, self._next, None, SYSTEM)
                return
            self._serve(free)

    def stop(self, refuse: bool) -> None:
        """Begin an outage: refuse everything, the backlog too, or let arrivals wait."""
        if not refuse:
            self.stalled = True
            return
        self.down = True
        waiting, self.backlog = list(self.backlog), deque()
        self.own_waiting.clear()
        for message in waiting:
            self.refuse(message, RejectReason.VENUE_DOWN)

    def resume(self) -> None:
        """End an outage; what waited is served in the order of arrival."""
        self.down = self.stalled = False
        if self.backlog and not self._scheduled:
            self._scheduled = True
            self._kernel.at(max(self._kernel.now_ns, self.busy_until), self._next, None, SYSTEM)
