"""The writing side of the journal."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from exchange_sim.errors import (
    DeterminismMismatch,
    InvariantViolation,
    JournalCorrupt,
    StorageError,
)
from exchange_sim.journal.frames import (
    COMMAND_BLOCK,
    COMMAND_WIDTHS,
    FOOTER,
    HEADER,
    JournalFooter,
    JournalHeader,
    seal,
    to_json,
)
from exchange_sim.journal.storage import OpenFile, OsFile, RecordFile
from exchange_sim.limits import JOURNAL_BLOCK_COMMANDS
from exchange_sim.messages.registry import COMMANDS

_PACK: Final = {
    type_id: struct.Struct(f"<{width}q").pack for type_id, width in COMMAND_WIDTHS.items()
}


class JournalWriter:
    """Appends commands before they take effect.

    ``append`` encodes at once with a ``struct`` of the command's own length, which also checks
    length and range: a third of the cost of an ``array`` that grows by one command (65 ns an
    integer).  Hashing and writing happen once per block.  A killed process loses at most
    ``limits.JOURNAL_BLOCK_COMMANDS`` commands, a failing disk as many; what is in the file is
    always a row of whole frames.
    """

    def __init__(self, path: Path, header: JournalHeader, open_file: OpenFile = OsFile) -> None:
        """Create the file and write the header.  Raises ``StorageError``."""
        self._block: list[bytes] = []
        self._seq = 0
        self._digest = b""
        self._closed = False
        self._file = RecordFile(path, open_file)
        try:
            self._write(HEADER, 0, 0, to_json(header))
        except StorageError:
            self.abort()
            raise

    @property
    def seq(self) -> int:
        """Number of commands taken so far."""
        return self._seq + len(self._block)

    @property
    def digest(self) -> str:
        """Digest of everything written so far, as hexadecimal text."""
        return self._digest.hex()

    def append(self, cmd: tuple[int, ...]) -> None:
        """Take the next command; call it before ``World.apply``.

        Raises ``InvariantViolation`` when ``cmd`` is no tuple of 64-bit integers of a registered
        type (it is then not in the journal), and ``StorageError`` when the disk fails.
        """
        block = self._block
        try:
            block.append(_PACK[cmd[0]](*cmd))
        except (struct.error, KeyError, IndexError, TypeError):
            raise _bad_command(cmd, self.seq + 1) from None
        if len(block) >= JOURNAL_BLOCK_COMMANDS:
            self.flush()

    def flush(self) -> None:
        """Write the commands that wait in memory as one frame.  Raises ``StorageError``."""
        if self._closed:
            raise StorageError(f"{self._file.path.name} is closed")
        count = len(self._block)
        if count:
            payload = b"".join(self._block)
            self._block.clear()
            self._write(COMMAND_BLOCK, self._seq + 1, count, payload)
            self._seq += count

    def sync(self) -> None:
        """Write what waits and make it survive a loss of power.  Raises ``StorageError``."""
        self.flush()
        self._file.sync()

    def close(self, footer: JournalFooter) -> None:
        """Finish a complete journal.

        Raises ``StorageError``, and ``InvariantViolation`` for a footer with another count.
        """
        if footer.final_seq != self.seq:
            message = f"the footer says command {footer.final_seq}, the journal holds {self.seq}"
            raise InvariantViolation(message, "LOG-1", self.seq)
        try:
            self.flush()
            self._write(FOOTER, self._seq, 0, to_json(footer))
            self._file.sync()
        except StorageError:
            self.abort()
            raise
        self._closed = True
        self._file.close()

    def abort(self) -> None:
        """Keep what was captured and close without a footer.

        Never raises, and does nothing to a closed journal.
        """
        if self._closed:
            return
        with suppress(
            StorageError
        ):  # The first error is on its way; the file ends in a whole frame.
            self.sync()
        self._closed = True
        with suppress(StorageError):
            self._file.close()

    def _write(self, kind: int, first_seq: int, count: int, payload: bytes) -> None:
        frame, digest = seal(kind, first_seq, count, payload, self._digest)
        self._file.append(frame)
        self._digest = digest


class ComparedJournal(JournalWriter):
    """A journal of commands that were recorded before: each must be the one that is expected.

    ``recorded`` may end early, where it is cut or damaged; what follows is only written.
    """

    def __init__(
        self,
        path: Path,
        header: JournalHeader,
        recorded: Iterator[tuple[int, ...]],
        open_file: OpenFile = OsFile,
    ) -> None:
        """Raises ``StorageError``."""
        super().__init__(path, header, open_file)
        self._recorded: Iterator[tuple[int, ...]] | None = recorded

    def append(self, cmd: tuple[int, ...]) -> None:
        """As ``JournalWriter``; ``DeterminismMismatch`` when another command was recorded."""
        expected = self._next()
        if expected is not None and expected != cmd:
            raise DeterminismMismatch(
                f"command {self.seq + 1} differs from the recorded one:"
                f" recorded {_spelled(expected)}, executed {_spelled(cmd)}"
            )
        super().append(cmd)

    def close(self, footer: JournalFooter) -> None:
        """As ``JournalWriter``; a complete run must have reached the last recorded command."""
        if footer.complete and self._next() is not None:
            message = f"the run ended at command {self.seq}, but more were recorded"
            raise DeterminismMismatch(message)
        super().close(footer)

    def _next(self) -> tuple[int, ...] | None:
        if self._recorded is None:
            return None
        try:
            found = next(self._recorded, None)
        except JournalCorrupt:
            found = None
        if found is None:
            self._recorded = None
        return found


def _spelled(cmd: tuple[int, ...]) -> str:
    kind = COMMANDS.get(cmd[0])
    if kind is None:
        return repr(cmd)
    pairs = zip(kind.field_names, cmd[1:], strict=False)
    return f"{kind.__name__}({', '.join(f'{name}={value}' for name, value in pairs)})"


def _bad_command(cmd: tuple[int, ...], seq: int) -> InvariantViolation:
    kind = COMMANDS.get(cmd[0]) if cmd else None
    if kind is None:
        return InvariantViolation(f"not a registered command: {cmd!r}", "LOG-2", seq)
    if len(cmd) != 1 + len(kind.field_names):
        message = f"{kind.__name__} has {len(kind.field_names)} fields, got {len(cmd) - 1}: {cmd!r}"
        return InvariantViolation(message, "LOG-2", seq)
    values: tuple[object, ...] = cmd[1:]
    for name, value in zip(kind.field_names, values, strict=True):
        if not isinstance(value, int) or not -(2**63) <= value < 2**63:
            message = f"{name} of {kind.__name__} is no 64-bit integer: {value!r}"
            return InvariantViolation(message, "LOG-2", seq)
    return InvariantViolation(f"{kind.__name__} cannot be written: {cmd!r}", "LOG-2", seq)
