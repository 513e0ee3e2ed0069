"""The reading side of the journal: nothing in a file is believed before it was checked.

A file that merely ends too early (a killed run, a full disk) is *truncated*: its whole frames are
used and ``JournalReader.truncated_at`` names the byte.  Anything else that is not as it was written
raises ``JournalCorrupt`` with the byte and the last good command.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import attrs

from exchange_sim.errors import JournalCorrupt, StorageError
from exchange_sim.journal.frames import (
    BLOCK_BYTES_MAX,
    COMMAND_BLOCK,
    COMMAND_WIDTHS,
    FOOTER,
    FORMAT_VERSION,
    HEAD,
    HEADER,
    JSON_BYTES_MAX,
    MAGIC,
    Frame,
    JournalFooter,
    JournalHeader,
    digest_of,
    parse_footer,
    parse_header,
)
from exchange_sim.journal.storage import storage_error


@attrs.frozen
class Prefix:
    """The usable part of a journal: ``seq`` commands in ``size`` bytes.

    ``complete`` means that the footer was found; otherwise ``problem`` says why reading stopped.
    """

    seq: int
    size: int
    complete: bool
    problem: str


class JournalReader:
    """Iterates over the commands of one journal, verifying the chain as it goes.

    ``header`` is known at once; ``seq``, ``digest`` and ``size`` (bytes verified) grow with the
    iteration; ``footer`` and ``truncated_at`` are final after it.  One reader reads one time.
    """

    def __init__(self, path: Path) -> None:
        """Open and check the header.  Raises ``JournalCorrupt`` or ``StorageError``."""
        self.path = path
        self.seq = 0
        self.size = 0
        self.footer: JournalFooter | None = None
        self.truncated_at: int | None = None
        self._digest = b""
        try:
            self._file = path.open("rb")
        except FileNotFoundError:
            raise StorageError(f"{path}: missing") from None
        except OSError as cause:
            raise storage_error(path, "open", cause) from cause
        try:
            self.header = self._read_header()
        except (JournalCorrupt, StorageError):
            self._file.close()
            raise

    @property
    def digest(self) -> str:
        """Chained digest of all frames read so far, as hexadecimal text."""
        return self._digest.hex()

    @property
    def complete(self) -> bool:
        """Whether the footer was reached: the run ended in order."""
        return self.footer is not None

    def commands(self) -> Iterator[tuple[int, ...]]:
        """All commands in order.

        Raises ``JournalCorrupt`` at the first frame that is not as it was written.
        """
        with self._file:
            for frame in self._frames():
                if frame.kind == FOOTER:
                    self.footer = parse_footer(frame.payload, frame.offset, self.seq)
                    self.size = frame.end
                    self._expect_end(frame.end)
                    return
                block = decode_block(frame, self.seq)
                self.size = frame.end
                for command in block:
                    self.seq += 1
                    yield command

    def close(self) -> None:
        """Give the file back without reading on."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_header(self) -> JournalHeader:
        frame = self._next_frame()
        if frame is None:
            raise JournalCorrupt("the file ends inside the journal's header", 0, 0)
        if frame.kind != HEADER or frame.first_seq or frame.count:
            raise JournalCorrupt("the first frame is not a header", 0, 0)
        header = parse_header(frame.payload, 0)
        self.size = frame.end
        return header

    def _frames(self) -> Iterator[Frame]:
        while (frame := self._next_frame()) is not None:
            _check_order(frame, self.seq)
            yield frame

    def _next_frame(self) -> Frame | None:
        offset = self.size
        head = _read(self._file, HEAD.size, self.path)
        if len(head) < HEAD.size:
            _check_beginning(head, offset, self.seq)
            self.truncated_at = offset if head else None
            return None
        kind, length, first_seq, count, digest = _parse_head(head, offset, self.seq)
        payload = _read(self._file, length, self.path)
        if len(payload) < length:
            self.truncated_at = offset
            return None
        if digest_of(head, payload, self._digest) != digest:
            raise JournalCorrupt("a frame does not continue the one before it", offset, self.seq)
        self._digest = digest
        return Frame(kind, first_seq, count, payload, digest, offset, offset + HEAD.size + length)

    def _expect_end(self, offset: int) -> None:
        if _read(self._file, 1, self.path):
            raise JournalCorrupt("there are bytes after the footer", offset, self.seq)


def valid_prefix(path: Path) -> Prefix:
    """How far a journal can be trusted, without raising for damage after the header.

    Raises ``JournalCorrupt`` when not even the header is whole, ``StorageError`` when the
    file cannot be read.
    """
    reader = JournalReader(path)
    try:
        for _ in reader.commands():
            pass
    except JournalCorrupt as damage:
        return Prefix(damage.seq, damage.offset, complete=False, problem=str(damage))
    if reader.complete:
        return Prefix(reader.seq, reader.size, complete=True, problem="")
    problem = "the journal has no footer"
    if reader.truncated_at is not None:
        problem += f" and is cut in the frame that starts at byte {reader.truncated_at}"
    return Prefix(reader.seq, reader.size, complete=False, problem=problem)


def decode_block(frame: Frame, last_seq: int) -> list[tuple[int, ...]]:
    """The commands of a verified frame.

    Raises ``JournalCorrupt`` when the frame does not hold what it says.
    """
    if len(frame.payload) % 8:
        raise JournalCorrupt("a block is not made of 64-bit integers", frame.offset, last_seq)
    values = struct.unpack(f"<{len(frame.payload) // 8}q", frame.payload)
    found: list[tuple[int, ...]] = []
    start = 0
    while start < len(values):
        width = COMMAND_WIDTHS.get(values[start])
        if width is None:
            raise JournalCorrupt(f"unknown command type {values[start]}", frame.offset, last_seq)
        found.append(values[start : start + width])
        start += width
    if start != len(values) or len(found) != frame.count:
        message = "a block does not hold as many commands as it says"
        raise JournalCorrupt(message, frame.offset, last_seq)
    return found


def _read(file: BinaryIO, size: int, path: Path) -> bytes:
    try:
        return file.read(size)
    except OSError as cause:
        raise storage_error(path, "read", cause) from cause


def _check_beginning(head: bytes, offset: int, seq: int) -> None:
    """A cut file may end after any byte, but the bytes that are there must be those of a frame."""
    if head[:4] != MAGIC[: len(head)]:
        what = "this is not a journal" if offset == 0 else "no frame starts here"
        raise JournalCorrupt(what, offset, seq)


def _parse_head(head: bytes, offset: int, seq: int) -> tuple[int, int, int, int, bytes]:
    magic, version, kind, zero, length, first_seq, count, digest, crc = HEAD.unpack(head)
    if magic != MAGIC:
        _check_beginning(head, offset, seq)
    if zlib.crc32(head[:-4]) != crc:
        raise JournalCorrupt("the head of a frame is damaged", offset, seq)
    if version != FORMAT_VERSION:
        message = f"journal format {version}, this program reads {FORMAT_VERSION}"
        raise JournalCorrupt(message, offset, seq)
    limit = BLOCK_BYTES_MAX if kind == COMMAND_BLOCK else JSON_BYTES_MAX
    if kind not in (HEADER, COMMAND_BLOCK, FOOTER) or zero or length > limit:
        raise JournalCorrupt("a frame of unknown type or impossible length", offset, seq)
    return kind, length, first_seq, count, digest


def _check_order(frame: Frame, seq: int) -> None:
    if frame.kind == HEADER:
        raise JournalCorrupt("a second header", frame.offset, seq)
    expected = seq + 1 if frame.kind == COMMAND_BLOCK else seq
    if frame.first_seq != expected:
        message = f"a frame starts at command {frame.first_seq}, expected {expected}"
        raise JournalCorrupt(message, frame.offset, seq)
    if (frame.count > 0) != (frame.kind == COMMAND_BLOCK):
        raise JournalCorrupt("a frame of impossible length", frame.offset, seq)
