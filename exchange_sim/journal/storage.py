"""Writing files so that a failing disk never leaves half a record behind.

Every ``OSError`` becomes a ``StorageError`` that names the file.  ``RawFile`` is the seam at which
the tests inject faults: it is the few operations of an operating system that the journal relies on.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from exchange_sim.errors import StorageError


class RawFile(Protocol):
    """An unbuffered file.  Every method may raise ``OSError``; ``write`` may write a part only."""

    def write(self, data: memoryview, /) -> int:
        """Write some of ``data`` and return how many bytes."""

    def truncate(self, size: int, /) -> None:
        """Cut the file to ``size`` bytes and continue writing there."""

    def sync(self) -> None:
        """Make what was written survive a loss of power."""

    def close(self) -> None:
        """Give the file back."""


class OsFile:
    """The real ``RawFile``: a new file, opened for writing."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    def write(self, data: memoryview, /) -> int:
        """One ``write(2)``."""
        return os.write(self._fd, data)

    def truncate(self, size: int, /) -> None:
        """``ftruncate(2)`` and a seek to the new end."""
        os.ftruncate(self._fd, size)
        os.lseek(self._fd, size, os.SEEK_SET)

    def sync(self) -> None:
        """``fsync(2)``."""
        os.fsync(self._fd)

    def close(self) -> None:
        """``close(2)``, once."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


OpenFile = Callable[[Path], RawFile]


def storage_error(path: Path, doing: str, cause: OSError) -> StorageError:
    """What to tell a user about a failing disk: file name, action, reason and a remedy."""
    remedy = {
        errno.ENOSPC: "; free some space or write the run elsewhere",
        errno.EROFS: "; the file system is read-only: write the run elsewhere",
        errno.EACCES: "; no permission: write the run elsewhere",
        errno.EDQUOT: "; the quota is used up: write the run elsewhere",
    }.get(cause.errno or 0, "")
    return StorageError(f"cannot {doing} {path.name}: {cause.strerror or cause}{remedy}")


class RecordFile:
    """A file that grows by whole records.

    After a failed ``append`` the file is cut back to its last whole record (if even that fails, the
    reader finds a truncated tail) and accepts no further record: the first error is final.
    """

    def __init__(self, path: Path, open_file: OpenFile = OsFile) -> None:
        self.path = path
        self.size = 0
        self._failure: StorageError | None = None
        try:
            self._raw = open_file(path)
        except OSError as cause:
            raise storage_error(path, "create", cause) from cause

    def append(self, record: bytes) -> None:
        """Write one record as a whole.  Raises ``StorageError``."""
        if self._failure is not None:
            raise self._failure
        view, done = memoryview(record), 0
        try:
            while done < len(view):
                written = self._raw.write(view[done:])
                if written <= 0:
                    raise OSError(errno.EIO, "the device accepts no more bytes")
                done += written
        except OSError as cause:
            self._cut_back()
            raise self._fail("write", cause) from cause
        self.size += len(record)

    def sync(self) -> None:
        """Wait until all records are on the device.  Raises ``StorageError``."""
        if self._failure is not None:
            raise self._failure
        try:
            self._raw.sync()
        except OSError as cause:
            raise self._fail("sync", cause) from cause

    def close(self) -> None:
        """Close the file; a second call does nothing.  Raises ``StorageError``."""
        try:
            self._raw.close()
        except OSError as cause:
            raise self._fail("close", cause) from cause

    def _cut_back(self) -> None:
        try:
            self._raw.truncate(self.size)
        except OSError:
            return  # The half record stays: its head says that it is longer, so it reads as a tail.

    def _fail(self, doing: str, cause: OSError) -> StorageError:
        self._failure = storage_error(self.path, doing, cause)
        return self._failure


def write_atomic(path: Path, data: bytes, open_file: OpenFile = OsFile) -> None:
    """Put ``data`` under ``path`` completely or not at all: temporary file, sync, rename.

    Raises ``StorageError``; the previous content of ``path`` then stays as it was.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        file = RecordFile(temporary, open_file)
        try:
            file.append(data)
            file.sync()
        finally:
            file.close()
        temporary.replace(path)
    except OSError as cause:
        _discard(temporary)
        raise storage_error(path, "write", cause) from cause
    except StorageError as error:
        _discard(temporary)
        raise StorageError(error.message.replace(temporary.name, path.name)) from error
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make a rename inside ``directory`` durable; systems that cannot are left alone."""
    try:
        fd = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(fd)
    except OSError:
        return
    finally:
        os.close(fd)


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
