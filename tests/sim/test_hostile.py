"""Hostile strategies: they raise, hang, flood, send junk; the run stays in order."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import pytest

from exchange_sim.errors import Livelock, StorageError, StrategyFault
from exchange_sim.journal.writer import JournalWriter
from exchange_sim.limits import JOURNAL_BLOCK_COMMANDS, OUTBOX_MESSAGES_MAX
from exchange_sim.messages.reasons import NoteKind, RejectReason
from exchange_sim.sim import Latency, Run
from exchange_sim.strategy import OrderHandle, OrderStatus, Strategy
from exchange_sim.strategy.callbacks import CALLBACK_NAMES
from tests.doubles.sim_world import MS, SPOT, START_NS, add, make_run, quote
from tests.doubles.storage import FaultyDisk, header

SYMBOL = "leading:BTCUSDT"
SECOND = 1_000 * MS


def execute(run: Run, seconds: float = 1.0) -> Any:
    return run.execute(START_NS + round(seconds * SECOND))


class Recursive(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no text")


def recurse(n: int = 0) -> int:
    return recurse(n + 1)


FAULTS: dict[str, Any] = {
    "exception": lambda: 1 / 0,
    "base": lambda: (_ for _ in ()).throw(BaseException("base")),
    "exit": lambda: exec("raise SystemExit(3)"),
    "generator_exit": lambda: (_ for _ in ()).throw(GeneratorExit),
    "recursion": recurse,
    "memory": lambda: bytearray(2**62),
    "bad_str": lambda: (_ for _ in ()).throw(Recursive()),
    "assertion": lambda: (_ for _ in ()).throw(AssertionError("x")),
}


def raising(callback: str, fault: Any) -> Strategy:
    """A strategy that fails in one callback and trades a little, so that most callbacks happen."""

    class Bot(Strategy):
        def on_start(self) -> None:
            self.subscribe_book(SYMBOL, 5, 0.1)
            self.subscribe_trades(SYMBOL)
            self.set_timer("t", 0.2)
            self.buy(SYMBOL, 0.01)
            self.buy(SYMBOL, 0.01, 90_000)

    inner = Bot.on_start if callback == "on_start" else None

    def fail(self: Bot, *_: Any) -> None:
        if inner is not None:
            inner(self)
        fault()

    setattr(Bot, callback, fail)
    fail.__name__ = callback
    return Bot()


REACHED = (
    "on_start",
    "on_book",
    "on_trade",
    "on_order_update",
    "on_fill",
    "on_position",
    "on_timer",
)


@pytest.mark.parametrize("callback", [*REACHED, "on_stop"])
def test_fault_in_a_callback_stops_the_run_and_names_the_line(callback):
    """Policy stop, the default: StrategyFault with file:line, exit code 6."""
    run = make_run()
    add(run, "bad", raising(callback, FAULTS["exception"]))
    quote(run, SPOT)

    with pytest.raises(StrategyFault, match=r"test_hostile\.py:\d+: .*ZeroDivisionError") as caught:
        execute(run)
    assert f"failed in {callback}" in str(caught.value)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("policy", ["stop", "cancel_and_disable", "continue"])
def test_every_kind_of_fault_meets_every_policy(kind, policy):
    """Nothing that a strategy raises, however odd, escapes unreported."""
    run = make_run()
    account = add(run, "bad", raising("on_timer", FAULTS[kind]), policy=policy)
    quote(run, SPOT)
    world: Any = run.world
    if policy == "stop":
        with pytest.raises(StrategyFault):
            execute(run)
        return
    result = execute(run)

    assert result.fault_count == (1 if policy == "cancel_and_disable" else 4)
    assert "test_hostile.py:" in result.faults[0].where
    assert len(world.accounts[account].orders) == (0 if policy == "cancel_and_disable" else 1)


def test_continue_gives_up_on_a_strategy_that_never_stops_failing(monkeypatch):
    """Faults are bounded; then the strategy is disabled and its orders cancelled."""
    monkeypatch.setattr("exchange_sim.sim.host.FAULTS_MAX", 3)
    run = make_run()
    account = add(run, "bad", raising("on_timer", FAULTS["exception"]), policy="continue")
    result = execute(run, 3)

    assert result.fault_count == 3
    assert not run.world.accounts[account].orders  # type: ignore[attr-defined]  # the real world


def test_faults_are_notes_and_runs_with_them_are_reproducible():
    """The fault is in the log, and twice the same run has the same digest."""

    def once() -> tuple[str, list[tuple[int, ...]]]:
        run, notes = make_run(), []
        original = run.exchange._apply

        def spy(command: tuple[int, ...]) -> Any:
            if command[0] == 40:
                notes.append(command)
            return original(command)

        run.exchange._apply = spy
        add(run, "bad", raising("on_fill", FAULTS["exception"]), policy="continue")
        quote(run, SPOT)
        return execute(run).state_digest, notes

    first, second = once(), once()
    assert first == second
    assert [note[3:] for note in first[1]] == [
        (NoteKind.STRATEGY_FAULT, CALLBACK_NAMES.index("on_fill"), 1)
    ]


def test_other_strategies_are_untouched_by_a_fault():
    """A disabled strategy disturbs nobody."""

    class Good(Strategy):
        def on_start(self) -> None:
            self.ticks = 0
            self.set_timer("t", 0.1)

        def on_timer(self, name: str) -> None:
            self.ticks += 1

    run, good = make_run(), Good()
    add(run, "bad", raising("on_timer", FAULTS["base"]), policy="cancel_and_disable")
    add(run, "good", good)
    execute(run)

    assert good.ticks == 9


def test_flood_is_refused_beyond_the_budget_and_recorded():
    """A million orders in a wake-up: the budget passes, the rest is REJECTED with a reason."""

    class Flood(Strategy):
        def on_start(self) -> None:
            market = self.market(SYMBOL)
            self.counts: dict[str, int] = {}
            for _ in range(30_000):
                order = self.submit(market, 0, 1, 900_000)
                key = order.reject_reason.name if order.reject_reason else "SENT"
                self.counts[key] = self.counts.get(key, 0) + 1
            self.told = 0
            self.late = order

        def on_order_update(self, order: OrderHandle) -> None:
            self.told += order.reject_reason == RejectReason.OUTBOX_FULL

    run, bot = make_run(), Flood()
    add(run, "flood", bot)
    result = execute(run, 0.1)

    assert bot.counts == {"SENT": OUTBOX_MESSAGES_MAX, "OUTBOX_FULL": 25_000}
    assert 0 < bot.told <= OUTBOX_MESSAGES_MAX
    assert bot.late.status == OrderStatus.REJECTED
    assert result.fault_count == 0


def test_answering_every_refusal_with_an_order_lets_time_pass():
    """Local refusals come after a millisecond, so such a strategy is slow, not a livelock."""

    class Stubborn(Strategy):
        def on_start(self) -> None:
            self.tries = 0
            self.buy(SYMBOL, -1, 5)

        def on_order_update(self, order: OrderHandle) -> None:
            self.tries += 1
            self.buy(SYMBOL, float("nan"), 5)

    run, bot = make_run(), Stubborn()
    add(run, "bot", bot)
    execute(run, 0.1)

    assert 50 < bot.tries <= 100


def test_zero_delay_timer_is_a_fault_of_its_strategy():
    """The run ends with a located fault instead of never; others are not concerned."""

    class Spin(Strategy):
        def on_start(self) -> None:
            self.set_timer("now", 0)

        def on_timer(self, name: str) -> None: ...

    run = make_run()
    add(run, "spin", Spin())
    with pytest.raises(StrategyFault, match="'now' fired 1000 times at one instant") as caught:
        execute(run)
    assert caught.value.exit_code == 6


def test_conversation_without_latency_is_a_livelock_at_the_bound():
    """Order, answer, order, answer at one instant: exit code 8 instead of never."""

    class Echo(Strategy):
        def on_start(self) -> None:
            self.buy(SYMBOL, 0.001, 90_000)

        def on_order_update(self, order: OrderHandle) -> None:
            self.buy(SYMBOL, 0.001, 90_000)

    run = make_run(events_per_instant_max=1_000)
    none = Latency(0)
    add(run, "echo", Echo(), order_entry=none, replies=none)
    with pytest.raises(Livelock) as caught:
        execute(run)
    assert caught.value.exit_code == 8


def test_commands_after_the_end_go_nowhere():
    """on_stop may look, not trade."""

    class Bot(Strategy):
        def on_stop(self) -> None:
            self.order = self.buy(SYMBOL, 1, 5)

    run, bot = make_run(), Bot()
    add(run, "bot", bot)
    execute(run, 0.1)

    assert bot.order.reject_reason == RejectReason.SESSION_DISABLED


def test_stopping_itself_cancels_and_silences():
    """Strategy.stop: open orders are cancelled, timers and callbacks end."""

    class Quitter(Strategy):
        def on_start(self) -> None:
            self.ticks = 0
            self.order = self.buy(SYMBOL, 0.1, 90_000)
            self.set_timer("t", 0.1)

        def on_timer(self, name: str) -> None:
            self.ticks += 1
            if self.ticks == 3:
                self.stop("enough")

    run, bot = make_run(), Quitter()
    account = add(run, "bot", bot)
    execute(run, 1)

    assert bot.ticks == 3
    assert not run.world.accounts[account].orders  # type: ignore[attr-defined]  # the real world


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals need the main thread"
)
def test_watchdog_interrupts_a_loop_that_never_ends():
    """A pure-Python hang becomes a fault; ``except Exception`` does not swallow it."""

    class Hang(Strategy):
        def on_start(self) -> None:
            while True:
                with contextlib.suppress(Exception):
                    time.sleep(0.001)

    run = make_run(hang_limit_s=0.1)
    add(run, "hang", Hang())
    begin = time.monotonic()
    with pytest.raises(StrategyFault, match="StrategyHung"):
        execute(run)
    assert time.monotonic() - begin < 10


def test_ctrl_c_is_not_a_fault_of_the_strategy():
    """KeyboardInterrupt passes through."""

    class Interrupted(Strategy):
        def on_start(self) -> None:
            raise KeyboardInterrupt

    run = make_run()
    add(run, "bot", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        execute(run)
    assert run.host.fault_count == 0


@pytest.mark.parametrize("policy", ["stop", "continue"])
def test_full_disk_is_not_a_fault_of_the_strategy(policy, tmp_path):
    """The journal that fails during a request says so itself, whatever the policy."""

    class Notes(Strategy):
        def on_start(self) -> None:
            for k in range(2 * JOURNAL_BLOCK_COMMANDS):
                self.note(NoteKind.SHOCK, k)

    disk = FaultyDisk(lambda operation: operation > 3)
    journal = JournalWriter(tmp_path / "journal.bin", header(), disk.open)
    run = make_run(journal=journal)
    add(run, "bot", Notes(), policy=policy)

    with pytest.raises(StorageError, match=r"cannot write journal\.bin"):
        execute(run)
    assert run.host.fault_count == 0


def test_raising_the_classes_of_the_machine_is_a_fault():
    """Where it was raised counts, not what."""
    run = make_run()
    error = StorageError("mine")
    add(run, "bad", raising("on_timer", lambda: (_ for _ in ()).throw(error)))

    with pytest.raises(StrategyFault, match="StorageError: mine"):
        execute(run)
