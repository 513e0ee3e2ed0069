"""Tardis.dev CSV: the books, trades, liquidations and tickers of a run.

One gzip file per kind, UTC day and instrument, ``VENUE/EXCHANGE_KIND_DAY_SYMBOL.csv.gz``, with the
columns of docs.tardis.dev ("Downloadable CSV files"), no more and no fewer: their readers take the
header strictly.  Times are microseconds, cut; ``local_timestamp`` is the venue's time plus the
feed delay.

Simplifications: changes of a level within one microsecond are one row, the last.  ``exchange`` is
the name of the exchange that plays the venue's part (readers accept only names they know).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pyarrow as pa
from pyarrow import csv

from exchange_sim.analysis.export.common import (
    Ints,
    days,
    decimal_texts,
    price_texts,
    qty_texts,
    rows_of,
    whole_file,
)
from exchange_sim.analysis.export.snapshots import snapshot_rows
from exchange_sim.errors import UsageError
from exchange_sim.journal.reader import JournalReader
from exchange_sim.model.enums import BUY, FLAG_LIQUIDATION, InstrumentKind
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.world_config import world_config
from exchange_sim.units import PPM

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

_US: Final = 1_000
EXCHANGES: Final = {
    "SPOT": "binance",
    "PERPETUAL": "binance-futures",
    "INVERSE_PERPETUAL": "binance-delivery",
}
"""Tardis's names of the exchange whose part the leading venue plays, by kind of instrument."""


@attrs.frozen(kw_only=True)
class Feed:
    """How rows are stamped: ``delay_ns`` from the venue to the recorder; ``exchange`` by kind.

    ``depth_every_ns``: least time between two rows of a snapshot file; 0 means every change.
    """

    exchange: str = ""
    delay_ns: int = 0
    depth_every_ns: int = 0


Table = tuple[Ints, list[str], list[Any]]
"""Times in ns, the names of the columns after the four common ones, and those columns."""


def book_changes(run: RunData, instrument: int, feed: Feed) -> Table:
    """``incremental_book_L2``: the first message is a snapshot; amounts are absolute, 0 deletes."""
    del feed
    deltas = run.book_of(instrument).deltas
    col = {name: deltas.column(name).to_numpy() for name in deltas.column_names}
    stamp = col["time_ns"] // _US
    # The last change of a level within a microsecond: rows are in the order of happening.
    order = np.lexsort((np.arange(len(stamp)), col["price"], col["side"], stamp))
    keys = (stamp[order], col["side"][order], col["price"][order])
    last = np.r_[np.any([k[1:] != k[:-1] for k in keys], axis=0), True][: len(order)]
    kept = _changed(np.sort(order[last]), col)
    time_ns = col["time_ns"][kept]
    first = stamp[kept] == stamp[kept][:1] if len(kept) else np.zeros(0, bool)
    columns = [
        pa.array(np.where(first, "true", "false"), pa.string()),
        pa.array(np.where(col["side"][kept] == BUY, "bid", "ask"), pa.string()),
        price_texts(run, instrument, col["price"][kept]),
        qty_texts(run, instrument, col["qty"][kept]),
    ]
    return time_ns, ["is_snapshot", "side", "price", "amount"], columns


def _changed(rows: Ints, col: dict[str, Ints]) -> Ints:
    """Those rows whose level is not what it was: it may come and go within a microsecond."""
    order = rows[np.lexsort((rows, col["price"][rows], col["side"][rows]))]
    same = (col["side"][order][1:] == col["side"][order][:-1]) & (
        col["price"][order][1:] == col["price"][order][:-1]
    )
    before = np.where(
        np.r_[False, same][: len(order)], np.r_[0, col["qty"][order]][: len(order)], 0
    )
    return np.sort(order[col["qty"][order] != before])


def _fills(run: RunData, instrument: int, forced: bool) -> Table:
    names = ("time_ns", "trade_id", "price", "qty", "aggressor", "taker_flags")
    col = rows_of(run, "traded", instrument, names)
    if forced:
        hit = (col["taker_flags"] & FLAG_LIQUIDATION) != 0
        col = {name: values[hit] for name, values in col.items()}
    columns = [
        pa.array([str(number) for number in col["trade_id"].tolist()], pa.string()),
        pa.array(np.where(col["aggressor"] == BUY, "buy", "sell"), pa.string()),
        price_texts(run, instrument, col["price"]),
        qty_texts(run, instrument, col["qty"]),
    ]
    return col["time_ns"], ["id", "side", "price", "amount"], columns


def trades(run: RunData, instrument: int, feed: Feed) -> Table:
    """``trades``: ``side`` is the aggressor's."""
    del feed
    return _fills(run, instrument, forced=False)


def liquidations(run: RunData, instrument: int, feed: Feed) -> Table:
    """``liquidations``: every forced fill; ``sell`` means that a long was liquidated."""
    del feed
    return _fills(run, instrument, forced=True)


def quotes(run: RunData, instrument: int, feed: Feed) -> Table:
    """``quotes``: the touch at every change of it; empty cells where a side is empty."""
    del feed
    touches = run.book_of(instrument).touches
    col = {name: touches.column(name).to_numpy() for name in touches.column_names}

    def cell(texts: pa.Array, side: str) -> pa.Array:
        return _blank(texts, col[side] == 0)

    columns = [
        cell(qty_texts(run, instrument, col["ask_qty"]), "ask"),
        cell(price_texts(run, instrument, col["ask"]), "ask"),
        cell(price_texts(run, instrument, col["bid"]), "bid"),
        cell(qty_texts(run, instrument, col["bid_qty"]), "bid"),
    ]
    return col["time_ns"], ["ask_amount", "ask_price", "bid_price", "bid_amount"], columns


def _blank(texts: pa.Array, where: Any) -> pa.Array:
    empty = pa.array([""] * len(texts), pa.string())
    return pa.compute.if_else(pa.array(where), empty, texts)


def snapshots(depth: int) -> Callable[[RunData, int, Feed], Table]:
    """``book_snapshot_5`` or ``_25``: the best levels whenever one of them changed."""

    def make(run: RunData, instrument: int, feed: Feed) -> Table:
        times, levels = snapshot_rows(run.book_of(instrument), depth, feed.depth_every_ns)
        names, columns = [], []
        for level in range(depth):
            for side in ("asks", "bids"):
                ticks, lots = levels[side][0][:, level], levels[side][1][:, level]
                for what, texts in (
                    ("price", price_texts(run, instrument, ticks)),
                    ("amount", qty_texts(run, instrument, lots)),
                ):
                    names.append(f"{side}[{level}].{what}")
                    columns.append(_blank(texts, lots == 0))
        return times, names, columns

    return make


def ticker(run: RunData, instrument: int, feed: Feed) -> Table:
    """``derivative_ticker``: marks, index, open interest, and the funding rate settled last.

    The rate is 0 until one has been settled; ``predicted_funding_rate`` stays empty: the venue
    publishes no prediction.
    """
    del feed
    names = ("time_ns", "mark", "index", "last", "open_interest")
    col = rows_of(run, "mark_price_updated", instrument, names)
    paid = rows_of(run, "funding_rate_set", instrument, ("time_ns", "rate_ppb"))
    count = len(col["time_ns"])
    at = np.searchsorted(paid["time_ns"], col["time_ns"], side="right") - 1
    rates = np.r_[paid["rate_ppb"], 0][at]
    empty = pa.array([""] * count, pa.string())
    interval = funding_interval_ns(run, instrument)
    following = empty
    if interval:
        following = pa.array((col["time_ns"] // interval + 1) * interval // _US).cast(pa.string())
    up, down = int(run.facts.tick_up[instrument]), int(run.facts.tick_down[instrument])
    columns = [
        following,
        decimal_texts(rates, 1, 10**9),
        empty,
        qty_texts(run, instrument, col["open_interest"]),
        price_texts(run, instrument, col["last"]),
        decimal_texts(col["index"], up, down * PPM),
        decimal_texts(col["mark"], up, down * PPM),
    ]
    head = ["funding_timestamp", "funding_rate", "predicted_funding_rate", "open_interest"]
    return col["time_ns"], [*head, "last_price", "index_price", "mark_price"], columns


def funding_interval_ns(run: RunData, instrument: int) -> int:
    """How often the venue settles funding; 0 when the run does not say."""
    if not run.journal_path.is_file():
        return 0
    reader = JournalReader(run.journal_path)
    reader.close()
    config = world_config(Scenario.from_json(reader.header.scenario_text))
    venue: int = run.instruments[instrument]["venue"]
    return config.venues[venue].funding_interval_ns


KINDS: Final[dict[str, Callable[[RunData, int, Feed], Table]]] = {
    "incremental_book_L2": book_changes,
    "trades": trades,
    "liquidations": liquidations,
    "quotes": quotes,
    "book_snapshot_5": snapshots(5),
    "book_snapshot_25": snapshots(25),
    "derivative_ticker": ticker,
}
"""Data types by Tardis's name."""

DERIVATIVES_ONLY: Final = ("derivative_ticker", "liquidations")


def write(
    run: RunData, folder: Path, instruments: list[int], kinds: list[str], feed: Feed
) -> Iterator[tuple[Path, int]]:
    """Write the files; yields each path and its rows.  Raises ``UsageError``, ``StorageError``."""
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"Tardis has no data type {kind!r} here; there are {', '.join(KINDS)}")
    for instrument in instruments:
        row = run.instruments[instrument]
        for kind in kinds:
            if kind in DERIVATIVES_ONLY and row["kind"] == InstrumentKind.SPOT:
                continue
            times, names, columns = KINDS[kind](run, instrument, feed)
            yield from _write_days(folder, kind, row, feed, times, names, columns)


def _write_days(
    folder: Path,
    kind: str,
    row: dict[str, Any],
    feed: Feed,
    times: Ints,
    names: list[str],
    columns: list[Any],
) -> Iterator[tuple[Path, int]]:
    exchange = feed.exchange or EXCHANGES[InstrumentKind(row["kind"]).name]
    symbol = plain_symbol(row["symbol"])
    for day, rows in days(times):
        count = rows.stop - rows.start
        stamp = times[rows] // _US
        table = pa.table(
            [
                pa.array([exchange] * count, pa.string()),
                pa.array([symbol] * count, pa.string()),
                pa.array(stamp),
                pa.array((times[rows] + feed.delay_ns) // _US),
                *(column[rows.start : rows.stop] for column in columns),
            ],
            names=["exchange", "symbol", "timestamp", "local_timestamp", *names],
        )
        path = folder / row["venue_name"] / f"{exchange}_{kind}_{day}_{symbol}.csv.gz"
        with whole_file(path) as sink:
            # Arrow quotes every name of a header; Tardis's files have none.
            sink.write((",".join(table.column_names) + "\n").encode())
            options = csv.WriteOptions(include_header=False, quoting_style="none")
            csv.write_csv(table, sink, options)
        yield path, count


def plain_symbol(symbol: str) -> str:
    """``leading:BTCUSDT-PERP`` as the exchange writes it: ``BTCUSDT``."""
    return symbol.rpartition(":")[2].removesuffix("-PERP").upper()
