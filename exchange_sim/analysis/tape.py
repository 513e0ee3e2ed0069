"""The tape of one instrument: trades and candles, in decimals.

Pure functions on tables: ``traded`` is ``run.view("traded")``, whole or filtered.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exchange_sim.analysis.human import timestamps
from exchange_sim.errors import UsageError
from exchange_sim.units import parse_duration


def trades_of(traded: pa.Table, instrument: str) -> pa.Table:
    """The trades of one instrument, in order of happening."""
    return traded.filter(pc.equal(traded.column("instrument"), instrument))


def candles(trades: pa.Table, every: str = "1m") -> pa.Table:
    """OHLCV of the trades of one instrument, by interval of ``every`` (``1s``, ``5m``).

    Columns: ``time_ns`` and ``time`` of the beginning, ``open high low close`` in quote, ``volume``
    in base (inverse contracts: in quote), ``quote_volume``, ``trades``, and ``buy_volume``, the
    part whose aggressor bought.  Intervals without a trade are left out.  Raises ``UsageError`` for
    no duration.
    """
    try:
        step = parse_duration(every)
    except ValueError as cause:
        raise UsageError(str(cause)) from None
    if step <= 0:
        raise UsageError(f"a candle of {every} has no length")
    time_ns, price = trades.column("time_ns").to_numpy(), trades.column("price").to_numpy()
    qty = trades.column("qty").to_numpy()
    bought = pc.equal(trades.column("aggressor"), "BUY").to_numpy()
    starts, first = np.unique(time_ns // step, return_index=True)
    if not len(starts):
        first = np.zeros(0, np.int64)

    def by_candle(reduce: Any, values: Any) -> Any:
        return reduce.reduceat(values, first) if len(first) else values[:0]

    last = np.r_[first[1:], len(price)][: len(first)] - 1
    return pa.table(
        {
            "time_ns": starts * step,
            "time": timestamps(starts * step),
            "open": price[first],
            "high": by_candle(np.maximum, price),
            "low": by_candle(np.minimum, price),
            "close": price[last],
            "volume": by_candle(np.add, qty),
            "quote_volume": by_candle(np.add, trades.column("quote_amount").to_numpy()),
            "trades": by_candle(np.add, np.ones(len(price), np.int64)),
            "buy_volume": by_candle(np.add, np.where(bought, qty, 0.0)),
        }
    )
