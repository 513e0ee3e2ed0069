"""``book_1s.parquet``: touch and depth of every book, every second of simulated time.

Depth is what rests within 0.1, 1, 2 and 5 % of the mid on each side, in the quote asset's smallest
units.  When one side is empty its columns are 0, there is no mid, and the other side's depth is
measured from its own best price.

Simplifications: whole levels count, up to the first one beyond the distance; hidden quantity counts
only if the caller passes it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from operator import mul
from pathlib import Path
from typing import Final

import pyarrow as pa

from exchange_sim.errors import StorageError
from exchange_sim.eventlog.schema import table_metadata
from exchange_sim.eventlog.tables import OpenSink, TableFile, open_sink
from exchange_sim.limits import ROW_GROUP_ROWS

DISTANCES_PPM: Final = (1_000, 10_000, 20_000, 50_000)
"""Distances from the mid at which depth is summed, in parts per million."""

DEPTH_COLUMNS: Final = tuple(
    f"{side}_depth_{distance // 100}bp" for side in ("bid", "ask") for distance in DISTANCES_PPM
)
"""``bid_depth_10bp`` ... ``ask_depth_500bp``, in the order of a row."""

Levels = Sequence[tuple[int, int]]
Row = tuple[int, ...]

_COLUMNS: Final = ("time_ns", "instrument", "bid", "ask", "spread", *DEPTH_COLUMNS)
_UNITS: Final = {
    "time_ns": "Nanos",
    "instrument": "InstrumentId",
    "bid": "Ticks",
    "ask": "Ticks",
    "mid": "Ticks",
    "spread": "Ticks",
}


def book_schema() -> pa.Schema:
    """Schema of ``book_1s.parquet``; ``mid`` is in ticks and may be half a tick."""
    fields = []
    for name in ("time_ns", "instrument", "bid", "ask", "mid", *_COLUMNS[4:]):
        types = {"instrument": pa.int32(), "mid": pa.float64()}
        metadata = {"unit": _UNITS.get(name, "Amount")}
        fields.append(
            pa.field(name, types.get(name, pa.int64()), nullable=False, metadata=metadata)
        )
    return pa.schema(fields, metadata=table_metadata("BookSummary"))


class BookSummary:
    """Writes the table.  ``unit_values[instrument]`` is quote units per tick times lot, or minus
    those of one lot when they do not depend on the price.
    """

    def __init__(
        self, directory: Path, unit_values: Sequence[int], open_file: OpenSink = open_sink
    ) -> None:
        """``directory`` is the run directory.  Raises ``StorageError``."""
        self._unit_values = unit_values
        self._rows: list[Row] = []
        self._last: dict[int, Row] = {}
        self._schema = book_schema()
        self._file: TableFile | None = TableFile(
            directory / "book_1s.parquet", self._schema, open_file
        )

    def sample(
        self,
        time_ns: int,
        instrument_id: int,
        best_bid: int,
        best_ask: int,
        bid_levels: Levels,
        ask_levels: Levels,
    ) -> None:
        """Add one row.

        ``best_bid`` and ``best_ask`` are ticks, 0 when the side is empty; levels are (price,
        quantity) with the best price first and need not reach further than 5 % from the mid.
        Raises ``StorageError``.
        """
        bids, asks = bid_levels[::-1], ask_levels[::-1]
        self.sample_columns(
            time_ns,
            instrument_id,
            best_bid,
            best_ask,
            [price for price, _ in bids],
            [lots for _, lots in bids],
            [-price for price, _ in asks],
            [lots for _, lots in asks],
        )

    def sample_columns(
        self,
        time_ns: int,
        instrument_id: int,
        best_bid: int,
        best_ask: int,
        bid_keys: Sequence[int],
        bid_lots: Sequence[int],
        ask_keys: Sequence[int],
        ask_lots: Sequence[int],
    ) -> None:
        """As ``sample``, from a book's own columns.

        Keys are prices (of asks: minus the price), ascending, the best one last.  O(log(levels) +
        levels within 5 %), 50 ns a level: half the time of what pairs of both would take.
        """
        unit, fixed = abs(self._unit_values[instrument_id]), self._unit_values[instrument_id] < 0
        both = bool(best_bid and best_ask)
        twice_mid = best_bid + best_ask if both else 2 * (best_bid or best_ask)
        row = (
            time_ns,
            instrument_id,
            best_bid,
            best_ask,
            best_ask - best_bid if both else 0,
            *_depths(bid_keys, bid_lots, twice_mid, -1, unit, fixed),
            *_depths(ask_keys, ask_lots, twice_mid, 1, -unit, fixed),
        )
        self._last[instrument_id] = row
        self._add(row)

    def repeat(self, time_ns: int, instrument_id: int) -> None:
        """Add the instrument's last row again, for a book that has not changed since."""
        self._add((time_ns, *self._last[instrument_id][1:]))

    def close(self) -> None:
        """Write the rest and give the file its name.  Raises ``StorageError``."""
        if self._file is not None:
            try:
                self._flush(self._file)
                self._file.close()
            except StorageError:
                self._file.discard()
                raise
            finally:
                self._file = None

    def abort(self) -> None:
        """Close after an error: keep the table when it can be finished, else remove it.

        Never raises.
        """
        with suppress(StorageError):
            self.close()

    def _add(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= ROW_GROUP_ROWS and self._file is not None:
            self._flush(self._file)

    def _flush(self, file: TableFile) -> None:
        if not self._rows:
            return
        columns: dict[str, Sequence[float]] = dict(
            zip(_COLUMNS, zip(*self._rows, strict=True), strict=True)
        )
        columns["mid"] = [
            (bid + ask) / 2 if bid and ask else 0.0
            for bid, ask in zip(columns["bid"], columns["ask"], strict=True)
        ]
        self._rows.clear()
        file.write(pa.table(columns, schema=self._schema))


def _depths(
    keys: Sequence[int], lots: Sequence[int], twice_mid: int, away: int, unit: int, fixed: bool
) -> tuple[int, int, int, int]:
    """Quote value up to each distance; ``away`` is the sign of prices that leave the mid.

    ``unit`` has the sign of the keys; with ``fixed`` a lot has that value at any price.
    """
    if not keys:
        return 0, 0, 0, 0
    # a bid counts from the rounded-up limit, an ask up to the rounded-down one: the same for keys
    near, one, two, far = [
        bisect_left(keys, -(twice_mid * (ppm + away * 1_000_000) // 2_000_000))
        for ppm in DISTANCES_PPM
    ]
    values = [-away * x for x in lots[far:]] if fixed else list(map(mul, keys[far:], lots[far:]))
    inner = sum(values[near - far :])
    first = inner + sum(values[one - far : near - far])
    second = first + sum(values[two - far : one - far])
    whole = second + sum(values[: two - far])
    return inner * unit, first * unit, second * unit, whole * unit
