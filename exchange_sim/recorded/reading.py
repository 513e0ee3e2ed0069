"""CSV files, plain, gzipped or zipped, as batches of text columns with their line numbers.

A byte order mark and either kind of line end are taken as they come.  Rows with another number of
cells are left out and told with their line; a file that ends early, or is no text, is refused at
the line from which on it cannot be read.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from exchange_sim.errors import Problem, ScenarioError

BLOCK_BYTES: Final = 8 * 1024 * 1024
NO_TEXT: Final = "is not UTF-8 text"


@attrs.frozen(eq=False)
class Batch:
    """Text columns by name, and the line of every row.

    ``odd`` are (line, number of cells) of rows among or after them that were left out.
    """

    columns: dict[str, pa.Array]
    lines: npt.NDArray[np.int64]
    odd: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.lines)


def failed(path: Path, line: int, message: str, hint: str = "") -> ScenarioError:
    """A file that cannot be used at all."""
    problem = Problem(str(path), line, 1, message, hint)
    return ScenarioError(f"{path.name} cannot be used", (problem,))


def batches(path: Path, names: Sequence[str], header: bool | None) -> Iterator[Batch]:
    """Read a file with the columns ``names``, in this order.

    ``header`` says whether the first line names them; None: it may.  Further columns at the end
    are ignored when there is no header.  Raises ``ScenarioError``.
    """
    with ExitStack() as files:
        source = _opened(path, files)
        try:
            first = source.readline().removeprefix(codecs.BOM_UTF8)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as cause:
            raise failed(path, 1, f"cannot be read: {cause}") from None
        if not first.strip():
            raise failed(path, 1, "is empty", f"it needs the columns {', '.join(names)}")
        try:
            cells = [cell.strip() for cell in first.decode("utf-8").strip().split(",")]
        except UnicodeDecodeError:
            raise failed(path, 1, NO_TEXT) from None
        named = cells[: len(names)] == list(names)
        if header and cells != list(names):
            raise failed(path, 1, *_wrong_header(cells, names))
        if not named and len(cells) < len(names):
            raise failed(path, 1, f"has {len(cells)} columns, not {len(names)}", ",".join(names))
        start = 2 if named else 1
        back = b"" if named else first
        yield from _streamed(path, back, source, cells if named else names, len(cells), start)


def _opened(path: Path, files: ExitStack) -> IO[bytes]:
    try:
        if path.suffix == ".zip":
            archive = files.enter_context(zipfile.ZipFile(path))
            inside = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(inside) != 1:
                raise failed(path, 0, f"holds {len(inside)} CSV files, not one")
            return io.BufferedReader(files.enter_context(archive.open(inside[0])))  # type: ignore[type-var]  # ZipExtFile is a raw reader
        if path.suffix == ".gz":
            return io.BufferedReader(files.enter_context(gzip.open(path, "rb")))
        return files.enter_context(path.open("rb"))
    except (OSError, zipfile.BadZipFile) as cause:
        raise failed(path, 0, f"cannot be read: {cause}") from None


def _wrong_header(cells: list[str], names: Sequence[str]) -> tuple[str, str]:
    missing = [name for name in names if name not in cells]
    unknown = [cell for cell in cells if cell not in names]
    said = []
    if missing:
        said.append(f"lacks {', '.join(missing)}")
    if unknown:
        said.append(f"has unknown columns {', '.join(unknown)[:200]}")
    what = "; ".join(said) or "has its columns in another order"
    return f"the header {what}", f"expected: {','.join(names)}"


class _Text(io.RawIOBase):
    """The first line put back in front of the rest, and a watch for what is no UTF-8.

    Arrow would decode a wrong row inside a callback, where nobody can catch the error.
    """

    def __init__(self, first: bytes, source: IO[bytes]) -> None:
        self._pending = first
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._whole = True
        self._seen = 0

    @property
    def line(self) -> int:
        """How many lines were handed over."""
        return self._seen

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._pending[: len(buffer)] or self._source.read(len(buffer))
        self._pending = self._pending[len(part) :]
        if not (self._whole and part.isascii()):
            try:
                self._decoder.decode(part, final=not part)
            except UnicodeDecodeError as wrong:
                self._seen += part.count(b"\n", 0, max(0, wrong.start))
                raise OSError(NO_TEXT) from None
            self._whole = not self._decoder.getstate()[0]
        self._seen += part.count(b"\n")
        buffer[: len(part)] = part
        return len(part)


def _streamed(
    path: Path, first: bytes, source: IO[bytes], names: Sequence[str], width: int, start: int
) -> Iterator[Batch]:
    """Batches of the rows from line ``start`` on; ``first`` is read before ``source``."""
    columns = [*names, *(f"_{k}" for k in range(len(names), width))]
    odd: list[tuple[int, int]] = []
    text, done = _Text(first, source), 0

    def skip(row: Any) -> str:
        odd.append((int(row.number or 0), int(row.actual_columns)))
        return "skip"

    def taken(rows: int | None) -> list[tuple[int, int]]:
        """Odd rows that stand before the end of so many good ones, or all that are left."""
        found: list[tuple[int, int]] = []
        while odd and (rows is None or odd[0][0] <= done + rows + len(found) + 1):
            found.append(odd.pop(0))
        return found

    options = csv.ReadOptions(
        column_names=columns, block_size=BLOCK_BYTES, use_threads=False, encoding="utf8"
    )
    parse = csv.ParseOptions(invalid_row_handler=skip)
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
    )
    try:
        with csv.open_csv(io.BufferedReader(text), options, parse, convert) as reader:
            for batch in reader:
                left = taken(batch.num_rows)
                numbers = np.arange(done + 1, done + batch.num_rows + len(left) + 1)
                numbers = numbers[~np.isin(numbers, [number for number, _ in left])]
                done += batch.num_rows + len(left)
                said = tuple((number + start - 1, count) for number, count in left)
                found = {name: batch.column(name) for name in names}
                yield Batch(found, numbers + start - 1, said)
    except (pa.ArrowException, OSError, EOFError, zlib.error, zipfile.BadZipFile) as cause:
        message = str(cause).splitlines()[0]
        if NO_TEXT in message:
            raise failed(path, start + text.line, NO_TEXT) from None
        if not done and not odd and "Empty CSV" in message:
            raise failed(path, start, "holds no rows") from None
        if not odd or "Empty CSV" not in message:
            read = done if isinstance(cause, pa.ArrowException) else max(done, text.line)
            raise failed(path, start + read, f"cannot be read from here on: {message}") from None
    if left := taken(None):
        none = {name: pa.array([], pa.string()) for name in names}
        said = tuple((number + start - 1, count) for number, count in left)
        yield Batch(none, np.zeros(0, np.int64), said)
