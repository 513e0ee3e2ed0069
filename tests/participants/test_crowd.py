"""The leveraged crowd: exact totals, bounds, a supply of liquidations that seeds do not move."""

from __future__ import annotations

import statistics

import attrs
import pytest

from exchange_sim.model.enums import BUY, SELL
from exchange_sim.participants.crowd import (
    AccountSpec,
    CollateralChoice,
    CrowdBook,
    Role,
    draw_crowd,
    liquidation_fall,
    liquidation_supply_curve,
    match_positions,
)
from exchange_sim.rng import Streams

BTC = CrowdBook(
    venue="leading",
    instrument="BTCUSDT",
    mid_ticks=1_168_000,
    lot_usd=116.8,
    depth_usd=190e6,
    accounts=800,
    speculative_oi_d1=34.0,
    total_oi_d1=57.0,
    leverage_median=3.8,
    size_cap_d1=0.15,
)
CASH = (CollateralChoice("USDT", 0.8, 1e-8), CollateralChoice("USDe", 0.2, 1e-8))


def crowd(seed: int, book: CrowdBook = BTC) -> list[AccountSpec]:
    """One draw."""
    return draw_crowd(book, CASH, Streams(seed).stream("crowd/BTCUSDT"))


def test_longs_equal_shorts_and_match_the_open_interest() -> None:
    """Every lot has two sides, and pairing uses each account's quantity exactly."""
    specs = crowd(1)
    longs = sum(spec.qty_lots for spec in specs if spec.side == BUY)
    left = [spec.qty_lots for spec in specs]
    for pair in match_positions(specs):
        assert (specs[pair.long_index].side, specs[pair.short_index].side) == (BUY, SELL)
        left[pair.long_index] -= pair.qty_lots
        left[pair.short_index] -= pair.qty_lots

    assert longs == sum(spec.qty_lots for spec in specs if spec.side == SELL)
    assert longs * BTC.lot_usd / BTC.depth_usd == pytest.approx(57.0, rel=1e-4)
    assert left == [0] * len(specs)


def test_no_account_is_above_the_cap_and_speculators_hold_their_share() -> None:
    """The cap keeps one lucky account from deciding a crash."""
    speculators = [spec for spec in crowd(2) if spec.role == Role.SPECULATOR]
    longs = sum(spec.notional_usd for spec in speculators if spec.side == BUY)

    assert max(spec.notional_usd for spec in speculators) <= 0.15 * BTC.depth_usd + BTC.lot_usd
    assert longs / BTC.depth_usd == pytest.approx(34.0, rel=1e-3)


def test_collateral_gives_the_effective_leverage() -> None:
    """Deposits plus unrealised profit are the equity behind the leverage, whatever the entry."""
    for spec in crowd(3):
        sign = 1 if spec.side == BUY else -1
        profit = sign * spec.notional_usd * (1 - spec.entry_ticks / BTC.mid_ticks)
        (asset, units) = spec.collateral[0]
        equity = units * 1e-8 + profit

        assert units > 0
        assert asset in {"USDT", "USDe"}
        assert spec.notional_usd / equity == pytest.approx(spec.leverage, rel=1e-3)


def test_stops_are_on_the_losing_side_and_before_liquidation() -> None:
    """A stop that the venue would overtake is no stop."""
    small = [
        spec
        for spec in crowd(4)
        if spec.role == Role.SPECULATOR
        and spec.notional_usd <= BTC.stop_cap_d1 * BTC.depth_usd - BTC.lot_usd
    ]
    stops = [spec for spec in small if spec.stop_ticks]
    share = sum(spec.notional_usd for spec in stops) / sum(spec.notional_usd for spec in small)
    for spec in stops:
        loss = (1 - spec.stop_ticks / BTC.mid_ticks) * (1 if spec.side == BUY else -1)

        assert 0 < loss < 1 / spec.leverage
    assert share == pytest.approx(BTC.stop_share, abs=0.02)


def test_nobody_large_has_a_stop() -> None:
    """Without the bound some seeds would hold a stop of a seventh of the calm depth."""

    def largest(book: CrowdBook) -> float:
        specs = crowd(4, book)
        return max(spec.notional_usd for spec in specs if spec.stop_ticks) / BTC.depth_usd

    assert largest(BTC) <= 0.02 + BTC.lot_usd / BTC.depth_usd
    assert largest(attrs.evolve(BTC, stop_cap_d1=1.0)) > 0.04


def test_large_positions_use_less_leverage_than_their_bracket_allows() -> None:
    """So nobody is liquidated in the first half per cent; without brackets large accounts are."""
    table = ((0.0, 125.0), (50e3, 100.0), (600e3, 75.0), (3e6, 50.0), (12e6, 25.0), (70e6, 20.0))
    bracketed = attrs.evolve(BTC, brackets=table, leverage_cap=40.0)

    def near(book: CrowdBook) -> float:
        large = [spec for spec in crowd(5, book) if spec.notional_usd > 12e6 and spec.side == BUY]
        return sum(s.notional_usd for s in large if liquidation_fall(s.leverage, 0.02) < 0.02)

    for spec in crowd(5, bracketed):
        allowed = [leverage for floor, leverage in table if floor < spec.notional_usd][-1]
        assert spec.leverage <= 0.6 * allowed + 1e-9
    assert near(bracketed) == 0.0
    assert near(attrs.evolve(bracketed, brackets=())) > 0.0


def test_stratified_leverage_makes_the_supply_curve_stable_between_seeds() -> None:
    """L(x) hardly depends on the seed; independent draws (the planted bug) vary much more."""
    falls = (0.03, 0.05, 0.08, 0.12)
    curves = [liquidation_supply_curve(crowd(seed), falls, BTC.depth_usd) for seed in range(8)]
    spreads = []
    for k in range(len(falls)):
        values = [curve[k] for curve in curves]
        spreads.append((max(values) - min(values)) / statistics.fmean(values))

    def independent(seed: int) -> list[float]:
        stream = Streams(seed).stream("lottery")
        specs = crowd(seed)
        drawn = [
            attrs.evolve(
                spec,
                leverage=min(30.0, stream.lognormal(3.8, 0.8)),
                notional_usd=spec.notional_usd * stream.paretovariate(1.3) / 4.33,
            )
            for spec in specs
            if spec.role == Role.SPECULATOR
        ]
        return liquidation_supply_curve(drawn, falls, BTC.depth_usd)

    lottery = [independent(seed)[1] for seed in range(8)]

    assert max(spreads[1:]) < 0.2
    assert spreads[0] < 0.35
    assert (max(lottery) - min(lottery)) / statistics.fmean(lottery) > 2 * spreads[1]


def test_supply_curve_has_the_calibrated_magnitude() -> None:
    """Little is liquidated in the first 3 %, a few D1 by 8 to 12 %: else there is no plateau."""
    small, middle, large = liquidation_supply_curve(crowd(5), (0.03, 0.08, 0.12), BTC.depth_usd)

    assert 0.1 < small < 1.0
    assert 1.0 < middle < 5.0
    assert middle < large < 9.0


def test_liquidation_fall_of_leverage() -> None:
    """At 10x with 1 % maintenance the long dies a little above a fall of 9 %."""
    assert liquidation_fall(10.0, 0.01) == pytest.approx(0.0909, abs=1e-4)
    assert liquidation_fall(100.0, 0.01) == 0.0


def test_impossible_books_are_refused_by_name() -> None:
    """The message names the instrument."""
    with pytest.raises(ValueError, match=r"BTCUSDT: .* capped at"):
        crowd(1, attrs.evolve(BTC, accounts=50))
    with pytest.raises(ValueError, match="BTCUSDT: speculative"):
        crowd(1, attrs.evolve(BTC, total_oi_d1=20.0))


def test_same_seed_same_crowd() -> None:
    """Drawn from the stream and nothing else."""
    assert crowd(7) == crowd(7)
    assert crowd(7) != crowd(8)
