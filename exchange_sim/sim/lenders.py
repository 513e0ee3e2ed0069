"""The clock of lenders, and borrowers by the thousand who answer their calls.

A population of borrowers needs no process each: whoever is called draws a reaction time, and only
then one command is scheduled.  People who wait for a notice, a committee or a bank transfer answer
after about twenty minutes with a small spread; the gamma's mean and deviation are parameters.
"""

from __future__ import annotations

from typing import Final, Protocol

import attrs

from exchange_sim.messages.reasons import LoanNoticeKind
from exchange_sim.rng import Stream
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.seams import Event
from exchange_sim.sim.venue import VenueServer
from exchange_sim.units import NANOS_PER_MINUTE, NANOS_PER_S, PPM

CURED: Final = int(LoanNoticeKind.CURED)
TRIES: Final = 5
"""Attempts of a borrower while the venue does not answer, a minute apart."""


class LendingWorld(Protocol):
    """What the clock needs to know of the world."""

    def lenders_pending(self, venue: int, now: int) -> bool:
        """Whether a lender has something to do."""


class LenderClock:
    """Gives the lenders of a venue a slot every interval, through the venue's queue."""

    def __init__(
        self,
        world: LendingWorld,
        kernel: Kernel,
        server: VenueServer,
        interval_ns: int = NANOS_PER_S,
    ) -> None:
        self._world = world
        self._kernel = kernel
        self._server = server
        self._interval_ns = interval_ns

    def start(self) -> None:
        """Schedule the next slot."""
        now, interval = self._kernel.now_ns, self._interval_ns
        self._kernel.at((now // interval + 1) * interval, self._slot, None, SYSTEM)

    def _slot(self, _: None) -> None:
        server, now = self._server, self._kernel.now_ns
        idle = not (server.down or server.own_waiting.get(64))
        if idle and self._world.lenders_pending(server.venue, now):
            server.arrive([(None, 64, (server.venue,))])
        self.start()


@attrs.frozen
class Reaction:
    """What one borrower does when called: the command and its last field.

    ``command`` 61 tops up with ``value`` units, 62 repays them, 63 has collateral sold down to
    ``value`` ppm, 0 ignores.
    """

    command: int
    value: int
    mean_ns: int
    sd_ns: int


class Borrowers:
    """Borrowers of all populations by account."""

    def __init__(
        self,
        kernel: Kernel,
        exchange: Exchange,
        servers: list[VenueServer],
        stream: Stream,
    ) -> None:
        self.reactions: dict[int, Reaction] = {}
        self._kernel = kernel
        self._exchange = exchange
        self._servers = servers
        self._stream = stream
        self._open: dict[int, int] = {}
        exchange.listeners[72] = self._noticed
        exchange.listeners[74] = self._closed

    def _noticed(self, now: int, event: Event) -> None:
        _, loan, account, kind, *_ = event
        if kind == CURED:
            self._open.pop(loan, None)
        elif loan not in self._open:
            self._expect(now, loan, account)

    def begin(self, reactions: dict[int, Reaction], called: list[tuple[int, int]]) -> None:
        """Take the reactions of all accounts, and the (loan, account) called before the start."""
        self.reactions.update(reactions)
        for loan, account in called:
            self._expect(self._kernel.now_ns, loan, account)

    def _expect(self, now: int, loan: int, account: int) -> None:
        """Schedule the answer to a call, or to a liquidation that came without one."""
        reaction = self.reactions.get(account)
        if reaction is None:
            return
        self._open[loan] = account
        if reaction.command:
            delay = self._stream.gamma_ns(reaction.mean_ns, reaction.sd_ns)
            self._kernel.at(now + delay, self._answer, (loan, account, TRIES), SYSTEM)

    def _closed(self, _now: int, event: Event) -> None:
        self._open.pop(event[1], None)

    def _answer(self, item: tuple[int, int, int]) -> None:
        """Act, unless the call is over; try again later while the venue is down."""
        loan, account, tries = item
        if self._open.get(loan) != account:
            return
        server = self._servers[self._exchange.account_venue[account]]
        if server.down:
            if tries > 1:
                later = self._kernel.now_ns + NANOS_PER_MINUTE
                self._kernel.at(later, self._answer, (loan, account, tries - 1), SYSTEM)
            return
        reaction = self.reactions[account]
        server.arrive([(None, reaction.command, (account, loan, reaction.value))])


def target_ppm(ltv: float) -> int:
    """A loan-to-value in ppm, as commands carry it."""
    return max(0, min(PPM - 1, round(ltv * PPM)))
