"""F10: a disk that fills up, fails or writes half: the run stops, the file stays readable."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange_sim.errors import JournalCorrupt, StorageError
from exchange_sim.journal import JournalFooter, JournalReader, JournalWriter, valid_prefix
from exchange_sim.journal.frames import HEADER, seal, to_json
from exchange_sim.journal.storage import write_atomic
from tests.doubles.storage import FaultyDisk, cancel, header

ROWS = [cancel(i) for i in range(20)]
HEADER_SIZE = len(seal(HEADER, 0, 0, to_json(header()), b"")[0])


def attempt(disk: FaultyDisk, path: Path) -> StorageError | None:
    """Write a small journal in five blocks; the error that ended it."""
    try:
        writer = JournalWriter(path, header(), disk.open)
    except StorageError as error:
        return error
    try:
        for i, row in enumerate(ROWS):
            writer.append(row)
            if i % 4 == 3:
                writer.flush()
        writer.close(JournalFooter(len(ROWS), "aa", "bb"))
    except StorageError as error:
        with pytest.raises(StorageError):
            writer.sync()
        writer.abort()
        return error
    return None


def once(number: int) -> Callable[[int], bool]:
    """Only this operation fails."""
    return lambda operation: operation == number


def from_then_on(number: int) -> Callable[[int], bool]:
    """This operation and all later ones fail."""
    return lambda operation: operation >= number


@pytest.mark.parametrize("fault", [once, from_then_on])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("short", [None, 7])
def test_nth_operation_fails(
    tmp_path: Path, fault: Callable[[int], Callable[[int], bool]], code: int, short: int | None
) -> None:
    """Fail operation 1, 2, ... until the journal succeeds; after each the file is a true prefix."""
    path = tmp_path / "j"
    number = 0
    for number in range(1, 2_000):
        path.unlink(missing_ok=True)
        error = attempt(FaultyDisk(fault(number), code, short), path)
        if error is None:
            break
        assert path.name in error.message
        if not path.exists():
            continue
        if path.stat().st_size < HEADER_SIZE:
            with pytest.raises(JournalCorrupt, match="ends inside the journal's header"):
                JournalReader(path)
            continue
        with JournalReader(path) as reader:
            assert list(reader.commands()) == ROWS[: reader.seq]
    else:
        pytest.fail("the journal never succeeds")

    assert number > 8
    assert valid_prefix(path).complete


def test_a_single_failure_leaves_whole_frames(tmp_path: Path) -> None:
    """The half-written frame is taken back when the disk lets us."""
    disk = FaultyDisk(once(4))

    error = attempt(disk, tmp_path / "j")

    assert error is not None
    assert valid_prefix(tmp_path / "j").size == (tmp_path / "j").stat().st_size


def test_short_writes_are_continued(tmp_path: Path) -> None:
    assert attempt(FaultyDisk(lambda _: False, short=5), tmp_path / "j") is None

    assert list(JournalReader(tmp_path / "j").commands()) == ROWS


def test_a_device_that_accepts_nothing_is_an_error(tmp_path: Path) -> None:
    """A write of zero bytes must not loop for ever."""
    error = attempt(FaultyDisk(lambda _: False, short=0), tmp_path / "j")

    assert error is not None
    assert "accepts no more bytes" in error.message


def test_messages_name_file_reason_and_remedy(tmp_path: Path) -> None:
    error = attempt(FaultyDisk(once(3), errno.ENOSPC), tmp_path / "journal.bin")

    assert str(error) == (
        "cannot write journal.bin: No space left on device;"
        " free some space or write the run elsewhere"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(StorageError, match=r"cannot create j: .*no permission"):
        JournalWriter(tmp_path / "j", header())


def test_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot create j: No such file or directory"):
        JournalWriter(tmp_path / "none" / "j", header())


def test_atomic_write_is_all_or_nothing(tmp_path: Path) -> None:
    """Whatever operation fails, the old content stays and no temporary file is left behind."""
    path = tmp_path / "manifest.json"
    write_atomic(path, b"old")
    for number in range(1, 5):  # open, write, sync, close
        with pytest.raises(StorageError, match=r"manifest\.json:"):
            write_atomic(path, b"new", FaultyDisk(once(number)).open)
        assert path.read_bytes() == b"old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.json"]
    write_atomic(path, b"new", FaultyDisk(once(5)).open)

    assert path.read_bytes() == b"new"
