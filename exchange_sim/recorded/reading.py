"""CSV files, plain, gzipped or zipped, as batches of text columns with their line numbers."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

import attrs
import pyarrow as pa
from pyarrow import csv

from exchange_sim.errors import Problem, ScenarioError

BLOCK_BYTES: Final = 8 * 1024 * 1024


@attrs.frozen(eq=False)
class Batch:
    """Text columns by name; the first row stands on line ``line``."""

    columns: dict[str, pa.Array]
    line: int

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def failed(path: Path, line: int, message: str, hint: str = "") -> ScenarioError:
    """A file that cannot be used at all."""
    return ScenarioError(message, (Problem(str(path), line, 1, message, hint),))


def batches(path: Path, names: Sequence[str], header: bool | None) -> Iterator[Batch]:
    """Read a file with the columns ``names``, in this order.

    ``header`` says whether the first line names them; None: it may.  Further columns at the end
    are ignored when there is no header.  Raises ``ScenarioError``.
    """
    with ExitStack() as files:
        source = _opened(path, files)
        first = source.readline()
        if not first.strip():
            raise failed(path, 1, "is empty", f"it needs the columns {', '.join(names)}")
        try:
            cells = [cell.strip() for cell in first.decode("utf-8").strip().split(",")]
        except UnicodeDecodeError:
            raise failed(path, 1, "is not UTF-8 text") from None
        named = cells[: len(names)] == list(names)
        if header and cells != list(names):
            raise failed(path, 1, *_wrong_header(cells, names))
        if not named and len(cells) < len(names):
            raise failed(path, 1, f"has {len(cells)} columns, not {len(names)}", ",".join(names))
        rest: IO[bytes] = source
        if not named:
            rest = _joined(first, source)
        yield from _streamed(path, rest, cells if named else names, len(cells), 2 if named else 1)


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


def _joined(first: bytes, source: IO[bytes]) -> IO[bytes]:
    """The source with a line put back in front of it."""

    class Joined(io.RawIOBase):
        """Serves the first line, then the rest."""

        pending = first

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            part = self.pending[: len(buffer)] or source.read(len(buffer))
            self.pending = self.pending[len(part) :]
            buffer[: len(part)] = part
            return len(part)

    return io.BufferedReader(Joined())


def _streamed(
    path: Path, source: IO[bytes], names: Sequence[str], width: int, line: int
) -> Iterator[Batch]:
    columns = [*names, *(f"_{k}" for k in range(len(names), width))]
    bad: list[tuple[int, int]] = []
    start = line

    def skip(row: Any) -> str:
        bad.append((int(row.number or 0), int(row.actual_columns)))
        return "skip"

    def refuse_odd_rows() -> None:
        for number, count in bad[:1]:
            message = f"has {count} columns, not {width}"
            raise failed(path, number + start - 1, message, ",".join(names))

    options = csv.ReadOptions(
        column_names=columns, block_size=BLOCK_BYTES, use_threads=False, encoding="utf8"
    )
    parse = csv.ParseOptions(invalid_row_handler=skip)
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
    )
    try:
        with csv.open_csv(source, options, parse, convert) as reader:
            for batch in reader:
                refuse_odd_rows()
                found = {name: batch.column(name) for name in names}
                yield Batch(found, line)
                line += batch.num_rows
        refuse_odd_rows()
    except (pa.ArrowException, OSError, EOFError, zipfile.BadZipFile) as cause:
        text = str(cause).splitlines()[0]
        raise failed(path, line, f"cannot be read from here on: {text}") from None
