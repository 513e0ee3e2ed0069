"""Price impact and resilience of a market: Kyle's lambda, impact per dollar, depth, resiliency.

Pure functions on tables: ``traded`` is ``run.view("traded")``, ``book`` is ``run.view("book_1s")``,
``mids`` is ``run.book_of(symbol).mids()``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from exchange_sim.analysis.estimates import Estimate, reversion, slope
from exchange_sim.eventlog.book_summary import DISTANCES_PPM
from exchange_sim.units import NANOS_PER_S, parse_duration

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_FEW: Final = 20
"""Intervals with trades below which a slope says nothing."""


def signed(trades: pa.Table, column: str) -> Floats:
    """A column of the tape with the sign of the aggressor: buying is positive."""
    buys = pc.equal(trades.column("aggressor"), "BUY").to_numpy()
    values: Floats = trades.column(column).to_numpy()
    return np.where(buys, values, -values)


def last_at(times: Ints, at: Ints) -> Ints:
    """Positions of the last entries at or before each instant, -1 before the first."""
    return np.searchsorted(times, at, side="right").astype(np.int64) - 1


def kyle_lambda(trades: pa.Table, mids: pa.Table, every: str = "1s") -> Estimate | None:
    """Kyle's lambda: change of the mid, in quote, per unit of base bought net, by interval.

    Slope of ``mid(t + every) - mid(t)`` on the signed volume in between (Kyle 1985,
    10.2307/1913210; regression as in Hasbrouck 2009, 10.1111/j.1540-6261.2009.01469.x).  Intervals
    without trades are left out; None when fewer than 20 are left.
    """
    step = parse_duration(every)
    times = trades.column("time_ns").to_numpy()
    return _impact(
        times // step, signed(trades, "qty"), mids.column("time_ns").to_numpy(),
        mids.column("mid").to_numpy(), step,
    )  # fmt: skip


def impact_per_dollar(traded: pa.Table, book: pa.Table, symbol: str) -> Estimate | None:
    """Relative move of the mid per unit of quote bought net, from one-second pictures.

    As ``kyle_lambda`` with log mids and quote volume, so that instruments can be compared.
    """
    trades = traded.filter(pc.equal(traded.column("instrument"), symbol))
    rows = book.filter(pc.equal(book.column("instrument"), symbol)).drop_null()
    if not trades.num_rows or not rows.num_rows:
        return None
    logs = np.log(rows.column("mid").to_numpy())
    seconds = trades.column("time_ns").to_numpy() // NANOS_PER_S
    flow = signed(trades, "quote_amount")
    return _impact(seconds, flow, rows.column("time_ns").to_numpy(), logs, NANOS_PER_S)


def _impact(
    intervals: Ints, flow: Floats, times: Ints, levels: Floats, step: int
) -> Estimate | None:
    """Slope of the change of a level over an interval on the flow inside it."""
    known, where = np.unique(intervals, return_inverse=True)
    volume = np.bincount(where, flow, len(known)).astype(np.float64)
    before, after = last_at(times, known * step), last_at(times, (known + 1) * step)
    both = before >= 0
    if both.sum() < _FEW:
        return None
    return slope(volume[both], levels[after[both]] - levels[before[both]])


def depth_at_bands(book: pa.Table, symbol: str) -> pa.Table:
    """Bid and ask depth of one instrument within 0.1, 1, 2 and 5 % of the mid, by second.

    Columns ``time_ns``, ``bid_<bp>``, ``ask_<bp>`` in quote: the definition of depth at a distance
    that the public dashboards use (``docs/reference/tables.md``).
    """
    rows = book.filter(pc.equal(book.column("instrument"), symbol))
    columns = {"time_ns": rows.column("time_ns")}
    for ppm in DISTANCES_PPM:
        for side in ("bid", "ask"):
            columns[f"{side}_{ppm // 100}"] = rows.column(f"{side}_depth_{ppm // 100}bp")
    return pa.table(columns)


def resiliency(book: pa.Table, symbol: str, column: str = "bid_depth_100bp") -> Estimate | None:
    """Share of a gap in the depth (or spread) that is closed within a second, 0 to 1.

    Speed of reversion of the column's logarithm to its mean; see ``estimates.reversion``.  Seconds
    in which it is 0 are left out.
    """
    rows = book.filter(pc.equal(book.column("instrument"), symbol))
    values = rows.column(column).drop_null().to_numpy()
    return reversion(np.log(values[values > 0]))
