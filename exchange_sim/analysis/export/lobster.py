"""LOBSTER message and order-book files (lobsterdata.com, "Output Structure").

Sizes are lots and prices ``price * factor`` as integers; both factors stand in a JSON file beside
the two CSV files.  Row k of the order-book file is the book after message k.

Simplifications: LOBSTER has no way to tell that an iceberg shows its next slice; it is a new limit
order with the same id.  A change that costs an order its place is a deletion and a new order.
Halts are not written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
from sortedcontainers import SortedDict

from exchange_sim.analysis.book_rows import NEVER
from exchange_sim.analysis.export.common import NANOS_PER_DAY, day_of, rows_of, whole_file
from exchange_sim.analysis.export.tardis import plain_symbol
from exchange_sim.model.enums import BUY, InstrumentKind

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

NEW, PARTIAL_CANCEL, DELETE, EXECUTE = 1, 2, 3, 4
PRICE_FACTOR: Final = 10_000
NO_ASK, NO_BID = 9_999_999_999, -9_999_999_999
_NANOS: Final = 1_000_000_000


@attrs.frozen
class Entry:
    """One message: ``direction`` is 1 for a resting buy order, -1 for a sell order."""

    time_ns: int
    kind: int
    order_id: int
    lots: int
    ticks: int
    direction: int


class Resting:
    """The displayed book by order, and what changes it as messages."""

    def __init__(self) -> None:
        self.orders: dict[int, tuple[int, int, int]] = {}
        """By order id: direction, ticks, shown lots."""
        self.levels: tuple[SortedDict, SortedDict] = (SortedDict(), SortedDict())
        """Lots by ticks: bids, asks."""

    def message(
        self, time_ns: int, kind: int, order_id: int, lots: int, at: tuple[int, int]
    ) -> Entry:
        """Apply one change of ``lots`` at ``(direction, ticks)`` and return its message."""
        direction, ticks = at
        change = lots if kind == NEW else -lots
        book = self.levels[direction < 0]
        left = book.get(ticks, 0) + change
        if left:
            book[ticks] = left
        else:
            del book[ticks]
        shown = self.orders.get(order_id, (direction, ticks, 0))[2] + change
        if shown:
            self.orders[order_id] = (direction, ticks, shown)
        else:
            del self.orders[order_id]
        return Entry(time_ns, kind, order_id, lots, ticks, direction)

    def row(self, depth: int, factor: int) -> list[int]:
        """Ask price 1, ask size 1, bid price 1, bid size 1, ask price 2, ..."""
        bids, asks = self.levels
        best_bids = list(bids.islice(max(0, len(bids) - depth), None, reverse=True))
        best_asks = list(asks.islice(0, depth))
        out: list[int] = []
        for level in range(depth):
            if level < len(best_asks):
                out += [best_asks[level] * factor, asks[best_asks[level]]]
            else:
                out += [NO_ASK, 0]
            if level < len(best_bids):
                out += [best_bids[level] * factor, bids[best_bids[level]]]
            else:
                out += [NO_BID, 0]
        return out


@attrs.frozen
class _Change:
    """What one command did to the resting orders of a book."""

    seq: int
    time_ns: int
    after: dict[int, tuple[int, int, int, int]]
    """By order id: direction, ticks, shown lots, place; shown 0 when it is gone."""
    fills: list[tuple[int, int, int, int]]
    """Maker order, direction of the maker, ticks, lots: in the order of happening."""


def messages(run: RunData, instrument: int, book: Resting) -> Iterator[Entry]:
    """All messages of a book; ``book`` is after each message what it has made."""
    places: dict[int, int] = {}
    for change in _changes(run, instrument):
        yield from _executions(book, change)
        for order_id, (direction, ticks, shown, place) in change.after.items():
            yield from _settled(book, change.time_ns, order_id, (direction, ticks), shown,
                                places.get(order_id) == place)  # fmt: skip
            if shown:
                places[order_id] = place
            else:
                places.pop(order_id, None)


def _executions(book: Resting, change: _Change) -> Iterator[Entry]:
    """Fills in their order; what was not displayed yet is displayed first."""
    for order_id, direction, ticks, lots in change.fills:
        _, resting_at, shown = book.orders.get(order_id, (direction, ticks, 0))
        if shown and resting_at != ticks:
            yield book.message(change.time_ns, DELETE, order_id, shown, (direction, resting_at))
            shown = 0
        if lots > shown:
            yield book.message(change.time_ns, NEW, order_id, lots - shown, (direction, ticks))
        yield book.message(change.time_ns, EXECUTE, order_id, lots, (direction, ticks))


def _settled(
    book: Resting, time_ns: int, order_id: int, at: tuple[int, int], shown: int, kept_place: bool
) -> Iterator[Entry]:
    """From what an order shows after the fills of a command to what it shows at its end."""
    _, ticks, before = book.orders.get(order_id, (*at, 0))
    if before and (ticks != at[1] or shown > before or (shown and not kept_place)):
        yield book.message(time_ns, DELETE, order_id, before, (at[0], ticks))
        before = 0
    if shown > before:
        yield book.message(time_ns, NEW, order_id, shown - before, at)
    elif shown < before:
        kind = PARTIAL_CANCEL if shown else DELETE
        yield book.message(time_ns, kind, order_id, before - shown, at)


def _changes(run: RunData, instrument: int) -> Iterator[_Change]:
    """What every command did to a book, in order: from its intervals and its trades."""
    table = run.book_of(instrument).intervals
    col = {name: table.column(name).to_numpy() for name in table.column_names}
    gone = np.flatnonzero(col["until_seq"] != NEVER)
    seq = np.r_[col["until_seq"][gone], col["seq"]]
    order = np.lexsort((np.r_[np.zeros(len(gone)), np.ones(len(col["seq"]))], seq))
    time_ns = np.r_[col["until_ns"][gone], col["time_ns"]][order]
    shown = np.r_[np.zeros(len(gone), np.int64), col["shown"]][order]
    rows = {n: np.r_[col[n][gone], col[n]][order] for n in ("order_id", "side", "price", "place")}
    columns = (seq[order], time_ns, rows["order_id"], rows["side"], rows["price"], shown,
               rows["place"])  # fmt: skip
    fills = _fills(run, instrument)
    found: _Change | None = None
    for at, when, order_id, side, ticks, lots, place in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        if found is None or found.seq != at:
            if found is not None:
                yield found
            found = _Change(at, when, {}, fills.pop(at, []))
        found.after[order_id] = (1 if side == BUY else -1, ticks, lots, place)
    if found is not None:
        yield found


def _fills(run: RunData, instrument: int) -> dict[int, list[tuple[int, int, int, int]]]:
    names = ("seq", "maker_order", "aggressor", "price", "qty")
    col = rows_of(run, "traded", instrument, names)
    found: dict[int, list[tuple[int, int, int, int]]] = {}
    for seq, maker, side, ticks, lots in zip(*(col[n].tolist() for n in names), strict=True):
        direction = -1 if side == BUY else 1
        found.setdefault(seq, []).append((maker, direction, ticks, lots))
    return found


def price_factor(run: RunData, instrument: int) -> int:
    """Integer prices per quote unit: 10,000, or the power of ten that keeps ticks whole."""
    up, down = int(run.facts.tick_up[instrument]), int(run.facts.tick_down[instrument])
    factor = PRICE_FACTOR
    while factor * up % down:
        factor *= 10
    return factor


def write(
    run: RunData, folder: Path, instruments: list[int], depth: int
) -> Iterator[tuple[Path, int]]:
    """Two CSV files and a JSON file per instrument and UTC day; yields paths and rows.

    A file holds one day, so the first row of a further day is told with the book as it stands.
    Raises ``StorageError``.
    """
    for instrument in instruments:
        book = Resting()
        factor = price_factor(run, instrument)
        up, down = int(run.facts.tick_up[instrument]), int(run.facts.tick_down[instrument])
        per_tick = factor * up // down
        day = -1
        lines: list[str] = []
        rows: list[str] = []
        for entry in messages(run, instrument, book):
            if entry.time_ns // NANOS_PER_DAY != day and lines:
                yield from _write_day(run, folder, instrument, depth, day, factor, lines, rows)
                lines, rows = [], []
            day = entry.time_ns // NANOS_PER_DAY
            seconds, nanos = divmod(entry.time_ns - day * NANOS_PER_DAY, _NANOS)
            lines.append(
                f"{seconds}.{nanos:09d},{entry.kind},{entry.order_id},{entry.lots},"
                f"{entry.ticks * per_tick},{entry.direction}"
            )
            rows.append(",".join(map(str, book.row(depth, per_tick))))
        if lines:
            yield from _write_day(run, folder, instrument, depth, day, factor, lines, rows)


def _write_day(
    run: RunData,
    folder: Path,
    instrument: int,
    depth: int,
    day: int,
    factor: int,
    lines: list[str],
    rows: list[str],
) -> Iterator[tuple[Path, int]]:
    row = run.instruments[instrument]
    date, start, end = day_of(day * NANOS_PER_DAY), _ms(lines[0]), _ms(lines[-1])
    kind = "" if row["kind"] == InstrumentKind.SPOT else "-PERP"
    stem = f"{plain_symbol(row['symbol'])}{kind}_{date}_{start}_{end}"
    for name, texts in (("message", lines), ("orderbook", rows)):
        path = folder / row["venue_name"] / f"{stem}_{name}_{depth}.csv"
        with whole_file(path) as sink:
            sink.writelines(f"{text}\n".encode() for text in texts)
        yield path, len(texts)
    facts: dict[str, Any] = {
        "symbol": row["symbol"],
        "date": date,
        "price_factor": factor,
        "lot_size": str(Decimal(row["lot_size"])),
        "levels": depth,
    }
    path = folder / row["venue_name"] / f"{stem}_factors.json"
    with whole_file(path) as sink:
        sink.write((json.dumps(facts, indent=2) + "\n").encode())
    yield path, len(facts)


def _ms(line: str) -> int:
    """Milliseconds after midnight of a message, as in the names of the files."""
    return int(Decimal(line.partition(",")[0]) * 1000)
