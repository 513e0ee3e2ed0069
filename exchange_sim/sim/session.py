"""One account's connection to its venue: order entry, answers, and the lazily drained inbox.

Answers are stamped with their arrival and appended to a deque; nothing is scheduled unless the
strategy overrides a callback that the message concerns.  The deque is emptied when the strategy is
next woken (it is woken when the deque grows beyond ``INBOX_MAX``), which gives the same views as
eager delivery, because a strategy can only look at them while it is awake.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from heapq import heappush
from typing import TYPE_CHECKING, Any, Final

from exchange_sim.sim.account_view import AccountView
from exchange_sim.sim.kernel import ARRIVAL, WAKE
from exchange_sim.sim.links import Link
from exchange_sim.sim.seams import Event
from exchange_sim.sim.venue import Message, VenueServer
from exchange_sim.strategy.views import REJECTED, OrderHandle
from exchange_sim.units import NANOS_PER_S

if TYPE_CHECKING:
    from exchange_sim.sim.agent import Agent
    from exchange_sim.sim.exchange import Exchange
    from exchange_sim.sim.kernel import Kernel

INBOX_MAX: Final = 10_000
"""Messages after which a strategy is woken to take them in, whatever it overrides."""

CALLBACK_KINDS: Final[dict[str, tuple[int, ...]]] = {
    "on_order_update": (1, 2, 3, 4, 5, 6),
    "on_fill": (6,),
    "on_position": (6, 16, 35, 37, 63),
    "on_margin": (30, 1000),
    "on_liquidation": (31, 32, 33, 37),
    "on_adl": (35,),
    "on_funding": (10,),
    "on_transfer": (13, 14),
    "on_loan": (70, 71, 72, 74),
    "on_transaction": (100, 101, 102, 103),
    "on_refusal": (15,),
}
"""Event kinds that a callback must be woken for."""

Tell = Callable[["Session", str, Any], None]

_MASK32: Final = (1 << 32) - 1


def session_key(name: str) -> int:
    """32 bits that stand for a session in tie-breaks (an odd number); depends on its name only."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big") | 1


def arrival_rank(key: int, arrival_ns: int, session_seq: int) -> int:
    """Order among arrivals of one instant: by a hash of (session, instant), then FIFO.

    The hash, instant times key modulo 2**32, changes with the instant, so that no session is
    favoured.  ``Session.send`` has it written out.
    """
    return (arrival_ns * key & _MASK32) << 72 | key << 40 | session_seq


class Session:
    """One account of one agent.  ``rate_per_s`` 0: no limit; the burst is one second's worth."""

    __slots__ = (
        "_arrival",
        "_arrive",
        "_heap",
        "_kernel",
        "_packet",
        "_packet_ns",
        "_sent_at",
        "_stamp",
        "_tat",
        "_waking",
        "account",
        "account_name",
        "agent",
        "cancel_on_disconnect",
        "connected",
        "entry",
        "exchange",
        "held",
        "inbox",
        "key",
        "next_client_id",
        "private_feed",
        "rate_interval_ns",
        "replies",
        "sent",
        "server",
        "venue_name",
        "view",
        "wake_kinds",
        "watches_margin",
    )

    def __init__(
        self,
        agent: Agent,
        kernel: Kernel,
        exchange: Exchange,
        server: VenueServer,
        account: int,
        account_name: str,
        venue_name: str,
        view: AccountView,
        entry: Link,
        replies: Link,
        key: int,
        rate_per_s: int = 0,
    ) -> None:
        self.agent = agent
        self.exchange = exchange
        self.server = server
        self.account = account
        self.account_name = account_name
        self.venue_name = venue_name
        self.view = view
        self.entry = entry
        self.replies = replies
        self.key = key
        self.rate_interval_ns = NANOS_PER_S // rate_per_s if rate_per_s else 0
        self.inbox: deque[tuple[int, int, Event]] = deque()
        self.held: list[tuple[int, Event]] = []
        self.connected = True
        self.cancel_on_disconnect = False
        self.next_client_id = 1
        self.sent = key << 40
        self.private_feed = True
        self.watches_margin = False
        self.wake_kinds: frozenset[int] = frozenset()
        self._kernel = kernel
        self._heap = kernel.heap
        self._arrive = server.arrive
        self._arrival = 0
        self._packet: list[Message] = []
        self._packet_ns = -1
        self._sent_at = self._stamp = -1
        self._tat = 0
        self._waking = False

    # outwards

    def send(self, kind: int, fields: tuple[int, ...]) -> None:
        """Put a command on the link to the venue.

        What leaves at one instant travels in one packet, as the messages of one command do on the
        way back: one delay, one heap entry (a maker's wake-up sends five commands in a crash).
        """
        now = self._kernel.now_ns
        if now == self._packet_ns:
            self._packet.append((self, kind, fields))
            return
        arrival = self.entry.arrival(now)
        self.sent += 1
        rank = (arrival * self.key & _MASK32) << 72 | self.sent
        self._packet = packet = [(self, kind, fields)]
        # what has arrived by now takes no more messages
        self._packet_ns = now if arrival > now else -1
        heappush(self._heap, (arrival, ARRIVAL, rank, self._arrive, packet))

    def take_token(self, now: int) -> bool:
        """Rate limit at the gateway: a leaky bucket in whole nanoseconds."""
        tat = max(self._tat, now) + self.rate_interval_ns
        if tat - now > NANOS_PER_S:
            return False
        self._tat = tat
        return True

    # inwards

    def learn(self, now: int, event: Event) -> None:
        """Take a message without delay or callback: the initial state."""
        self.view.apply(now, event)

    def deliver(self, now: int, event: Event) -> None:
        """The venue sends a message; all messages of one command travel together."""
        if not self.connected:
            self.held.append((now, event))
            return
        stamp = self.exchange.commands
        if stamp != self._stamp or now != self._sent_at:
            self._stamp = stamp
            self._sent_at = now
            self._arrival = self.replies.arrival(now)
        inbox = self.inbox
        inbox.append((self._arrival, now, event))
        if not self._waking and (event[0] in self.wake_kinds or len(inbox) > INBOX_MAX):
            self._waking = True
            self._kernel.at(self._arrival, self._wake, None, WAKE)

    def _wake(self, _: None) -> None:
        self._waking = False
        self.agent.wake()

    def take_in(self, now: int, tell: Tell | None) -> None:
        """Take in what has arrived by ``now``, one by one, and tell what follows from it."""
        inbox, view, heard = self.inbox, self.view, self.agent.callbacks
        while inbox and inbox[0][0] <= now:
            _, sent, event = inbox.popleft()
            notices = view.apply(sent, event)
            if tell is not None:
                for callback, argument in notices:
                    if callback in heard:
                        tell(self, callback, argument)
        if inbox and not self._waking and self.wake_kinds:
            for arrival, _, event in inbox:
                if event[0] in self.wake_kinds:
                    self._waking = True
                    self._kernel.at(arrival, self._wake, None, WAKE)
                    break

    def disconnect(self) -> None:
        """The connection is lost: commands are refused locally, messages wait at the venue."""
        self.connected = False

    def reconnect(self) -> None:
        """The connection is back: what waited at the venue is sent now."""
        self.connected = True
        held, self.held = self.held, []
        now = self._kernel.now_ns
        for sent, event in held:
            arrival = self.replies.arrival(now)
            self.inbox.append((arrival, sent, event))
        if held and self.wake_kinds and not self._waking:
            self._waking = True
            self._kernel.at(self.inbox[0][0], self._wake, None, WAKE)

    def refuse_locally(self, order: OrderHandle, reason: int) -> OrderHandle:
        """Mark an order that never left as rejected."""
        order.status_code = REJECTED
        order.reject_code = int(reason)
        order.leaves_lots = 0
        return order
