"""The single point through which the world changes: journal, apply, log, route.

Everything else in the shell decides *when* a command is applied; ``Exchange.apply`` is the only
caller of ``World.apply``.  After the world it routes the events: to the session of every account
concerned, to the public feed, and to the hooks of the timers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from exchange_sim.marketdata.feed import Feed
from exchange_sim.sim.seams import Command, Event, JournalLike, LogLike, WorldLike

if TYPE_CHECKING:
    from exchange_sim.sim.session import Session

ACCOUNTS_AT: Final[dict[int, tuple[int, ...]]] = {
    5: (2,),
    10: (2, 3),
    11: (1,),
    13: (2,),
    14: (2,),
    15: (1,),
    16: (1, 2),
    30: (1,),
    31: (1,),
    32: (1,),
    33: (1,),
    35: (4, 5),
    37: (1,),
    70: (3,),
    71: (2,),
    72: (2,),
    74: (2,),
    75: (1,),
    76: (2,),
    77: (2,),
    80: (2,),
    81: (2,),
    100: (2,),
    101: (2,),
    102: (2,),
    103: (2,),
    60: (2,),
    61: (1,),
    62: (1,),
    63: (1,),
}
"""Where an event names the accounts that get to see it; kinds 1 to 4 and 6 are routed inline."""

ACCOUNT_OPENED, TRANSFER_STARTED, MARK_UPDATED, WALLET_OPENED = 12, 13, 20, 60


class Exchange:
    """Applies commands and routes events.

    ``sessions[account]`` is ``None`` for accounts that nobody attends.
    ``fills`` counts the trades of the last command.  Before ``started`` is set, routed events are
    applied to the owners' views without delay and those of accounts without a session are kept in
    ``genesis``.  Events of an isolated wallet go to whoever attends its ``parents`` entry.
    """

    def __init__(
        self,
        world: WorldLike,
        feed: Feed,
        journal: JournalLike | None = None,
        log: LogLike | None = None,
    ) -> None:
        self.world = world
        self.feed = feed
        self.sessions: list[Session | None] = []
        self.genesis: dict[int, list[Event]] = {}
        self.started = False
        self.fills = 0
        self.commands = 0
        self.trades = 0
        self.on_transfer: Callable[[int, Event], None] | None = None
        self.listeners: dict[int, Callable[[int, Event], None]] = {}
        self.account_venue: dict[int, int] = {}
        self.parents: dict[int, int] = {}
        self.last_account = -1
        self._append = journal.append if journal else None
        self._record = log.record if log else None
        self._apply = world.apply
        self._dirty = feed.dirty
        self._ticking = feed.tick_listeners

    def keep_no_records(self) -> None:
        """Neither journal nor log from now on; for measuring what they cost."""
        self._append = self._record = None

    def apply(self, command: Command) -> list[Event]:
        """Journal, apply, log and route one command; returns its events."""
        if self._append is not None:
            self._append(command)
        events = self._apply(command)
        self.commands += 1
        now = command[1]
        if self._record is not None:
            self._record(self.world.seq, now, events)
        self.fills = 0
        if events:
            self._route(now, events)
            if self._ticking:
                self._publish_ticks(now, events)
        return events

    def attend(self, account: int, session: Session) -> None:
        """Deliver the events of an account to a session from now on, those of the genesis first."""
        self._grow(account)
        if session.private_feed:
            self.sessions[account] = session
            for wallet, parent in self.parents.items():
                if parent == account:
                    self._grow(wallet)
                    self.sessions[wallet] = session
        for event in self.genesis.pop(account, ()):
            session.learn(self.world.time_ns, event)

    def _grow(self, account: int) -> None:
        missing = account + 1 - len(self.sessions)
        if missing > 0:
            self.sessions.extend([None] * missing)

    def _route(self, now: int, events: list[Event]) -> None:
        """Hand each event to those who may see it; the four kinds of the hot path come first."""
        if not self.started:
            self._route_genesis(now, events)
            return
        sessions, dirty = self.sessions, self._dirty
        for event in events:
            kind = event[0]
            if kind == 6:
                self.fills += 1
                dirty[event[2]] = 1
                self.feed.trade(now, event)
                maker, taker = sessions[event[8]], sessions[event[9]]
                if maker is not None:
                    maker.deliver(now, event)
                if taker is not None and taker is not maker:
                    taker.deliver(now, event)
            elif kind in (1, 3, 4):
                dirty[event[3]] = 1
                session = sessions[event[2]]
                if session is not None:
                    session.deliver(now, event)
            elif kind == 2:
                account = event[1]
                session = sessions[account] if 0 <= account < len(sessions) else None
                if session is not None:
                    session.deliver(now, event)
            else:
                self._route_rare(now, event)
        self.trades += self.fills

    def _route_rare(self, now: int, event: Event) -> None:
        kind = event[0]
        sessions = self.sessions
        if kind == MARK_UPDATED:
            self.feed.mark(now, event)
            return
        if kind == ACCOUNT_OPENED:
            self._grow(event[1])
            self.last_account = event[1]
            self.account_venue[event[1]] = event[2]
            return
        if kind == WALLET_OPENED:
            self.parents[event[1]] = event[2]
            sessions[event[1]] = sessions[event[2]]
        if kind == TRANSFER_STARTED and self.on_transfer is not None:
            self.on_transfer(now, event)
        if kind in self.listeners:
            self.listeners[kind](now, event)
        previous = None
        for at in ACCOUNTS_AT.get(kind, ()):
            account = event[at]
            session = sessions[account] if 0 <= account < len(sessions) else None
            if session is not None and session is not previous:
                session.deliver(now, event)
            previous = session

    def _route_genesis(self, now: int, events: list[Event]) -> None:
        """Before the start nobody waits for a link: owners learn the initial state at once."""
        for event in events:
            kind = event[0]
            if kind == ACCOUNT_OPENED:
                self._grow(event[1])
                self.last_account = event[1]
                self.account_venue[event[1]] = event[2]
            elif kind == MARK_UPDATED:
                self.feed.mark(now, event)
            elif kind == TRANSFER_STARTED and self.on_transfer is not None:
                self.on_transfer(now, event)
            elif kind in self.listeners:
                self.listeners[kind](now, event)
            elif kind == WALLET_OPENED:
                self.parents[event[1]] = event[2]
            if kind == 6:
                self.fills += 1
                self.feed.trade(now, event)
                accounts: tuple[int, ...] = tuple(dict.fromkeys(event[8:10]))
            elif kind in (1, 3, 4):
                accounts = (event[2],)
            elif kind == 2:
                accounts = (event[1],)
            else:
                accounts = tuple(dict.fromkeys(event[at] for at in ACCOUNTS_AT.get(kind, ())))
            for account in dict.fromkeys(self.parents.get(a, a) for a in accounts):
                session = self.sessions[account] if 0 <= account < len(self.sessions) else None
                if session is not None:
                    session.learn(now, event)
                else:
                    self.genesis.setdefault(account, []).append(event)

    def _publish_ticks(self, now: int, events: list[Event]) -> None:
        """Push books to tick-by-tick subscribers, once per command and changed market."""
        changed: dict[int, None] = {}
        for event in events:
            kind = event[0]
            if kind == 6:
                changed[event[2]] = None
            elif kind in (1, 3, 4):
                changed[event[3]] = None
        for instrument in changed:
            if instrument in self._ticking:
                self.feed.publish_tick(now, instrument)
