"""What all formats share: exact decimals as text, names of files, writing that leaves no ruins."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from exchange_sim.errors import StorageError
from exchange_sim.units import NANOS_PER_S

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

Ints = npt.NDArray[np.int64]
NANOS_PER_DAY: Final = 86_400 * NANOS_PER_S


def decimal_texts(counts: Any, up: int, down: int) -> pa.Array:
    """``counts * up / down`` as exact decimal text without trailing zeros; ``down`` is 10**k.

    Every distinct number is written once: a book has few prices and many rows.
    """
    values, where = np.unique(np.asarray(counts, np.int64), return_inverse=True)
    places = len(str(down)) - 1
    texts = pa.array([_text(value * up, places) for value in values.tolist()], pa.string())
    return texts.take(pa.array(where))


def _text(units: int, places: int) -> str:
    sign, digits = ("-", -units) if units < 0 else ("", units)
    whole, rest = divmod(digits, 10**places)
    fraction = str(rest).rjust(places, "0").rstrip("0") if places else ""
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def price_texts(run: RunData, instrument: int, ticks: Any) -> pa.Array:
    """Ticks of an instrument as exact prices."""
    facts = run.facts
    return decimal_texts(ticks, int(facts.tick_up[instrument]), int(facts.tick_down[instrument]))


def qty_texts(run: RunData, instrument: int, lots: Any) -> pa.Array:
    """Lots of an instrument as exact quantities."""
    facts = run.facts
    return decimal_texts(lots, int(facts.lot_up[instrument]), int(facts.lot_down[instrument]))


def rows_of(run: RunData, kind: str, instrument: int, columns: Sequence[str]) -> dict[str, Ints]:
    """Columns of an event table for one instrument, streamed.  Raises ``RunCorrupt``."""
    wanted = ("instrument", *columns)
    parts = [
        batch.filter(pc.equal(batch.column("instrument"), instrument))
        for batch in run.batches(kind, wanted)
    ]
    table = pa.Table.from_batches(parts).combine_chunks() if parts else None
    return {
        name: np.zeros(0, np.int64)
        if table is None
        else table.column(name).to_numpy().astype(np.int64)
        for name in columns
    }


def day_of(time_ns: int) -> str:
    """The UTC day of an instant, ``2025-10-10``."""
    return datetime.fromtimestamp(time_ns // NANOS_PER_S, UTC).date().isoformat()


def days(times: Ints) -> Iterator[tuple[str, slice]]:
    """The rows of each UTC day of ascending times."""
    if not len(times):
        return
    numbers = times // NANOS_PER_DAY
    for number in np.unique(numbers).tolist():
        first, last = np.searchsorted(numbers, [number, number + 1]).tolist()
        yield day_of(number * NANOS_PER_DAY), slice(first, last)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is complete; ``.gz`` is compressed.

    The compressed bytes hold no time and no name, so that equal runs give equal files.
    Raises ``StorageError``.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                    yield packed  # type: ignore[misc]  # a GzipFile is a binary file
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
    except OSError as cause:
        raise StorageError(f"{path}: cannot be written: {cause.strerror or cause}") from cause
    finally:
        part.unlink(missing_ok=True)
