"""Runs in the tools that people have: Polars data frames and a DuckDB database.

Both are extras (``pip install 'exchange-sim[polars,duckdb]'``), loaded when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from exchange_sim.analysis import columns as c
from exchange_sim.errors import UsageError
from exchange_sim.eventlog.schema import enum_of, event_schema, table_name
from exchange_sim.messages.registry import EVENTS, Message
from exchange_sim.units import PPM

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

_PPB: Final = 1_000_000_000
_Joins = dict[str, tuple[str, str]]
"""Joined table and condition by alias, in the order in which they are needed."""


def extra(name: str) -> Any:
    """Import an optional package.  Raises ``UsageError`` that says how to get it."""
    try:
        return import_module(name)
    except ImportError:
        message = f"{name} is not installed; get it with: pip install 'exchange-sim[{name}]'"
        raise UsageError(message) from None


def to_polars(table: pa.Table) -> Any:
    """An Arrow table as a Polars data frame.  Raises ``UsageError`` without Polars."""
    return extra("polars").from_arrow(table)


class Database:
    """A DuckDB connection over one run: nothing is copied, queries read the Parquet files.

    ``instruments``, ``accounts``, ``assets``, ``venues`` and ``balances`` are tables; every event
    kind and ``book_1s`` is a view in human units, and in schema ``raw`` as stored.
    """

    def __init__(self, run: RunData) -> None:
        """Raises ``UsageError`` without DuckDB, and ``RunCorrupt``."""
        self._duckdb = extra("duckdb")
        self._run = run
        self.connection = self._duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA raw")
        for name, table in _constants(run).items():
            self._create(name, table)
        for kind in EVENTS.values():
            self._add_kind(kind)
        self._create("book_1s", run.view("book_1s"))
        self._create("raw.book_1s", run.book)

    def query(self, text: str, tables: Mapping[str, Any]) -> Any:
        """Run a query; see ``RunData.sql``."""
        for name, table in tables.items():
            self.connection.register(name, table)
        try:
            return self.connection.sql(text)
        except self._duckdb.Error as cause:
            raise UsageError(f"DuckDB: {cause}") from None

    def _create(self, name: str, table: pa.Table) -> None:
        self.connection.register("_incoming", table)
        self.connection.execute(f"CREATE TABLE {name} AS FROM _incoming")
        self.connection.unregister("_incoming")

    def _add_kind(self, kind: type[Message]) -> None:
        name = table_name(kind)
        path = self._run.path / "events" / f"{name}.parquet"
        if self._run.partial or not path.exists():
            self._create(f"raw.{name}", self._run.table(kind))
        else:
            self._run.check_table(kind)
            text = str(path.resolve()).replace("'", "''")
            source = f"SELECT * FROM read_parquet('{text}')"  # noqa: S608 quotes are doubled
            self.connection.execute(f"CREATE VIEW raw.{name} AS {source}")
        self.connection.execute(human_sql(kind))


def _constants(run: RunData) -> dict[str, pa.Table]:
    facts = run.facts
    instruments = pa.Table.from_pylist(run.instruments)
    for name in ("tick_up", "tick_down", "lot_up", "lot_down"):
        instruments = instruments.append_column(name, pa.array(getattr(facts, name)[:-1]))
    names = facts.names["venue"][:-1]
    venues = {"venue": list(range(len(names))), "name": names, "numeraire": facts.numeraires[:-1]}
    settled = pa.array(facts.settle[:-1], pa.int32())
    instruments = instruments.append_column("settle_asset", settled)
    return {
        "instruments": instruments,
        "accounts": pa.Table.from_pylist(run.accounts),
        "assets": pa.Table.from_pylist(run.assets),
        "venues": pa.table({**venues, "name": pa.array(names, pa.string())}),
        "balances": run.balances,
    }


def human_sql(kind: type[Message]) -> str:
    """The statement that makes the human view of an event kind: the twin of ``human_view``."""
    name = table_name(kind)
    joins: _Joins = {}
    parts: list[str] = []
    for column in event_schema(kind).names:
        parts += _expressions(kind, column, c.meaning(kind, column), joins)
    source = f"FROM raw.{name} AS t"
    tables = [f"LEFT JOIN {table} AS {alias} ON {on}" for alias, (table, on) in joins.items()]
    return " ".join(["CREATE VIEW", name, "AS SELECT", ", ".join(parts), source, *tables])


def _expressions(kind: type[Message], column: str, meaning: c.Meaning, joins: _Joins) -> list[str]:
    first, *more = meaning.shown_as(column)
    if meaning.kind == c.TIME:
        return [f"t.{column} AS {first}", f"make_timestamp(t.{column} // 1000) AS {more[0]}"]
    if meaning.kind == c.NAME:
        label = {"account": "owner", "venue": "name"}.get(meaning.of, "symbol")
        alias = _join(joins, meaning.of, column)
        return [f"{alias}.{label} AS {first}", f"t.{column} AS {more[0]}"]
    if meaning.kind == c.ENUM:
        members = enum_of(kind.field_types[kind.field_names.index(column)])
        assert members is not None
        cases = " ".join(f"WHEN {int(member)} THEN '{member.name}'" for member in members)
        return [f"CASE t.{column} {cases} ELSE t.{column}::VARCHAR END AS {first}"]
    return [f"{_number(column, meaning, joins)} AS {first}"]


def _number(column: str, meaning: c.Meaning, joins: _Joins) -> str:
    value = f"t.{column}"
    if meaning.kind in {c.PPM_SHARE, c.PPB_SHARE}:
        return f"{value}::DOUBLE / {PPM if meaning.kind == c.PPM_SHARE else _PPB}"
    if meaning.kind in {c.PRICE, c.MICRO_PRICE, c.QTY}:
        alias = _join(joins, "instrument", meaning.by)
        size = "lot" if meaning.kind == c.QTY else "tick"
        found = f"({value}::DOUBLE * {alias}.{size}_up) / {alias}.{size}_down"
        return f"{found} / {PPM}" if meaning.kind == c.MICRO_PRICE else found
    if meaning.kind in {c.AMOUNT, c.ASSET_PRICE}:
        of = "venue" if meaning.kind == c.ASSET_PRICE else meaning.of
        alias = _asset_join(joins, meaning.by, of)
        found = f"{value}::DOUBLE / (10 ** {alias}.decimals)"
        return f"{found} / {PPM}" if meaning.kind == c.ASSET_PRICE else found
    return value


def _join(joins: _Joins, table: str, column: str, source: str = "t") -> str:
    alias = f"{table}_of_{column}" if source == "t" else f"{table}_of_{source}_{column}"
    joins.setdefault(alias, (f"{table}s", f"{alias}.{table} = {source}.{column}"))
    return alias


def _asset_join(joins: _Joins, by: str, of: str) -> str:
    """Join the asset of an amount; see ``columns.Meaning.of``."""
    if of == "asset":
        return _join(joins, "asset", by)
    if of in {"base", "quote", "settle"}:
        source, column = _join(joins, "instrument", by), f"{of}_asset"
    else:
        holder = _join(joins, "account", by) if of == "account" else "t"
        source = _join(joins, "venue", "venue" if of == "account" else by, holder)
        column = "numeraire"
    alias = f"asset_of_{source}_{column}"
    joins.setdefault(alias, ("assets", f"{alias}.asset = {source}.{column}"))
    return alias
