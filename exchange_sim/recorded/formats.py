"""Recorded files by format: every row becomes a happening, or a problem with its line.

Formats: ``tardis-incremental_book_L2``, ``tardis-trades`` (docs.tardis.dev), ``lobster``
(lobsterdata.com message files), ``binance-trades``, ``binance-aggTrades``, ``binance-bookTicker``
(data.binance.vision, spot and USD-M, with or without header, milliseconds or microseconds).

Simplifications: LOBSTER's hidden executions, crosses and halts change no book and are left out;
prices off the tick and quantities off the lot are problems, not rounded; a trade whose aggressor is
not known is taken for a purchase.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from exchange_sim.model.enums import BUY, SELL
from exchange_sim.recorded.columns import BOOKS, COLUMNS, FORMATS
from exchange_sim.recorded.reading import Batch, batches
from exchange_sim.recorded.rows import (
    ADD,
    CLEAR,
    DELETE,
    EXECUTE,
    LEVEL,
    REDUCE,
    TAKE,
    TOUCH,
    Findings,
    Grid,
    Ints,
    Rows,
)
from exchange_sim.units import NANOS_PER_S

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

OFF_GRID: Final = 1e-6
MICROSECONDS_FROM: Final = 10**15
"""Binance writes milliseconds or, since 2025, microseconds: 13 or 16 digits."""

__all__ = ["BOOKS", "COLUMNS", "FORMATS", "format_of", "header_of", "read_rows"]

_NAMES: Final = (
    (re.compile(r"_incremental_book_L2_"), "tardis-incremental_book_L2"),
    (re.compile(r"_trades_\d{4}"), "tardis-trades"),
    (re.compile(r"_message_\d+"), "lobster"),
    (re.compile(r"-aggTrades-"), "binance-aggTrades"),
    (re.compile(r"-trades-"), "binance-trades"),
    (re.compile(r"-bookTicker-"), "binance-bookTicker"),
)
_DAY: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


def format_of(path: Path) -> str:
    """The format that the publishers' names of files tell; empty when the name tells none."""
    return next((name for pattern, name in _NAMES if pattern.search(path.name)), "")


def header_of(form: str) -> bool | None:
    """Whether files of a format name their columns: Tardis's do, LOBSTER's do not, others may."""
    return {"t": True, "l": False}.get(form[0])


def read_rows(path: Path, form: str, grid: Grid, findings: Findings) -> Iterator[Rows]:
    """The usable rows of a file in batches; what is wrong goes to ``findings``.

    Raises ``ScenarioError`` for a file that is none of this format.
    """
    reader = _READERS[form](path, grid, findings)
    last = -1
    for batch in batches(path, COLUMNS[form], header_of(form)):
        for line, count in batch.odd:
            hint = ",".join(COLUMNS[form])
            findings.bad(line, f"has {count} columns, not {len(batch.columns)}", hint)
        if not len(batch):
            continue
        rows = reader(batch)
        order = np.flatnonzero(np.diff(np.r_[last, rows.time_ns]) < 0)
        if len(order):
            rows = _forwards(rows, last, findings)
        if len(rows):
            last = int(rows.time_ns[-1])
            yield rows


def _forwards(rows: Rows, last: int, findings: Findings) -> Rows:
    """Rows without those whose time is before one that stands above them."""
    highest = np.maximum.accumulate(np.r_[last, rows.time_ns])[:-1]
    good = rows.time_ns >= highest
    for at in np.flatnonzero(~good).tolist():
        back = (int(highest[at]) - int(rows.time_ns[at])) / NANOS_PER_S
        findings.bad(int(rows.line[at]), f"the time goes back by {back:.6f} s")
    return rows.where(good)


@attrs.define
class _Reader:
    """What all formats need: numbers out of text, on the grid, with every mistake located."""

    path: Path
    grid: Grid
    findings: Findings
    last_id: int = -1

    def number(self, batch: Batch, name: str, good: Mask) -> Floats:
        """A column of finite numbers; rows where it is none are taken out of ``good``."""
        column = batch.columns[name]
        try:
            values: Floats = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            values = np.array([_float(text) for text in column.to_pylist()])
        self.reject(batch, good, ~np.isfinite(values), name, column, "is no finite number")
        return values

    def reject(
        self, batch: Batch, good: Mask, wrong: Mask, name: str, column: pa.Array, what: str
    ) -> None:
        """Take rows out and say why; a row is told once."""
        hit = wrong & good
        for at in np.flatnonzero(hit).tolist():
            self.findings.bad(int(batch.lines[at]), f"{name} {column[at].as_py()!r} {what}")
        good &= ~hit

    def on_grid(self, batch: Batch, name: str, good: Mask, step: float, least: float) -> Ints:
        """A column in whole steps of at least ``least`` of them."""
        values = self.number(batch, name, good)
        steps = np.where(good, values, 0.0) / step
        whole = np.rint(steps)
        column = batch.columns[name]
        small = whole < least if least >= 0 else np.zeros(len(batch), bool)
        word = "is negative" if least == 0 else "is not above zero"
        self.reject(batch, good, small, name, column, word)
        off = np.abs(steps - whole) > OFF_GRID * np.maximum(1.0, np.abs(steps) * 1e-9)
        self.reject(batch, good, off, name, column, f"is no multiple of {step:g}")
        self.reject(batch, good, whole > 2**52, name, column, "is too large")
        return np.where(good, whole, 0).astype(np.int64)

    def choice(self, batch: Batch, name: str, good: Mask, values: dict[str, int]) -> Ints:
        """A column of words that stand for numbers."""
        column = batch.columns[name]
        where = pc.index_in(column, value_set=pa.array(list(values), pa.string()))
        found = where.fill_null(-1).to_numpy(zero_copy_only=False)
        words = " or ".join(values)
        self.reject(batch, good, found < 0, name, column, f"is not {words}")
        numbers = np.array([*values.values(), 0], np.int64)
        chosen: Ints = numbers[found]
        return chosen

    def clock(self, batch: Batch, name: str, good: Mask) -> Ints:
        """Milliseconds or microseconds since the epoch as nanoseconds."""
        values = self.number(batch, name, good)
        self.reject(batch, good, values <= 0, name, batch.columns[name], "is no time")
        whole = np.where(good, values, 0.0).astype(np.int64)
        found: Ints = np.where(whole >= MICROSECONDS_FROM, whole * 1_000, whole * 1_000_000)
        return found

    def follow(self, batch: Batch, name: str, first: Ints, last: Ints, good: Mask) -> None:
        """Report numbers that are missing between one row and the next."""
        kept = np.flatnonzero(good)
        if not len(kept):
            return
        before = np.r_[self.last_id, last[kept][:-1]]
        missing = first[kept] - before - 1
        gaps = np.flatnonzero((missing > 0) & (before >= 0))
        for at in gaps.tolist():
            line = int(batch.lines[kept[at]])
            self.findings.gap(line, f"{int(missing[at]):,} {name} are missing before this row")
        self.last_id = int(last[kept][-1])


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _rows(batch: Batch, good: Mask, **columns: Any) -> Rows:
    count = len(batch)
    zeros = np.zeros(count, np.int64)
    filled = {
        name: np.broadcast_to(columns.get(name, zeros), (count,))
        for name in ("time_ns", "kind", "side", "price", "qty", "order")
    }
    return Rows(**filled, line=batch.lines).where(good)


_SIDES: Final = {"buy": BUY, "sell": SELL}


def _tardis_trades(path: Path, grid: Grid, findings: Findings) -> Callable[[Batch], Rows]:
    read = _Reader(path, grid, findings)

    def rows(batch: Batch) -> Rows:
        good = np.ones(len(batch), bool)
        time_ns = read.clock(batch, "timestamp", good)
        side = read.choice(batch, "side", good, {**_SIDES, "unknown": BUY})
        price = read.on_grid(batch, "price", good, grid.tick, 1)
        qty = read.on_grid(batch, "amount", good, grid.lot, 1)
        return _rows(batch, good, time_ns=time_ns, kind=TAKE, side=side, price=price, qty=qty)

    return rows


def _tardis_book(path: Path, grid: Grid, findings: Findings) -> Callable[[Batch], Rows]:
    read = _Reader(path, grid, findings)
    state = {"snapshot": False, "first": True}

    def rows(batch: Batch) -> Rows:
        good = np.ones(len(batch), bool)
        time_ns = read.clock(batch, "timestamp", good)
        snapshot = read.choice(batch, "is_snapshot", good, {"false": 0, "true": 1})
        side = read.choice(batch, "side", good, {"bid": BUY, "ask": SELL})
        price = read.on_grid(batch, "price", good, grid.tick, 1)
        qty = read.on_grid(batch, "amount", good, grid.lot, 0)
        if state["first"] and not snapshot[0]:
            findings.gap(int(batch.lines[0]), "the file does not begin with a snapshot")
        begins = np.flatnonzero(np.diff(np.r_[int(state["snapshot"]), snapshot]) == 1)
        state["first"], state["snapshot"] = False, bool(snapshot[-1])
        found = _rows(batch, good, time_ns=time_ns, kind=LEVEL, side=side, price=price, qty=qty)
        if not len(begins):
            return found
        marks = Rows(
            time_ns[begins], np.full(len(begins), CLEAR), *(np.zeros(len(begins), np.int64),) * 4,
            batch.lines[begins],
        )  # fmt: skip
        joined = [np.r_[getattr(marks, f.name), getattr(found, f.name)] for f in attrs.fields(Rows)]
        order = np.argsort(joined[-1], kind="stable")
        return Rows(*(column[order] for column in joined))

    return rows


_LOBSTER_KINDS: Final = {"1": ADD, "2": REDUCE, "3": DELETE, "4": EXECUTE, "5": 0, "6": 0, "7": 0}


def _lobster(path: Path, grid: Grid, findings: Findings) -> Callable[[Batch], Rows]:
    read = _Reader(path, grid, findings)
    day = _DAY.search(path.name)
    midnight = 0
    if day is not None:
        midnight = int(datetime.fromisoformat(f"{day[0]}T00:00:00Z").timestamp()) * NANOS_PER_S

    def rows(batch: Batch) -> Rows:
        good = np.ones(len(batch), bool)
        seconds = read.number(batch, "time", good)
        read.reject(batch, good, seconds < 0, "time", batch.columns["time"], "is negative")
        time_ns = midnight + np.rint(np.where(good, seconds, 0.0) * 1e9).astype(np.int64)
        kind = read.choice(batch, "type", good, _LOBSTER_KINDS)
        silent = good & (kind == 0)
        told = good & ~silent
        side = read.choice(batch, "direction", told, {"1": BUY, "-1": SELL})
        order = read.on_grid(batch, "order_id", told, 1.0, -1)
        price = read.on_grid(batch, "price", told, grid.tick, 1)
        qty = read.on_grid(batch, "size", told, grid.lot, 1)
        return _rows(
            batch, told, time_ns=time_ns, kind=kind, side=side, price=price, qty=qty, order=order
        )

    return rows


def _binance_trades(path: Path, grid: Grid, findings: Findings) -> Callable[[Batch], Rows]:
    return _binance(path, grid, findings, "id", "id", "qty", "time")


def _binance_agg(path: Path, grid: Grid, findings: Findings) -> Callable[[Batch], Rows]:
    names = ("first_trade_id", "last_trade_id", "quantity", "transact_time")
    return _binance(path, grid, findings, *names)


def _binance(
    path: Path, grid: Grid, findings: Findings, first: str, last: str, qty: str, clock: str
) -> Callable[[Batch], Rows]:
    read = _Reader(path, grid, findings)

    def rows(batch: Batch) -> Rows:
        good = np.ones(len(batch), bool)
        begins = read.number(batch, first, good)
        ends = read.number(batch, last, good)
        time_ns = read.clock(batch, clock, good)
        words = {"true": SELL, "false": BUY, "True": SELL, "False": BUY}
        side = read.choice(batch, "is_buyer_maker", good, words)
        price = read.on_grid(batch, "price", good, grid.tick, 1)
        lots = read.on_grid(batch, qty, good, grid.lot, 1)
        ids = [np.where(np.isfinite(v), v, 0).astype(np.int64) for v in (begins, ends)]
        read.follow(batch, "trades", ids[0], ids[1], good)
        return _rows(batch, good, time_ns=time_ns, kind=TAKE, side=side, price=price, qty=lots)

    return rows


def _binance_ticker(path: Path, grid: Grid, findings: Findings) -> Callable[[Batch], Rows]:
    read = _Reader(path, grid, findings)

    def rows(batch: Batch) -> Rows:
        good = np.ones(len(batch), bool)
        time_ns = read.clock(batch, "transaction_time", good)
        bid = read.on_grid(batch, "best_bid_price", good, grid.tick, 1)
        bid_lots = read.on_grid(batch, "best_bid_qty", good, grid.lot, 0)
        ask = read.on_grid(batch, "best_ask_price", good, grid.tick, 1)
        ask_lots = read.on_grid(batch, "best_ask_qty", good, grid.lot, 0)
        crossed = bid >= ask
        read.reject(batch, good, crossed, "best_bid_price", batch.columns["best_bid_price"],
                    "is not below the best ask")  # fmt: skip
        both = [
            _rows(batch, good, time_ns=time_ns, kind=TOUCH, side=s, price=p, qty=q)
            for s, p, q in ((BUY, bid, bid_lots), (SELL, ask, ask_lots))
        ]
        names = [field.name for field in attrs.fields(Rows)]
        pairs = (np.stack([getattr(b, name) for b in both], axis=1).ravel() for name in names)
        return Rows(*pairs)

    return rows


_READERS: Final[dict[str, Callable[[Path, Grid, Findings], Callable[[Batch], Rows]]]] = {
    "tardis-incremental_book_L2": _tardis_book,
    "tardis-trades": _tardis_trades,
    "lobster": _lobster,
    "binance-trades": _binance_trades,
    "binance-aggTrades": _binance_agg,
    "binance-bookTicker": _binance_ticker,
}
