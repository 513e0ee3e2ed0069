"""Parquet files that appear under their name only when they are whole.

A table grows in ``<name>.parquet.part`` and is renamed when it is closed, because a Parquet file
without its footer cannot be read.  Integer columns are delta encoded: measured on order events a
row takes 180 instead of 330 ns, and 11 instead of 14 bytes, than with zstd alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from exchange_sim.errors import StorageError
from exchange_sim.eventlog.schema import table_metadata
from exchange_sim.journal.storage import storage_error
from exchange_sim.limits import ROW_GROUP_ROWS

OpenSink = Callable[[Path], Any]
"""Opens a file for a table; the tests replace it to inject faults."""


def open_sink(path: Path) -> Any:
    """The real file."""
    return pa.OSFile(str(path), "wb")


class TableFile:
    """One Parquet file in the making.  Every method raises ``StorageError`` when the disk fails."""

    def __init__(self, path: Path, schema: pa.Schema, open_file: OpenSink = open_sink) -> None:
        self.path = path
        self._failure: StorageError | None = None
        self._part = path.with_name(path.name + ".part")
        integers = [field.name for field in schema if pa.types.is_integer(field.type)]
        try:
            self._sink = open_file(self._part)
        except OSError as cause:
            raise storage_error(path, "create", cause) from cause
        try:
            self._writer = pq.ParquetWriter(
                self._sink,
                schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=[field.name for field in schema if field.name not in integers],
                column_encoding=dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
            )
        except OSError as cause:
            self._give_up(self._sink.close, self._part.unlink)
            raise storage_error(path, "create", cause) from cause

    def write(self, table: pa.Table) -> None:
        """Append a row group."""
        try:
            self._writer.write_table(table, row_group_size=max(ROW_GROUP_ROWS, table.num_rows))
        except OSError as cause:
            self._failure = storage_error(self.path, "write", cause)
            raise self._failure from cause

    def close(self) -> None:
        """Finish the file and give it its name; a file that failed before is not finished."""
        if self._failure is not None:
            raise self._failure
        try:
            self._writer.close()
            self._sink.close()
            self._part.replace(self.path)
        except OSError as cause:
            self._failure = storage_error(self.path, "write", cause)
            raise self._failure from cause

    def discard(self) -> None:
        """Give up: remove what was written.  Never raises."""
        self._give_up(self._writer.close, self._sink.close, self._part.unlink)

    @staticmethod
    def _give_up(*steps: Callable[[], object]) -> None:
        for step in steps:
            with suppress(OSError, ValueError):
                step()


def write_table(path: Path, table: pa.Table, open_file: OpenSink = open_sink) -> None:
    """Write a whole table at once.  Raises ``StorageError``."""
    file = TableFile(path, table.schema, open_file)
    try:
        file.write(table)
        file.close()
    except StorageError:
        file.discard()
        raise


_SIDE_COLUMNS: Final[dict[str, dict[str, pa.DataType]]] = {
    "_assets": {"asset": pa.int32(), "symbol": pa.string(), "decimals": pa.int32()},
    "_instruments": {
        "instrument": pa.int32(),
        "symbol": pa.string(),
        "venue": pa.int32(),
        "venue_name": pa.string(),
        "kind": pa.int8(),
        "base_asset": pa.int32(),
        "quote_asset": pa.int32(),
        "tick_size": pa.string(),
        "lot_size": pa.string(),
        "clearing_account": pa.int32(),
        "fee_account": pa.int32(),
    },
    "_accounts": {
        "account": pa.int32(),
        "venue": pa.int32(),
        "venue_name": pa.string(),
        "owner": pa.string(),
        "population": pa.string(),
        "unified": pa.int8(),
        "notable": pa.int8(),
    },
    "_balances": {
        "ledger_account": pa.int32(),
        "asset": pa.int32(),
        "amount": pa.int64(),
        "loan": pa.int64(),
    },
    "_chain": {
        "kind": pa.string(),
        "id": pa.int32(),
        "name": pa.string(),
        "account": pa.int32(),
        "assets": pa.string(),
    },
    "_series": {"series": pa.int32(), "strategy": pa.string(), "name": pa.string()},
    "_positions": {
        "account": pa.int32(),
        "instrument": pa.int32(),
        "qty": pa.int64(),
        "entry_notional": pa.int64(),
        "mark": pa.int64(),
    },
}


def side_columns(name: str) -> dict[str, pa.DataType]:
    """The columns that a side table must have, in order; more may follow them."""
    return _SIDE_COLUMNS[name]


def _write_side(directory: Path, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    found = list(rows)
    required = _SIDE_COLUMNS[name]
    extra = [key for key in (found[0] if found else {}) if key not in required]
    columns: dict[str, pa.Array] = {}
    for key, column_type in [*required.items(), *((key, None) for key in extra)]:
        missing = next((index for index, row in enumerate(found) if key not in row), None)
        if missing is not None:
            raise ValueError(f"row {missing} of {name} has no {key}")
        columns[key] = pa.array([row[key] for row in found], type=column_type)
    table = pa.table(columns).replace_schema_metadata(table_metadata(name))
    write_table(_events_directory(directory) / f"{name}.parquet", table)


def _events_directory(directory: Path) -> Path:
    target = directory / "events"
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise storage_error(target, "create", cause) from cause
    return target


def write_instruments(directory: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write ``events/_instruments.parquet`` of the run in ``directory``.

    Columns: see ``side_columns("_instruments")``.  ``kind`` is an ``InstrumentKind``; ``tick_size``
    and ``lot_size`` are decimal text (quote per base, and base); ``clearing_account`` is -1 for
    spot.  Raises ``ValueError`` for a missing column and ``StorageError``.
    """
    _write_side(directory, "_instruments", rows)


def write_assets(directory: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write ``events/_assets.parquet``: id, symbol, decimals.  Raises as ``write_instruments``."""
    _write_side(directory, "_assets", rows)


def write_series(directory: Path, series: Mapping[tuple[str, str], int]) -> None:
    """Write ``events/_series.parquet``: what strategies recorded values of, if anything.

    ``series`` are numbers by strategy and name, in their order.  Raises as ``write_instruments``.
    """
    rows = [
        {"series": number, "strategy": strategy, "name": name}
        for (strategy, name), number in series.items()
    ]
    if rows:
        _write_side(directory, "_series", rows)


def write_chain(directory: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write ``events/_chain.parquet``: what the ids of pools, markets, AMMs and oracles stand for.

    ``kind`` is one of these words in the singular, ``account`` the ledger account (-1: none),
    ``assets`` the symbols of its assets, separated by blanks.  Nothing is written without rows.
    Raises as ``write_instruments``.
    """
    found = list(rows)
    if found:
        _write_side(directory, "_chain", found)


def write_accounts(directory: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write ``events/_accounts.parquet``: who owns each ledger account, system accounts included.

    ``owner`` is a name such as ``mm-1`` or ``system/insurance``; ``population`` the group it
    belongs to.  Raises as ``write_instruments``.
    """
    _write_side(directory, "_accounts", rows)


def write_balances(directory: Path, rows: Sequence[tuple[int, int, int, int]]) -> None:
    """Write ``events/_balances.parquet``: final (ledger account, asset, amount, loan) rows.

    Pairs whose amount and loan are both zero may be left out.  Raises ``StorageError``.
    """
    names = list(_SIDE_COLUMNS["_balances"])
    _write_side(directory, "_balances", (dict(zip(names, row, strict=True)) for row in rows))


def write_positions(directory: Path, rows: Sequence[tuple[int, int, int, int, int]]) -> None:
    """Write ``events/_positions.parquet``: what is still open at the end.

    Rows are (account, instrument, signed lots, signed entry notional in quote units, mark in
    micro-ticks).  Raises ``StorageError``.
    """
    names = list(_SIDE_COLUMNS["_positions"])
    _write_side(directory, "_positions", (dict(zip(names, row, strict=True)) for row in rows))
