"""Margins at chosen instants: those that the venue computed, without anybody recording them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exchange_sim.analysis.account_state import margin_points, own_events
from exchange_sim.analysis.margin_paths import RATIO_MAX, margin_paths
from exchange_sim.analysis.report.forced import maker_accounts, maker_paths
from exchange_sim.analysis.report.source import Source
from exchange_sim.analysis.run_dir import RunData, open_run


@pytest.fixture(scope="module")
def run(small_run: Path) -> RunData:
    """The small crash, opened."""
    return open_run(small_run)


def followed(run: RunData) -> list[int]:
    """Makers, and some accounts that were liquidated."""
    forced = run.table("liquidation_started").column("account").to_pylist()
    return [*maker_accounts(Source(run)), *dict.fromkeys(forced[:5])]


def test_paths_are_the_margins_after_each_mark(run: RunData) -> None:
    """Where an account does nothing in the nanosecond of a mark update: the same to the unit."""
    compared = 0
    for account in followed(run):
        busy = {row["time_ns"] for _, row in own_events(run, account)}
        points = {p.time_ns: p for p in margin_points(run, account) if p.time_ns not in busy}
        (path,) = margin_paths(run, [account], np.array(sorted(points), np.int64))
        scale = float(run.facts.scale[run.facts.numeraires[run.accounts[account]["venue"]]])
        for k, now in enumerate(path.times.tolist()):
            point = points[now]
            assert path.equity[k] == point.equity / scale
            assert path.maintenance[k] == point.maintenance / scale
            assert path.uni_mmr[k] == point.uni_mmr
            compared += 1
    assert compared > 1_000


def test_nothing_at_risk_is_the_greatest_ratio(run: RunData) -> None:
    """Before its first trade only those who owe something have a maintenance margin."""
    everybody = [row["account"] for row in run.accounts if row["population"] != "system"]
    start = np.array([run.manifest.start_ns], np.int64)
    paths = margin_paths(run, everybody[:40], start)

    safe = [path for path in paths if not path.maintenance[0]]
    assert safe
    assert len(safe) < len(paths)
    for path in paths:
        assert (path.uni_mmr[0] == RATIO_MAX) == (path in safe)


def test_the_report_has_the_makers_margins(run: RunData) -> None:
    """None of them records a thing; those with contracts are drawn all the same."""
    assert not run.series
    paths = maker_paths(Source(run))

    assert paths
    assert {path.account for path in paths} <= set(maker_accounts(Source(run)))
    for path in paths:
        assert path.uni_mmr.min() < RATIO_MAX
        known = path.leverage[~np.isnan(path.leverage)]
        assert known.max() > known[0]
