"""Links: latency distributions, FIFO, and fair order among arrivals of one instant."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.rng import Streams
from exchange_sim.sim.links import Latency, Link
from exchange_sim.sim.session import arrival_rank, session_key

LATENCIES = st.builds(
    Latency,
    base_ns=st.integers(0, 10**7),
    jitter_ns=st.integers(0, 10**7),
    distribution=st.sampled_from(["constant", "exponential", "lognormal"]),
    sigma=st.floats(0.0, 2.0),
)


@given(LATENCIES, st.integers(0, 10**6), st.lists(st.integers(0, 10**6), max_size=50))
def test_messages_take_the_minimum_at_least_and_never_overtake(latency, seed, gaps):
    """SIM-1: arrival >= sent + the link's minimum, and FIFO."""
    link = Link(latency, Streams(seed).stream("latency/x"))
    sent, last = 0, 0
    for gap in gaps:
        sent += gap
        arrival = link.arrival(sent)
        assert arrival >= sent + link.min_ns
        assert arrival >= last
        assert arrival <= max(last, sent + latency.max_ns)
        last = arrival


def test_fifo_survives_the_end_of_a_delay():
    """When extra latency goes away, later messages still arrive later."""
    link = Link(Latency(1_000), Streams(1).stream("x"))
    link.extra_ns = 1_000_000
    slow = link.arrival(0)
    link.extra_ns = 0

    assert link.arrival(10) == slow == 1_001_000


def test_tabulated_distributions_have_the_stated_moments():
    """Median of the log-normal and mean of the exponential jitter, to a few percent."""
    stream = Streams(3).stream("x")
    log_normal = Link(Latency(0, 1_000_000, "lognormal", 0.5), stream)
    exponential = Link(Latency(0, 1_000_000, "exponential"), stream)

    assert statistics.median(log_normal.draw() for _ in range(20_000)) == pytest.approx(
        1e6, rel=0.03
    )
    assert statistics.mean(exponential.draw() for _ in range(20_000)) == pytest.approx(
        1e6, rel=0.03
    )


def test_constant_latency_is_constant():
    """Base plus jitter without any spread."""
    link = Link(Latency(5, 7, "constant"), Streams(1).stream("x"))
    assert {link.draw() for _ in range(100)} == {12}


@pytest.mark.parametrize(
    "wrong", [{"base_ns": -1}, {"jitter_ns": -1}, {"sigma": -0.1}, {"distribution": "cauchy"}]
)
def test_impossible_latencies_are_refused(wrong):
    """A located mistake instead of a strange run."""
    with pytest.raises(ValueError, match=r"cauchy|>="):
        Latency(**wrong)


def test_ties_favour_no_session():
    """Over many instants each of two sessions comes first about equally often."""
    one, two = session_key("mm-1/leading/main"), session_key("mm-2/leading/main")
    start = 1_760_000_000 * 10**9
    for step in (1, 1_000, 1_000_000, 10**9):
        first = sum(
            arrival_rank(one, start + i * step, 5) < arrival_rank(two, start + i * step, 1)
            for i in range(4_000)
        )
        assert 1_700 < first < 2_300, step


def test_ties_of_many_sessions_are_spread_evenly():
    """With ten sessions each wins about a tenth of the instants, whatever its name."""
    keys = [session_key(f"bot-{i}/v/main") for i in range(10)]
    wins = [0] * 10
    for i in range(5_000):
        ranks = [arrival_rank(key, 1_760_000_000_000_000_000 + i * 100_000_000, 1) for key in keys]
        wins[ranks.index(min(ranks))] += 1

    assert min(wins) > 350
    assert max(wins) < 700


@given(st.integers(1, 2**62), st.integers(1, 2**32 - 1), st.integers(0, 10**6))
def test_within_a_session_arrivals_of_one_instant_keep_their_order(arrival, key, seq):
    """The hash depends on session and instant only, so FIFO decides the rest."""
    assert arrival_rank(key | 1, arrival, seq) < arrival_rank(key | 1, arrival, seq + 1)
