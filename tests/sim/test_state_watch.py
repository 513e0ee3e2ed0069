"""Leaks: what a strategy holds is counted the same everywhere, and too much of it is a fault."""

from __future__ import annotations

import array
from collections import deque
from types import FunctionType
from typing import Any

import attrs
import numpy as np
import pytest

from exchange_sim.limits import STRATEGY_CELLS_MAX
from exchange_sim.sim import Run
from exchange_sim.sim.state_watch import (
    CELL_BYTES,
    CELLS_PER_S,
    StateWatch,
    held_by,
    is_shipped,
)
from exchange_sim.strategy import Strategy
from strategies.ladder import LadderMaker
from tests.doubles.sim_world import MS, SPOT, START_NS, add, fund, make_run, quote

SYMBOL = "leading:BTCUSDT"
MANY = 50_000
KEPT: list[int] = []


class Keeper(Strategy):
    """Has a place for what a test puts there."""

    shared: list[int] = []  # noqa: RUF012 - the mistake that a test is about

    def __init__(self) -> None:
        super().__init__()
        self.kept: Any = None


class Node:
    """A link of a list that somebody forgot to cut."""

    __slots__ = ("before", "value")

    def __init__(self, value: int, before: Any) -> None:
        self.value = value
        self.before = before


@attrs.define
class Memo:
    """An object of a user's own."""

    values: list[float] = attrs.field(factory=list)


def chain_of(count: int) -> Node | None:
    last = None
    for value in range(count):
        last = Node(value, last)
    return last


def running_generator() -> Any:
    kept = list(range(MANY))
    yield 0
    del kept


def started() -> Any:
    generator = running_generator()
    next(generator)
    return generator


def remembering() -> FunctionType:
    seen = list(range(MANY))

    def look(value: int, cache: tuple[int, ...] = ()) -> bool:
        return value in seen or value in cache

    return look  # type: ignore[return-value]  # it is a function


PLACES: dict[str, Any] = {
    "list": lambda: [0] * MANY,
    "tuple": lambda: (0,) * MANY,
    "dict": lambda: dict.fromkeys(range(MANY // 2)),
    "set": lambda: set(range(MANY)),
    "deque": lambda: deque(range(MANY)),
    "nested": lambda: [{"row": [number] * 9} for number in range(MANY // 10)],
    "attrs": lambda: Memo([0.0] * MANY),
    "slots": lambda: chain_of(MANY // 2),
    "bytes": lambda: bytes(MANY * CELL_BYTES),
    "text": lambda: "x" * (MANY * CELL_BYTES),
    "array": lambda: array.array("d", bytes(MANY * CELL_BYTES)),
    "numpy": lambda: np.zeros(MANY * CELL_BYTES // 8),
    "objects": lambda: np.array([object()] * MANY, dtype=object),
    "generator": started,
    "closure": remembering,
    "method": lambda: Memo([0.0] * MANY).values.append,
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_kept_is_counted(place: str) -> None:
    """Wherever it is kept: about as many cells as there are things."""
    bot = Keeper()
    empty, _ = held_by(bot, STRATEGY_CELLS_MAX)
    bot.kept = PLACES[place]()

    count, most = held_by(bot, STRATEGY_CELLS_MAX)

    assert 0.9 * MANY <= count - empty <= 1.2 * MANY
    assert most == "self.kept"
    assert held_by(bot, STRATEGY_CELLS_MAX) == (count, most)


def test_what_is_kept_beside_the_instance_is_counted() -> None:
    """Class attributes and variables of the module are leaks too, and named as such."""
    for place, name in ((Keeper.shared, "Keeper.shared"), (KEPT, "KEPT")):
        place.extend(range(MANY))
        count, most = held_by(Keeper(), STRATEGY_CELLS_MAX)
        place.clear()

        assert count > MANY
        assert most == name


def test_counting_ends_beyond_the_limit() -> None:
    """A billion references are not walked through."""
    bot = Keeper()
    rows = [[0] * 1_000]
    bot.kept = [list(rows[0]) for _ in range(100)]

    count, most = held_by(bot, 5_000)

    assert 5_000 < count < 8_000
    assert most == "self.kept"


def test_the_market_is_nobodys_holding() -> None:
    """Orders, markets and the context lead into the simulation: they count as one each."""
    run, bot = make_run(), Keeper()
    quote(run, SPOT)
    add(run, "bot", bot)
    run.execute(START_NS + 10 * MS)
    empty, _ = held_by(bot, STRATEGY_CELLS_MAX)
    bot.kept = [bot.book(SYMBOL), bot.market(SYMBOL), bot.rng, bot._context]

    assert held_by(bot, STRATEGY_CELLS_MAX)[0] == empty + 4


class Grows(Strategy):
    """Remembers a thousand numbers more ten times a second."""

    def on_start(self) -> None:
        self.history: list[int] = []
        self.set_timer("t", 0.1)

    def on_timer(self, name: str) -> None:
        self.history += range(1_000)


@pytest.mark.parametrize("policy", ["cancel_and_disable", "continue"])
def test_a_slow_leak_is_found_at_the_same_instant(policy: str) -> None:
    """10,000 cells a second against 50,000: in the sixth second, in every run."""
    found = [grown(policy) for _ in range(2)]

    assert found[0] == found[1]
    (at, told), *_ = found[0][0]
    assert 5.0 <= at <= 6.0
    assert told.startswith(f"{__file__}:")
    assert "most in self.history" in told


def grown(policy: str) -> tuple[list[tuple[float, str]], str]:
    """Faults of twenty seconds, with a limit of 50,000 cells; and the digest."""
    run: Run = make_run()
    quote(run, SPOT)
    run.host._state_watch = StateWatch(run.host, run.kernel, 50_000)
    run.add_strategy("leak", Grows(), {"leading": fund(run, "leading")}, policy=policy)
    result = run.execute(START_NS + 20_000 * MS)
    reports = [((it.time_ns - START_NS) / 1e9, str(it)) for it in run.host.reports]
    return reports, result.state_digest


def test_a_strategy_may_have_a_limit_of_its_own() -> None:
    """Only the one that was given it; even one of this package is looked at then."""
    run: Run = make_run()
    quote(run, SPOT)
    for name in ("tight", "roomy"):
        accounts = {"leading": fund(run, "leading")}
        run.add_strategy(name, Grows(), accounts, policy="cancel_and_disable")
    run.host.limit_holdings("tight", 50_000)
    run.execute(START_NS + 20_000 * MS)

    assert {report.strategy for report in run.host.reports} == {"tight"}
    assert "more than 50,000 cells" in run.host.reports[0].message


def test_looks_are_the_rarer_the_more_there_is() -> None:
    """What is held costs the same share of the run whatever it is."""
    run, bot, looks = make_run(), Keeper(), []
    bot.kept = [0] * (10 * CELLS_PER_S)
    add(run, "bot", bot)
    look = run.host._state_watch._look

    def noted(last: Any) -> None:
        looks.append((run.kernel.now_ns - START_NS) / 1e9)
        look(last)

    run.host._state_watch._look = noted  # type: ignore[method-assign]  # a spy of looks
    run.execute(START_NS + 30_000 * MS)

    assert looks == [1.0, 11.0, 21.0]


def test_shipped_strategies_are_not_looked_at() -> None:
    """They are told by where their file is, not by their name."""
    assert is_shipped(LadderMaker)
    assert not is_shipped(Keeper)
    assert not is_shipped(type("Mine", (LadderMaker,), {"__module__": __name__}))
