"""Numbers in words."""

from __future__ import annotations

from datetime import UTC, datetime


def dollars(value: float) -> str:
    """``$1.24bn``, ``$3.5m``, ``-$12k``, ``$7``: three digits."""
    sign = "-" if value < 0 else ""
    size = abs(value)
    for scale, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        # What would be rounded to 1,000 of a unit is one of the next.
        if size >= 0.9995 * scale:
            return f"{sign}${size / scale:,.3g}{unit}" if size < 999.5 * scale else _many(value)
    return f"{sign}${size:,.0f}"


def _many(value: float) -> str:
    return f"{'-' if value < 0 else ''}${abs(value) / 1e9:,.0f}bn"


def clock(time_ns: int) -> str:
    """Time of day in UTC."""
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%H:%M:%S")


def count(number: int, one: str, many: str = "") -> str:
    """``1 maker``, ``3 makers``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
