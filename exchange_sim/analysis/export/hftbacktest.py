"""hftbacktest's npz: one array ``data`` of events with exchange and local time.

Layout and flags: hftbacktest 2, ``types`` and "Data" in its documentation.  All rows carry both
flags (seen at the exchange, seen locally), because a constant feed delay never reorders them.  A
trade stands before the depth row that it causes; the book at the start is a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from exchange_sim.analysis.export.common import day_of, rows_of, whole_file
from exchange_sim.analysis.export.tardis import plain_symbol
from exchange_sim.model.enums import BUY, InstrumentKind

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

EVENT: Final = np.dtype(
    [
        ("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8"),
        ("order_id", "u8"), ("ival", "i8"), ("fval", "f8"),
    ],
    align=True,
)  # fmt: skip
DEPTH, TRADE, DEPTH_SNAPSHOT = 1, 2, 4
EXCH, LOCAL, BUYS, SELLS = 1 << 31, 1 << 30, 1 << 29, 1 << 28


def events(run: RunData, instrument: int, delay_ns: int) -> npt.NDArray[Any]:
    """The event array of one instrument."""
    deltas = run.book_of(instrument).deltas
    book = {name: deltas.column(name).to_numpy() for name in deltas.column_names}
    names = ("seq", "time_ns", "price", "qty", "aggressor")
    tape = rows_of(run, "traded", instrument, names)
    first = book["time_ns"] == book["time_ns"][:1] if len(book["seq"]) else np.zeros(0, bool)
    rows = np.zeros(len(book["seq"]) + len(tape["seq"]), EVENT)
    for part, col, code, side in (
        (slice(0, len(tape["seq"])), tape, TRADE, tape["aggressor"]),
        (slice(len(tape["seq"]), None), book, np.where(first, DEPTH_SNAPSHOT, DEPTH), book["side"]),
    ):
        out = rows[part]
        out["ev"] = code | EXCH | LOCAL | np.where(side == BUY, BUYS, SELLS)
        out["exch_ts"] = col["time_ns"]
        out["px"] = run.facts.prices(col["price"], instrument)
        out["qty"] = run.facts.quantities(col["qty"], instrument)
    rows["local_ts"] = rows["exch_ts"] + delay_ns
    # Trades come first in the array, so a stable sort keeps them before the depth they cause.
    ordered: npt.NDArray[Any] = rows[np.argsort(np.r_[tape["seq"], book["seq"]], kind="stable")]
    return ordered


def write(
    run: RunData, folder: Path, instruments: list[int], delay_ns: int
) -> Iterator[tuple[Path, int]]:
    """One file per instrument; yields each path and its rows.  Raises ``StorageError``."""
    for instrument in instruments:
        rows, row = events(run, instrument, delay_ns), run.instruments[instrument]
        kind = "" if row["kind"] == InstrumentKind.SPOT else "-PERP"
        name = f"{plain_symbol(row['symbol'])}{kind}_{day_of(run.manifest.start_ns)}.npz"
        path = folder / row["venue_name"] / name
        with whole_file(path) as sink:
            np.savez_compressed(sink, data=rows)
        yield path, len(rows)
