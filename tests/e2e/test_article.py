"""What the shipped scenarios promise: calm stays calm, and the crash is made by a thin book."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from exchange_sim import load, open_run, run
from exchange_sim.analysis.run_dir import RunData
from exchange_sim.units import NANOS_PER_MINUTE

SHOCK_MINUTE = 10
DEPTH_WITHIN = 40
"""Minutes after the news within which the book of the median alt must have emptied."""


def recorded(name: str, out: Path, **options: Any) -> RunData:
    """Run a scenario and open what it wrote."""
    finished = run(name, out=out, **options)
    assert finished.directory is not None
    return open_run(finished.directory)


def alts(data: RunData, kind: int) -> dict[int, str]:
    """Alts of the leading venue: instrument ids and symbols of one kind."""
    rows = data.instruments
    return {
        row["instrument"]: row["symbol"]
        for row in rows
        if row["venue_name"] == "leading" and row["asset_kind"] == "alt" and row["kind"] == kind
    }


def drawdowns(data: RunData, kind: int) -> list[float]:
    """Fall of each alt from its first to its lowest trade, in per cent."""
    trades = data.table("traded").select(["instrument", "price"])
    instrument, price = (trades[name].to_numpy() for name in ("instrument", "price"))
    return [
        100.0 * (1.0 - price[instrument == k].min() / price[instrument == k][0])
        for k in alts(data, kind)
    ]


def emptied(data: RunData, start_ns: int) -> float:
    """Median over alts: the largest fall of 1 % bid depth after the news, as a share."""
    book = data.book
    instrument, time = book["instrument"].to_numpy(), book["time_ns"].to_numpy()
    depth = book["bid_depth_100bp"].to_numpy()
    news = start_ns + SHOCK_MINUTE * NANOS_PER_MINUTE
    falls = []
    for k in alts(data, 0):
        mine = instrument == k
        before = np.median(depth[mine & (time < news) & (time > start_ns + NANOS_PER_MINUTE)])
        window = mine & (time >= news) & (time < news + DEPTH_WITHIN * NANOS_PER_MINUTE)
        falls.append(1.0 - depth[window].min() / before)
    return float(median(falls))


def test_calm_stays_calm(tmp_path: Path) -> None:
    """Without a shock nobody is liquidated; from the first second every book is two-sided, its
    spread within five times its median, its price within a tenth of a per cent.
    """
    data = recorded("calm", tmp_path, until="4m")

    book = data.book
    instrument = book["instrument"].to_numpy()
    bid, ask = book["bid"].to_numpy(), book["ask"].to_numpy()
    assert (bid > 0).all()
    assert (ask > 0).all()
    for k in np.unique(instrument):
        mine = instrument == k
        spread, mid = (ask - bid)[mine], (ask + bid)[mine]
        assert spread.max() <= 5 * np.median(spread), k
        assert abs(mid / mid[0] - 1.0).max() < 0.001, k
    assert data.manifest.counts.get("liquidation_started", 0) == 0


@pytest.mark.soak
def test_withdrawal_makes_the_crash(tmp_path: Path) -> None:
    """The median alt on spot falls twice as far when makers may withdraw; its book empties."""
    start = load("oct10_article").start_ns
    crash = recorded("oct10_article", tmp_path / "with", until="50m")
    stay = recorded("oct10_article", tmp_path / "without", until="50m", without=["mm_withdrawal"])

    assert median(drawdowns(crash, 0)) >= 2.0 * median(drawdowns(stay, 0))
    assert emptied(crash, start) >= 0.9
