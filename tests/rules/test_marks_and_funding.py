"""Index, mark, premium and funding."""

from __future__ import annotations

from statistics import median as true_median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.risk import funding, marks
from exchange_sim.units import NANOS_PER_HOUR, NANOS_PER_S

PRICES = st.integers(1, 10**15)
RATES = st.integers(-marks.PPB, marks.PPB)


@given(PRICES, PRICES, PRICES)
def test_mark_is_one_of_its_inputs(a: int, b: int, c: int) -> None:
    """The mark is the middle of its three inputs, in whatever order they come."""
    mark = marks.mark_price(a, b, c)
    assert mark == sorted((a, b, c))[1]
    assert min(a, b, c) <= mark <= max(a, b, c)


@given(st.lists(PRICES, min_size=1, max_size=9))
def test_median(prices: list[int]) -> None:
    """As the statistics module has it, to the nearest."""
    assert abs(marks.median(prices) - true_median(prices)) <= 1


@given(st.lists(st.tuples(PRICES, st.integers(0, 10), st.integers(0, 20)), min_size=1, max_size=7))
def test_index_lies_within_its_fresh_sources(sources: list[tuple[int, int, int]]) -> None:
    """The index never leaves the range of the sources that count; without one there is none."""
    prices, weights, seconds = zip(*sources, strict=True)
    ages = [s * NANOS_PER_S for s in seconds]
    index = marks.index_price(prices, weights, ages)
    fresh = [p for p, w, s in sources if w and s <= 10]
    if fresh:
        assert index is not None
        assert min(fresh) <= index <= max(fresh)
    else:
        assert index is None


def test_index_protections() -> None:
    """Exactly 5 % counts and ten seconds are fresh; the least bit more is not."""
    three = [2_000_000, 2_000_000]
    assert marks.index_price([*three, 2_100_000], [1, 1, 1]) == 2_033_333
    assert marks.index_price([*three, 2_100_001], [1, 1, 1]) == 2_000_000
    assert marks.index_price([100, 100, 60, 140], [1, 1, 1, 1]) == 100
    limit = marks.INDEX_STALE_NS
    assert marks.index_price([100, 104], [1, 1], [0, limit]) == 102
    assert marks.index_price([100, 104], [1, 1], [0, limit + 1]) == 100
    assert marks.index_price([65], [1]) == 65, "one source has nobody to disagree with"
    assert marks.index_price([0, 65], [9, 1]) == 65, "a source without a price does not count"


@given(st.lists(st.integers(-(10**9), 10**9), max_size=80), st.integers(1, 40))
def test_basis_window_is_the_mean_of_the_last_samples(samples: list[int], size: int) -> None:
    """O(1) updates give the same as summing the window."""
    window = marks.BasisWindow(size)
    for sample in samples:
        window.add(sample)
    kept = samples[-size:]
    assert window.state() == tuple(kept)
    expected = sum(kept) / len(kept) if kept else 0
    assert abs(window.mean() - expected) <= 0.5


def test_basis_window_needs_a_sample() -> None:
    """A window of no samples is refused."""
    with pytest.raises(ValueError, match="at least one"):
        marks.BasisWindow(0)


def test_price_1_decays_to_the_index() -> None:
    """At funding time the first fair price is the index."""
    index, hour = 10_000 * marks.MICRO, NANOS_PER_HOUR
    assert marks.price_1(index, 100_000, 4 * hour) == index + index // 20_000
    assert marks.price_1(index, -marks.PPB, 0) == index
    assert marks.price_1(index, 100_000, 4 * hour, 4 * hour) == index + index // 10_000


@given(st.lists(st.tuples(PRICES, st.integers(1, 9)), min_size=1, max_size=9))
def test_weighted_median_halves_the_weight(pairs: list[tuple[int, int]]) -> None:
    """At most half of the weight lies strictly on either side."""
    prices, weights = zip(*pairs, strict=True)
    middle = marks.weighted_median(prices, weights)
    assert 2 * sum(w for p, w in pairs if p < middle) <= sum(weights)
    assert 2 * sum(w for p, w in pairs if p > middle) <= sum(weights)


def test_no_weight_is_refused() -> None:
    """Means and medians of nothing are errors, not zeros."""
    for function in (marks.weighted_mean, marks.weighted_median):
        with pytest.raises(ValueError, match="positive weight"):
            function([1], [0])
    with pytest.raises(ValueError, match="at least one"):
        marks.median([])


@given(RATES, RATES, st.sampled_from([1, 2, 4, 8]), st.integers(0, marks.PPB))
def test_funding_rate_keeps_to_clamp_and_cap(
    premium: int, interest: int, hours: int, cap: int
) -> None:
    """The rate never leaves its cap, nor the premium by more than the clamp."""
    rate = funding.funding_rate(premium, interest, interval_hours=hours, cap=cap)
    assert -cap <= rate <= cap
    free = funding.funding_rate(premium, interest, interval_hours=hours)
    assert abs(free * 8 - premium * hours) <= funding.CLAMP_PPB * hours + 4
    near = abs(interest - premium) <= funding.CLAMP_PPB
    assert not near or abs(free * 8 - interest * hours) <= 4


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(1, 10**12))
def test_premium_sign(bid: int, ask: int, index: int) -> None:
    """A premium needs bids above the index, a discount asks below; an empty side says nothing."""
    premium = funding.premium_index(bid, ask, index)
    if bid <= index <= ask:
        assert premium == 0
    if bid > index and (ask == 0 or ask >= index):
        assert premium >= 0
    if 0 < ask < index and bid <= index:
        assert premium <= 0


@given(st.lists(RATES, min_size=1, max_size=50))
def test_average_premium_weighs_later_samples_more(samples: list[int]) -> None:
    """The running form equals the weighted mean and stays within the samples."""
    average = funding.PremiumAverage()
    for sample in samples:
        average.add(sample)
    weights = list(range(1, len(samples) + 1))
    assert average.mean() == marks.weighted_mean(samples, weights)
    assert min(samples) <= average.mean() <= max(samples)
    average.reset()
    assert (average.mean(), average.count) == (0, 0)


@given(st.lists(st.integers(-(10**15), 10**15), max_size=30), RATES)
def test_funding_never_creates_money(values: list[int], rate: int) -> None:
    """Longs pay shorts; over a market in balance the sum is dust that nobody is owed."""
    flows = [funding.funding_flow(value, rate) for value in [*values, -sum(values)]]
    assert -len(flows) < sum(flows) <= 0
    assert all(flow <= 0 for flow, value in zip(flows, values, strict=False) if value * rate > 0)


def test_funding_refusals_and_caps() -> None:
    """Bad arguments are refused; the cap rounds down."""
    with pytest.raises(ValueError, match="one hour"):
        funding.funding_rate(0, interval_hours=0)
    with pytest.raises(ValueError, match="positive"):
        funding.premium_index(1, 1, 0)
    assert funding.funding_cap(6_500) == 4_875_000
    assert funding.impact_margin_notional(200, 20) == 4_000
