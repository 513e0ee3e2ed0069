"""Turning a rate in D1 per second into single orders of random size."""

from __future__ import annotations

import math

from exchange_sim.rng import Stream


class Drip:
    """An account of volume that is due; orders leave it in chunks of exponential size.

    The volume follows the rate closely (never more than one chunk off), only the sizes are random:
    Poisson arrivals would add noise of their own to the timing of a crash.
    """

    __slots__ = ("_chunk", "_mean_d1", "_stream", "due_d1")

    def __init__(self, mean_d1: float, stream: Stream) -> None:
        self._mean_d1 = mean_d1
        self._stream = stream
        self.due_d1 = 0.0
        self._chunk = self._draw()

    def _draw(self) -> float:
        # bounded, so that one draw cannot hold the volume back for long
        return self._mean_d1 * min(5.0, 0.1 - 0.9 * math.log(1.0 - self._stream.random()))

    def add(self, d1: float) -> list[float]:
        """Make ``d1`` due; returns the sizes of the orders to send now, in D1."""
        self.due_d1 += d1
        chunks = []
        while self.due_d1 >= self._chunk:
            chunks.append(self._chunk)
            self.due_d1 -= self._chunk
            self._chunk = self._draw()
        return chunks
