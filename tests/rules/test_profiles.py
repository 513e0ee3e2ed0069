"""Venue profiles: the boundaries that the published examples leave open."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.analysis.rules import find_rule
from exchange_sim.analysis.rules.common import Inputs
from exchange_sim.risk import (
    bybit,
    collateral_index,
    cross_margin,
    hyperliquid,
    leverage,
    okx,
    reference_price,
)
from exchange_sim.strategy import formulas
from exchange_sim.units import parse_utc

TIERS = [(0, 40), (150_000_000, 20)]


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_onchain_margin_is_continuous_and_monotone(a: int, b: int) -> None:
    """Deductions join the tiers without a jump."""
    low, high = sorted((a, b))
    assert hyperliquid.maintenance(low, TIERS)[0] <= hyperliquid.maintenance(high, TIERS)[0]
    edge = TIERS[1][0]
    below = hyperliquid.maintenance(edge, TIERS)[0]
    assert hyperliquid.maintenance(edge + 1, TIERS)[0] - below == Fraction(1, 40)


@given(
    st.sampled_from([1, -1]), st.integers(1, 10**5), st.integers(1, 10**4), st.integers(0, 10**9)
)
def test_onchain_liquidation_price_is_exact(side: int, price: int, size: int, equity: int) -> None:
    """At the price, equity is the maintenance margin of the tier in force there."""
    found = hyperliquid.liquidation_price_by_tier(price, side, size, equity, TIERS)
    if found is not None:
        margin = hyperliquid.maintenance(size * found, TIERS)[0]
        assert equity + side * size * (found - price) == margin


def test_onchain_liquidation_steps() -> None:
    """Book, backstop and ADL meet at two thirds and at zero; the cooldown is harsher."""
    state = hyperliquid.liquidation_state
    assert [state(v, 9) for v in (9, 8, 6, 5, 0, -1)] == [
        "HEALTHY",
        "BOOK_LIQUIDATION",
        "BOOK_LIQUIDATION",
        "BACKSTOP",
        "BACKSTOP",
        "ADL",
    ]
    order = hyperliquid.liquidation_order
    assert order(100_000, None) == 100_000
    assert order(100_005, None) == 20_001
    assert order(100_005, 29) == 100_005
    assert order(100_005, 30) == 20_001
    with pytest.raises(ValueError, match="at least 1"):
        hyperliquid.maintenance_rate(0)


def test_onchain_mark() -> None:
    """Missing inputs fall away; the average of the own book joins when two are left."""
    inputs = hyperliquid.mark_inputs(100, 5, None, 110, 90, None)
    assert inputs == (105, 100, None)
    assert hyperliquid.mark_price(inputs) == Fraction(205, 2)
    assert hyperliquid.mark_price(inputs, 104) == 104
    assert hyperliquid.mark_price((None, 7, None), 104) == 7
    with pytest.raises(ValueError, match="at least one input"):
        hyperliquid.mark_price((None, None, None))
    assert hyperliquid.adl_index(1, 110, 100, 10, 0) is None
    assert hyperliquid.adl_index(-1, 50, 100, 10, 10) == 2
    assert hyperliquid.funding(Fraction(9, 10), Fraction(0))[1] == Fraction(4, 100)


def test_pool_drawdown_starts_and_stops() -> None:
    """Reached is enough to start; a running ADL goes on until the stop ratio is passed."""
    assert bybit.adl_trigger(100, 100, -30).triggered
    assert not bybit.adl_trigger(100, 100, -29).triggered
    assert bybit.adl_trigger(100, 100, -26, running=True).triggered
    assert not bybit.adl_trigger(100, 100, -24, running=True).triggered
    assert not bybit.adl_trigger(100, 100, -50, active_above=100).triggered
    assert bybit.adl_trigger(0, 100, 0).triggered
    assert bybit.adl_trigger_2025_09(10, 5, -15)
    assert not bybit.adl_trigger_2025_09(10, 5, -14)
    assert bybit.adl_trigger_2025_11(100, 100)


def test_account_rate_and_interest() -> None:
    """No balance left is liquidation; interest is penal only beyond the limit."""
    assert bybit.is_liquidated(bybit.account_rate(1, 5, 5))
    assert not bybit.is_liquidated(bybit.account_rate(0, 0))
    assert bybit.is_liquidated(bybit.account_rate(10, 10))
    rate = Fraction(1, 1000)
    assert bybit.hourly_interest(1_000, 1_000, rate) == 1
    assert bybit.hourly_interest(2_000, 1_000, rate) == 16
    with pytest.raises(ValueError, match="limit"):
        bybit.hourly_interest(1, 0, rate)
    assert bybit.borrowed(100, 30, 30, 60) == 20
    assert bybit.borrowed(100) == 0


def test_partial_liquidation_by_tiers() -> None:
    """Two tiers down per step; small positions at once."""
    bounds = [100, 200, 300, 400]
    closed = [okx.contracts_to_close(size, bounds) for size in (50, 200, 201, 400, 401, 999)]
    assert closed == [50, 200, 101, 200, 101, 699]
    assert okx.contracts_to_close_legacy(100, 20, 101) == 100
    assert okx.adl_due(100, 70)
    assert not okx.adl_due(100, 71)
    assert okx.adl_due(0, 0)
    assert okx.margin_level(10, 5, 5) == 1
    assert okx.margin_level(10, 0) is None


def test_cross_margin_levels() -> None:
    """No debt, no level; auto-exchange needs a debit below the floor, or a flat account in debt."""
    assert cross_margin.classic_level(10, 0) is None
    assert cross_margin.pro_level(10, 1, 1, 0) is None
    assert not cross_margin.auto_exchange_due(-5_000, -5_000)
    assert cross_margin.auto_exchange_due(-5_001, -5_000)
    assert cross_margin.auto_exchange_due(-1, -5_000, flat=True, ltv=Fraction(995, 1000))
    assert not cross_margin.auto_exchange_due(-1, -5_000, flat=True, ltv=Fraction(994, 1000))
    shares = cross_margin.auto_exchange_shares(90, {"BTC": 100, "ETH": 50, "USDT": -7})
    assert shares == {"BTC": 60, "ETH": 30}
    assert cross_margin.auto_exchange_shares(90, {}) == {}
    with pytest.raises(ValueError, match="haircut"):
        cross_margin.auto_exchange_amount(1, 1)


def test_compensation_window() -> None:
    """Only liquidations inside the window are repaid, and nobody has to pay."""
    inside = parse_utc("2025-10-10T21:40:00Z")
    outside = parse_utc("2025-10-10T21:20:00Z")
    assert collateral_index.compensation(10, 600, 4_000, 50, inside) == 34_050
    assert collateral_index.compensation(10, 600, 4_000, 50, outside) == 0
    assert collateral_index.compensation(10, 600, 500) == 0


def test_reference_window() -> None:
    """A bucket counts by the part that is still inside the window."""
    buckets = [reference_price.Bucket(t, 1, t) for t in (0, 1_000, 2_000, 9_000)]
    found = reference_price.bucketed_reference(buckets, 3_000, 1_000, 2)
    assert found.cutoff_ms == 1_000
    assert found.expired_fraction == 0
    assert found.price == 1_500
    assert reference_price.bucketed_reference([], 3_000, 1_000, 2).price is None
    with pytest.raises(ValueError, match="positive"):
        reference_price.bucketed_reference([], 1, 0, 1)
    assert reference_price.price_range(10, 2_000_000, 450_000) == (5, 20)


def test_leverage_feedback() -> None:
    """No equity has no leverage; a spiral at or beyond one does not converge."""
    assert leverage.passive_leverage(20, 10, 1) is None
    assert leverage.spiral_multiplier(Fraction(1, 10), 5, 3) is None
    assert leverage.spiral_multiplier(Fraction(1, 10), 5, 2) == 2


def test_quoting_formulas_at_their_edges() -> None:
    """A flat maker quotes symmetrically; degenerate parameters are refused or have a limit."""
    quotes = formulas.glft_quotes(0.9, 0.3, 0.05, 0.05, 0.3, 1, 0)
    assert quotes.bid_depth == quotes.ask_depth > 0
    assert formulas.hawkes_mean(1, 1) == math.inf
    assert formulas.hawkes_intensity(0.5, 1, 1, [3], 2) == 0.5
    assert formulas.vpin([]) == 0
    assert formulas.vpin([(75, 25)]) == 0.5
    assert formulas.bulk_buy_volume(10, 0, 0) == 5
    assert formulas.arrival_intensity(2, 1, 0) == 2
    for wrong in (
        lambda: formulas.optimal_spread(0, 1, 1, 1),
        lambda: formulas.glft_quotes(0, 1, 1, 1, 1, 1, 1),
        lambda: formulas.branching_ratio(1, 0),
        lambda: formulas.branching_estimate(1, 0),
        lambda: formulas.value_at_risk_margin(1, 1, 1, 1),
    ):
        with pytest.raises(ValueError, match="must be"):
            wrong()


def test_tiers_of_the_chain_are_read_as_pairs_and_as_tables():
    """The same tiers, however a file spells them."""
    rule = find_rule("hyperliquid.margin_tier")
    assert rule is not None
    pairs = [[0, 25], [100_000_000, 15]]
    tables = [{"floor": floor, "max_leverage": times} for floor, times in pairs]
    found = [rule(Inputs({"notional": 200_000_000, "tiers": tiers})) for tiers in (pairs, tables)]

    assert found[0] == found[1]
    assert found[0]["maint_margin"] == Fraction(200_000_000, 30) - Fraction(4_000_000, 3)


def test_an_auto_exchange_says_how_much_of_the_coin_is_sold():
    """5,000 after a haircut of 2.5 %, at 50,000 a coin."""
    rule = find_rule("binance.multi_asset.auto_exchange")
    assert rule is not None
    debit = {"deficit": 5_000, "auto_exchange_haircut": Decimal("0.025"), "btc_price": 50_000}
    found = rule(Inputs({**debit, "collateral_asset": "BTC"}))

    assert found["btc_sold"] == Fraction(5_000_000, 975) / 50_000
