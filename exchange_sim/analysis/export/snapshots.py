"""The best levels of a book over time, as matrices: one row per instant, one column per level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from exchange_sim.analysis.export.common import Ints

if TYPE_CHECKING:
    from exchange_sim.analysis.book_history import BookHistory

MICROSECOND_NS: Final = 1_000
Pairs = list[tuple[int, int]]
Side = tuple[Ints, Ints]
"""Ticks and lots, ``(instants, depth)``; 0 lots where there is no such level."""


def snapshot_rows(
    history: BookHistory, depth: int, every_ns: int = 0
) -> tuple[Ints, dict[str, Side]]:
    """Times and the best ``depth`` levels (``asks``, ``bids``) whenever one of them has changed.

    One row per interval of ``every_ns``, at least a microsecond: the last state in it, at the time
    of its last change.  What happened at one instant is told when all of it has happened.
    """
    span = max(every_ns, MICROSECOND_NS)
    times: list[int] = []
    kept: list[tuple[Pairs, Pairs]] = []
    for tick in history.ticks():
        lowest = max(0, len(tick.bids) - depth)
        state = (
            [(price, tick.asks[price]) for price in tick.asks.islice(0, depth)],
            [(price, tick.bids[price]) for price in tick.bids.islice(lowest, reverse=True)],
        )
        again = bool(times) and times[-1] // span == tick.time_ns // span
        if kept and kept[-1] == state:
            continue
        if again:
            times[-1], kept[-1] = tick.time_ns, state
        else:
            times.append(tick.time_ns)
            kept.append(state)
    return np.array(times, np.int64), {
        name: _matrices([state[side] for state in kept], depth)
        for side, name in enumerate(("asks", "bids"))
    }


def _matrices(states: list[Pairs], depth: int) -> Side:
    """Ticks and lots of one side, padded with zeros."""
    padded = [levels + [(0, 0)] * (depth - len(levels)) for levels in states]
    both = np.array(padded, np.int64).reshape(len(states), depth, 2)
    return both[:, :, 0], both[:, :, 1]
