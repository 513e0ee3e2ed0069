"""Durations and times of day as scenarios write them; nanoseconds in Python."""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs

from exchange_sim.scenario.kinds import DIGITS_MAX, Reader
from exchange_sim.scenario.tree import Node
from exchange_sim.units import format_duration, parse_duration, parse_utc


@attrs.frozen
class Duration:
    """A duration such as ``"250ms"``, ``"1h30m"``; nanoseconds in Python."""

    low: int = 0

    def read(self, node: Node, reader: Reader) -> Any:
        """Nanoseconds."""
        if not isinstance(node.value, str):
            hint = f'write "{node.value}s"' if isinstance(node.value, int) else ""
            return reader.wrong(node, self.describe(), hint)
        nanos = duration_ns(node.value)
        if nanos is None or not self.low <= nanos < 2**62:
            return reader.wrong(node, self.describe(), "units: ns us ms s m h d")
        return nanos

    def describe(self) -> str:
        """An example."""
        least = f" of at least {format_duration(self.low)}" if self.low > 1 else ""
        return f'a duration{" above zero" if self.low == 1 else least} such as "250ms" or "1h30m"'


def duration_ns(text: str) -> int | None:
    """Nanoseconds of a duration, or None if the text is not one."""
    try:
        return parse_duration(text) if len(text) <= DIGITS_MAX else None
    except (ValueError, ArithmeticError):
        return None


@attrs.frozen
class Instant:
    """A UTC time (text or TOML date-time), or a duration that counts from the scenario's start."""

    relative: bool = True

    def read(self, node: Node, reader: Reader) -> Any:
        """Nanoseconds since the epoch."""
        nanos = instant_ns(node.value)
        if nanos is None and self.relative and isinstance(node.value, str):
            offset = duration_ns(node.value.removeprefix("+"))
            nanos = None if offset is None else reader.start_ns + offset
        if nanos is None or not 0 <= nanos < 2**62:
            return reader.wrong(node, self.describe())
        return nanos

    def describe(self) -> str:
        """An example."""
        later = ' or a time after the start such as "+21m"' if self.relative else ""
        return f'a UTC time such as "2025-10-10T20:50:00Z"{later}'


def instant_ns(value: Any) -> int | None:
    """Nanoseconds of a UTC text or a TOML date or date-time, or None."""
    if isinstance(value, date):
        value = value.isoformat()
    if not isinstance(value, str):
        return None
    try:
        return parse_utc(value)
    except (ValueError, OverflowError):
        return None
