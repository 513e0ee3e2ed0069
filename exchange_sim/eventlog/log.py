"""The event log proper: one call per command, one table per kind, one digest over everything.

The hot path only keeps references to the tuples.  Work is done per batch: its events are packed
(with one ``struct`` per kind, which halves the cost of a single large one and checks every event)
and hashed while they are still in the processor's cache; several batches at once are dealt to the
kinds with NumPy.  Memory is bounded by these and by ``limits.ROW_GROUP_ROWS`` rows per kind,
whatever the length of the run.

The digest covers two streams of little-endian 64-bit integers: for every command
``(seq, time_ns, number of events)``, and for every event its tuple.  It does not depend on when
batches are cut, on which kinds are written, or on whether anything is written at all.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from contextlib import suppress
from hashlib import blake2b
from operator import itemgetter
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exchange_sim.errors import InvariantViolation, StorageError
from exchange_sim.eventlog.schema import event_schema, table_name
from exchange_sim.eventlog.tables import OpenSink, TableFile, open_sink
from exchange_sim.journal.storage import storage_error
from exchange_sim.limits import ROW_GROUP_ROWS
from exchange_sim.messages.registry import EVENTS

_Ints = npt.NDArray[np.int64]

_BATCH_EVENTS: Final = 1_024
"""Events kept as tuples before they are packed: 430 ns an event, with 8,192 it is 1,000."""
_DEAL_EVENTS: Final = 16_384
"""Packed events before they are dealt to the kinds: the NumPy calls per kind must pay off."""
_BUFFERED_ROWS_MAX: Final = 4 * ROW_GROUP_ROWS
"""Packed rows of all kinds together; beyond it the fullest kind is written early."""

_HEAD_INTS: Final = 3
_TYPE_IDS: Final = 256
_type_of = itemgetter(0)

assert max(EVENTS) < _TYPE_IDS  # Types of a batch are gathered as bytes.
_WIDTHS: Final = np.zeros(_TYPE_IDS, np.int64)
for _type_id, _kind in EVENTS.items():
    _WIDTHS[_type_id] = 1 + len(_kind.field_names)
_PACK: Final = {type_id: struct.Struct(f"<{_WIDTHS[type_id]}q").pack for type_id in EVENTS}


class Listener(Protocol):
    """Somebody who follows a few kinds of events, batch by batch."""

    @property
    def kinds(self) -> Collection[int]:
        """Type ids of interest."""

    def observe(self, seq: int, time_ns: int, event: tuple[int, ...], /) -> None:
        """Take an event of these kinds; events come in order of happening."""

    def advance(self, time_ns: int, /) -> None:
        """Everything up to this time has been passed on."""


class EventLog:
    """Collects the events of a run.

    ``directory`` is the run directory; ``None`` computes the digest and writes nothing.  ``kinds``
    limits the tables to these type ids; digest and counts always cover everything.
    """

    def __init__(
        self,
        directory: Path | None,
        kinds: Collection[int] | None = None,
        open_file: OpenSink = open_sink,
    ) -> None:
        """Raises ``StorageError`` when ``directory`` cannot be written."""
        self._events: list[tuple[int, ...]] = []
        self._heads: list[int] = []
        self._head_hash = blake2b(digest_size=16)
        self._event_hash = blake2b(digest_size=16)
        self._last: tuple[int, int] | None = None
        self._counts = [0] * _TYPE_IDS
        self._undealt: list[tuple[bytes, npt.NDArray[np.uint8], _Ints]] = []
        self._undealt_events = 0
        self._buffered = 0
        self._tables: dict[int, _KindTable] = {}
        self._closed = False
        self._listeners: list[tuple[Listener, npt.NDArray[np.bool_]]] = []
        if directory is None:
            return
        target = directory / "events"
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise storage_error(target, "create", cause) from cause
        wanted = EVENTS.keys() if kinds is None else kinds
        self._tables = {tid: _KindTable(target, tid, open_file) for tid in EVENTS if tid in wanted}

    def record(self, seq: int, time_ns: int, events: list[tuple[int, ...]]) -> None:
        """Take everything that command ``seq`` caused; call it for every command.

        ``events`` is not kept.  Raises ``StorageError``, and ``InvariantViolation`` when a batch
        holds an event that the registry does not know or commands out of order.
        """
        heads = self._heads
        heads += (seq, time_ns, len(events))
        if events:
            kept = self._events
            kept += events
            if len(kept) >= _BATCH_EVENTS:
                self._pack()
        elif len(heads) >= _HEAD_INTS * _BATCH_EVENTS:
            self._pack()

    def listen(self, listener: Listener) -> None:
        """Pass the events of ``listener.kinds`` on to it, a batch at a time, from now on."""
        wanted = np.zeros(_TYPE_IDS, np.bool_)
        wanted[list(listener.kinds)] = True
        self._listeners.append((listener, wanted))

    @property
    def counts(self) -> dict[str, int]:
        """How many events of each kind happened, by table name; kinds without any are left out."""
        self._pack()
        return {
            table_name(kind): self._counts[type_id]
            for type_id, kind in sorted(EVENTS.items())
            if self._counts[type_id]
        }

    def digest(self) -> str:
        """Digest of everything recorded so far, as hexadecimal text."""
        self._pack()
        joined = self._head_hash.digest() + self._event_hash.digest()
        return blake2b(joined, digest_size=16).hexdigest()

    def close(self) -> None:
        """Write the rest and finish all tables.  Raises as ``record`` does."""
        if self._closed:
            return
        try:
            self._pack()
            self._deal()
            for table in self._tables.values():
                table.close()
        except (StorageError, InvariantViolation):
            self.abort()
            raise
        self._closed = True

    def abort(self) -> None:
        """End a run that failed: keep what can be finished, remove what cannot.  Never raises."""
        if self._closed:
            return
        self._closed = True
        with suppress(StorageError, InvariantViolation):
            self._pack()
            self._deal()
        for table in self._tables.values():
            try:
                table.close()
            except (StorageError, InvariantViolation):
                table.discard()

    def _pack(self) -> None:
        if not self._heads:
            return
        events, self._events = self._events, []
        packed_heads = struct.pack(f"<{len(self._heads)}q", *self._heads)
        heads = np.frombuffer(packed_heads, "<i8").reshape(-1, _HEAD_INTS)
        self._heads = []
        self._check_heads(heads)
        packed, kinds = _pack_events(events, heads)
        self._head_hash.update(packed_heads)
        self._event_hash.update(packed)
        present = np.bincount(kinds, minlength=_TYPE_IDS)
        for type_id in np.flatnonzero(present).tolist():
            self._counts[type_id] += int(present[type_id])
        for listener, wanted in self._listeners:
            self._notify(listener, np.flatnonzero(wanted[kinds]).tolist(), events, heads)
        if self._tables:
            self._undealt.append((packed, kinds, heads))
            self._undealt_events += len(events)
            if self._undealt_events >= _DEAL_EVENTS:
                self._deal()

    def _notify(
        self, listener: Listener, chosen: list[int], events: list[tuple[int, ...]], heads: _Ints
    ) -> None:
        owners = np.searchsorted(np.cumsum(heads[:, 2]), chosen, side="right")
        for at, (seq, time_ns, _) in zip(chosen, heads[owners].tolist(), strict=True):
            listener.observe(seq, time_ns, events[at])
        listener.advance(int(heads[-1, 1]))

    def _deal(self) -> None:
        """Turn packed events into blocks of columns, and full tables into row groups."""
        if not self._undealt:
            return
        parts, self._undealt, self._undealt_events = self._undealt, [], 0
        flat = np.frombuffer(b"".join([part[0] for part in parts]), "<i8")
        kinds = np.concatenate([part[1] for part in parts])
        heads = np.concatenate([part[2] for part in parts])
        widths = _WIDTHS[kinds]
        starts = np.cumsum(widths) - widths
        owner = np.repeat(np.arange(len(heads)), heads[:, 2])
        for type_id, table in self._tables.items():
            chosen = np.flatnonzero(kinds == type_id)
            if not len(chosen):
                continue
            fields = np.arange(1, int(_WIDTHS[type_id]))
            block = np.empty((len(fields) + 2, len(chosen)), np.int64)
            block[:2] = heads[owner[chosen], :2].T
            block[2:] = flat[starts[chosen] + fields[:, None]]
            table.add(block)
            self._buffered += len(chosen)
            if table.buffered >= ROW_GROUP_ROWS:
                self._buffered -= table.flush()
        while self._buffered > _BUFFERED_ROWS_MAX:
            self._buffered -= max(self._tables.values(), key=lambda table: table.buffered).flush()

    def _check_heads(self, heads: _Ints) -> None:
        seqs, times = heads[:, 0], heads[:, 1]
        if self._last is not None:
            seqs = np.concatenate(([self._last[0]], seqs))
            times = np.concatenate(([self._last[1]], times))
        wrong = np.flatnonzero((np.diff(seqs) != 1) | (np.diff(times) < 0))
        if len(wrong):
            at = int(wrong[0])
            message = (
                f"command {int(seqs[at + 1])} at {int(times[at + 1])} ns follows"
                f" command {int(seqs[at])} at {int(times[at])} ns"
            )
            raise InvariantViolation(message, "LOG-1", int(seqs[at]))
        self._last = (int(seqs[-1]), int(times[-1]))


class _KindTable:
    """Rows of one kind that wait for a row group, and the file they go to."""

    def __init__(self, directory: Path, type_id: int, open_file: OpenSink) -> None:
        kind = EVENTS[type_id]
        self.buffered = 0
        self._name = kind.__name__
        self._schema = event_schema(kind)
        self._path = directory / f"{table_name(kind)}.parquet"
        self._open_file = open_file
        self._blocks: list[_Ints] = []
        self._file: TableFile | None = None

    def add(self, block: _Ints) -> None:
        """Keep rows; ``block`` has one line per column."""
        self._blocks.append(block)
        self.buffered += block.shape[1]

    def flush(self) -> int:
        """Write the rows that wait as one row group; how many they were."""
        rows = self.buffered
        if rows:
            block = np.concatenate(self._blocks, axis=1)
            self._blocks, self.buffered = [], 0
            pairs = zip(self._schema, block, strict=True)
            columns = [self._column(field, values) for field, values in pairs]
            if self._file is None:
                self._file = TableFile(self._path, self._schema, self._open_file)
            self._file.write(pa.Table.from_arrays(columns, schema=self._schema))
        return rows

    def close(self) -> None:
        """Write the rest and give the file its name; a kind that never happened has no file."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.discard()
            self._file = None

    def _column(self, field: pa.Field, values: _Ints) -> pa.Array:
        narrow = values.astype(field.type.to_pandas_dtype(), copy=False)
        if narrow.dtype != values.dtype and not np.array_equal(narrow, values):
            wide = values[narrow != values][0]
            message = f"{field.name} of {self._name} does not fit {field.type}: {int(wide)}"
            raise InvariantViolation(message, "LOG-2")
        return pa.array(narrow)


def _pack_events(
    events: list[tuple[int, ...]], heads: _Ints
) -> tuple[bytes, npt.NDArray[np.uint8]]:
    """All integers of the events in a row, and the type of each event."""
    try:
        packed = b"".join([_PACK[event[0]](*event) for event in events])
    except (struct.error, TypeError, KeyError, IndexError):
        raise _bad_event(events, heads) from None
    return packed, np.frombuffer(bytes(map(_type_of, events)), np.uint8)


def _bad_event(events: list[tuple[int, ...]], heads: _Ints) -> InvariantViolation:
    seqs = np.repeat(heads[:, 0], heads[:, 2]).tolist()
    for seq, event in zip(seqs, events, strict=True):
        kind = EVENTS.get(event[0]) if event else None
        if kind is None:
            return InvariantViolation(f"not a registered event: {event!r}", "LOG-2", seq)
        if len(event) != 1 + len(kind.field_names):
            message = f"{kind.__name__} has {len(kind.field_names)} fields: {event!r}"
            return InvariantViolation(message, "LOG-2", seq)
        values: tuple[object, ...] = event[1:]
        for name, value in zip(kind.field_names, values, strict=True):
            if not isinstance(value, int) or not -(2**63) <= value < 2**63:
                message = f"{name} of {kind.__name__} is no 64-bit integer: {value!r}"
                return InvariantViolation(message, "LOG-2", seq)
    return InvariantViolation("a batch of events cannot be packed", "LOG-2", seqs[-1])
