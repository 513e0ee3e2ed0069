"""Numbers in words."""

from __future__ import annotations

from datetime import UTC, datetime


def dollars(value: float) -> str:
    """``$1.24bn``, ``$3.5m``, ``-$12k``, ``$7``."""
    sign = "-" if value < 0 else ""
    size = abs(value)
    for scale, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if size >= scale:
            return f"{sign}${size / scale:,.3g}{unit}"
    return f"{sign}${size:,.0f}"


def clock(time_ns: int) -> str:
    """Time of day in UTC."""
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%H:%M:%S")


def count(number: int, one: str, many: str = "") -> str:
    """``1 maker``, ``3 makers``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
