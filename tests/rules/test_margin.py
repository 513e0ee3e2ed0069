"""Brackets, collateral tiers and the state of a unified account."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.messages.reasons import MarginBand
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable, Tier, tax_by_tier
from exchange_sim.risk.unified import (
    DEFAULT_BANDS,
    UNI_MMR_INFINITE,
    adjusted_equity,
    check_bands,
    loan_maintenance,
    margin_band,
    negative_balance_interest,
    uni_mmr_ppm,
)
from exchange_sim.units import PPM

CENT = 100
BTC = BracketTable(
    [usd * CENT for usd in (0, 50_000, 600_000, 3_000_000, 12_000_000, 70_000_000)],
    [4_000, 5_000, 6_500, 10_000, 20_000, 25_000],
    [125, 100, 75, 50, 25, 20],
)


@st.composite
def bracket_tables(draw: st.DrawFn) -> BracketTable:
    """Any table that a venue could run."""
    count = draw(st.integers(1, 6))
    steps = draw(st.lists(st.integers(1, 10**12), min_size=count - 1, max_size=count - 1))
    rates = draw(st.lists(st.integers(1, PPM // 200), min_size=count, max_size=count, unique=True))
    floors = [0]
    for step in steps:
        floors.append(floors[-1] + step)
    return BracketTable(floors, sorted(rates), [200 - 10 * k for k in range(count)])


@st.composite
def collateral_tables(draw: st.DrawFn) -> CollateralTable:
    """Tiers whose ratio falls, as venues publish them, bounded or not."""
    count = draw(st.integers(1, 6))
    steps = draw(st.lists(st.integers(1, 10**12), min_size=count, max_size=count))
    ratios = draw(st.lists(st.integers(0, PPM), min_size=count, max_size=count))
    bound = 0
    tiers: list[Tier] = []
    for step, ratio in zip(steps, sorted(ratios, reverse=True), strict=True):
        bound += step
        tiers.append((bound, ratio))
    if draw(st.booleans()):
        tiers[-1] = (None, tiers[-1][1])
    return CollateralTable(tiers)


VALUES = st.integers(0, 10**14)


@given(bracket_tables(), VALUES)
def test_maintenance_is_the_tax_over_brackets(table: BracketTable, notional: int) -> None:
    """The published short form equals the sum over slices, rounded up once."""
    tax, edges = Fraction(0), [*table.floors[1:], None]
    for floor, edge, rate in zip(table.floors, edges, table.mmr_ppm, strict=True):
        top = notional if edge is None else min(notional, edge)
        tax += Fraction(max(0, top - floor) * rate, PPM)
    assert table.maintenance(notional) == -(-tax // 1)


@given(bracket_tables(), st.integers(0, 5), st.integers(1, 10**6))
def test_maintenance_is_continuous_at_floors(table: BracketTable, k: int, step: int) -> None:
    """Crossing a floor by a little changes the margin by a little."""
    floor = table.floors[k % len(table.floors)]
    below, at, above = (table.maintenance(max(0, floor + d)) for d in (-step, 0, step))
    largest = -(-step * max(table.mmr_ppm) // PPM) + 1
    assert 0 <= at - below <= largest
    assert 0 <= above - at <= largest


@given(bracket_tables(), VALUES, VALUES)
def test_maintenance_is_monotone_and_below_initial(table: BracketTable, a: int, b: int) -> None:
    """More notional never needs less margin, and maintenance never exceeds initial margin."""
    low, high = sorted((a, b))
    assert table.maintenance(low) <= table.maintenance(high)
    assert table.maintenance(low) <= table.initial(low, 10**6)
    assert table.max_leverage(high) <= table.max_leverage(low)


@given(bracket_tables(), st.integers(0, 10**15), st.integers(1, 250))
def test_both_margins_in_one_look_up(table: BracketTable, notional: int, leverage: int) -> None:
    """``margins`` is ``maintenance`` and ``initial``."""
    expected = table.maintenance(notional), table.initial(notional, leverage)

    assert table.margins(notional, leverage) == expected


def test_bracket_edges() -> None:
    """A floor belongs to the lower bracket; leverage is capped, never raised."""
    edge = 50_000 * CENT
    assert (BTC.bracket(edge), BTC.bracket(edge + 1)) == (0, 1)
    assert BTC.bracket(0) == BTC.bracket(-5) == 0
    assert BTC.maintenance(0) == 0
    assert BTC.maintenance(1) == 1, "a margin of a fraction of a cent is a cent"
    assert [value // CENT for value in BTC.cum] == [0, 50, 950, 11_450, 131_450, 481_450]
    assert BTC.initial(edge, 10) == 5_000 * CENT
    assert BTC.initial(edge, 1_000) == BTC.initial(edge, 125) == 400 * CENT
    assert BTC.max_notional(125) == edge
    assert BTC.max_notional(101) == edge
    assert BTC.max_notional(20) is None
    assert BTC.max_notional(126) == 0
    with pytest.raises(ValueError, match="at least 1"):
        BTC.initial(edge, 0)


def test_bracket_table_lists_every_problem() -> None:
    """All mistakes of a table at once; a table without any is accepted."""
    with pytest.raises(ValueError, match="bracket table") as caught:
        BracketTable([5, 5, 4], [10, 10, 5], [20, 20, 0])
    text = str(caught.value)
    for part in (
        "first floor must be 0, not 5",
        "bracket 2: floor 5",
        "bracket 2: rate 10",
        "bracket 2: leverage 20",
        "bracket 3: floor 4",
        "bracket 3: rate 5",
        "leverage must be at least 1",
    ):
        assert part in text
    with pytest.raises(ValueError, match="no bracket"):
        BracketTable([], [], [])
    with pytest.raises(ValueError, match="differ in length"):
        BracketTable([0], [1, 2], [3])
    with pytest.raises(ValueError, match="exceeds the initial margin"):
        BracketTable([0], [60_000], [20])


@given(collateral_tables(), VALUES, VALUES)
def test_collateral_is_monotone_concave_and_at_most_the_value(
    table: CollateralTable, a: int, b: int
) -> None:
    """More never counts less, splitting never counts less, nothing counts above its value."""
    low, high = sorted((a, b))
    assert 0 <= table.value(low) <= table.value(high) <= high
    assert table.value(a + b) <= table.value(a) + table.value(b) + 1
    assert table.value(high) - table.value(low) <= high - low + 1


@given(collateral_tables(), VALUES)
def test_collateral_is_the_sum_over_tiers(table: CollateralTable, value: int) -> None:
    """The fast form equals the slow sum, rounded down once; a debit is charged in full."""
    slow, start = Fraction(0), 0
    for upto, ratio in table.tiers:
        top = value if upto is None else min(value, upto)
        slow += Fraction(max(0, top - start) * ratio, PPM)
        start = top if upto is None else max(start, min(value, upto))
    assert table.value(value) == slow // 1
    assert table.value(-value) == -value


@given(st.integers(0, PPM), st.integers(-(10**14), 10**14))
def test_flat_ratio(ratio: int, value: int) -> None:
    """One ratio for any size: ``min(v * c, v)``, rounded down."""
    table = CollateralTable.of_ratio(ratio)
    assert table.flat == ratio
    assert table.value(value) == min(value * ratio // PPM, value)


def test_beyond_the_last_tier() -> None:
    """A bounded table gives nothing for what lies beyond it."""
    table = CollateralTable([(100, PPM), (200, PPM // 2)])
    assert [table.value(v) for v in (100, 150, 200, 10**9)] == [100, 125, 150, 150]
    assert [table.marginal_ppm(v) for v in (-1, 0, 99, 100, 200)] == [
        PPM,
        PPM,
        PPM,
        PPM // 2,
        0,
    ]
    assert table.flat == -1


def test_collateral_table_lists_every_problem() -> None:
    """All mistakes of a table at once."""
    with pytest.raises(ValueError, match="collateral table") as caught:
        CollateralTable([(None, PPM + 1), (5, -1), (5, 0)])
    text = str(caught.value)
    for part in (
        "tier 1: ratio",
        "tier 1: only the last",
        "tier 2: ratio",
        "tier 3: bound 5",
        "tier 3: ratio 0",
    ):
        assert part in text
    with pytest.raises(ValueError, match="no tier"):
        CollateralTable([])


def test_tax_on_liabilities() -> None:
    """Margin of a debt grows by tiers, rounds up and goes on beyond the last bound if told so."""
    tiers = ((100, 100_000), (200, 500_000))
    assert tax_by_tier(150, tiers) == 35
    assert tax_by_tier(151, tiers) == 36
    assert tax_by_tier(300, tiers) == 60
    assert tax_by_tier(300, tiers, PPM) == 160


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**15))
def test_band_is_exact(equity: int, maintenance: int) -> None:
    """The band of the rounded ratio is the band of the exact one: an edge is in the worse band."""
    exact = Fraction(equity * PPM, maintenance)
    worse = sum(exact <= edge for edge in DEFAULT_BANDS)
    assert margin_band(uni_mmr_ppm(equity, maintenance)) == MarginBand(worse)


def test_a_floored_ratio_would_be_wrong() -> None:
    """A hair above 1.05 is not in liquidation; rounding the ratio down would say so."""
    equity, maintenance = 105_000_001, 100_000_000
    assert margin_band(uni_mmr_ppm(equity, maintenance)) == MarginBand.REDUCE_ONLY
    assert margin_band(equity * PPM // maintenance) == MarginBand.LIQUIDATION


def test_ratio_without_maintenance() -> None:
    """No maintenance margin: as good as can be, unless equity is negative; always within bounds."""
    assert uni_mmr_ppm(0, 0) == UNI_MMR_INFINITE
    assert uni_mmr_ppm(-1, 0) == -UNI_MMR_INFINITE
    assert uni_mmr_ppm(10**30, 1) == UNI_MMR_INFINITE
    assert uni_mmr_ppm(-(10**30), 1) == -UNI_MMR_INFINITE
    assert margin_band(UNI_MMR_INFINITE) == MarginBand.FREE


def test_bands_are_checked() -> None:
    """Edges must be four, positive and falling."""
    check_bands(DEFAULT_BANDS)
    with pytest.raises(ValueError, match="4 edges") as caught:
        check_bands((5, 5, 0))
    assert "edge 2" in str(caught.value)
    assert "edge 3" in str(caught.value)


def test_loans_and_interest() -> None:
    """Loan maintenance by leverage, and interest on a debit beyond the allowance, both upwards."""
    assert [loan_maintenance(1_001, times) for times in (3, 5, 10)] == [101, 81, 51]
    with pytest.raises(ValueError, match=r"\[3, 5, 10\], not 4"):
        loan_maintenance(1, 4)
    assert negative_balance_interest(-10_050, 10_000, 1_000) == (-50, 1)
    assert negative_balance_interest(-9_000, 10_000, 1_000) == (0, 0)
    assert adjusted_equity([5, -3], open_loss=4) == -2
