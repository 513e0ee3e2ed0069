"""A disk that fails when it is told to, and messages of every registered type for round trips."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from exchange_sim.journal import JournalHeader
from exchange_sim.messages import commands, events
from exchange_sim.messages.registry import COMMANDS, EVENTS, Message

START_NS = 1_760_129_400_000_000_000
INT64 = st.integers(-(2**63), 2**63 - 1)

assert commands.NewOrder.type_id in COMMANDS
assert events.Traded.type_id in EVENTS

Row = tuple[int, ...]


def header(**changes: Any) -> JournalHeader:
    """The header of a small run."""
    facts: dict[str, Any] = {
        "scenario": "tiny",
        "seed": 7,
        "scenario_text": '{"name":"tiny"}',
        "package_version": "0.1.0",
        "python_version": "3.11.7",
        "strategy_digests": {"strategies.x:X": "00ff"},
    }
    return JournalHeader(**{**facts, **changes})


def new_order(i: int, qty: int = 5) -> Row:
    """A limit order, one millisecond after the one before."""
    now = START_NS + i * 1_000_000
    return (1, now, 3, 0, i + 1, i % 2, 0, 0, 1_000 + i, qty, 0, 0, 0, 0, 0, 0)


def cancel(i: int) -> Row:
    """A cancel, in the same rhythm."""
    return (2, START_NS + i * 1_000_000, 3, i)


def rows_of(kind: type[Message]) -> st.SearchStrategy[Row]:
    """Tuples of one type with any 64-bit integers in their fields."""
    return st.tuples(st.just(kind.type_id), *(INT64 for _ in kind.field_names))


any_command = st.one_of([rows_of(kind) for kind in COMMANDS.values()])


class FaultyDisk:
    """Counts operations on all files it opens; ``fails(number)`` decides which of them fail.

    ``short`` makes writes that do not fail accept only that many bytes.
    """

    def __init__(
        self,
        fails: Callable[[int], bool],
        code: int = errno.ENOSPC,
        short: int | None = None,
    ) -> None:
        self.fails = fails
        self.code = code
        self.short = short
        self.operations = 0

    def operate(self) -> None:
        """Count an operation; raise ``OSError`` when it is one of those that fail."""
        self.operations += 1
        if self.fails(self.operations):
            raise OSError(self.code, os.strerror(self.code))

    def open(self, path: Path) -> FaultyFile:
        """Open a file on this disk."""
        self.operate()
        return FaultyFile(self, path)


class FaultyFile:
    """A file on a ``FaultyDisk``, both as ``RawFile`` and as a sink for Parquet."""

    def __init__(self, disk: FaultyDisk, path: Path) -> None:
        self.disk = disk
        self.file = path.open("wb", buffering=0)

    @property
    def closed(self) -> bool:
        return self.file.closed

    def write(self, data: Any, /) -> int:
        part = memoryview(data)[: self.disk.short]
        try:
            self.disk.operate()
        except OSError:
            self.file.write(part[: len(part) // 2])  # A failing disk may have written some of it.
            raise
        self.file.write(part)
        return len(part)

    def tell(self) -> int:
        return self.file.tell()

    def flush(self) -> None:
        self.disk.operate()

    def truncate(self, size: int, /) -> None:
        self.disk.operate()
        self.file.truncate(size)
        self.file.seek(size)

    def sync(self) -> None:
        self.disk.operate()

    def close(self) -> None:
        if not self.file.closed:
            self.file.close()
            self.disk.operate()
