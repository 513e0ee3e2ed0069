"""The only thing of its host that a strategy holds: the calls of ``Context`` and nothing else.

A strategy that reaches for the world, the clock or the feed of others through its context finds no
such attribute, and the fault is located like any other.  This is a door, not a wall: Python code in
one process can find anything by introspection.
"""

from __future__ import annotations

from typing import Any, Final, cast

from exchange_sim.strategy.context import Context

_FIXED: Final = ("name", "rng")
"""Properties that never change."""
_CALLS: Final = tuple(
    sorted(
        name
        for name, value in vars(Context).items()
        if callable(value) and not name.startswith("_")
    )
)


class Door:
    """``Context``'s calls, bound to whoever runs the strategy; built by ``door_to``."""

    __slots__ = (*_FIXED, *_CALLS, "_clock")

    @property
    def now_ns(self) -> int:
        """See ``Strategy.now_ns``."""
        now: int = self._clock()  # type: ignore[attr-defined]  # slots are filled by door_to
        return now


def door_to(context: Context) -> Context:
    """A ``Context`` that has only what the protocol names."""
    door: Any = Door()
    for name in (*_FIXED, *_CALLS):
        setattr(door, name, getattr(context, name))
    door._clock = lambda: context.now_ns
    return cast("Context", door)
