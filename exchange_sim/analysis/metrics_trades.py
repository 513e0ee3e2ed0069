"""What trading cost, and how much of what was asked for was done: pure functions on tables.

``trades`` is the tape of one instrument (``tape.trades_of``), ``mids`` its ``mids()``; other tables
are ``run.view(...)`` of the kind that they are named after.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from exchange_sim.analysis.metrics_impact import last_at, signed
from exchange_sim.model.enums import FLAG_FORCED, FLAG_LIQUIDATION
from exchange_sim.strategy.formulas import vpin as vpin_of
from exchange_sim.units import parse_duration

Floats = npt.NDArray[np.float64]
_BP = 10_000.0


def spreads(trades: pa.Table, mids: pa.Table, after: str = "5s") -> pa.Table:
    """Effective spread, realised spread and price impact of every trade, in basis points.

    With ``q`` +1 for a buying aggressor, ``p`` the price, ``m`` the mid just before the command and
    ``m'`` the mid ``after`` it::

        effective = 2 q (p - m) / m    realised = 2 q (p - m') / m    impact = 2 q (m' - m) / m

    so that effective = realised + impact (Huang and Stoll 1996, 10.1016/0304-405X(95)00862-E).
    Columns ``seq, time_ns, value, effective, realised, impact``; trades before the first mid are
    left out.
    """
    seq, time_ns = trades.column("seq").to_numpy(), trades.column("time_ns").to_numpy()
    before = np.searchsorted(mids.column("seq").to_numpy(), seq, side="left") - 1
    later = last_at(mids.column("time_ns").to_numpy(), time_ns + parse_duration(after))
    known = before >= 0
    mid = mids.column("mid").to_numpy()
    m, m_later = mid[before[known]], mid[later[known]]
    price = trades.column("price").to_numpy()[known]
    q = np.sign(signed(trades, "qty"))[known]
    return pa.table(
        {
            "seq": seq[known],
            "time_ns": time_ns[known],
            "value": trades.column("quote_amount").to_numpy()[known],
            "effective": 2 * q * (price - m) / m * _BP,
            "realised": 2 * q * (price - m_later) / m * _BP,
            "impact": 2 * q * (m_later - m) / m * _BP,
        }
    )


def weighted(table: pa.Table, column: str, weight: str = "value") -> float:
    """Mean of a column weighted by another one; NaN for nothing."""
    weights = table.column(weight).to_numpy()
    total = float(weights.sum())
    return float(table.column(column).to_numpy() @ weights) / total if total else float("nan")


def slippage_against_mark(traded: pa.Table, marks: pa.Table, forced: bool = True) -> pa.Table:
    """How much worse than the mark perpetuals were traded, in basis points of the mark.

    Positive costs the aggressor.  ``marks`` is ``run.view("mark_price_updated")``; the mark is the
    last one before the trade's command.  ``forced`` keeps only liquidation and forced orders.
    Columns ``seq, time_ns, instrument, value, slippage``.
    """
    if forced:
        flags = traded.column("taker_flags").to_numpy() & (FLAG_LIQUIDATION | FLAG_FORCED)
        traded = traded.filter(pa.array(flags != 0))
    names, found = traded.column("instrument").to_numpy(zero_copy_only=False), []
    for name in np.unique(marks.column("instrument").to_numpy(zero_copy_only=False)).tolist():
        rows = traded.filter(pa.array(names == name))
        own = marks.filter(pc.equal(marks.column("instrument"), name))
        seq = rows.column("seq").to_numpy()
        at = np.searchsorted(own.column("seq").to_numpy(), seq, side="left") - 1
        known = at >= 0
        mark = own.column("mark").to_numpy()[at[known]]
        price = rows.column("price").to_numpy()[known]
        q = np.sign(signed(rows, "qty"))[known]
        part = rows.filter(pa.array(known)).select(["seq", "time_ns", "instrument", "quote_amount"])
        part = part.rename_columns(["seq", "time_ns", "instrument", "value"])
        found.append(part.append_column("slippage", pa.array(q * (price - mark) / mark * _BP)))
    if not found:
        empty = {name: pa.array([], kind) for name, kind in _SLIPPAGE.items()}
        return pa.table(empty)
    return pa.concat_tables(found).sort_by("seq")


_SLIPPAGE = {
    "seq": pa.int64(), "time_ns": pa.int64(), "instrument": pa.string(), "value": pa.float64(),
    "slippage": pa.float64(),
}  # fmt: skip


def vpin(trades: pa.Table, buckets: int = 50, window: int = 50) -> pa.Table:
    """VPIN: volume-synchronised probability of informed trading, after each full window.

    The volume is cut into ``buckets`` equal parts; over a window of them
    ``sum |V_buy - V_sell| / (n V)`` (Easley, Lopez de Prado, O'Hara 2012, 10.1093/rfs/hhs053).
    Sides are the true aggressors; the bulk classification of the paper is not needed.  Columns
    ``time_ns`` (end of the window) and ``vpin``.
    """
    qty = trades.column("qty").to_numpy()
    total = float(qty.sum())
    if not total or window > buckets:
        return pa.table({"time_ns": pa.array([], pa.int64()), "vpin": pa.array([], pa.float64())})
    bought = np.where(signed(trades, "qty") > 0, qty, 0.0)
    edges = np.linspace(0.0, total, buckets + 1)
    volume = np.r_[0.0, np.cumsum(qty)]
    # A trade that straddles an edge is split in proportion.
    buys = np.diff(np.interp(edges, volume, np.r_[0.0, np.cumsum(bought)]))
    size = total / buckets
    pairs = [(buy, size - buy) for buy in buys.tolist()]
    ends = np.minimum(np.searchsorted(volume[1:], edges[1:] * (1 - 1e-12)), len(qty) - 1)
    times = trades.column("time_ns").to_numpy()[ends]
    windows = range(window, buckets + 1)
    return pa.table(
        {
            "time_ns": times[window - 1 :],
            "vpin": np.array([vpin_of(pairs[k - window : k], size) for k in windows]),
        }
    )


def order_to_trade(
    accepted: pa.Table, replaced: pa.Table, canceled: pa.Table, traded: pa.Table
) -> pa.Table:
    """Messages per trade, by account: new orders, changes and cancellations over own trades.

    The ratio of the order-to-trade rules (MiFID II, delegated regulation 2017/566, by number).
    Columns ``account_id, messages, trades, ratio``; the ratio is null without a trade.  Orders that
    a liquidation engine sent for an account are left out.
    """
    own = accepted.column("flags").to_numpy() & FLAG_LIQUIDATION == 0
    messages: dict[int, int] = {}
    for table in (accepted.filter(pa.array(own)), replaced, canceled):
        _count(messages, table.column("account_id"))
    trades: dict[int, int] = {}
    for who in ("maker", "taker"):
        _count(trades, traded.column(f"{who}_account_id"))
    ids = sorted({*messages, *trades})
    rows = [(account, messages.get(account, 0), trades.get(account, 0)) for account in ids]
    return pa.table(
        {
            "account_id": pa.array([row[0] for row in rows], pa.int64()),
            "messages": pa.array([row[1] for row in rows], pa.int64()),
            "trades": pa.array([row[2] for row in rows], pa.int64()),
            "ratio": pa.array([row[1] / row[2] if row[2] else None for row in rows], pa.float64()),
        }
    )


def _count(counts: dict[int, int], column: Any) -> None:
    for entry in column.value_counts().to_pylist():
        counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]


def fill_ratios(canceled: pa.Table, traded: pa.Table) -> pa.Table:
    """Share of the quantity that left the market by trading, by account and instrument.

    ``filled / (filled + cancelled)``, in base; what still rests counts as neither.  Columns
    ``account_id, instrument, filled, cancelled, ratio``.
    """
    sums: dict[tuple[int, str], list[float]] = {}
    for column, table, who in (
        (0, traded, "maker_account_id"),
        (0, traded, "taker_account_id"),
        (1, canceled, "account_id"),
    ):
        groups = table.group_by([who, "instrument"]).aggregate([("qty", "sum")])
        for row in groups.to_pylist():
            pair = sums.setdefault((row[who], row["instrument"]), [0.0, 0.0])
            pair[column] += row["qty_sum"]
    rows = [
        {
            "account_id": account, "instrument": instrument, "filled": filled,
            "cancelled": cancelled, "ratio": filled / (filled + cancelled),
        }
        for (account, instrument), (filled, cancelled) in sorted(sums.items())
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=_FILLS)


_FILLS = pa.schema(
    [
        ("account_id", pa.int64()), ("instrument", pa.string()), ("filled", pa.float64()),
        ("cancelled", pa.float64()), ("ratio", pa.float64()),
    ]
)  # fmt: skip
