"""One running strategy: its context, its callbacks and its timers.

The agent is the only thing that calls a strategy.  A wake-up is one entry of the kernel: the
messages that have arrived are taken in first (with their callbacks), then the reason of the wake-up
is told. Every call is guarded; what the strategy raises goes to the host, which knows the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from exchange_sim.limits import TIMERS_PER_INSTANT_MAX
from exchange_sim.marketdata.feed import Feed
from exchange_sim.marketdata.market import Market
from exchange_sim.rng import Stream, Streams
from exchange_sim.sim.desk import Names
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import WAKE, Kernel
from exchange_sim.sim.links import Link
from exchange_sim.sim.session import CALLBACK_KINDS, Session
from exchange_sim.sim.watcher import Reader, Watcher
from exchange_sim.strategy.api import Strategy
from exchange_sim.strategy.callbacks import CALLBACK_NAMES, overridden
from exchange_sim.strategy.context import SymbolLike
from exchange_sim.strategy.door import door_to
from exchange_sim.strategy.edge import millionths
from exchange_sim.strategy.loan_types import LoanView
from exchange_sim.strategy.views import Margin, OrderHandle, Position

if TYPE_CHECKING:
    from exchange_sim.sim.host import Host


_ORDER_CALLBACKS: Final = ("on_order_update", "on_fill", "on_position")


class Timer:
    """A named timer; ``alive`` false means that it was cancelled or replaced."""

    __slots__ = ("alive", "interval_ns", "jitter", "jitter_ns", "name", "repeat")

    def __init__(
        self, name: str, interval_ns: int, jitter_ns: int, jitter: Stream | None, repeat: bool
    ) -> None:
        self.name = name
        self.interval_ns = interval_ns
        self.jitter_ns = jitter_ns
        self.jitter = jitter
        self.repeat = repeat
        self.alive = True

    def next_ns(self, now: int) -> int:
        """When it fires next."""
        if self.jitter is None:
            return now + self.interval_ns
        return now + self.interval_ns + self.jitter.randrange(self.jitter_ns)


class StrategySpins(RuntimeError):
    """A strategy's timers fire without end while time stands still."""


def _spin() -> None:
    """Stands for ``on_timer`` where a strategy has none."""


class Agent(Watcher):
    """Runs one strategy; it is the strategy's ``Context``."""

    def __init__(
        self,
        name: str,
        strategy: Strategy,
        host: Host,
        kernel: Kernel,
        exchange: Exchange,
        names: Names,
        feed: Feed,
        links: list[Link],
        streams: Streams,
        policy: str,
    ) -> None:
        super().__init__(name, kernel, exchange, names, feed, links)
        self.strategy = strategy
        self.policy = policy
        self.faults = 0
        self._host = host
        self._streams = streams
        self._rng = streams.stream(f"strategy/{name}")
        self._timers: dict[str, Timer] = {}
        self._fired_ns = self._fired = -1
        self._jitters: dict[str, Stream] = {}
        present = overridden(strategy)
        self.callbacks = {
            callback: getattr(strategy, callback)
            for callback in CALLBACK_NAMES
            if callback in present
        }
        self._on_timer = self.callbacks.get("on_timer")
        kinds = {kind for name in self.callbacks for kind in CALLBACK_KINDS.get(name, ())}
        self._wake_kinds = frozenset(kinds)
        strategy.attach(door_to(self))

    def add_session(self, session: Session, venue: int) -> None:
        """Take a session and tell it what this strategy must be woken for."""
        super().add_session(session, venue)
        session.private_feed = self.strategy.private_feed
        session.wake_kinds = self._wake_kinds
        session.watches_margin = "on_margin" in self.callbacks
        session.view.wants_fills = "on_fill" in self.callbacks
        session.view.silent = not any(name in self.callbacks for name in _ORDER_CALLBACKS)

    # what a strategy reads

    @property
    def now_ns(self) -> int:
        """See ``Strategy.now_ns``."""
        return self.kernel.now_ns

    @property
    def rng(self) -> Stream:
        """See ``Strategy.rng``."""
        return self._rng

    @property
    def name(self) -> str:
        """See ``Strategy.name``."""
        return self._name

    def market(self, symbol: SymbolLike) -> Market:
        """See ``Strategy.market``."""
        return self.names.market(symbol)

    def markets(self, venue: str | None = None) -> Sequence[Market]:
        """See ``Strategy.markets``."""
        if venue is None:
            return self.names.markets
        self.names.venue(venue)
        return [market for market in self.names.markets if market.venue == venue]

    def venues(self) -> Sequence[str]:
        """See ``Strategy.venues``."""
        return self.venue_names()

    def account_names(self, venue: str) -> Sequence[str]:
        """See ``Strategy.account_names``."""
        self.names.venue(venue)
        return [session.account_name for session in self.sessions if session.venue_name == venue]

    def open_orders(self, symbol: SymbolLike | None, account: str | None) -> list[OrderHandle]:
        """See ``Strategy.open_orders``."""
        market = None if symbol is None else self.names.market(symbol)
        return [
            order
            for session in self.sessions
            if account in (None, session.account_name)
            for order in session.view.orders.values()
            if market is None or order.market is market
        ]

    def balance(self, asset: str, venue: str | None, account: str | None) -> float:
        """See ``Strategy.balance``."""
        i = self.names.asset(asset)
        return self.session_named(venue, account).view.balances[i] / self.names.asset_scales[i]

    def loan(self, asset: str, venue: str | None, account: str | None) -> float:
        """See ``Strategy.loan``."""
        i = self.names.asset(asset)
        return self.session_named(venue, account).view.loans[i] / self.names.asset_scales[i]

    def balances(self, venue: str | None, account: str | None) -> dict[str, float]:
        """See ``Strategy.balances``."""
        return self._amounts(self.session_named(venue, account).view.balances)

    def loans(self, venue: str | None, account: str | None) -> dict[str, float]:
        """See ``Strategy.loans``."""
        return self._amounts(self.session_named(venue, account).view.loans)

    def _amounts(self, units: Sequence[int]) -> dict[str, float]:
        names = self.names
        return {
            name: amount / scale
            for name, scale, amount in zip(names.assets, names.asset_scales, units, strict=True)
            if amount
        }

    def positions(self, venue: str | None, account: str | None) -> list[Position]:
        """See ``Strategy.positions``."""
        holdings = self.session_named(venue, account).view.holdings
        return [
            self.position(market, account)
            for market in self.names.markets
            if market.is_perpetual and market.id in holdings and holdings[market.id].lots
        ]

    def pledged_loans(self, venue: str | None, account: str | None) -> list[LoanView]:
        """See ``Strategy.pledged_loans``."""
        return list(self.session_named(venue, account).view.pledged.loans.values())

    def margin(self, venue: str | None, account: str | None) -> Margin:
        """See ``Strategy.margin``."""
        session = self.session_named(venue, account)
        session.watches_margin = True
        return session.view.margin

    def subscribe_margin(self, venue: str | None, account: str | None) -> None:
        """See ``Strategy.subscribe_margin``."""
        self.session_named(venue, account).watches_margin = True

    # waking and telling

    def wake(self) -> None:
        """A message that the strategy wants to hear of has arrived."""
        self._wake_for(None)

    def prompt(self, function: Callable[..., Any], *arguments: Any) -> None:
        """A wake-up for a reason from outside the run: a learner that steps it."""
        self._wake_for(function, *arguments)

    def _wake_for(self, tell: Callable[..., Any] | None, *arguments: Any) -> None:
        """One wake-up: new budgets, then what has arrived, then its own reason (if any)."""
        self.outbox = self._local_notices = 0
        self.take_in()
        if tell is not None and not self.closed:
            self.call(tell, *arguments)
        if self.refused_locally:
            self.note_refusals()

    def take_in(self) -> None:
        """Take in what has arrived and tell the strategy, in the order of arrival per session."""
        now = self.kernel.now_ns
        for session in self.sessions:
            inbox = session.inbox
            if inbox and inbox[0][0] <= now:
                session.take_in(now, self._notify if self.callbacks else None)

    def _notify(self, session: Session, callback: str, argument: Any) -> None:
        """Tell the strategy what a message meant; a ``Position`` is built only for listeners."""
        tell = self.callbacks.get(callback)
        if tell is None or self.closed:
            return
        if callback == "on_position":
            self.call(tell, self.position(argument, session.account_name))
        else:
            self.call(tell, argument)

    def _tell(self, callback: str, *arguments: Any) -> None:
        """A wake-up whose reason is a callback."""
        self._wake_for(self.callbacks.get(callback), *arguments)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call the strategy; whatever it raises goes to the host, except the user's Ctrl-C."""
        host = self._host
        host.calls += 1
        host.running = self
        try:
            function(*arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # noqa: BLE001 - no strategy fault may escape unlocated
            host.running = None
            host.report(self, function, fault)
        finally:
            host.running = None

    def reply_locally(self, order: OrderHandle) -> None:
        """Tell the strategy that an order never left."""
        self._tell("on_order_update", order)

    def receive(self, item: tuple[str, Any, Reader, int]) -> None:
        """Pushed market data have arrived: the view moves forward, then the strategy is told."""
        callback, payload, reader, available = item
        reader.view_ns = max(reader.view_ns, available)
        by_tick = getattr(payload, "bid_levels", None) is not None
        if by_tick and payload.market.id in self.feed.tick_listeners:
            self._ticks[payload.market.id] = payload
        if callback:
            self._tell(callback, payload)

    # the run's phases

    def start(self) -> None:
        """Begin: ``on_start``."""
        self._tell("on_start")

    def finish(self) -> None:
        """End: ``on_stop``, after which nothing can be sent."""
        if self.closed:
            return
        self.take_in()
        self.closed = True
        self._cancel_timers()
        tell = self.callbacks.get("on_stop")
        if tell is not None:
            self.call(tell)
        if self.refused_locally:
            self.note_refusals()

    def disable(self) -> None:
        """Silence the strategy and ask every venue to cancel its open orders."""
        if self.closed:
            return
        self.closed = True
        self._cancel_timers()
        for session in self.sessions:
            session.wake_kinds = frozenset()
            session.send(4, (session.account, -1, -1))

    def stop(self, reason: str) -> None:
        """See ``Strategy.stop``."""
        self._host.narrate(self._name, "strategy stopped itself", {"reason": reason})
        self.disable()

    def disconnected(self, venue: str, reason: str) -> None:
        """The sessions with a venue were lost."""
        self._tell("on_disconnect", venue, reason)

    def reconnected(self, venue: str) -> None:
        """The sessions with a venue are back."""
        self._tell("on_reconnect", venue)

    # timers and remarks

    def set_timer(self, name: str, interval_ns: int, jitter_ns: int, repeat: bool) -> None:
        """See ``Strategy.set_timer_ns``."""
        if type(interval_ns) is not int or type(jitter_ns) is not int:
            raise TypeError(
                f"timer {name!r}: not whole nanoseconds: {interval_ns!r}, {jitter_ns!r}"
            )
        if interval_ns < 0 or jitter_ns < 0:
            raise ValueError(f"timer {name!r}: negative: {interval_ns} or {jitter_ns}")
        self.cancel_timer(name)
        if self.closed:
            return
        jitter = None
        if jitter_ns:
            jitter = self._jitters.get(name)
            if jitter is None:
                jitter = self._streams.stream(f"timer/{self._name}/{name}")
                self._jitters[name] = jitter
        timer = Timer(name, interval_ns, jitter_ns, jitter, repeat)
        self._timers[name] = timer
        self.kernel.at(timer.next_ns(self.kernel.now_ns), self._fire, timer, WAKE)

    def cancel_timer(self, name: str) -> bool:
        """See ``Strategy.cancel_timer``."""
        timer = self._timers.pop(name, None)
        if timer is None:
            return False
        timer.alive = False
        return True

    def _cancel_timers(self) -> None:
        for timer in self._timers.values():
            timer.alive = False
        self._timers.clear()

    def _fire(self, timer: Timer) -> None:
        if not timer.alive:
            return
        now = self.kernel.now_ns
        if now != self._fired_ns:
            self._fired_ns, self._fired = now, 0
        self._fired += 1
        if self._fired > TIMERS_PER_INSTANT_MAX:
            self._spins(timer)
            return
        if timer.repeat:
            self.kernel.at(timer.next_ns(self.kernel.now_ns), self._fire, timer, WAKE)
        else:
            del self._timers[timer.name]
        self._wake_for(self._on_timer, timer.name)

    def record(self, values: dict[str, float]) -> None:
        """See ``Strategy.record``; costs one message of the wake-up's budget for each value."""
        now, session = self.kernel.now_ns, self.sessions[0]
        for name, value in values.items():
            amount = millionths(name, value)
            if self._may_send(session):
                series = self._host.series_of(self._name, name)
                self.exchange.apply((42, now, session.account, series, amount))

    def _spins(self, timer: Timer) -> None:
        """A timer without delay that sets itself again would stop the time of everybody."""
        self.cancel_timer(timer.name)
        text = f"timer {timer.name!r} fired {TIMERS_PER_INSTANT_MAX} times at one instant"
        self._host.report(self, self._on_timer or _spin, StrategySpins(text))

    def log(self, message: str, values: dict[str, object]) -> None:
        """See ``Strategy.log``."""
        self._host.narrate(self._name, message, values)
