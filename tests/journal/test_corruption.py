"""Nothing in a file is believed: cut, flipped, shuffled, foreign and forged journals."""

from __future__ import annotations

import os
import random
import tempfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.errors import JournalCorrupt, StorageError
from exchange_sim.journal import JournalFooter, JournalReader, JournalWriter, valid_prefix
from exchange_sim.journal import frames as f
from tests.doubles.storage import Row, cancel, header, new_order

ROWS = [new_order(i) if i % 3 else cancel(i) for i in range(12)]
FLUSH_EVERY = 3


def journal(path: Path, rows: list[Row] = ROWS, **changes: object) -> bytes:
    """A complete journal with a frame for every three commands, and its bytes."""
    writer = JournalWriter(path, header(**changes))
    for i, row in enumerate(rows):
        if i % FLUSH_EVERY == 0:
            writer.flush()
        writer.append(row)
    writer.close(JournalFooter(len(rows), "aa", "bb"))
    return path.read_bytes()


def read_all(path: Path) -> tuple[list[Row], JournalCorrupt | None, bool]:
    """Commands until the end or the damage, the damage, and whether a footer was found."""
    rows: list[Row] = []
    try:
        reader = JournalReader(path)
        rows.extend(reader.commands())
    except JournalCorrupt as damage:
        return rows, damage, False
    return rows, None, reader.complete


def cuts(data: bytes) -> list[int]:
    """Offsets at which frames start, and the length of the file."""
    found, offset = [], 0
    while offset < len(data):
        found.append(offset)
        offset += f.HEAD.size + f.HEAD.unpack_from(data, offset)[4]
    return [*found, offset]


def test_cut_at_every_byte(tmp_path: Path) -> None:
    """F7: the longest whole prefix is found, to the byte; inside the header nothing is."""
    data = journal(tmp_path / "j")
    starts = cuts(data)
    path = tmp_path / "j"
    for size in range(len(data) - 1, -1, -1):
        os.truncate(path, size)
        if size < starts[1]:
            with pytest.raises(JournalCorrupt):
                valid_prefix(path)
            continue
        prefix = valid_prefix(path)
        whole = max(start for start in starts if start <= size)
        blocks = starts.index(whole) - 1
        assert (prefix.size, prefix.complete) == (whole, False)
        assert prefix.seq == min(blocks * FLUSH_EVERY, len(ROWS))
        reader = JournalReader(path)
        assert list(reader.commands()) == ROWS[: prefix.seq]
        assert not reader.complete
        assert reader.truncated_at == (None if whole == size else whole)


def test_one_flipped_bit_in_every_byte(tmp_path: Path) -> None:
    """F8: every flip is detected, and the commands before it are the true ones."""
    data = journal(tmp_path / "j")
    draw = random.Random(1)
    path = tmp_path / "j"
    descriptor = os.open(path, os.O_WRONLY)
    for at in range(len(data)):
        os.pwrite(descriptor, bytes([data[at] ^ 1 << draw.randrange(8)]), at)
        rows, damage, _ = read_all(path)
        os.pwrite(descriptor, data[at : at + 1], at)
        assert damage is not None, at
        assert rows == ROWS[: len(rows)]
        assert damage.seq == len(rows)
        assert damage.offset <= at
    os.close(descriptor)


def shuffled(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Journals whose frames are whole but not in their places."""
    starts = cuts(data)
    head, *blocks = [data[one:other] for one, other in pairwise(starts)]
    first, second, third, *rest = blocks
    yield "swapped", b"".join([head, second, first, third, *rest])
    yield "missing", b"".join([head, first, third, *rest])
    yield "first missing", b"".join([head, second, third, *rest])
    yield "duplicated", b"".join([head, first, first, second, third, *rest])
    yield "two headers", b"".join([head, head, first, second, third, *rest])
    yield "no header", b"".join([first, second, third, *rest])
    yield "bytes after the footer", data + b"x"
    yield "footer twice", data + blocks[-1]
    yield "zeros after a block", b"".join([head, first, bytes(100)])


def test_frames_in_wrong_places(tmp_path: Path) -> None:
    data = journal(tmp_path / "j")
    path = tmp_path / "shuffled"
    for name, changed in shuffled(data):
        path.write_bytes(changed)
        rows, damage, _ = read_all(path)
        assert damage is not None, name
        assert rows == ROWS[: len(rows)], name


def test_two_journals_mixed(tmp_path: Path) -> None:
    """Frames of another run with the same number of commands do not continue this one."""
    data = journal(tmp_path / "a")
    other = journal(tmp_path / "b", [new_order(i, qty=6) for i in range(len(ROWS))])
    starts, others = cuts(data), cuts(other)
    path = tmp_path / "mixed"
    path.write_bytes(data[: starts[2]] + other[others[2] :])

    rows, damage, _ = read_all(path)

    assert rows == ROWS[:FLUSH_EVERY]
    assert damage is not None
    assert (damage.offset, damage.seq) == (starts[2], FLUSH_EVERY)
    assert str(damage) == (
        "a frame does not continue the one before it"
        f" (byte {starts[2]}, last whole record ends at command 3)"
    )


@pytest.mark.parametrize(
    "data", [b"", b"x", b"PAR1" * 40, b"XSJ", bytes(500), b"XSJL" + bytes(60)], ids=range(6)
)
def test_foreign_files(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "j").write_bytes(data)

    with pytest.raises(JournalCorrupt):
        JournalReader(tmp_path / "j")


def test_missing_file_and_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(StorageError):
            JournalReader(path)


def test_other_versions(tmp_path: Path) -> None:
    """Another format and another set of commands are named, not misread."""
    data = bytearray(journal(tmp_path / "j"))
    data[4] = 2
    data[f.HEAD.size - 4 : f.HEAD.size] = zlib.crc32(data[: f.HEAD.size - 4]).to_bytes(4, "little")
    (tmp_path / "newer").write_bytes(data)
    journal(tmp_path / "schema", schema="0" * 32, package_version="9.9")
    journal(tmp_path / "format", format_version=3)

    for name, message in (
        ("newer", "journal format 2, this program reads 1"),
        ("format", "journal format 3, this program reads 1"),
        ("schema", "written by exchange_sim 9.9"),
    ):
        with pytest.raises(JournalCorrupt, match=message):
            JournalReader(tmp_path / name)


def forge(path: Path, *parts: tuple[int, int, int, bytes]) -> None:
    """Frames (kind, first seq, count, payload) with right digests after a right header."""
    data, previous = f.seal(f.HEADER, 0, 0, f.to_json(header()), b"")
    for kind, first, count, payload in parts:
        frame, previous = f.seal(kind, first, count, payload, previous)
        data += frame
    path.write_bytes(data)


def ints(*values: int) -> bytes:
    return b"".join(value.to_bytes(8, "little", signed=True) for value in values)


FOOTER = f.to_json(JournalFooter(0, "", ""))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ((f.COMMAND_BLOCK, 1, 1, ints(77, 1, 2)), "unknown command type 77"),
        ((f.COMMAND_BLOCK, 1, 1, ints(2, 1, 2)), "does not hold as many commands"),
        ((f.COMMAND_BLOCK, 1, 2, ints(2, 1, 2, 3)), "does not hold as many commands"),
        ((f.COMMAND_BLOCK, 1, 1, b"abc"), "not made of 64-bit integers"),
        ((f.COMMAND_BLOCK, 2, 1, ints(2, 1, 2, 3)), "starts at command 2, expected 1"),
        ((f.COMMAND_BLOCK, 1, 0, b""), "impossible length"),
        ((f.FOOTER, 0, 1, FOOTER), "impossible length"),
        ((f.FOOTER, 5, 0, FOOTER), "starts at command 5, expected 0"),
        ((f.FOOTER, 0, 0, b"{"), "the footer is not JSON"),
        ((f.FOOTER, 0, 0, b"\xff"), "the footer is not JSON"),
        ((f.FOOTER, 0, 0, b"[" * 100_000), "the footer is not JSON"),
        ((f.FOOTER, 0, 0, b"[]"), "does not have the expected fields"),
        ((f.FOOTER, 0, 0, FOOTER.replace(b"true", b'"yes"')), "complete of the footer is not"),
        ((f.FOOTER, 0, 0, f.to_json(JournalFooter(3, "", ""))), "the footer ends at command 3"),
        ((f.HEADER, 0, 0, f.to_json(header())), "a second header"),
        ((9, 1, 1, b""), "unknown type or impossible length"),
    ],
)
def test_forged_frames(tmp_path: Path, part: tuple[int, int, int, bytes], message: str) -> None:
    """Right digests around wrong contents."""
    forge(tmp_path / "j", part)

    _, damage, _ = read_all(tmp_path / "j")

    assert damage is not None
    assert message in damage.message


def test_impossible_length_is_not_allocated(tmp_path: Path) -> None:
    """A head that announces 4 GiB is refused, not obeyed."""
    data = journal(tmp_path / "j")
    head = bytearray(data[cuts(data)[1] :][: f.HEAD.size])
    head[8:12] = b"\xff" * 4
    head[-4:] = zlib.crc32(head[:-4]).to_bytes(4, "little")
    (tmp_path / "long").write_bytes(data[: cuts(data)[1]] + head)

    _, damage, _ = read_all(tmp_path / "long")

    assert damage is not None
    assert "impossible length" in damage.message


@pytest.mark.parametrize("payload", [b"{}", b"null", b'{"scenario": 1}', b"\x00"])
def test_forged_headers(tmp_path: Path, payload: bytes) -> None:
    (tmp_path / "j").write_bytes(f.seal(f.HEADER, 0, 0, payload, b"")[0])

    with pytest.raises(JournalCorrupt):
        JournalReader(tmp_path / "j")


def whole_journal() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return journal(Path(folder) / "j")


WHOLE = whole_journal()


@given(data=st.binary(max_size=300), after_header=st.booleans(), after_block=st.booleans())
@settings(max_examples=200, deadline=None)
def test_hostile_bytes_never_crash(data: bytes, after_header: bool, after_block: bool) -> None:
    """Whatever follows, reading ends with commands that were written, or with JournalCorrupt."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j"
        start = cuts(WHOLE)[2 if after_block else 1] if after_header else 0
        path.write_bytes(WHOLE[:start] + data)
        rows, damage, complete = read_all(path)

        assert rows == ROWS[: len(rows)]
        assert damage is not None or not complete
