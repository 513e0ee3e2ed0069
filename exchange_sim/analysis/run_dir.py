"""Opening a run directory: everything in it is checked before it is believed.

``open_run`` reads the manifest; tables are read when they are asked for.  A directory that is not a
run, was made by another format version, or holds a missing or damaged file raises ``RunCorrupt``,
whose message starts with the path.  With ``partial`` what can still be read is read, and
``RunData.losses`` says what could not be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from exchange_sim.analysis.columns import event_kind
from exchange_sim.analysis.notebook import InNotebooks
from exchange_sim.analysis.run_manifest import RunCorrupt, read_manifest
from exchange_sim.analysis.run_tables import check_schema, first_line, read_file
from exchange_sim.analysis.symbols import instrument_of
from exchange_sim.errors import UsageError
from exchange_sim.eventlog.book_summary import book_schema
from exchange_sim.eventlog.manifest import MANIFEST, Manifest, file_digests
from exchange_sim.eventlog.schema import (
    event_schema,
    table_name,
)
from exchange_sim.eventlog.tables import side_columns
from exchange_sim.messages.registry import Message

if TYPE_CHECKING:
    from exchange_sim.analysis.book_history import BookHistory
    from exchange_sim.analysis.facts import Facts
    from exchange_sim.analysis.tear_sheet import TearSheet
    from exchange_sim.world.config import WorldConfig

__all__ = ["RunCorrupt", "RunData", "event_kind", "journal_of", "open_run"]


class RunData(InNotebooks):
    """A finished run.  Tables are pyarrow tables, read once and kept.

    ``table`` has the stored integers, ``view`` what people read, ``batches`` streams; ``polars``
    and ``sql`` hand over to those tools.  ``losses`` is empty unless the run was opened partially.
    """

    def __init__(
        self, path: Path, manifest: Manifest, files: dict[str, str], partial: bool = False
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.files = files
        self.partial = partial
        self.losses: list[str] = []
        self.lost: set[str] = set()
        """Names of the tables of which rows are missing; known once they were asked for."""
        self._tables: dict[str, pa.Table] = {}
        self._books: dict[int, BookHistory] = {}
        self._database: Any = None

    @property
    def journal_path(self) -> Path:
        """Where the commands are."""
        return self.path / "journal.bin"

    @property
    def has_tables(self) -> bool:
        """Whether event tables were written at all."""
        return "events/_instruments.parquet" in self.files

    def table(self, kind: type[Message] | str) -> pa.Table:
        """The table of an event kind, given as class or table name; empty when none happened.

        Raises ``UsageError`` for an unknown name and ``RunCorrupt``.
        """
        cls = event_kind(kind)
        name = table_name(cls)
        if name not in self._tables:
            self._tables[name] = self._read_events(name, cls)
        return self._tables[name]

    def batches(
        self, kind: type[Message] | str, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Stream a table row group by row group, without keeping it.

        ``columns`` limits what is read.  Raises as ``table``.
        """
        cls = event_kind(kind)
        name = table_name(cls)
        path = self._events_path(name)
        if name in self._tables or self.partial or not path.exists():
            chosen = self.table(cls)
            yield from (chosen.select(columns) if columns else chosen).to_batches()
            return
        self.check_table(cls)
        try:
            yield from pq.ParquetFile(path).iter_batches(columns=columns)
        except (pa.ArrowException, OSError) as cause:
            raise RunCorrupt(f"{path}: cannot be read as Parquet: {first_line(cause)}") from None

    def check_table(self, kind: type[Message]) -> None:
        """Read the schema of an event table only.  Raises ``RunCorrupt`` when it is not ours."""
        path = self._events_path(table_name(kind))
        try:
            found = pq.read_schema(path)
        except (pa.ArrowException, OSError) as cause:
            raise RunCorrupt(f"{path}: cannot be read as Parquet: {first_line(cause)}") from None
        check_schema(path, found, event_schema(kind), kind.__name__)

    def view(self, kind: type[Message] | str) -> pa.Table:
        """The human view of an event table or of ``book_1s``: decimals, names, UTC timestamps.

        Raises as ``table``.
        """
        from exchange_sim.analysis.human import human_book, human_view

        if kind == "book_1s":
            return human_book(self.book, self.facts)
        cls = event_kind(kind)
        return human_view(cls, self.table(cls), self.facts)

    def polars(self, kind: type[Message] | str, human: bool = True) -> Any:
        """A table as a Polars data frame, human view or stored integers.

        Raises ``UsageError`` when Polars is not installed, and as ``table``.
        """
        from exchange_sim.analysis.foreign import to_polars

        if human:
            return to_polars(self.view(kind))
        return to_polars(self.book if kind == "book_1s" else self.table(kind))

    def sql(self, query: str, **tables: Any) -> Any:
        """Ask DuckDB: every table by its name as the human view, in ``raw.`` with integers.

        ``tables`` are further Arrow tables or data frames by name.  Returns a DuckDB relation
        (``fetchall``, ``to_arrow_table``, ``pl``, ``df``).  Raises ``UsageError`` when DuckDB is
        not installed or does not accept the query.
        """
        from exchange_sim.analysis.foreign import Database

        if self._database is None:
            self._database = Database(self)
        return self._database.query(query, tables)

    def book_of(self, instrument: str | int) -> BookHistory:
        """Every state of one book (L1, L2, L3), given by symbol or id.

        Raises ``UsageError`` for an unknown instrument and ``RunCorrupt``.
        """
        from exchange_sim.analysis.book_history import history_of

        at = self.instrument_id(instrument)
        if at not in self._books:
            self._books[at] = history_of(self, at)
        return self._books[at]

    def tear_sheet(self, strategy: str) -> TearSheet:
        """Profit by source, orders, quoting, margin and comparison of one strategy.

        Raises ``UsageError`` for an unknown strategy and ``RunCorrupt``.
        """
        from exchange_sim.analysis.tear_sheet import tear_sheet

        return tear_sheet(self, strategy)

    def instrument_id(self, instrument: str | int) -> int:
        """Id of an instrument given by symbol, with its venue or, where it is unique, without.

        Raises ``UsageError``.
        """
        symbols = [row["symbol"] for row in self.instruments]
        if isinstance(instrument, str):
            return instrument_of(symbols, instrument)
        if not 0 <= instrument < len(symbols):
            raise UsageError(f"there is no instrument {instrument}; there are {len(symbols)}")
        return instrument

    def instant(self, when: str | int) -> int:
        """Nanoseconds of an instant: as they are, a UTC time, a time of day, or a duration
        from the start.

        Raises ``UsageError`` for a text that is none of them.
        """
        from exchange_sim.scenario.until import parse_instant

        if isinstance(when, int):
            return when
        try:
            return parse_instant(self.manifest.start_ns, when.strip())
        except ValueError:
            message = f"{when!r} is neither a UTC time nor a duration such as 10m"
            raise UsageError(message) from None

    @cached_property
    def world_config(self) -> WorldConfig:
        """What the world was made of, from the journal's header.

        Raises ``JournalCorrupt`` when the header holds no usable scenario.
        """
        from exchange_sim.journal.reader import JournalReader
        from exchange_sim.scenario.scenario import Scenario
        from exchange_sim.scenario.world_config import world_config

        with JournalReader(self.journal_path) as reader:
            return world_config(Scenario.from_json(reader.header.scenario_text))

    @cached_property
    def facts(self) -> Facts:
        """Ticks, lots, scales and names by id, as arrays."""
        from exchange_sim.analysis.facts import facts_of

        return facts_of(self)

    @cached_property
    def book(self) -> pa.Table:
        """``book_1s.parquet``: touch and depth every second."""
        try:
            return self._read(self.path / "book_1s.parquet", book_schema(), "BookSummary")
        except RunCorrupt as damage:
            if not self.partial:
                raise
            self.losses.append(str(damage))
            self.lost.add("book_1s")
            return book_schema().empty_table()

    @cached_property
    def instruments(self) -> list[dict[str, Any]]:
        """Rows of the instrument table; position is id."""
        return self._side("_instruments", "instrument")

    @cached_property
    def assets(self) -> list[dict[str, Any]]:
        """Rows of the asset table; position is id."""
        return self._side("_assets", "asset")

    @cached_property
    def accounts(self) -> list[dict[str, Any]]:
        """Rows of the account table, system accounts first; position is id."""
        found: list[dict[str, Any]] = self.account_table.to_pylist()
        return found

    @cached_property
    def account_table(self) -> pa.Table:
        """``accounts`` as columns: a crash has 20,000 of them, and most ask for a column only."""
        return self._side_table("_accounts", "account")

    @cached_property
    def series(self) -> list[dict[str, Any]]:
        """Rows of the table of recorded series, position is id; empty when there are none."""
        if "events/_series.parquet" not in self.files:
            return []
        return self._side("_series", "series")

    @cached_property
    def chain(self) -> list[dict[str, Any]]:
        """What is on the chain: ``kind, id, name, account, assets``; empty without one."""
        if "events/_chain.parquet" not in self.files:
            return []
        rows: list[dict[str, Any]] = self._read_side("_chain").to_pylist()
        return rows

    @cached_property
    def balances(self) -> pa.Table:
        """Final balances and loans: ``ledger_account, asset, amount, loan``."""
        return self._final("_balances")

    @cached_property
    def positions(self) -> pa.Table:
        """Positions left open: ``account, instrument, qty, entry_notional, mark``."""
        return self._final("_positions")

    def _final(self, name: str) -> pa.Table:
        try:
            return self._read_side(name)
        except RunCorrupt as damage:
            if not self.partial:
                raise
            self.losses.append(str(damage))
            self.lost.add(name)
            return pa.schema(side_columns(name)).empty_table()

    def damaged_files(self) -> list[str]:
        """A sentence for every file that is missing, added or not as it was written."""
        found = file_digests(self.path)
        problems = [f"{self.path / name}: missing" for name in self.files if name not in found]
        problems += [
            f"{self.path / name}: not part of the run" for name in found.keys() - self.files
        ]
        problems += [
            f"{self.path / name}: damaged (its digest is not the recorded one)"
            for name, digest in self.files.items()
            if found.get(name, digest) != digest
        ]
        return sorted(problems)

    def _events_path(self, name: str) -> Path:
        return self.path / "events" / f"{name}.parquet"

    def _read_events(self, name: str, cls: type[Message]) -> pa.Table:
        if not self.has_tables:
            raise RunCorrupt(f"{self.path}: the run was written without event tables")
        expected = self.manifest.counts.get(name, 0)
        path = self._events_path(name)
        if not expected and not path.exists():
            return event_schema(cls).empty_table()
        try:
            table = self._read(path, event_schema(cls), cls.__name__)
        except RunCorrupt as damage:
            if not self.partial:
                raise
            self.losses.append(f"{damage}; {expected:,} rows are lost")
            self.lost.add(name)
            return event_schema(cls).empty_table()
        if table.num_rows != expected:
            found = f"{path}: holds {table.num_rows} rows, the manifest says {expected}"
            if not self.partial:
                raise RunCorrupt(found)
            self.losses.append(found)
            self.lost.add(name)
        return table

    def _side(self, name: str, key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._side_table(name, key).to_pylist()
        return rows

    def _side_table(self, name: str, key: str) -> pa.Table:
        table = self._read_side(name)
        if not np.array_equal(table.column(key).to_numpy(), np.arange(table.num_rows)):
            raise RunCorrupt(f"{self._events_path(name)}: {key} does not count from 0")
        return table

    def _read_side(self, name: str) -> pa.Table:
        path = self._events_path(name)
        table = self._read(path, None, name)
        for column, column_type in side_columns(name).items():
            if column not in table.schema.names or table.schema.field(column).type != column_type:
                raise RunCorrupt(f"{path}: no column {column} of type {column_type}")
        return table

    def _read(self, path: Path, schema: pa.Schema | None, kind: str) -> pa.Table:
        table = read_file(path)
        if self.partial and schema is not None:
            table = self._known_columns(path, table, schema)
        check_schema(path, table.schema, schema, kind)
        return table

    def _known_columns(self, path: Path, table: pa.Table, schema: pa.Schema) -> pa.Table:
        """The columns of this version, if all are there; what else there is counts as lost."""
        unknown = [name for name in table.schema.names if name not in schema.names]
        if not unknown or any(name not in table.schema.names for name in schema.names):
            return table
        self.losses.append(f"{path}: unknown columns left out: {', '.join(unknown)}")
        return table.select(schema.names)


def open_run(path: Path | str, partial: bool = False) -> RunData:
    """Open the run in directory ``path``.

    ``partial`` reads a run with damaged, missing or foreign tables as far as it goes: such a table
    is empty and ``RunData.losses`` says so.

    Raises ``UsageError`` when there is no such directory, ``RunCorrupt`` when it is no finished run
    of this version, and ``StorageError`` when it cannot be read.
    """
    directory = Path(path)
    if not directory.is_dir():
        raise UsageError(f"{directory}: there is no such run directory")
    manifest_path = directory / MANIFEST
    if not manifest_path.exists():
        if (directory / "journal.bin").exists():
            what = (
                "the run was not finished; its journal can still be verified and replayed, and"
                " run --resume finishes it"
            )
        else:
            what = f"this is not a run directory ({MANIFEST} is missing)"
        raise RunCorrupt(f"{directory}: {what}")
    manifest, files = read_manifest(manifest_path)
    return RunData(directory, manifest, files, partial)


def journal_of(path: Path | str) -> Path:
    """The journal of a run, finished or not; also takes the journal itself.

    Raises ``UsageError`` when there is none.
    """
    given = Path(path)
    found = given / "journal.bin" if given.is_dir() else given
    if not found.is_file():
        raise UsageError(f"{given}: there is no journal here")
    return found
