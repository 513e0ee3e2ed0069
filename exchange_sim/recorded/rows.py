"""What recorded files are turned into: happenings of one book, in ticks, lots and nanoseconds."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from exchange_sim.errors import Problem

Ints = npt.NDArray[np.int64]

TAKE: Final = 1
"""Somebody traded aggressively: ``side`` bought or sold ``qty`` at ``price``."""
LEVEL: Final = 2
"""``qty`` lots rest at ``price`` from now on; 0: none."""
CLEAR: Final = 3
"""Everything that rests is forgotten: a snapshot follows."""
ADD: Final = 4
"""Order ``order`` of ``qty`` lots rests at ``price``."""
REDUCE: Final = 5
"""Order ``order`` loses ``qty`` lots."""
DELETE: Final = 6
"""Order ``order`` is gone."""
EXECUTE: Final = 7
"""Order ``order`` was hit by an aggressor with ``qty`` lots; ``side`` is the order's."""
TOUCH: Final = 8
"""The best level of ``side`` is ``price`` with ``qty`` lots; the one before is forgotten."""

PROBLEMS_MAX: Final = 100
"""Problems that are kept; all are counted."""


@attrs.frozen(eq=False)
class Rows:
    """Columns of equal length: time in ns, what happened, side, price in ticks, lots, order id.

    ``line`` is the line of the file; ``known`` how many rows there were before the bad ones went.
    """

    time_ns: Ints
    kind: Ints
    side: Ints
    price: Ints
    qty: Ints
    order: Ints
    line: Ints

    def __len__(self) -> int:
        return len(self.time_ns)

    def where(self, mask: npt.NDArray[np.bool_]) -> Rows:
        """The rows of a mask."""
        return Rows(*(getattr(self, field.name)[mask] for field in attrs.fields(Rows)))


@attrs.define
class Findings:
    """What is wrong with a file: the first problems with their lines, and how many there were."""

    path: str
    problems: list[Problem] = attrs.field(factory=list)
    bad_rows: int = 0
    gaps: int = 0

    def bad(self, line: int, message: str, hint: str = "") -> None:
        """A row that cannot be used."""
        self.bad_rows += 1
        self._keep(line, message, hint)

    def gap(self, line: int, message: str) -> None:
        """Something is missing before a row that can be used."""
        self.gaps += 1
        self._keep(line, message, "")

    def _keep(self, line: int, message: str, hint: str) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(self.path, line, 1, message, hint))


@attrs.frozen
class Grid:
    """Sizes of a tick and a lot as they are written in files, e.g. ``0.1`` and ``0.001``."""

    tick: float
    lot: float
