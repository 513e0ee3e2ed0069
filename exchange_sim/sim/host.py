"""The host of all strategies: fault policies, the fault reports, and the watchdog for hangs.

Policies when a strategy raises: ``stop`` ends the run with ``StrategyFault`` (exit code 6),
``cancel_and_disable`` silences the strategy and cancels its orders, ``continue`` goes on with the
next callback (at most ``FAULTS_MAX`` times, then as ``cancel_and_disable``).  Each fault is a
``Note`` in the event log and a located report.

A hang is a matter of the wall clock, so its moment cannot be reproduced: the watchdog interrupts
the callback, the fault is recorded like any other, and the *run* differs from one in which the
machine was faster.  The journal is still exact, because it holds the commands that were applied.  A
hang inside a C function is interrupted only when that function returns.  No sandbox: a strategy is
Python code in this process and can reach anything by introspection; the API merely gives it no
reason to, and ``strategy.door`` nothing to hold on to.
"""

from __future__ import annotations

import gc
import signal
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import attrs

from exchange_sim.errors import InvariantViolation, StorageError, StrategyFault
from exchange_sim.messages.reasons import NoteKind
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.fault_text import text_of
from exchange_sim.sim.kernel import Kernel
from exchange_sim.sim.seams import Narrator
from exchange_sim.sim.state_watch import StateWatch
from exchange_sim.strategy.callbacks import CALLBACK_NAMES
from exchange_sim.strategy.choices import FAULT_POLICIES

if TYPE_CHECKING:
    from exchange_sim.sim.agent import Agent

POLICIES: Final = FAULT_POLICIES
FAULTS_MAX: Final = 1_000
"""Faults of one strategy under ``continue`` before it is disabled."""
REPORTS_MAX: Final = 1_000
"""Reports kept; later faults are only counted."""
LOOKS: Final = 2
"""Looks of the watchdog within the limit; a call that is seen at so many of them is interrupted."""
STORM_S: Final = 0.000_001
STORM_STEPS: Final = 50
"""Wall seconds until the next interrupt of a call that swallowed one, and its multiples tried."""
YOUNG_OBJECTS_MAX: Final = 50_000
"""New objects after which the garbage collector looks at them; 700 by default."""
_PACKAGE = str(Path(__file__).resolve().parent.parent)
_SHIPPED = tuple(str(Path(_PACKAGE) / name) for name in ("participants", "_bundled"))
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib"))


class StrategyHung(BaseException):
    """Raised inside a callback that does not return.

    A ``BaseException``, so that ``except Exception`` in the strategy does not swallow it.
    """


@attrs.frozen
class FaultReport:
    """One fault of one strategy: when, in which callback, where in its file, and what."""

    strategy: str
    time_ns: int
    callback: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: strategy {self.strategy!r} failed in {self.callback}: {self.message}"


def not_of_strategy(fault: BaseException) -> bool:
    """Whether the machine failed, or the market, in the middle of what a strategy asked for.

    Told by where it was raised, since a strategy can raise the same classes.
    """
    if not isinstance(fault, StorageError | InvariantViolation):
        return False
    origin = traceback.extract_tb(fault.__traceback__)[-1].filename
    return origin.startswith(_PACKAGE) and not origin.startswith(_SHIPPED)


def locate(fault: BaseException) -> str:
    """``file:line`` in the strategy: the innermost frame outside this package and all libraries.

    Where there is none, the innermost frame of a shipped strategy, then of a library.
    """
    frames = traceback.extract_tb(fault.__traceback__)
    outside = [f for f in frames if not f.filename.startswith((_PACKAGE, "<"))]
    own = [f for f in outside if not f.filename.startswith(_LIBRARIES)]
    shipped = [f for f in frames if f.filename.startswith(_SHIPPED)]
    chosen = own or shipped or outside or list(frames)
    if not chosen:
        return "?"
    return f"{chosen[-1].filename}:{chosen[-1].lineno}"


class Host:
    """Calls, watches and judges all agents of a run."""

    def __init__(
        self, kernel: Kernel, exchange: Exchange, narrator: Narrator | None = None
    ) -> None:
        self.kernel = kernel
        self.exchange = exchange
        self.agents: list[Agent] = []
        self.reports: list[FaultReport] = []
        self.fault_count = 0
        self.calls = 0
        self.running: Agent | None = None
        self.series: dict[tuple[str, str], int] = {}
        """Numbers of recorded series by strategy and name, in the order of their first value."""
        self._narrator = narrator
        self._state_watch = StateWatch(self, kernel)

    def series_of(self, strategy: str, name: str) -> int:
        """The number of a recorded series."""
        return self.series.setdefault((strategy, name), len(self.series))

    def limit_holdings(self, strategy: str, cells: int) -> None:
        """Let a strategy hold at most so many cells (see ``state_watch``) instead of the usual."""
        self._state_watch.limits[strategy] = cells

    def narrate(self, who: str, message: str, values: dict[str, object]) -> None:
        """Pass something notable to the narrative log."""
        if self._narrator is not None:
            self._narrator(self.kernel.now_ns, who, message, values)

    def start(self) -> None:
        """Start all strategies, in the order in which they were added."""
        self._state_watch.start()
        for agent in self.agents:
            agent.start()

    def finish(self) -> None:
        """End all strategies."""
        for agent in self.agents:
            agent.finish()

    def report(
        self, agent: Agent, function: Callable[..., Any], fault: BaseException, where: str = ""
    ) -> None:
        """Record a fault and act on the policy; ``where`` is its place, else that of the traceback.

        Raises ``StrategyFault`` under ``stop``, and ``fault`` itself when the disk or the market
        failed while a request of the strategy was carried out.
        """
        if not_of_strategy(fault):
            raise fault
        callback = getattr(function, "__name__", "callback")
        text = f"{type(fault).__name__}: {text_of(fault)}"
        now = self.kernel.now_ns
        if not where:
            where = locate(fault) if fault.__traceback__ is not None else _begin_of(function)
        found = FaultReport(agent.name, now, callback, where, text)
        self.fault_count += 1
        agent.faults += 1
        if len(self.reports) < REPORTS_MAX:
            self.reports.append(found)
        index = CALLBACK_NAMES.index(callback) if callback in CALLBACK_NAMES else -1
        account = agent.sessions[0].account if agent.sessions else -1
        note = (40, now, account, int(NoteKind.STRATEGY_FAULT), index, agent.faults)
        self.exchange.apply(note)
        # The narrative is the same on every machine: the file's name, not its path.
        place = found.where.replace("\\", "/").rpartition("/")[2]
        self.narrate(agent.name, "strategy fault", {"where": place, "fault": text})
        if agent.policy == "stop":
            raise StrategyFault(str(found)) from fault
        if agent.policy == "cancel_and_disable" or agent.faults >= FAULTS_MAX:
            agent.disable()

    @contextmanager
    def watch(self, limit_s: float) -> Iterator[None]:
        """Interrupt a callback that runs for more than ``limit_s`` wall seconds (0: never).

        One repeating timer looks whether the same call is still running: arming a timer per call
        would cost 0.4 us each.  Works in the main thread only, where Python delivers signals.
        """
        in_main_thread = threading.current_thread() is threading.main_thread()
        if limit_s <= 0 or not in_main_thread or not hasattr(signal, "setitimer"):
            yield
            return
        seen = [-1, 0]

        def look(_signum: int, _frame: FrameType | None) -> None:
            if self.running is None or self.calls != seen[0]:
                if seen[1] > LOOKS:
                    signal.setitimer(signal.ITIMER_REAL, limit_s / LOOKS, limit_s / LOOKS)
                seen[:] = [self.calls, 0]
                return
            seen[1] += 1
            if seen[1] > LOOKS:
                # It swallowed the last one: the next follows so soon that it hits the handler, or
                # the way out of it, where nothing is caught.
                soon = STORM_S * (1 + seen[1] % STORM_STEPS)
                signal.setitimer(signal.ITIMER_REAL, soon, limit_s / LOOKS)
            if seen[1] >= LOOKS:
                raise StrategyHung(f"no answer within {limit_s} s")

        before = signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, limit_s / LOOKS, limit_s / LOOKS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


@contextmanager
def graceful_interrupt(ask: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C calls ``ask``, the next one raises ``KeyboardInterrupt`` as usual.

    A command must not be cut in two, or journal and log would disagree about it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def first(_signum: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ask()

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the garbage collector look seldom, and never again at what exists already.

    A run makes millions of tuples and hardly any cycle; with the usual thresholds the collector
    took 9 % of its time.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _begin_of(function: Callable[..., Any]) -> str:
    """``file:line`` of a callback that is at fault without having raised."""
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else "?"
