"""Exported files go through the readers that people use: hftbacktest's and nautilus_trader's.

Both are large and compile on first use, so they are an extra of their own: ``make readers``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exchange_sim import open_run
from exchange_sim import run as run_scenario
from exchange_sim.analysis.export import hftbacktest, tardis
from exchange_sim.analysis.run_dir import RunData
from exchange_sim.model.enums import BUY, SELL

pytestmark = pytest.mark.readers


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """Two minutes of the learners' crash."""
    finished = run_scenario("gym_crash", until="2m", out=tmp_path_factory.mktemp("runs"))
    assert finished.directory is not None
    return open_run(finished.directory)


def perpetual(run: RunData) -> int:
    """Id of the perpetual."""
    return run.instrument_id("demo:BTCUSDT-PERP")


def test_hftbacktest_runs_over_the_file(crash: RunData, tmp_path: Path) -> None:
    """Its own checker accepts the order of events; its book ends where ours does."""
    from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest
    from hftbacktest.data import validate_event_order

    instrument = perpetual(crash)
    ((path, _),) = hftbacktest.write(crash, tmp_path, [instrument], 1_000_000)
    validate_event_order(np.load(path)["data"])
    asset = (
        BacktestAsset()
        .data([str(path)])
        .linear_asset(1.0)
        .constant_order_latency(10_000_000, 10_000_000)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0004)
        .tick_size(0.1)
        .lot_size(0.001)
    )
    backtest: Any = HashMapMarketDepthBacktest([asset])
    seconds = 0
    while backtest.elapse(1_000_000_000) == 0:
        seconds += 1
    book = backtest.depth(0)
    ours = crash.book_of(instrument).after(2**60)
    bids = np.array(ours.levels(BUY)[:1])
    asks = np.array(ours.levels(SELL)[:1])

    assert seconds >= 110
    assert round(book.best_bid, 6) == float(crash.facts.prices(bids[0][0], instrument))
    assert round(book.best_ask, 6) == float(crash.facts.prices(asks[0][0], instrument))
    backtest.close()


def test_nautilus_loads_every_tardis_file(crash: RunData, tmp_path: Path) -> None:
    """Deltas, depth, trades, quotes and funding rates: as many as there are rows."""
    from nautilus_trader.adapters.tardis.loaders import TardisCSVDataLoader

    loader = TardisCSVDataLoader(price_precision=1, size_precision=3)
    read = {
        "incremental_book_L2": loader.load_deltas,
        "trades": loader.load_trades,
        "quotes": loader.load_quotes,
        "derivative_ticker": loader.load_funding_rates,
        "book_snapshot_5": lambda path: loader.load_depth10(path, levels=5),
        "book_snapshot_25": lambda path: loader.load_depth10(path, levels=25),
    }
    feed = tardis.Feed(delay_ns=5_000_000)
    for kind, load in read.items():
        ((path, count),) = tardis.write(crash, tmp_path, [perpetual(crash)], [kind], feed)
        assert len(load(path)) == count, kind
