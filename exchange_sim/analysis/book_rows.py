"""Order events as intervals: which order rested where, and from when until when.

One pass over the order tables deals their rows to instruments; each instrument's rows are then
turned into *intervals*, one per state of a resting order between two commands::

    seq time_ns order_id account side price shown leaves place until_seq until_ns

An interval is valid for ``seq <= s < until_seq``.  ``place`` ranks the orders of one level: the
smaller one trades first.  So the book at any instant is a selection, without replaying anything.

The tables are kept per kind, so what happened inside one command is known up to its end only; that
is also when anybody can see it.

Simplifications: of a trigger order and an iceberg's next slice that join the same level within one
command, the trigger order is taken to be first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exchange_sim.messages.events import (
    OrderAccepted,
    OrderCanceled,
    OrderReplaced,
    OrderTriggered,
    Traded,
)
from exchange_sim.messages.registry import Message
from exchange_sim.model.enums import STOP_MARKET

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

NEVER: Final = 2**63 - 1
"""``until_seq`` and ``until_ns`` of what never changed again."""

ACCEPTED, ARMED, TRIGGERED, REPLACED, FILLED = range(1, 6)
"""Phases of one order inside one command, in the order in which they happen."""
_PHASES: Final = 8

Rows = npt.NDArray[Any]
RAW: Final = np.dtype(
    [
        ("seq", "<i8"), ("time_ns", "<i8"), ("order", "<i8"), ("price", "<i8"), ("leaves", "<i8"),
        ("extra", "<i8"), ("line", "<i8"), ("account", "<i4"), ("phase", "i1"), ("side", "i1"),
    ]
)  # fmt: skip
"""One event of one order.

``extra`` is the displayed quantity of an acceptance, whether a replacement kept its place, and of a
fill the lots of a maker or minus those of a taker; ``line`` orders rows within a command.
"""

SCHEMA: Final = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("seq", pa.int64()), ("time_ns", pa.int64()), ("order_id", pa.int64()),
            ("account", pa.int32()), ("side", pa.int8()), ("price", pa.int64()),
            ("shown", pa.int64()), ("leaves", pa.int64()), ("place", pa.int64()),
            ("until_seq", pa.int64()), ("until_ns", pa.int64()),
        )
    ]
)  # fmt: skip
"""Columns of an interval table; prices are ticks, quantities lots."""

_COLUMNS: Final[dict[type[Message], tuple[str, ...]]] = {
    OrderAccepted: ("order_id", "account", "side", "order_type", "price", "qty", "display"),
    OrderTriggered: ("order_id",),
    OrderReplaced: ("order_id", "price", "leaves", "kept_priority"),
    Traded: ("maker_order", "taker_order", "qty", "maker_leaves", "taker_leaves"),
    OrderCanceled: ("order_id", "leaves"),
}


def intervals_of(run: RunData, instrument: int) -> pa.Table:
    """The intervals of one instrument alone: quicker than all of them, slower than each of all.

    Raises ``RunCorrupt`` when an order table cannot be read.
    """
    parts = []
    for kind, wanted in _COLUMNS.items():
        line = 0
        for batch in run.batches(kind, ("seq", "time_ns", "instrument", *wanted)):
            found = np.flatnonzero(batch.column("instrument").to_numpy() == instrument)
            if len(found):
                # Selected in NumPy: Arrow's own selection imports more than it saves.
                chosen = {name: values[found] for name, values in _columns(batch).items()}
                parts.append(_raw(kind, chosen, line + found)[1])
            line += batch.num_rows
    return intervals(np.concatenate(parts) if parts else np.zeros(0, RAW))


def interval_tables(run: RunData) -> Iterator[tuple[int, pa.Table]]:
    """The intervals of every instrument, one after the other.

    Memory is bounded by the rows of one instrument; the dealt rows wait in temporary files.
    Raises ``RunCorrupt`` when an order table cannot be read.
    """
    with ExitStack() as files:
        parts = [files.enter_context(tempfile.TemporaryFile()) for _ in run.instruments]
        for kind, wanted in _COLUMNS.items():
            line = 0
            for batch in run.batches(kind, ("seq", "time_ns", "instrument", *wanted)):
                instruments, rows = _raw(kind, _columns(batch), line + np.arange(batch.num_rows))
                line += batch.num_rows
                order = np.argsort(instruments, kind="stable")
                cuts = np.searchsorted(instruments[order], np.arange(1, len(parts)))
                for part, piece in zip(parts, np.split(rows[order], cuts), strict=True):
                    part.write(piece.tobytes())
        for instrument, part in enumerate(parts):
            part.seek(0)
            yield instrument, intervals(np.frombuffer(part.read(), RAW))


def _columns(batch: pa.RecordBatch) -> dict[str, Rows]:
    return {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}


def _raw(kind: type[Message], col: dict[str, Rows], lines: Rows) -> tuple[Rows, Rows]:
    """Instruments and raw rows of a part of the table of one kind; a trade gives two rows.

    ``lines`` are the positions of its rows in the table.
    """
    if kind is Traded:
        sides = [
            _filled(col, lines, col[f"{who}_order"], col[f"{who}_leaves"], sign * col["qty"])
            for who, sign in (("maker", 1), ("taker", -1))
        ]
        return np.concatenate([col["instrument"]] * 2), np.concatenate(sides)
    rows = _filled(col, lines, col["order_id"], col.get("leaves", 0), 0)
    if kind is OrderAccepted:
        rows["phase"] = np.where(col["order_type"] >= STOP_MARKET, ARMED, ACCEPTED)
        rows["leaves"], rows["extra"] = col["qty"], col["display"]
        for name in ("price", "side", "account"):
            rows[name] = col[name]
    elif kind is OrderReplaced:
        rows["phase"], rows["price"], rows["extra"] = REPLACED, col["price"], col["kept_priority"]
    elif kind is OrderTriggered:
        rows["phase"] = TRIGGERED
    return col["instrument"], rows


def _filled(col: dict[str, Rows], lines: Rows, order: Rows, leaves: Any, extra: Any) -> Rows:
    rows = np.zeros(len(order), RAW)
    rows["seq"], rows["time_ns"], rows["order"] = col["seq"], col["time_ns"], order
    rows["leaves"], rows["extra"], rows["phase"] = leaves, extra, FILLED
    rows["line"] = lines
    return rows


def intervals(raw: Rows) -> pa.Table:
    """Turn the events of one instrument's orders into intervals, ordered by ``seq``."""
    if not len(raw):
        return SCHEMA.empty_table()
    # Open lots only fall within a phase, so descending leaves are in the order of happening; the
    # sort is stable and lines rise, so equal ones stay in order.
    moment = raw["seq"] * _PHASES + raw["phase"]
    raw = raw[np.lexsort((-raw["leaves"], moment, np.ascontiguousarray(raw["order"])))]
    new_order = np.r_[True, raw["order"][1:] != raw["order"][:-1]]
    born = np.maximum.accumulate(np.where(new_order, np.arange(len(raw)), 0))
    known = np.isin(raw["phase"][born], (ACCEPTED, ARMED))
    if not known.all():  # Acceptances of a damaged run are lost: their orders cannot be placed.
        return intervals(raw[known])
    phase = raw["phase"]
    price = raw["price"][_last(np.isin(phase, (ACCEPTED, ARMED, REPLACED)))]
    leaves = raw["leaves"][_last(phase != TRIGGERED)]
    armed = phase[_last(np.isin(phase, (ACCEPTED, ARMED, TRIGGERED)))] == ARMED
    placed = np.isin(phase, (ACCEPTED, ARMED, TRIGGERED)) | (
        (phase == REPLACED) & (raw["extra"] == 0)
    )
    ranks = _ranks(raw)
    place, shown = ranks[_last(placed)], leaves.copy()
    _icebergs(raw, born, leaves, shown, place, ranks)
    ends = np.r_[(raw["seq"][1:] != raw["seq"][:-1]) | new_order[1:], True]
    kept = np.flatnonzero(ends)
    same = np.r_[born[kept][1:] == born[kept][:-1], False]
    following = np.r_[kept[1:], kept[:1]]
    until_seq = np.where(same, raw["seq"][following], NEVER)
    until_ns = np.where(same, raw["time_ns"][following], NEVER)
    rests = (leaves[kept] > 0) & ~armed[kept]
    kept, until_seq, until_ns = kept[rests], until_seq[rests], until_ns[rests]
    order = np.lexsort((place[kept], raw["seq"][kept]))
    kept, until_seq, until_ns = kept[order], until_seq[order], until_ns[order]
    owner = raw[born[kept]]
    columns = (
        raw["seq"][kept], raw["time_ns"][kept], raw["order"][kept], owner["account"],
        owner["side"], price[kept], shown[kept], leaves[kept], place[kept], until_seq, until_ns,
    )  # fmt: skip
    return pa.table([pa.array(np.ascontiguousarray(values)) for values in columns], schema=SCHEMA)


def _last(marked: Rows) -> Rows:
    """For every row the position of the last marked row up to it; the first row is always one."""
    found: Rows = np.maximum.accumulate(np.where(marked, np.arange(len(marked)), 0))
    return found


def _ranks(raw: Rows) -> Rows:
    """A rank in time for every row: by command, then phase, then line."""
    ranks = np.empty(len(raw), np.int64)
    moment = raw["seq"] * _PHASES + raw["phase"]
    ranks[np.lexsort((raw["line"], moment))] = np.arange(len(raw))
    return ranks


def _icebergs(raw: Rows, born: Rows, leaves: Rows, shown: Rows, place: Rows, ranks: Rows) -> None:
    """Follow the displayed slices of the few orders that hide a part, in shown and place."""
    for start in np.flatnonzero((born == np.arange(len(raw))) & (raw["extra"] > 0)).tolist():
        end = start + int(np.searchsorted(born[start:], start, side="right"))
        display, entered = int(raw["extra"][start]), -1
        visible, at, names = 0, int(place[start]), ("seq", "phase", "extra", "leaves")
        for k in range(start, end):
            seq, phase, extra, left = (int(raw[name][k]) for name in names)
            if phase == REPLACED and extra:
                visible = min(visible, left)
            elif phase < FILLED:
                entered, at = seq, int(ranks[k])
                visible = min(display, int(leaves[k]))
            elif extra < 0 and seq == entered:
                visible = min(display, left)
            elif extra and abs(extra) < visible:
                visible -= abs(extra)
            elif extra:
                visible, at = min(display, left), int(ranks[k])
            else:
                visible = min(visible, left)
            shown[k], place[k] = visible, at
