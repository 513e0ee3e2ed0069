"""Targets that need a second run."""

from __future__ import annotations

import pytest

from exchange_sim.messages.events import LiquidationStarted
from tests.doubles.made_up_run import MadeUpRun, book_of

WITHOUT = "--without own_book_collateral_price"


def run_with(pegged: int, low: int) -> MadeUpRun:
    """USDe breaks at second 100; then ``pegged`` dollars are liquidated because of it."""
    run = MadeUpRun([book_of(0, "BTC", kind="PERPETUAL"), book_of(1, "USDe")])
    run.marks([(-1, 1000), (50, low)])
    run.path([(0, 1), (100, 0)], at=1)
    run.liquidate(40, 10, 5000, account=3)
    run.add(LiquidationStarted, 40, account=3, cause_asset=-1, cause_instrument=0)
    if pegged:
        run.add(LiquidationStarted, 120, account=2, cause_asset=4, cause_instrument=-1)
        run.liquidate(121, 10, pegged)
    return run


def test_redemption_value_marks() -> None:
    """30 of 1000 dollars remain; the fall of BTC is 9 instead of 10 %."""
    other = run_with(30, 910).view(options=[WITHOUT])
    view = run_with(1000, 900).view(others=[other])
    run = run_with(0, 0)
    words = "peg-related liquidations if pegged collateral is marked at redemption, over baseline"
    kinds = {"venue": "primary_perp", "window": None}

    found = run.line(words, view, asset="pegged_collateral", **kinds)
    assert found.value == pytest.approx(3.0)
    words = "BTC drawdown change when redemption-value marks are used"
    assert run.line(words, view, **kinds).value == pytest.approx(-10.0)


def test_without_the_other_run_it_is_missed() -> None:
    run = run_with(1000, 900)
    line = run.line("BTC drawdown change when redemption-value marks are used", window=None)

    assert line.value is None
    assert WITHOUT in line.reason
