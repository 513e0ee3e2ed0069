"""Lending pools, swaps and redemptions, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from exchange_sim.analysis.score.article import chain_of
from exchange_sim.messages.chain_events import (
    DeficitRecorded,
    OracleUpdated,
    PoolLiquidation,
    Swapped,
)
from exchange_sim.messages.credit_events import SyntheticRedeemed
from exchange_sim.messages.events import Noted
from exchange_sim.messages.reasons import NoteKind
from tests.doubles.made_up_run import NEWS, SECOND, MadeUpRun, book_of

USDT, BTC, USDE = 0, 1, 4
POOL: dict[str, Any] = {"venue": "lending_protocol", "asset": "all", "window": None}


@pytest.fixture
def run() -> MadeUpRun:
    """Ten coins at 100 are seized for 930 dollars; 20 dollars are written off."""
    run = MadeUpRun([book_of(0, "BTC", kind="PERPETUAL"), book_of(1, "USDe")])
    run.add(OracleUpdated, 1, asset=BTC, price=100 * 10**8)
    run.add(OracleUpdated, 50, asset=BTC, price=1 * 10**8)
    seized = {"debt_asset": USDT, "collateral_asset": BTC, "repaid": 930, "seized": 10}
    run.add(PoolLiquidation, 40, **seized)
    run.add(DeficitRecorded, 41, asset=USDT, amount=20)
    return run


def test_pools(run: MadeUpRun) -> None:
    """1000 seized with a bonus of 70; exchanges print 4000: the last order of each second."""
    run.liquidate(10, 10, 1000)
    run.liquidate(10.5, 10, 3000)
    run.liquidate(12, 10, 1000)

    words = "lending-protocol deficit over liquidated collateral"
    assert run.measure(words, **POOL) == pytest.approx(2.0)
    assert run.measure("liquidation bonus over liquidated collateral", **POOL) == pytest.approx(7.0)
    words = "lending-protocol liquidations over all reported liquidations"
    assert run.measure(words, **POOL) == pytest.approx(100 * 1000 / 5000)


def test_redemptions_and_swaps(run: MadeUpRun) -> None:
    run.add(SyntheticRedeemed, 5, amount=30)
    run.add(SyntheticRedeemed, 6, amount=20)
    dust = {"asset_in": USDE, "asset_out": USDT, "amount_in": 0, "amount_out": 0}
    run.add(Swapped, 7, **dust)
    run.add(Swapped, 8, asset_in=USDE, asset_out=USDT, amount_in=100, amount_out=97)
    run.add(Swapped, 9, asset_in=USDT, asset_out=USDE, amount_in=96, amount_out=100)
    dollar = {**POOL, "asset": "synthetic_dollar"}

    words = "synthetic-dollar redemptions in 24 h over supply"
    assert run.measure(words, **dollar) == pytest.approx(5.0)
    words = "synthetic-dollar low, deep stableswap pool"
    assert run.measure(words, **{**dollar, "venue": "amm"}) == pytest.approx(0.96)


def test_a_run_without_a_chain_says_so() -> None:
    run = MadeUpRun([book_of(0, "BTC")])

    line = run.line("liquidation bonus over liquidated collateral", **POOL)
    assert line.reason == "no lending pool liquidated anybody"


def test_links_of_the_chain(run: MadeUpRun) -> None:
    """Loops are unwound in swaps, then the pool liquidates."""
    run.accounts[2]["population"] = "loops"
    run.add(Noted, 0, account=-1, kind=NoteKind.SHOCK)
    run.add(Swapped, 30, wallet=2, asset_in=USDE, asset_out=USDT, amount_in=500, amount_out=499)
    chain = chain_of(run.view())

    unwound, seized = chain.links[2], chain.links[4]
    assert (unwound.time_ns, unwound.usd) == (NEWS + 30 * SECOND, 500.0)
    assert (seized.time_ns, seized.usd) == (NEWS + 40 * SECOND, 1000.0)
