"""Reading a log of ten million events: queries, streams, and the book at an instant.

The log is synthesised: thirty instruments; in every block of ten events five orders are accepted,
one is changed, two of an earlier block are cancelled, and an incoming one fills two others.  Run
``python -m benchmarks.bench_reading [millions of events]``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.figures import Figure, at_most
from exchange_sim.analysis.book_history import prepare_books
from exchange_sim.analysis.run_dir import RunData, open_run
from exchange_sim.eventlog import (
    BookSummary,
    Manifest,
    write_accounts,
    write_assets,
    write_balances,
    write_instruments,
    write_manifest,
)
from exchange_sim.eventlog.schema import event_schema, table_name
from exchange_sim.eventlog.tables import TableFile
from exchange_sim.limits import ROW_GROUP_ROWS
from exchange_sim.messages.events import OrderAccepted, OrderCanceled, OrderReplaced, Traded
from exchange_sim.messages.registry import Message

START_NS = 1_760_129_400_000_000_000
SPAN_NS = 90 * 60 * 1_000_000_000
INSTRUMENTS, ACCOUNTS = 30, 1_000
COMMANDS_PER_BLOCK, EVENTS_PER_BLOCK = 8, 10
LIFE = 3 * INSTRUMENTS
"""Blocks until an order is filled or cancelled: a multiple, so that the instrument is the same."""

Ints = npt.NDArray[np.int64]
Columns = dict[str, Any]


def synthesise(folder: Path, events: int) -> None:
    """Write a run directory with about so many events."""
    blocks = np.arange(events // EVENTS_PER_BLOCK, dtype=np.int64)
    old, step = blocks[LIFE:], SPAN_NS // (len(blocks) * COMMANDS_PER_BLOCK)
    counts = {}
    for kind, parts in (
        (OrderAccepted, [_accepted(blocks, n) for n in range(5)]),
        (OrderReplaced, [_replaced(blocks)]),
        (OrderCanceled, [_canceled(old, n) for n in (0, 1)]),
        (Traded, [_traded(old, n) for n in (2, 3)]),
    ):
        for part in parts:
            part["time_ns"] = START_NS + part["seq"] * step
        counts[table_name(kind)] = _write(folder, kind, parts)
    BookSummary(folder, [1] * INSTRUMENTS).close()
    _write_names(folder)
    write_manifest(folder, Manifest(
        scenario="synthetic", seed=1, package_version="0", python_version="0", start_ns=START_NS,
        end_ns=START_NS + SPAN_NS, commands=len(blocks) * COMMANDS_PER_BLOCK, state_digest="",
        event_digest="", journal_digest="", counts=counts, complete=True,
    ))  # fmt: skip


def _order(block: Ints, number: int) -> Columns:
    """Id, owner and price of the ``number``-th order of a block; the fifth one is the taker."""
    order = 5 * block + number + 1
    noise = order * 2_654_435_761 % 50
    side = np.full(len(block), number % 2 if number < 4 else 1)
    price = 100_000 + np.where(side == 0, -1 - noise, 1 + noise)
    owner = {"order_id": order, "account": order % ACCOUNTS, "instrument": block % INSTRUMENTS}
    return {**owner, "client_order_id": order, "side": side, "price": price, "qty": 1 + order % 9}


def _timed(block: Ints, step: int, columns: Columns) -> Columns:
    seq = block * COMMANDS_PER_BLOCK + step + 1
    return {"seq": seq, **columns}


def _accepted(block: Ints, number: int) -> Columns:
    tif = 1 if number == 4 else 0
    more = dict.fromkeys(("order_type", "display", "trigger", "flags"), 0)
    return _timed(block, number, {**_order(block, number), "time_in_force": tif, **more})


def _replaced(block: Ints) -> Columns:
    order = _order(block, 0)
    return _timed(block, 5, {**order, "leaves": order["qty"], "kept_priority": 1})


def _canceled(block: Ints, number: int) -> Columns:
    return _timed(block, 6 + number, {**_order(block - LIFE, number), "leaves": 0, "reason": 1})


def _traded(block: Ints, number: int) -> Columns:
    maker, taker = _order(block - LIFE, number), _order(block, 4)
    zero = ("base_amount", "maker_pnl", "taker_pnl", "taker_flags", "maker_leaves", "taker_leaves")
    value = maker["price"] * maker["qty"]
    columns = {
        "trade_id": 2 * block + number, "instrument": maker["instrument"],
        "price": maker["price"], "qty": maker["qty"], "aggressor": 1 - maker["side"],
        "quote_amount": value, "maker_fee": value // 5_000, "taker_fee": value // 2_000,
    }  # fmt: skip
    for who, order in (("maker", maker), ("taker", taker)):
        columns[f"{who}_order"], columns[f"{who}_account"] = order["order_id"], order["account"]
        columns[f"{who}_client_order_id"] = order["order_id"]
    return _timed(block, 4, {**columns, **dict.fromkeys(zero, 0)})


def _write(folder: Path, kind: type[Message], parts: list[Columns]) -> int:
    """Write the rows of a kind in the order of commands; returns how many they are."""
    (folder / "events").mkdir(exist_ok=True)
    schema = event_schema(kind)
    seq = np.concatenate([part["seq"] for part in parts])
    order = np.argsort(seq, kind="stable")
    columns = []
    for field in schema:
        rows = [np.broadcast_to(part[field.name], len(part["seq"])) for part in parts]
        columns.append(pa.array(np.concatenate(rows)[order]).cast(field.type))
    table = pa.Table.from_arrays(columns, schema=schema)
    file = TableFile(folder / "events" / f"{table_name(kind)}.parquet", schema)
    for start in range(0, table.num_rows, ROW_GROUP_ROWS):
        file.write(table.slice(start, ROW_GROUP_ROWS))
    file.close()
    return int(table.num_rows)


def _write_names(folder: Path) -> None:
    write_assets(folder, [
        {"asset": 0, "symbol": "USDT", "decimals": 6}, {"asset": 1, "symbol": "X", "decimals": 8},
    ])  # fmt: skip
    write_instruments(folder, (
        {
            "instrument": k, "symbol": f"venue:X{k}USDT", "venue": 0, "venue_name": "venue",
            "kind": 0, "base_asset": 1, "quote_asset": 0, "tick_size": "0.01", "lot_size": "0.001",
            "clearing_account": -1, "fee_account": 0,
        }
        for k in range(INSTRUMENTS)
    ))  # fmt: skip
    write_accounts(folder, (
        {
            "account": k, "venue": 0, "venue_name": "venue", "owner": f"owner-{k}",
            "population": f"group-{k % 10}", "unified": 1, "notable": 0,
        }
        for k in range(ACCOUNTS)
    ))  # fmt: skip
    write_balances(folder, [])


QUERIES = {
    "volume by instrument": "SELECT instrument, sum(quote_amount) FROM traded GROUP BY 1",
    "messages by population and minute": """
        SELECT population, time_ns // 60000000000, count(*)
        FROM raw.order_accepted AS o JOIN accounts USING (account) GROUP BY 1, 2
    """,
    "orders joined with their fills": """
        SELECT o.side, avg(t.time_ns - o.time_ns), sum(t.qty)
        FROM raw.order_accepted AS o JOIN raw.traded AS t ON t.maker_order = o.order_id GROUP BY 1
    """,
}


def timed(action: Callable[[], object]) -> float:
    """Wall seconds of an action: a database works on all cores."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def stream(run: RunData) -> float:
    """Megabytes that Arrow held at most while the largest table was summed row group by group."""
    pool, peak, total = pa.default_memory_pool(), 0, 0
    for batch in run.batches("order_accepted", ("qty", "account")):
        total += int(batch.column("qty").to_numpy().sum())
        peak = max(peak, pool.bytes_allocated())
    assert total
    return peak / 1e6


def figures(events: int = 10_000_000) -> list[Figure]:
    """Synthesise the log, ask it, and forget it."""
    folder = Path(tempfile.mkdtemp(prefix="bench-reading-"))
    try:
        synthesise(folder, events)
        run, size = open_run(folder), f"{events / 1e6:g} million events"
        found = [at_most(f"stream a table of {size}", stream(run), 100, "MB", 1)]
        found.append(
            at_most(
                f"open the database on {size}",
                timed(lambda: run.sql("SELECT 1").fetchall()),
                5,
                "s",
                2,
            )
        )
        for what, query in QUERIES.items():
            seconds = timed(lambda query=query: run.sql(query).fetchall())  # type: ignore[misc] # bound at once
            found.append(at_most(f"{what}, {size}", seconds, 5, "s", 2))
        first = timed(lambda: run.book_of(0).at(START_NS).table(20))
        found.append(at_most(f"first look into a book, {size}", 1e3 * first, 2_000, "ms"))
        found.append(at_most(f"all books of {size}", timed(lambda: prepare_books(run)), 30, "s", 1))
        fresh = open_run(folder)
        again = timed(lambda: fresh.book_of(7).at(START_NS + SPAN_NS // 2).table(20))
        found.append(at_most("first look into a book that is kept", 1e3 * again, 200, "ms"))
        book, rng = run.book_of(0), np.random.default_rng(1)
        instants = (START_NS + rng.integers(0, SPAN_NS, 100)).tolist()
        each = timed(lambda: [book.at(at).levels(0, 20) for at in instants]) / 100
        found.append(at_most("a book at a random instant", 1e3 * each, 200, "ms", 1))
        return found
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Print the figures."""
    events = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 10_000_000
    for row in figures(events):
        print(f"{row.what:55} {row.measured:>12}  {row.target}")


if __name__ == "__main__":
    main()
