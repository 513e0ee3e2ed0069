"""Self-exciting arrivals: their mean, their branching and their reproducibility."""

from __future__ import annotations

import statistics

import pytest

from exchange_sim.participants.hawkes import Hawkes, HawkesParams
from exchange_sim.rng import Streams
from exchange_sim.strategy.formulas import branching_estimate
from exchange_sim.units import NANOS_PER_S


def arrivals(params: HawkesParams, seed: int, count: int) -> list[int]:
    """The first arrivals in nanoseconds."""
    process = Hawkes(params, Streams(seed).stream("flow"))
    return [process.next_ns() for _ in range(count)]


def window_counts(times_ns: list[int], window_s: float) -> list[int]:
    """Arrivals per window."""
    width = int(window_s * NANOS_PER_S)
    counts = [0] * (times_ns[-1] // width)
    for time_ns in times_ns:
        if time_ns // width < len(counts):
            counts[time_ns // width] += 1
    return counts


@pytest.mark.parametrize("branching", [0.0, 0.6, 0.8])
def test_mean_rate_and_branching_are_recovered(branching: float) -> None:
    """Counts in long windows give back both parameters."""
    params = HawkesParams(rate_per_s=2.0, branching=branching, decay_per_s=2.0)
    counts = window_counts(arrivals(params, 3, 60_000), window_s=60.0)
    mean = statistics.fmean(counts)

    assert mean == pytest.approx(2.0 * 60.0, rel=0.06)
    assert branching_estimate(mean, statistics.variance(counts)) == pytest.approx(
        branching, abs=0.08
    )


def test_times_strictly_follow_each_other_and_the_seed() -> None:
    """Times rise; the same stream gives the same times, another seed others."""
    params = HawkesParams(rate_per_s=5.0, branching=0.7, decay_per_s=3.0)
    first = arrivals(params, 1, 1000)

    assert first == sorted(first)
    assert first == arrivals(params, 1, 1000)
    assert first != arrivals(params, 2, 1000)


def test_excess_decays_between_arrivals_and_jumps_by_alpha() -> None:
    """After a long silence only the kick of the latest arrival is left."""
    params = HawkesParams(rate_per_s=1e-6, branching=0.5, decay_per_s=4.0)
    process = Hawkes(params, Streams(1).stream("flow"))
    process.next_ns()

    assert process.excess == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("bad", [{"rate_per_s": 0.0}, {"rate_per_s": 1.0, "branching": 1.0}])
def test_explosive_or_empty_parameters_are_refused(bad: dict[str, float]) -> None:
    """A branching ratio of 1 has no stationary rate."""
    with pytest.raises(ValueError, match="must be"):
        HawkesParams(**bad)
