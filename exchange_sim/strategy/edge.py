"""Conversions where the world of floats, words and seconds meets the integers of the core."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum
from typing import Final

from exchange_sim.limits import PRICE_TICKS_MAX
from exchange_sim.marketdata.market import Market, Number
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.strategy.views import OrderHandle
from exchange_sim.units import NANOS_PER_S, PPM, parse_duration

RECORD_MAX: Final = 9e12
"""Largest value that can be recorded."""

Duration = float | int | str
"""Seconds, or text such as ``"250ms"``."""


def member(kind: type[IntEnum], value: IntEnum | int | str) -> int:
    """The integer of an enumeration's member, given as member, number or name.

    Raises ``TypeError`` or ``ValueError`` that lists the names.
    """
    if isinstance(value, str):
        found = kind.__members__.get(value.upper())
        if found is not None:
            return int(found)
    elif not isinstance(value, bool) and isinstance(value, int):
        if value in tuple(kind):
            return int(value)
    else:
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__} {value!r}")
    names = ", ".join(kind.__members__)
    raise ValueError(f"{value!r} is no {kind.__name__}; one of {names}")


def handle(order: object) -> OrderHandle:
    """The order itself; ``TypeError`` for anything else, an id for instance."""
    if not isinstance(order, OrderHandle):
        what = type(order).__name__
        raise TypeError(
            f"expected the order that buy, sell or submit_order returned, got {what} {order!r}"
        )
    return order


def levels_of(depth: object) -> int:
    """A number of levels from 1; ``ValueError`` for anything else."""
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise ValueError(f"depth: expected a number of levels from 1, got {depth!r}")
    return depth


def duration_ns(value: Duration) -> int:
    """Nanoseconds of seconds or duration text; ``ValueError`` for anything else."""
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, (float, int)):
        raise TypeError(
            f"expected seconds or text like '250ms', got {type(value).__name__} {value!r}"
        )
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"not a duration in seconds: {value!r}")
    return round(value * NANOS_PER_S)


def grid(
    convert: Callable[[Number], int], value: Number, limit: int, reason: RejectReason
) -> tuple[int, int]:
    """``(steps, 0)``, or ``(0, reason)`` for a negative, not finite or absurdly large number."""
    try:
        steps = convert(value)
    except (ValueError, OverflowError):
        return 0, reason
    return (steps, 0) if 0 <= steps <= limit else (0, reason)


def edge_ticks(
    market: Market, price: Number | None, side: int, reason: RejectReason
) -> tuple[int, int]:
    """``(ticks, 0)`` on the passive side of ``price``, or ``(0, reason)``; ``None`` is 0 ticks."""
    if price is None:
        return 0, 0
    ticks, bad = grid(lambda value: market.to_ticks(value, side), price, PRICE_TICKS_MAX, reason)
    return (ticks, 0) if ticks > 0 and not bad else (0, reason)


def millionths(name: str, value: object) -> int:
    """A recorded value in millionths, rounded to the nearest.

    Raises ``TypeError`` for what is no number, ``ValueError`` for what does not fit 64 bits.
    """
    if isinstance(value, bool) or not isinstance(value, (float, int, Decimal)):
        raise TypeError(f"record({name}=...): expected a number, got {type(value).__name__}")
    number = float(value)
    if not math.isfinite(number) or abs(number) > RECORD_MAX:
        raise ValueError(f"record({name}={value!r}): not finite, or beyond {RECORD_MAX:.0e}")
    return round(number * PPM)
