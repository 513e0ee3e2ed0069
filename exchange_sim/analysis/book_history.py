"""The book of one instrument at any instant: L1, L2 and L3, tick by tick, without a replay.

The history is a table of intervals (``book_rows``), kept in ``<run>/cache/book-<id>.arrow``.
``prepare_books`` builds all of them in one pass over the tables; ``run`` does so before it writes
the report, so that the first look into any book takes as long as any other.  Where a history is
missing, the first question about its book builds it: it is no part of the run, works for runs that
were written long ago, and is deleted without loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sortedcontainers import SortedDict

from exchange_sim.analysis.book_rows import NEVER, interval_tables, intervals_of
from exchange_sim.analysis.human import timestamps
from exchange_sim.model.enums import BUY, SELL

if TYPE_CHECKING:
    from exchange_sim.analysis.facts import Facts
    from exchange_sim.analysis.run_dir import RunData

CACHE: Final = "cache"
_CACHE_VERSION: Final = "1"
_SIDES: Final = ("bid", "ask")
_DELTA_COLUMNS: Final = ("seq", "time_ns", "side", "price", "qty")
_ROWS_AT_ONCE: Final = 65_536

Ints = npt.NDArray[np.int64]
Levels = list[tuple[int, int]]
"""``(price in ticks, lots)``, best level first."""


@attrs.frozen(eq=False)
class BookSnapshot:
    """A book after all commands up to an instant.  Columns have one element per resting order.

    Prices are ticks, quantities lots; the tables are in decimals.
    """

    symbol: str
    instrument: int
    facts: Facts
    order_id: Ints
    account: Ints
    side: Ints
    price: Ints
    shown: Ints
    leaves: Ints

    def levels(self, side: int, depth: int = 0) -> Levels:
        """L2: displayed lots by price, best first; ``depth`` 0 means all."""
        mine = self.side == side
        prices, where = np.unique(self.price[mine], return_inverse=True)
        lots = np.bincount(where, self.shown[mine], len(prices)).astype(np.int64)
        pairs = list(zip(prices.tolist(), lots.tolist(), strict=True))
        if side == BUY:
            pairs.reverse()
        return pairs[:depth] if depth else pairs

    def orders(self, side: int) -> list[tuple[int, int, int, int, int]]:
        """L3: ``(order id, account, price, shown, leaves)`` in the order in which they trade."""
        mine = self.side == side
        columns = (self.order_id, self.account, self.price, self.shown, self.leaves)
        rows = list(zip(*(column[mine].tolist() for column in columns), strict=True))
        return sorted(rows, key=lambda row: -row[2] if side == BUY else row[2])

    def touch(self) -> tuple[int, int]:
        """L1: best bid and best ask in ticks, 0 for an empty side."""
        bids, asks = self.price[self.side == BUY], self.price[self.side == SELL]
        return int(bids.max(initial=0)), int(asks.min()) if len(asks) else 0

    def table(self, depth: int = 0) -> pa.Table:
        """L2 in decimals: ``side, level, price, qty, value`` (of this level, in quote)."""
        rows = [
            (_SIDES[side], level, ticks, lots)
            for side in (BUY, SELL)
            for level, (ticks, lots) in enumerate(self.levels(side, depth), 1)
        ]
        sides, levels, ticks, lots = zip(*rows, strict=True) if rows else ((), (), (), ())
        price = self.facts.prices(ticks, self.instrument)
        qty = self.facts.quantities(lots, self.instrument)
        columns = {"side": pa.array(sides, pa.string()), "level": pa.array(levels, pa.int32())}
        inverse = self.facts.settle[self.instrument] == self.facts.base[self.instrument]
        value = qty if inverse else price * qty
        return pa.table({**columns, "price": price, "qty": qty, "value": value})

    def orders_table(self) -> pa.Table:
        """L3 in decimals: ``side, order_id, account, price, qty, open``, first to trade first."""
        rows = [(_SIDES[side], *row) for side in (BUY, SELL) for row in self.orders(side)]
        empty: tuple[Any, ...] = ((),) * 6
        sides, ids, owners, ticks, shown, leaves = zip(*rows, strict=True) if rows else empty
        names = self.facts.names["account"]
        return pa.table(
            {
                "side": pa.array(sides, pa.string()),
                "order_id": pa.array(ids, pa.int64()),
                "account": pa.array([names[owner] for owner in owners], pa.string()),
                "price": self.facts.prices(ticks, self.instrument),
                "qty": self.facts.quantities(shown, self.instrument),
                "open": self.facts.quantities(leaves, self.instrument),
            }
        )


@attrs.frozen(eq=False)
class BookTick:
    """A command that changed displayed quantities: ``changes`` are ``(side, ticks, new lots)``.

    ``bids`` and ``asks`` are the live book after it, lots by ticks in rising order; read them
    before the next tick, do not change them.
    """

    seq: int
    time_ns: int
    changes: list[tuple[int, int, int]]
    bids: SortedDict
    asks: SortedDict

    def touch(self) -> tuple[int, int, int, int]:
        """Best bid, its lots, best ask, its lots; 0 for an empty side."""
        bid = self.bids.peekitem(-1) if self.bids else (0, 0)
        ask = self.asks.peekitem(0) if self.asks else (0, 0)
        return *bid, *ask


class BookHistory:
    """All states of one book.  ``intervals`` is the table that ``book_rows`` describes."""

    def __init__(self, symbol: str, instrument: int, intervals: pa.Table, facts: Facts) -> None:
        self.symbol = symbol
        self.instrument = instrument
        self.intervals = intervals
        self.facts = facts
        self._col: dict[str, Ints] = {
            name: intervals.column(name).to_numpy() for name in intervals.column_names
        }

    def at(self, time_ns: int) -> BookSnapshot:
        """The book after all commands up to and including this instant.  O(rows of the book)."""
        return self._select("time_ns", "until_ns", time_ns)

    def after(self, seq: int) -> BookSnapshot:
        """The book after command ``seq``; 0 is before the first."""
        return self._select("seq", "until_seq", seq)

    def _select(self, start: str, end: str, at: int) -> BookSnapshot:
        col = self._col
        begun = int(np.searchsorted(col[start], at, side="right"))
        alive = np.flatnonzero(col[end][:begun] > at)
        alive = alive[np.argsort(col["place"][alive], kind="stable")]
        names = ("order_id", "account", "side", "price", "shown", "leaves")
        return BookSnapshot(
            self.symbol, self.instrument, self.facts, *(col[name][alive] for name in names)
        )

    @cached_property
    def deltas(self) -> pa.Table:
        """Every change of a level: ``seq, time_ns, side, price, qty`` with the new shown lots.

        One row per level and command; quantity 0 removes the level.  Raw units, ordered by ``seq``.
        """
        col = self._col
        if not len(col["seq"]):
            return pa.table({n: pa.array([], pa.int64()) for n in _DELTA_COLUMNS})
        gone = col["until_seq"] != NEVER
        joined = {
            "seq": np.r_[col["seq"], col["until_seq"][gone]],
            "time_ns": np.r_[col["time_ns"], col["until_ns"][gone]],
            "side": np.r_[col["side"], col["side"][gone]].astype(np.int64),
            "price": np.r_[col["price"], col["price"][gone]],
            "change": np.r_[col["shown"], -col["shown"][gone]],
        }
        order = np.lexsort((joined["seq"], joined["price"], joined["side"]))
        seq, time_ns, side, price, change = (values[order] for values in joined.values())
        # Every level starts at nothing, so the running sum over a level is its quantity.
        first = np.r_[True, (side[1:] != side[:-1]) | (price[1:] != price[:-1])]
        level = np.cumsum(first) - 1
        total = np.cumsum(change)
        qty = total - (total - change)[first][level]
        kept = np.flatnonzero(np.r_[(seq[1:] != seq[:-1]) | first[1:], True])
        again = np.r_[False, level[kept][1:] == level[kept][:-1]]
        before = np.where(again, np.r_[0, qty[kept][:-1]], 0)
        kept = kept[qty[kept] != before]
        kept = kept[np.lexsort((price[kept], side[kept], seq[kept]))]
        columns = (seq, time_ns, side, price, qty)
        return pa.table([values[kept] for values in columns], names=list(_DELTA_COLUMNS))

    def ticks(self, start_ns: int = 0, end_ns: int = NEVER) -> Iterator[BookTick]:
        """Every command that changed the displayed book, with the book after it.

        The book of ``start_ns`` is the first state; its own tick is not repeated.
        """
        bids, asks = SortedDict(), SortedDict()
        books = (bids, asks)
        if start_ns:
            snapshot = self.at(start_ns)
            for side in (BUY, SELL):
                books[side].update(snapshot.levels(side))
        table = self.deltas
        times = table.column("time_ns").to_numpy()
        first, last = np.searchsorted(times, [start_ns, end_ns], side="right").tolist()
        rows = table.slice(first, last - first)
        seq_before, time_before = -1, 0
        changes: list[tuple[int, int, int]] = []
        for seq, time_ns, side, price, qty in _rows(rows):
            if seq != seq_before and changes:
                yield BookTick(seq_before, time_before, changes, bids, asks)
                changes = []
            seq_before, time_before = seq, time_ns
            changes.append((side, price, qty))
            if qty:
                books[side][price] = qty
            else:
                books[side].pop(price, None)
        if changes:
            yield BookTick(seq_before, time_before, changes, bids, asks)

    @cached_property
    def touches(self) -> pa.Table:
        """L1 at each change: ``seq, time_ns, bid, bid_qty, ask, ask_qty``; raw units, 0: none."""
        rows: list[tuple[int, ...]] = []
        before: tuple[int, ...] = (0, 0, 0, 0)
        for tick in self.ticks():
            touch = tick.touch()
            if touch != before:
                before = touch
                rows.append((tick.seq, tick.time_ns, *touch))
        columns = zip(*rows, strict=True) if rows else [[]] * 6
        names = ("seq", "time_ns", "bid", "bid_qty", "ask", "ask_qty")
        return pa.table(
            {n: pa.array(list(v), pa.int64()) for n, v in zip(names, columns, strict=True)}
        )

    def quotes(self) -> pa.Table:
        """``touches`` in decimals, with ``time``; null for an empty side."""
        table, shown = self.touches, {}
        shown["seq"], shown["time_ns"] = table.column("seq"), table.column("time_ns")
        shown["time"] = timestamps(table.column("time_ns").to_numpy())
        for side in ("bid", "ask"):
            ticks, lots = table.column(side).to_numpy(), table.column(f"{side}_qty").to_numpy()
            prices = np.where(ticks > 0, self.facts.prices(ticks, self.instrument), np.nan)
            sizes = np.where(ticks > 0, self.facts.quantities(lots, self.instrument), np.nan)
            shown[side] = pa.array(prices, from_pandas=True)
            shown[f"{side}_qty"] = pa.array(sizes, from_pandas=True)
        return pa.table(shown)

    def mids(self) -> pa.Table:
        """``seq, time_ns, time, mid, spread`` in quote, while both sides are there."""
        table = self.touches
        col = {name: table.column(name).to_numpy() for name in table.column_names}
        both = (col["bid"] > 0) & (col["ask"] > 0)
        bid = self.facts.prices(col["bid"][both], self.instrument)
        ask = self.facts.prices(col["ask"][both], self.instrument)
        seq, time_ns = col["seq"][both], col["time_ns"][both]
        shown = {"seq": seq, "time_ns": time_ns, "time": timestamps(time_ns)}
        return pa.table({**shown, "mid": (bid + ask) / 2, "spread": ask - bid})


def _rows(table: pa.Table) -> Iterator[tuple[int, ...]]:
    """Rows as tuples, a part at a time: as Python objects they are ten times as large."""
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def history_of(run: RunData, instrument: int) -> BookHistory:
    """The history of a book, from the cache where there is one.

    Raises ``RunCorrupt`` when an order table cannot be read.
    """
    symbol, facts = run.instruments[instrument]["symbol"], run.facts
    folder = run.path / CACHE
    table = _cached(folder / f"book-{instrument}.arrow", _key(run))
    if table is None:
        table = intervals_of(run, instrument)
        _keep(run, iter([(instrument, table)]))
    return BookHistory(symbol, instrument, table, facts)


def prepare_books(run: RunData) -> None:
    """Build the histories of all books into the cache, in one pass over the tables.

    Nothing is kept when the directory cannot be written.  Raises ``RunCorrupt``.
    """
    _keep(run, interval_tables(run))


def _key(run: RunData) -> bytes:
    """What a cached table must have been made from."""
    return f"{_CACHE_VERSION}/{run.manifest.digest}".encode()


def _keep(run: RunData, tables: Iterator[tuple[int, pa.Table]]) -> None:
    """Write interval tables to the cache; a directory that cannot be written costs time only.

    What a damaged run still tells is not kept: the next reader must be told of the loss, too.
    """
    if run.losses:
        return
    folder, packed = run.path / CACHE, pa.ipc.IpcWriteOptions(compression="zstd")
    try:
        folder.mkdir(exist_ok=True)
        for instrument, table in tables:
            path = folder / f"book-{instrument}.arrow"
            part = path.with_suffix(".part")
            marked = table.replace_schema_metadata({b"exchange_sim.cache": _key(run)})
            with (
                pa.OSFile(str(part), "wb") as sink,
                pa.ipc.new_file(sink, marked.schema, options=packed) as out,
            ):
                out.write_table(marked)
            part.replace(path)
    except OSError:
        return


def _cached(path: Path, key: bytes) -> pa.Table | None:
    """A cached table; None when there is none of this run.

    It is read, not mapped: a file that is cut while it is mapped ends the process.
    """
    try:
        with pa.OSFile(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowException):
        return None
    found = table.schema.metadata or {}
    return table.combine_chunks() if found.get(b"exchange_sim.cache") == key else None
