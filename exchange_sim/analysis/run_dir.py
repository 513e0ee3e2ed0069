"""Opening a run directory: everything in it is checked before it is believed.

``open_run`` reads the manifest; tables are read when they are asked for.  A directory that is not a
run, was made by another format version, or holds a missing or damaged file raises ``RunCorrupt``,
whose message starts with the path.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
import cattrs
import pyarrow as pa
import pyarrow.parquet as pq

from exchange_sim.errors import JournalCorrupt, UsageError
from exchange_sim.eventlog.book_summary import book_schema
from exchange_sim.eventlog.manifest import MANIFEST, Manifest, file_digests
from exchange_sim.eventlog.schema import (
    FORMAT_VERSION,
    event_schema,
    kind_of_table,
    table_name,
)
from exchange_sim.eventlog.tables import side_columns
from exchange_sim.journal.storage import storage_error
from exchange_sim.messages.registry import Message

MANIFEST_BYTES_MAX = 16 * 1024 * 1024
"""A manifest is a few kilobytes; more is not one."""

_VERSION_KEY = b"exchange_sim.format_version"
_KIND_KEY = b"exchange_sim.kind"


@attrs.define(eq=False)
class RunCorrupt(JournalCorrupt):
    """A run directory that cannot be used; ``message`` names the file and what is wrong with it."""

    def __str__(self) -> str:
        return self.message


class RunData:
    """A finished run.  Tables are pyarrow tables, read once and kept."""

    def __init__(self, path: Path, manifest: Manifest, files: dict[str, str]) -> None:
        self.path = path
        self.manifest = manifest
        self.files = files
        self._tables: dict[str, pa.Table] = {}

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
        name = kind if isinstance(kind, str) else table_name(kind)
        cls = kind_of_table(name)
        if cls is None:
            raise UsageError(f"there is no event table {name!r}")
        if name not in self._tables:
            self._tables[name] = self._read_events(name, cls)
        return self._tables[name]

    @cached_property
    def book(self) -> pa.Table:
        """``book_1s.parquet``: touch and depth every second."""
        return self._read(self.path / "book_1s.parquet", book_schema(), "BookSummary")

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
        return self._side("_accounts", "account")

    @cached_property
    def series(self) -> list[dict[str, Any]]:
        """Rows of the table of recorded series, position is id; empty when there are none."""
        if "events/_series.parquet" not in self.files:
            return []
        return self._side("_series", "series")

    @cached_property
    def balances(self) -> pa.Table:
        """Final balances and loans: ``ledger_account, asset, amount, loan``."""
        return self._read_side("_balances")

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

    def _read_events(self, name: str, cls: type[Message]) -> pa.Table:
        if not self.has_tables:
            raise RunCorrupt(f"{self.path}: the run was written without event tables")
        expected = self.manifest.counts.get(name, 0)
        path = self.path / "events" / f"{name}.parquet"
        if not expected and not path.exists():
            return event_schema(cls).empty_table()
        table = self._read(path, event_schema(cls), cls.__name__)
        if table.num_rows != expected:
            raise RunCorrupt(f"{path}: holds {table.num_rows} rows, the manifest says {expected}")
        return table

    def _side(self, name: str, key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._read_side(name).to_pylist()
        if [row[key] for row in rows] != list(range(len(rows))):
            raise RunCorrupt(f"{self._side_path(name)}: {key} does not count from 0")
        return rows

    def _side_path(self, name: str) -> Path:
        return self.path / "events" / f"{name}.parquet"

    def _read_side(self, name: str) -> pa.Table:
        path = self._side_path(name)
        table = self._read(path, None, name)
        for column, column_type in side_columns(name).items():
            if column not in table.schema.names or table.schema.field(column).type != column_type:
                raise RunCorrupt(f"{path}: no column {column} of type {column_type}")
        return table

    def _read(self, path: Path, schema: pa.Schema | None, kind: str) -> pa.Table:
        try:
            table = pq.read_table(path)
        except FileNotFoundError:
            raise RunCorrupt(f"{path}: missing") from None
        except (pa.ArrowException, OSError) as cause:
            text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
            raise RunCorrupt(f"{path}: cannot be read as Parquet: {text}") from None
        found = table.schema.metadata or {}
        if found.get(_KIND_KEY) != kind.encode():
            raise RunCorrupt(f"{path}: is not a table of {kind}")
        if found.get(_VERSION_KEY) != str(FORMAT_VERSION).encode():
            version = found.get(_VERSION_KEY, b"?").decode(errors="replace")
            raise RunCorrupt(f"{path}: format {version}, this program reads {FORMAT_VERSION}")
        if schema is not None and not table.schema.equals(schema):
            raise RunCorrupt(f"{path}: has other columns than this version's {kind}")
        return table


def open_run(path: Path | str) -> RunData:
    """Open the run in directory ``path``.

    Raises ``UsageError`` when there is no such directory, ``RunCorrupt`` when it is no finished run
    of this version, and ``StorageError`` when it cannot be read.
    """
    directory = Path(path)
    if not directory.is_dir():
        raise UsageError(f"{directory}: there is no such run directory")
    manifest_path = directory / MANIFEST
    if not manifest_path.exists():
        if (directory / "journal.bin").exists():
            what = "the run was not finished; its journal can still be verified and replayed"
        else:
            what = f"this is not a run directory ({MANIFEST} is missing)"
        raise RunCorrupt(f"{directory}: {what}")
    manifest, files = _parse_manifest(manifest_path, _read_manifest(manifest_path))
    return RunData(directory, manifest, files)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MANIFEST_BYTES_MAX + 1)
    except OSError as cause:
        raise storage_error(path, "read", cause) from cause
    try:
        content = json.loads(data[:MANIFEST_BYTES_MAX].decode())
    except (ValueError, RecursionError):
        raise RunCorrupt(f"{path}: is not JSON") from None
    if not isinstance(content, dict):
        raise RunCorrupt(f"{path}: is not a manifest")
    return content


def _parse_manifest(path: Path, content: dict[str, Any]) -> tuple[Manifest, dict[str, str]]:
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise RunCorrupt(f"{path}: format {version!r}, this program reads {FORMAT_VERSION}")
    own = {key: value for key, value in content.items() if key not in {"digest", "files"}}
    converter = cattrs.Converter(forbid_extra_keys=True)
    try:
        manifest = converter.structure(own, Manifest)
        files = converter.structure(content.get("files"), dict[str, str])
    except (cattrs.BaseValidationError, AttributeError, TypeError, ValueError):
        raise RunCorrupt(f"{path}: does not have the fields of a manifest") from None
    # cattrs converts where it can; a manifest must already be what it says.
    if attrs.asdict(manifest) != own or files != content.get("files"):
        raise RunCorrupt(f"{path}: does not have the fields of a manifest")
    if content.get("digest") != manifest.digest:
        raise RunCorrupt(f"{path}: was altered (its digest does not belong to its contents)")
    return manifest, files


def journal_of(path: Path | str) -> Path:
    """The journal of a run, finished or not; also takes the journal itself.

    Raises ``UsageError`` when there is none.
    """
    given = Path(path)
    found = given / "journal.bin" if given.is_dir() else given
    if not found.is_file():
        raise UsageError(f"{given}: there is no journal here")
    return found
