"""A run: the world, its shell and its strategies, joined and driven to an end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

import attrs

from exchange_sim.errors import UsageError
from exchange_sim.journal.frames import JournalFooter
from exchange_sim.limits import EVENTS_PER_INSTANT_MAX
from exchange_sim.marketdata.feed import Feed
from exchange_sim.rng import Streams
from exchange_sim.sim.account_view import MARGIN_SNAPSHOT, AccountView
from exchange_sim.sim.agent import Agent
from exchange_sim.sim.chain import Traffic
from exchange_sim.sim.connections import RELIABLE, Connection, Connections
from exchange_sim.sim.credit import CreditClocks
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.host import (
    POLICIES,
    FaultReport,
    Host,
    graceful_interrupt,
    rare_collections,
)
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.links import Latency, Link
from exchange_sim.sim.naming import names_of
from exchange_sim.sim.on_chain import OnChain
from exchange_sim.sim.outages import Outage, Outages
from exchange_sim.sim.sampling import BookSampler, SampledBook
from exchange_sim.sim.seams import (
    BookSink,
    Command,
    Event,
    JournalLike,
    LogLike,
    Narrator,
    WorldLike,
)
from exchange_sim.sim.session import Session, session_key
from exchange_sim.sim.timers import Transfers, VenueTimers, VenueTiming, timeless
from exchange_sim.sim.venue import VenueServer
from exchange_sim.strategy.api import Strategy
from exchange_sim.units import NANOS_PER_MS, NANOS_PER_S
from exchange_sim.world.chain.state import ChainState
from exchange_sim.world.config import WorldConfig
from exchange_sim.world.world import World

Accounts = Mapping[str, int | Mapping[str, int]]
"""By venue name: the account's id, or several ids by their names."""
Progress = Callable[[int, int], None]
"""Called with simulated time and number of commands once per simulated second."""


class RunnableWorld(WorldLike, Protocol):
    """A world with its books and its description."""

    @property
    def config(self) -> WorldConfig:
        """What the world is made of."""

    @property
    def engines(self) -> Sequence[Any]:
        """Matching engines by instrument id; each has a ``book``."""

    def lenders_pending(self, venue: int, now: int) -> bool:
        """Whether a lender has something to do."""

    @property
    def chain(self) -> ChainState | None:
        """The chain, if there is one."""


@attrs.frozen
class RunResult:
    """How a run ended.  Nothing in it depends on the wall clock.

    ``refused`` counts what gateways refused by reason; ``interrupted`` tells of a Ctrl-C.
    """

    seq: int
    time_ns: int
    state_digest: str
    event_digest: str
    trades: int
    kernel_steps: int
    refused: dict[int, int]
    faults: tuple[FaultReport, ...]
    fault_count: int
    interrupted: bool


class Run:
    """One run.  Build it, apply the initial state, add strategies and outages, then ``execute``.

    ``kernel`` is open to further SimPy processes; ``exchange.apply`` to further commands.
    """

    def __init__(
        self,
        world: RunnableWorld,
        *,
        seed: int,
        timings: Sequence[VenueTiming] | None = None,
        journal: JournalLike | None = None,
        log: LogLike | None = None,
        book_sink: BookSink | None = None,
        narrator: Narrator | None = None,
        traffic: Traffic | None = None,
        chain_sample_ns: int = 0,
        feed_interval_ns: int = 100 * NANOS_PER_MS,
        hang_limit_s: float = 0.0,
        events_per_instant_max: int = EVENTS_PER_INSTANT_MAX,
    ) -> None:
        config = world.config
        self.world = world
        self.streams = Streams(seed)
        self.names = names_of(config)
        self.kernel = Kernel(config.start_ns, events_per_instant_max)
        books: list[SampledBook] = [engine.book for engine in world.engines]
        self.feed = Feed(self.names.markets, [e.book for e in world.engines], len(config.venues))
        self.exchange = Exchange(world, self.feed, journal, log)
        self.host = Host(self.kernel, self.exchange, narrator)
        self.timings = list(timings or [VenueTiming() for _ in config.venues])
        if len(self.timings) != len(config.venues):
            raise UsageError(f"{len(config.venues)} venues, but {len(self.timings)} timings")
        if world.chain is not None:
            self.timings[world.chain.venue] = timeless(self.timings[world.chain.venue])
        self.servers = [self._server(i, timing) for i, timing in enumerate(self.timings)]
        self.timers = [self._clockwork(i, timing) for i, timing in enumerate(self.timings)]
        self.connections = Connections(self.kernel, self.exchange, self.streams)
        self.outages = Outages(
            self.kernel,
            self.exchange,
            self.feed,
            self.servers,
            self.host.agents,
            self.names.venues,
            self.connections,
        )
        venue_of = self.exchange.account_venue
        Transfers(self.kernel, self.exchange, self.timings, venue_of.__getitem__)
        stream = self.streams.stream("loans/borrowers")
        self.credit = CreditClocks(world, config, self.kernel, self.exchange, self.servers, stream)
        self.on_chain = self._on_chain(traffic or Traffic(), chain_sample_ns)
        self.sampler = BookSampler(self.kernel, books, book_sink, self.feed) if book_sink else None
        self.interrupted = False
        self._feed_interval_ns = feed_interval_ns
        self._hang_limit_s = hang_limit_s
        self._journal = journal
        self._log = log
        self._keys: dict[int, str] = {}
        self._owners: dict[int, str] = {}

    def _server(self, venue: int, timing: VenueTiming) -> VenueServer:
        errors = self.streams.stream(f"fault/api/{self.names.venues[venue]}")
        return VenueServer(
            venue,
            self.kernel,
            self.exchange,
            errors,
            timing.service_base_ns,
            timing.service_fill_ns,
            timing.backlog_max,
        )

    def _clockwork(self, venue: int, timing: VenueTiming) -> VenueTimers:
        perpetuals = any(m.is_perpetual and m.venue_id == venue for m in self.names.markets)
        server = self.servers[venue]
        return VenueTimers(venue, timing, self.kernel, self.exchange, server, perpetuals)

    def _on_chain(self, traffic: Traffic, sample_ns: int) -> OnChain | None:
        chain = self.world.chain
        if chain is None:
            return None
        server, world = self.servers[chain.venue], cast("World", self.world)
        return OnChain(world, self.kernel, self.exchange, server, self.streams, traffic, sample_ns)

    # the initial state

    def apply_all(self, commands: Iterable[Command]) -> list[Event]:
        """Apply initial commands at the start; returns all their events."""
        apply = self.exchange.apply
        return [event for command in commands for event in apply(command)]

    def open_account(self, venue: str, owner: int = 0, unified: int = 1, fee_tier: int = 0) -> int:
        """Open an account and return its id; ``UsageError`` when the world refuses."""
        command = (20, self.kernel.now_ns, self.names.venue(venue), owner, unified, fee_tier)
        for event in self.exchange.apply(command):
            if event[0] == 12:
                return event[1]
        raise UsageError(f"the world opened no account on {venue!r}")

    def add_strategy(
        self,
        name: str,
        strategy: Strategy,
        accounts: Accounts,
        *,
        order_entry: Latency | None = None,
        replies: Latency | None = None,
        market_data: Latency | None = None,
        orders_per_s: int | None = None,
        policy: str = "stop",
        connection: Connection = RELIABLE,
    ) -> Agent:
        """Connect a strategy to its accounts; latencies default to those of each venue.

        Raises ``UsageError`` for a name that is taken, an account that another strategy trades, an
        unknown venue or policy.
        """
        if policy not in POLICIES:
            raise UsageError(f"fault policy {policy!r} is none of {', '.join(POLICIES)}")
        if any(agent.name == name for agent in self.host.agents):
            raise UsageError(f"there are two strategies named {name!r}")
        links = [
            Link(
                market_data or timing.market_data,
                self.streams.stream(f"latency/{name}/{venue}/market"),
            )
            for venue, timing in zip(self.names.venues, self.timings, strict=True)
        ]
        agent = Agent(
            name, strategy, self.host, self.kernel, self.exchange, self.names, self.feed, links,
            self.streams, policy,
        )  # fmt: skip
        for venue_name, ids in accounts.items():
            named = {"main": ids} if isinstance(ids, int) else ids
            for account_name, account in named.items():
                venue = self.names.venue(venue_name)
                self._claim(account, name)
                timing = self.timings[venue]
                rate = timing.orders_per_s if orders_per_s is None else orders_per_s
                session = self._session(
                    agent,
                    venue,
                    account,
                    account_name,
                    order_entry or timing.order_entry,
                    replies or timing.replies,
                    rate,
                )
                agent.add_session(session, venue)
                self.timers[venue].sessions.append(session)
                self.exchange.attend(account, session)
        self.connections.connect(agent, connection)
        self.host.agents.append(agent)
        return agent

    def _claim(self, account: int, name: str) -> None:
        """One strategy an account: two would not know of each other's orders."""
        owner = self._owners.setdefault(account, name)
        if owner != name:
            raise UsageError(
                f"account {account} is traded by strategy {owner!r}; give {name!r} its own"
            )

    def _session(
        self,
        agent: Agent,
        venue: int,
        account: int,
        account_name: str,
        order_entry: Latency,
        replies: Latency,
        rate: int,
    ) -> Session:
        names = self.names
        venue_name = names.venues[venue]
        path = f"{agent.name}/{venue_name}/{account_name}"
        key = session_key(path)
        while key in self._keys:
            key = session_key(f"{path}#{key}")
        self._keys[key] = path
        numeraire = self.world.config.venues[venue].numeraire
        view = AccountView(
            account, venue_name, names.markets, names.assets, names.asset_scales, numeraire
        )
        if self.world.chain is not None:
            view.gas_scale = self.world.chain.gas_scale
        return Session(
            agent,
            self.kernel,
            self.exchange,
            self.servers[venue],
            account,
            account_name,
            venue_name,
            view,
            Link(order_entry, self.streams.stream(f"latency/{path}/entry")),
            Link(replies, self.streams.stream(f"latency/{path}/replies")),
            key,
            rate,
        )

    def add_outage(self, outage: Outage) -> None:
        """Schedule a fault of the infrastructure."""
        self.outages.add(outage)

    # the run itself

    def start(self) -> None:
        """Begin: initial margins, timers, the first publication, ``on_start`` of every strategy."""
        if self.exchange.started:
            return
        self.exchange.started = True
        self.exchange.genesis.clear()
        now = self.kernel.now_ns
        for session in (session for timers in self.timers for session in timers.sessions):
            state: Any = (MARGIN_SNAPSHOT, self.world.margin_of(session.account))
            session.learn(now, state)
        for timers in self.timers:
            timers.start()
        if self.on_chain is not None:
            self.on_chain.start(self.timers[self.names.chain].sessions)
        self.credit.start()
        if self.sampler is not None:
            self.sampler.start()
        self._publish(None)
        self.host.start()

    def _publish(self, _: None) -> None:
        now, interval = self.kernel.now_ns, self._feed_interval_ns
        self.feed.publish(now)
        self.kernel.at((now // interval + 1) * interval, self._publish, None, SYSTEM)

    def execute(self, until_ns: int, progress: Progress | None = None) -> RunResult:
        """Run to ``until_ns`` (exclusive), stop the strategies, close journal and log.

        A first Ctrl-C ends the run at the next whole second with everything closed properly, a
        second one at once.  Any error closes journal and log as they are and is raised again.
        """
        try:
            with (
                graceful_interrupt(self.interrupt),
                rare_collections(),
                self.host.watch(self._hang_limit_s),
            ):
                self.start()
                self._advance(until_ns, progress)
                if not self.interrupted:
                    self.host.finish()
            return self._close()
        except BaseException:
            for part in (self._journal, self._log):
                abort = getattr(part, "abort", None)
                if abort is not None:
                    abort()
            raise

    def _advance(self, until_ns: int, progress: Progress | None) -> None:
        kernel = self.kernel
        while kernel.now_ns < until_ns and not self.interrupted:
            next_second = (kernel.now_ns // NANOS_PER_S + 1) * NANOS_PER_S
            kernel.run(min(until_ns, next_second))
            if progress is not None:
                progress(kernel.now_ns, self.exchange.commands)

    def interrupt(self) -> None:
        """Ask the run to end at the next whole second."""
        self.interrupted = True

    def _close(self) -> RunResult:
        close_log = getattr(self._log, "close", None)
        if close_log is not None:
            close_log()
        digest = getattr(self._log, "digest", None)
        result = RunResult(
            self.world.seq,
            self.kernel.now_ns,
            self.world.state_digest(),
            digest() if digest is not None else "",
            self.exchange.trades,
            self.kernel.steps,
            self._refusals(),
            tuple(self.host.reports),
            self.host.fault_count,
            self.interrupted,
        )
        close_journal = getattr(self._journal, "close", None)
        if close_journal is not None:
            close_journal(
                JournalFooter(
                    result.seq, result.state_digest, result.event_digest, not self.interrupted
                )
            )
        return result

    def _refusals(self) -> dict[int, int]:
        total: dict[int, int] = {}
        for server in self.servers:
            for reason, count in sorted(server.refused.items()):
                total[reason] = total.get(reason, 0) + count
        return total
