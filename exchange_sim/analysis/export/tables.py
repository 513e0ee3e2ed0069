"""Any table of a run as Parquet, CSV or JSON lines, in human units or as stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from exchange_sim.analysis.export.common import whole_file

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

BOOK: Final = "book_1s"


def _parquet(table: pa.Table, sink: IO[bytes]) -> None:
    pq.write_table(table, sink, compression="zstd")


def _csv(table: pa.Table, sink: IO[bytes]) -> None:
    csv.write_csv(table, sink)


def _jsonl(table: pa.Table, sink: IO[bytes]) -> None:
    for batch in table.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            sink.write(json.dumps(row, default=str, allow_nan=False).encode() + b"\n")


FORMATS: Final[dict[str, Callable[[pa.Table, IO[bytes]], None]]] = {
    "parquet": _parquet,
    "csv": _csv,
    "jsonl": _jsonl,
}
"""Writers by the ending of their files."""


def table_names(run: RunData) -> list[str]:
    """Every table that has rows, and the book summary."""
    counts = run.manifest.counts
    return [*sorted(name for name, count in counts.items() if count), BOOK]


def write(
    run: RunData, folder: Path, names: list[str], ending: str, human: bool
) -> Iterator[tuple[Path, int]]:
    """One file per table; yields each path and its rows.

    Raises ``UsageError`` for an unknown table, ``RunCorrupt`` and ``StorageError``.
    """
    for name in names:
        stored = run.book if name == BOOK else run.table(name)
        table = run.view(name) if human else stored
        path = folder / f"{name}.{ending}"
        with whole_file(path) as sink:
            FORMATS[ending](table, sink)
        yield path, table.num_rows
