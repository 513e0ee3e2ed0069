"""The two tables that a run ends with, against figures worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pyarrow as pa
import pytest

from exchange_sim.analysis.report.opening import _came_back
from exchange_sim.analysis.run_dir import open_run
from exchange_sim.analysis.summary import RunSummary, summarise
from exchange_sim.eventlog import write_summary
from tests.doubles.storage import START_NS
from tests.doubles.tiny_run import SECOND, commands, write_run


@pytest.fixture
def summary(tmp_path: Path) -> RunSummary:
    write_run(tmp_path)
    return summarise(open_run(tmp_path))


def test_one_row_per_instrument(summary: RunSummary) -> None:
    """Mids fall from 99,995 to 89,985 ticks of 0.1; the lowest trade is at 90,000."""
    spot, perp = summary.instruments

    assert (spot.symbol, spot.venue, spot.trades, perp.trades) == ("BTCUSDT", "lead", 6, 6)
    assert spot.start == pytest.approx((100_000 - 10 + 100_010) / 2 * 0.1)
    assert spot.low == pytest.approx(9_000.0)
    assert (spot.low_ns, perp.low_ns) == (START_NS + 6 * SECOND, START_NS + 7 * SECOND)
    assert spot.end == pytest.approx((90_000 - 29 + 90_010) / 2 * 0.1)
    assert spot.drawdown_pct == pytest.approx(10.0)
    assert spot.recovery_pct == pytest.approx(100 * (89_990.5 - 90_000) / 10_000)
    assert spot.worst_spread_bp == pytest.approx((20 + 19) / 89_990.5 * 10_000)
    assert spot.depth_lost_pct == pytest.approx(91.0, abs=0.1)
    assert spot.one_sided_s == 0
    assert spot.volume_usd == pytest.approx(sum(row[8] * 10 for row in commands()[4:16:2]) / 10**6)


def test_totals_of_the_forced_flow(summary: RunSummary) -> None:
    totals = summary.totals

    assert (totals.trades, totals.liquidations, totals.liquidated_accounts) == (12, 1, 1)
    assert (totals.liquidated_usd, totals.bankrupt) == (250.0, 1)
    assert (totals.insurance_usd, totals.insurance_left_usd) == (30.0, 70.0)
    assert totals.adl == 1
    assert totals.adl_usd == pytest.approx(90_000 * 0.1 * 20 * 0.00001)
    assert totals.bad_debt_usd == 4.0


def test_summary_as_json(summary: RunSummary, tmp_path: Path) -> None:
    write_summary(tmp_path, summary.asdict())
    content = json.loads((tmp_path / "summary.json").read_text())

    assert content["instruments"][0]["low_time"] == "2025-10-10T20:50:06.000Z"
    assert content["totals"]["liquidated_usd"] == 250.0


def test_a_run_in_which_nothing_trades(tmp_path: Path) -> None:
    """No trade, no liquidation: zeros, not errors."""
    write_run(tmp_path, commands()[:2])
    found = summarise(open_run(tmp_path))

    assert found.totals.liquidated_usd == found.totals.adl_usd == found.totals.insurance_usd == 0
    assert found.instruments[0].trades == 0
    assert found.instruments[0].low == found.instruments[0].start
    assert found.asdict()["instruments"][0]["low_time"] == ""


def test_a_far_offer_is_no_end_of_a_fall(tmp_path: Path) -> None:
    """The last second has a bid at 90,000 and a forgotten offer: the mid before it is the end."""
    write_run(tmp_path)
    run = open_run(tmp_path)
    honest = summarise(run).instruments[0]
    book = run.book.to_pylist()
    last = max(row["time_ns"] for row in book)
    for row in book:
        if row["time_ns"] == last and row["instrument"] == 0:
            row["ask"] = 78_000_000
            row["spread"], row["mid"] = row["ask"] - row["bid"], (row["bid"] + row["ask"]) / 2
    run.book = pa.Table.from_pylist(book, schema=run.book.schema)
    odd = summarise(run).instruments[0]

    assert odd.end == pytest.approx(honest.end, rel=1e-4)
    assert odd.recovery_pct < 1
    assert _came_back(odd) == "had made good 0 % of that at the end"
    risen = attrs.evolve(odd, end=odd.start * 1.25, recovery_pct=350.0)
    assert _came_back(risen) == "stood 25.0 % above its start at the end"
