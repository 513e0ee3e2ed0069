"""The kernel: light entries beside SimPy's, integer time, the bound on one instant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.errors import Livelock, StrategyFault
from exchange_sim.sim.kernel import ARRIVAL, SYSTEM, WAKE, Kernel


def test_light_entries_and_processes_share_one_clock():
    """A stock process and light entries interleave in time order."""
    kernel = Kernel(100)
    seen: list[Any] = []

    def process() -> Any:
        for _ in range(3):
            yield kernel.timeout(10)
            seen.append(("process", kernel.now_ns))

    kernel.process(process())
    for time_ns in (105, 115, 125):
        kernel.at(time_ns, seen.append, ("light", time_ns))
    kernel.run(200)

    assert seen == [
        ("light", 105), ("process", 110), ("light", 115), ("process", 120), ("light", 125),
        ("process", 130),
    ]  # fmt: skip
    assert (kernel.now, kernel.now_ns) == (200, 200)


def test_stores_resources_and_conditions_work_unchanged():
    """SimPy's own machinery runs on the kernel."""
    kernel = Kernel(0)
    got: list[Any] = []
    store: simpy.Store = simpy.Store(kernel)

    def producer() -> Any:
        yield kernel.timeout(5)
        yield store.put("x")

    def consumer() -> Any:
        item = yield store.get()
        yield kernel.all_of([kernel.timeout(3), kernel.timeout(7)])
        got.append((item, kernel.now_ns))

    kernel.process(producer())
    end = kernel.process(consumer())
    kernel.at(6, lambda _: None)
    kernel.run(until=end)

    assert got == [("x", 12)]


def test_one_instant_runs_system_then_arrivals_then_wake_ups():
    """Priorities order what happens at the same nanosecond, whatever the order of scheduling."""
    kernel = Kernel(0)
    seen: list[Any] = []
    for priority in (WAKE, ARRIVAL, SYSTEM):
        kernel.at(5, seen.append, priority, priority)
    kernel.at(5, seen.append, "second", SYSTEM)
    kernel.run()

    assert seen == [SYSTEM, "second", ARRIVAL, WAKE]


@pytest.mark.parametrize("bad", [1.0, True, "1", None, np.int64(5)])
def test_time_that_is_no_int_is_refused(bad):
    """One float would turn the clock of the whole run into a float."""
    kernel = Kernel(0)

    with pytest.raises(TypeError):
        kernel.at(bad, print)
    with pytest.raises(TypeError):
        kernel.timeout(bad)
    with pytest.raises(TypeError):
        Kernel(bad)
    if bad is not None:
        with pytest.raises(TypeError):
            kernel.run(until=bad)


def test_the_past_is_refused():
    """Nothing can be scheduled before now."""
    kernel = Kernel(10)

    with pytest.raises(ValueError, match="past"):
        kernel.at(9, print)
    with pytest.raises(ValueError, match="delay"):
        kernel.timeout(-1)
    with pytest.raises(ValueError, match="past"):
        kernel.run(until=5)


def test_until_is_exclusive_and_can_be_continued():
    """Entries at the end stay for the next call."""
    kernel = Kernel(0)
    seen: list[Any] = []
    kernel.at(10, seen.append, 10)
    kernel.run(until=10)
    assert seen == []

    kernel.run(until=11)
    assert seen == [10]


def test_light_entry_that_reschedules_itself_at_once_is_a_livelock():
    """Zero-delay loops end with Livelock at the stated bound."""
    kernel = Kernel(7, events_per_instant_max=50)

    def again(_: Any) -> None:
        kernel.at(kernel.now_ns, again)

    kernel.at(7, again)
    with pytest.raises(Livelock, match="more than 50 events"):
        kernel.run()
    assert kernel.now_ns == 7


def test_process_that_never_waits_is_a_livelock():
    """The same bound holds for SimPy processes, also when SimPy drives the loop."""
    kernel = Kernel(0, events_per_instant_max=50)

    def spin() -> Any:
        while True:
            yield kernel.timeout(0)

    process = kernel.process(spin())
    with pytest.raises(Livelock):
        kernel.run(until=process)


def test_many_events_with_advancing_time_are_no_livelock():
    """The count starts again whenever time moves."""
    kernel = Kernel(0, events_per_instant_max=10)
    for time_ns in range(100):
        for _ in range(5):
            kernel.at(time_ns, abs, 1)
    kernel.run()

    assert kernel.steps == 500


def test_exception_of_a_process_arrives_as_it_was_raised():
    """SimPy rebuilds exceptions from their arguments; the kernel passes them on."""
    kernel = Kernel(0)

    def fail() -> Any:
        yield kernel.timeout(1)
        raise StrategyFault("located")

    kernel.process(fail())
    with pytest.raises(StrategyFault, match="located"):
        kernel.run()


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([SYSTEM, ARRIVAL, WAKE]))))
def test_entries_run_in_order_of_time_priority_and_scheduling(plan):
    """The order is total: (time, priority, order of scheduling)."""
    kernel = Kernel(0)
    seen: list[Any] = []
    for i, (time_ns, priority) in enumerate(plan):
        kernel.at(time_ns, seen.append, (time_ns, priority, i), priority)
    kernel.run()

    assert seen == sorted(seen)
    assert len(seen) == len(plan)
