"""Named random streams: each is a pure function of (seed, name).

A stream's numbers depend on nothing but the seed and its own name, so adding a participant, a venue
or a check moves no other stream.  Names are paths: ``latency/mm-1``, ``flow/leading:BTCUSDT``.
The promise is per platform: ``log`` and ``exp`` come from the C library.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from random import Random


class Stream(Random):
    """A ``random.Random`` with the samplers that the market needs; integer results where time or
    lots.
    """

    def exponential_ns(self, mean_ns: int) -> int:
        """An exponential waiting time in whole nanoseconds, at least 1."""
        return max(1, int(-math.log(1.0 - self.random()) * mean_ns))

    def lognormal_ns(self, median_ns: int, sigma: float) -> int:
        """A log-normal duration in whole nanoseconds, at least 1; ``sigma`` is the log-sd."""
        return max(1, int(median_ns * math.exp(sigma * self.gauss(0.0, 1.0))))

    def lognormal(self, median: float, sigma: float) -> float:
        """A log-normal number with the given median and log-sd."""
        return median * math.exp(sigma * self.gauss(0.0, 1.0))

    def gamma_ns(self, mean_ns: int, sd_ns: int) -> int:
        """A gamma duration with the given mean and standard deviation, in whole nanoseconds."""
        if sd_ns <= 0:
            return mean_ns
        shape = (mean_ns / sd_ns) ** 2
        return max(1, int(self.gammavariate(shape, mean_ns / shape)))


class Streams:
    """The source of all randomness of a run.

    ``Streams(7).stream("flow/x")`` returns a fresh stream at its start on every call; keep the
    object that you were given, or two users of one name will see the same numbers.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: str) -> Stream:
        """The stream of that name, at its first number."""
        key = blake2b(f"{self.seed}/{name}".encode(), digest_size=16).digest()
        return Stream(int.from_bytes(key, "big"))
