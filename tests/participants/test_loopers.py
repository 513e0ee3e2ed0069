"""Populations of loops: sizes, rounds and triggers as the parameters say."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs
import pytest

from exchange_sim.issuer.loops import loop
from exchange_sim.participants.loopers import LooperCrowd, draw_loopers
from exchange_sim.rng import Streams

CROWD = LooperCrowd("core", "USDE", "USDT", accounts=400, total_usd=8e6, unwinders=0.25)


def test_loops_follow_the_formula() -> None:
    """Equity as asked, collateral and debt of a loop between the bounds, one by one."""
    found = draw_loopers(CROWD, Streams(1).stream("x"))
    assert sum(spec.equity_usd for spec in found) == pytest.approx(8e6)
    for spec in found:
        assert spec.collateral_usd - spec.debt_usd == pytest.approx(spec.equity_usd)
        low = loop(1, Fraction(6, 10), 3).leverage
        high = loop(1, Fraction(85, 100), 8).leverage
        assert float(low) - 1e-9 <= spec.collateral_usd / spec.equity_usd <= float(high) + 1e-9


def test_some_lose_their_nerve_each_at_his_own_level() -> None:
    """A quarter has triggers, spread around the middle; the rest has none."""
    found = [spec for spec in draw_loopers(CROWD, Streams(2).stream("x")) if spec.unwind_health]
    assert 60 < len(found) < 140
    levels = [spec.unwind_health for spec in found]
    assert 1.0 < min(levels) < 1.015 < 1.025 < max(levels) < 1.031
    assert all(0 < spec.unwind_discount < 0.016 for spec in found)


def test_the_edge_does_not_depend_on_the_seed() -> None:
    """Stratified: how much is looped differs little between seeds."""
    sums = [sum(s.debt_usd for s in draw_loopers(CROWD, Streams(k).stream("x"))) for k in range(5)]
    assert max(sums) / min(sums) < 1.15


@pytest.mark.parametrize(
    "wrong",
    [
        {"accounts": 0},
        {"total_usd": 0.0},
        {"rounds_low": 5, "rounds_high": 2},
        {"ltv_high": 1.0},
        {"unwinders": 1.5},
        {"unwind_share": 0.0},
    ],
)
def test_bad_parameters(wrong: dict[str, Any]) -> None:
    """Refused with a sentence."""
    with pytest.raises(ValueError, match=r"loop|rounds|unwinders|loan"):
        draw_loopers(attrs.evolve(CROWD, **wrong), Streams(1).stream("x"))
