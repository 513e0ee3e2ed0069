"""Whether half of many assets have fallen through the next of several steps, a price at a time.

The median of a thousand falls is worked out only when it may have passed a step; until then each
new price costs O(1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import median


class Fallen:
    """Falls of a group of assets (fractions, by asset); ``steps`` rise."""

    __slots__ = ("_falls", "_next", "_past", "_steps")

    def __init__(self, falls: Mapping[int, float], steps: tuple[float, ...]) -> None:
        self._falls = dict(falls)
        self._steps = steps
        self._next = 0.0
        self._past = 0
        self._aim(0.0)

    def put(self, asset: int, fall: float) -> float | None:
        """Take an asset's fall; the median of all if it has passed a further step, else None."""
        before = self._falls.get(asset, -math.inf)
        self._falls[asset] = fall
        self._past += (fall >= self._next) - (before >= self._next)
        if 2 * self._past < len(self._falls) or self._next == math.inf:
            return None
        middle = median(self._falls.values())
        if middle < self._next:
            return None
        self._aim(middle)
        return middle

    def _aim(self, reached: float) -> None:
        """Look for the first step above what has been reached."""
        self._next = next((step for step in self._steps if step > reached), math.inf)
        self._past = sum(1 for fall in self._falls.values() if fall >= self._next)
