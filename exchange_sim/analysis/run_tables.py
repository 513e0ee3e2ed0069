"""Files of event tables: reading one, and whether it is what this version writes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exchange_sim.analysis.run_manifest import RunCorrupt
from exchange_sim.eventlog.schema import FORMAT_VERSION

_VERSION_KEY = b"exchange_sim.format_version"
_KIND_KEY = b"exchange_sim.kind"


def read_file(path: Path) -> pa.Table:
    """The whole table of a Parquet file.  Raises ``RunCorrupt`` when it is missing or damaged."""
    try:
        # Unlike read_table this imports no datasets, which take longer than the table.
        with pq.ParquetFile(path) as file:
            found: pa.Table = file.read()
    except FileNotFoundError:
        raise RunCorrupt(f"{path}: missing") from None
    except (pa.ArrowException, OSError) as cause:
        raise RunCorrupt(f"{path}: cannot be read as Parquet: {first_line(cause)}") from None
    return found


def check_schema(path: Path, found: pa.Schema, schema: pa.Schema | None, kind: str) -> None:
    """Raise ``RunCorrupt`` unless a table is one of ``kind`` of this version, column by column."""
    said = found.metadata or {}
    if said.get(_KIND_KEY) != kind.encode():
        raise RunCorrupt(f"{path}: is not a table of {kind}")
    if said.get(_VERSION_KEY) != str(FORMAT_VERSION).encode():
        version = said.get(_VERSION_KEY, b"?").decode(errors="replace")
        raise RunCorrupt(f"{path}: format {version}, this program reads {FORMAT_VERSION}")
    if schema is not None and not found.equals(schema):
        wrong = [
            f"no column {field.name} of type {field.type}"
            for field in schema
            if field.name not in found.names or found.field(field.name).type != field.type
        ]
        wrong += [f"unknown column {name}" for name in found.names if name not in schema.names]
        what = f" ({', '.join(wrong)})" if wrong else ""
        raise RunCorrupt(f"{path}: has other columns than this version's {kind}{what}")


def first_line(cause: Exception) -> str:
    """What an error says, without what follows it."""
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__
