"""Twelve hostile strategies under three policies: each ends as documented, and nobody else notices.

The market of the test does not depend on the hostile bot as long as it trades nothing, so what the
others did must be the same to the last event, whatever the bot does to itself.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, NamedTuple

import pytest

from exchange_sim.errors import StrategyFault
from exchange_sim.limits import OUTBOX_MESSAGES_MAX
from exchange_sim.sim import Latency, Run
from exchange_sim.strategy import Fill, OrderHandle, Strategy
from tests.doubles.sim_world import MS, SPOT, START_NS, add, fund, make_run, quote

SYMBOL = "leading:BTCUSDT"
POLICIES = ("stop", "cancel_and_disable", "continue")


class Honest(Strategy):
    """Trades a little every 50 ms, by its own random numbers; keeps what it sees and does."""

    def on_start(self) -> None:
        self.seen: list[Any] = []
        self.subscribe_book(SYMBOL, 5, 0.1)
        self.set_timer("t", 0.05, 0.01)

    def on_timer(self, name: str) -> None:
        side = "BUY" if self.rng.random() < 0.5 else "SELL"
        self.submit_order(SYMBOL, side, 0.001, self.book(SYMBOL).best_bid, post_only=True)
        self.seen.append((self.now_ns, side, self.book(SYMBOL).bid_levels[:3]))

    def on_order_update(self, order: OrderHandle) -> None:
        self.seen.append((self.now_ns, order.client_order_id, order.status.name))

    def on_fill(self, fill: Fill) -> None:
        self.seen.append((self.now_ns, fill.price, fill.qty))


class Bad(Strategy):
    """Base: misbehaves on a timer, twenty times."""

    def on_start(self) -> None:
        self.set_timer("bad", 0.1)

    def on_timer(self, name: str) -> None:
        self.misbehave()

    def misbehave(self) -> Any:
        raise NotImplementedError


class RaisesError(Bad):
    def misbehave(self) -> Any:
        empty: dict[str, int] = {}
        return empty["nothing"]


class RaisesBase(Bad):
    def misbehave(self) -> Any:
        raise GeneratorExit("everything")


class Exits(Bad):
    def misbehave(self) -> Any:
        raise SystemExit(0)


class Recurses(Bad):
    def misbehave(self) -> Any:
        return self.misbehave()


class Devours(Bad):
    """Asks for more memory than there is."""

    def misbehave(self) -> Any:
        return bytearray(2**62)


class Hangs(Bad):
    """Swallows whatever interrupts it."""

    def misbehave(self) -> Any:
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(0.001)


class Floods(Bad):
    """More orders than a wake-up may send, to no account of consequence: all of them junk."""

    def misbehave(self) -> Any:
        for _ in range(OUTBOX_MESSAGES_MAX + 500):
            self.record(noise=1.0)


class ReturnsJunk(Bad):
    """Junk from a callback is ignored, junk to a helper is a fault."""

    def misbehave(self) -> Any:
        junk: Any = object()
        self.buy(SYMBOL, junk, {"price": "high"})  # type: ignore[arg-type]  # hostile on purpose
        return junk


class Leaks(Bad):
    """Keeps forty megabytes more at each call (of pages that are never touched)."""

    def misbehave(self) -> Any:
        self.__dict__.setdefault("kept", []).append(bytearray(40_000_000))
        return self.__dict__["kept"]


class Spins(Bad):
    def on_start(self) -> None:
        self.set_timer("bad", 0.5, repeat=False)

    def misbehave(self) -> Any:
        self.set_timer("bad", 0, repeat=False)


class ReadsTheFuture(Bad):
    """Looks for the feed and the clock behind its context."""

    def misbehave(self) -> Any:
        context: Any = self._context
        context.kernel.now_ns += 1_000_000_000
        return context.feed


class ReachesTheWorld(Bad):
    """Looks for other people's money."""

    def misbehave(self) -> Any:
        context: Any = self._context
        context.exchange.world.accounts[0].orders.clear()


class Case(NamedTuple):
    """What is documented: the fault, and how often it is told under ``continue``."""

    bot: type[Strategy]
    told: str
    faults: int


CASES = [
    Case(RaisesError, "KeyError: 'nothing'", 19),
    Case(RaisesBase, "GeneratorExit: everything", 19),
    Case(Exits, "SystemExit: 0", 19),
    Case(Recurses, "RecursionError", 19),
    Case(Devours, "MemoryError", 19),
    Case(Hangs, "StrategyHung: no answer within", 19),
    Case(Floods, "", 0),
    Case(ReturnsJunk, "TypeError: ", 19),
    Case(Leaks, "HoldsTooMuch: it holds more than 4,000,000 cells, most in self.kept", 1),
    Case(Spins, "timer 'bad' fired 1000 times at one instant", 1),
    Case(ReadsTheFuture, "AttributeError: 'Door' object has no attribute 'kernel'", 19),
    Case(ReachesTheWorld, "AttributeError: 'Door' object has no attribute 'exchange'", 19),
]


class Outcome(NamedTuple):
    """What a run left behind."""

    honest: list[Any]
    reports: list[str]
    digest: str
    orders: int


def outcome(case: Case | None, policy: str) -> Outcome:
    """Two seconds of an honest strategy, beside a hostile one if there is one."""
    limit = 0.02 if case is not None and case.bot is Hangs else 0.0
    run: Run = make_run(hang_limit_s=limit)
    quote(run, SPOT)
    honest = Honest()
    add(run, "honest", honest)
    account = fund(run, "leading")
    if case is not None:
        run.add_strategy(
            "bad", case.bot(), {"leading": account}, policy=policy, order_entry=Latency(MS)
        )
    result = run.execute(START_NS + 2_000 * MS)
    world: Any = run.world
    reports = [str(report) for report in run.host.reports]
    return Outcome(honest.seen, reports, result.state_digest, len(world.accounts[account].orders))


@pytest.fixture(scope="module")
def alone() -> Outcome:
    """The honest strategy without company."""
    return outcome(None, "stop")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.bot.__name__)
def test_ends_as_documented(case: Case, policy: str, alone: Outcome) -> None:
    """Stop: a located ``StrategyFault``.  Otherwise the others are exactly as without the bot."""
    if policy == "stop" and case.faults:
        with pytest.raises(StrategyFault, match=r"test_misbehaviour\.py:\d+: strategy 'bad'") as it:
            outcome(case, policy)
        assert case.told in str(it.value)
        return
    found = outcome(case, policy)

    assert found.honest == alone.honest
    assert len(found.reports) == (min(1, case.faults) if policy != "continue" else case.faults)
    assert all(
        case.told in report and "test_misbehaviour.py:" in report for report in found.reports
    )
    assert found.orders == 0


@pytest.mark.parametrize("policy", POLICIES[1:])
def test_what_happened_is_the_same_again(policy: str) -> None:
    """Deterministic faults give deterministic runs."""
    for case in CASES:
        if case.bot in (Hangs, Devours):
            continue
        assert outcome(case, policy) == outcome(case, policy), case.bot.__name__


def test_every_policy_met_twelve_bots() -> None:
    """As many as were promised."""
    assert len({case.bot for case in CASES}) == 12
