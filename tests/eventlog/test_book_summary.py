"""Touch and depth every second, against a summary written the slow way."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.errors import StorageError
from exchange_sim.eventlog import book_summary
from exchange_sim.eventlog.book_summary import DEPTH_COLUMNS, DISTANCES_PPM, BookSummary
from exchange_sim.units import PPM
from tests.doubles.storage import START_NS, FaultyDisk

Levels = list[tuple[int, int]]

levels = st.dictionaries(st.integers(9_000, 11_000), st.integers(1, 10**6), max_size=30)


def write(folder: Path, *samples: tuple[int, int, Levels, Levels]) -> list[dict[str, float]]:
    """Rows of the table for (bid, ask, bids, asks) samples, a second apart."""
    summary = BookSummary(folder, [10])
    for i, sample in enumerate(samples):
        summary.sample(START_NS + i * 10**9, 0, *sample)
    summary.close()
    return list(pq.read_table(folder / "book_1s.parquet").to_pylist())


def naive_depth(levels_: Levels, mid: Fraction, ppm: int) -> int:
    """Quote units of all levels within the distance, in exact arithmetic."""
    far = mid * ppm / PPM
    return sum(price * qty * 10 for price, qty in levels_ if abs(price - mid) <= far)


@given(prices=levels, split=st.integers(9_000, 11_000))
def test_depth_is_what_lies_within_the_distance(prices: dict[int, int], split: int) -> None:
    bids = sorted(((p, q) for p, q in prices.items() if p < split), reverse=True)
    asks = sorted((p, q) for p, q in prices.items() if p >= split)
    bid, ask = (bids[0][0] if bids else 0), (asks[0][0] if asks else 0)
    mid = Fraction(bid + ask, 2) if bid and ask else Fraction(bid or ask)
    summary = BookSummary.__new__(BookSummary)
    rows: list[tuple[int, ...]] = []
    vars(summary).update(_unit_values=[10], _last={}, _add=rows.append)

    summary.sample(START_NS, 0, bid, ask, bids, asks)

    spread = ask - bid if bid and ask else 0
    assert rows[0][:5] == (START_NS, 0, bid, ask, spread)
    sides = [(bids, ppm) for ppm in DISTANCES_PPM] + [(asks, ppm) for ppm in DISTANCES_PPM]
    assert list(rows[0][5:]) == [naive_depth(side, mid, ppm) for side, ppm in sides]


def test_rows(tmp_path: Path) -> None:
    """Prices in ticks, depth in quote units, zeros where a side is empty."""
    rows = write(
        tmp_path,
        (9_990, 10_010, [(9_990, 5), (9_900, 2), (9_500, 1), (9_499, 100)], [(10_010, 1)]),
        (0, 10_011, [], [(10_011, 1)]),
        (0, 0, [], []),
    )

    assert rows[0] == {
        "time_ns": START_NS,
        "instrument": 0,
        "bid": 9_990,
        "ask": 10_010,
        "mid": 10_000.0,
        "spread": 20,
        "bid_depth_10bp": 499_500,
        "bid_depth_100bp": 697_500,
        "bid_depth_200bp": 697_500,
        "bid_depth_500bp": 792_500,
        "ask_depth_10bp": 100_100,
        "ask_depth_100bp": 100_100,
        "ask_depth_200bp": 100_100,
        "ask_depth_500bp": 100_100,
    }
    assert (rows[1]["mid"], rows[1]["spread"]) == (0.0, 0)
    assert [rows[1][name] for name in DEPTH_COLUMNS] == [0] * 4 + [100_110] * 4
    assert sum(rows[2].values()) == rows[2]["time_ns"]


def test_repeat_and_row_groups(tmp_path: Path) -> None:
    """An unchanged book repeats its row under a new time; memory is bounded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book_summary, "ROW_GROUP_ROWS", 4)
        summary = BookSummary(tmp_path, [10, 20])
        summary.sample(START_NS, 1, 5, 7, [(5, 1)], [(7, 1)])
        for i in range(1, 10):
            summary.repeat(START_NS + i, 1)
            assert len(summary._rows) < 4
        summary.close()
        summary.close()
    table = pq.read_table(tmp_path / "book_1s.parquet")

    assert table.column("time_ns").to_pylist() == [START_NS + i for i in range(10)]
    assert set(table.column("bid_depth_500bp").to_pylist()) == {0}
    assert set(table.column("ask").to_pylist()) == {7}


@pytest.mark.parametrize("number", range(1, 8))
def test_failing_disk(tmp_path: Path, number: int) -> None:
    """F10: the table is whole or absent."""
    disk = FaultyDisk(number.__eq__)
    summary = None
    try:
        summary = BookSummary(tmp_path, [10], disk.open)
        summary.sample(START_NS, 0, 5, 7, [(5, 1)], [(7, 1)])
        summary.close()
    except StorageError:
        if summary is not None:
            summary.abort()
        assert list(tmp_path.iterdir()) == []
    else:
        assert pq.read_table(tmp_path / "book_1s.parquet").num_rows == 1
