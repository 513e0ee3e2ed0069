"""Numbers with units: money, price, quantity and time are integers everywhere in the core.

Money is counted in an asset's smallest unit, prices in ticks, quantities in lots and time in
nanoseconds since the Unix epoch.  Conversions from and to the decimals that people write are exact:
a number that does not fit its grid raises ``ValueError`` instead of being rounded in silence.
Every division in money code goes through one of the named functions below, so that the direction of
rounding is visible at the call site.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, NewType

Ticks = NewType("Ticks", int)
Lots = NewType("Lots", int)
Amount = NewType("Amount", int)
Nanos = NewType("Nanos", int)

PPM: Final = 1_000_000
"""One, in parts per million: the scale of rates, haircuts and margin ratios."""

NANOS_PER_US: Final = 1_000
NANOS_PER_MS: Final = 1_000_000
NANOS_PER_S: Final = 1_000_000_000
NANOS_PER_MINUTE: Final = 60 * NANOS_PER_S
NANOS_PER_HOUR: Final = 3_600 * NANOS_PER_S
NANOS_PER_DAY: Final = 86_400 * NANOS_PER_S

_DURATION_UNITS: Final = {
    "ns": 1,
    "us": NANOS_PER_US,
    "ms": NANOS_PER_MS,
    "s": NANOS_PER_S,
    "m": NANOS_PER_MINUTE,
    "min": NANOS_PER_MINUTE,
    "h": NANOS_PER_HOUR,
    "d": NANOS_PER_DAY,
}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|min|s|m|h|d)")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def mul_div_floor(value: int, numerator: int, denominator: int) -> int:
    """``value * numerator / denominator`` rounded towards minus infinity; exact until the
    division.
    """
    return value * numerator // denominator


def mul_div_ceil(value: int, numerator: int, denominator: int) -> int:
    """``value * numerator / denominator`` rounded towards plus infinity; exact until the
    division.
    """
    return -(-value * numerator // denominator)


def mul_div_nearest(value: int, numerator: int, denominator: int) -> int:
    """``value * numerator / denominator`` to the nearest integer, halves upwards.  For prices only.

    Never use it for money that moves: money has a side that rounding must favour.
    """
    return (2 * value * numerator + denominator) // (2 * denominator)


def to_decimal(text: str | int | Decimal) -> Decimal:
    """Read a decimal exactly.  Floats are refused, because 0.1 as a float is not 0.1.

    Raises ``ValueError`` for anything that is not a finite decimal number.
    """
    if isinstance(text, (bool, float)):
        raise ValueError(f"expected an exact decimal, got {text!r}")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a decimal number: {text!r}") from None
    if not value.is_finite():
        raise ValueError(f"not a finite number: {text!r}")
    return value


def scale_exact(value: str | int | Decimal, step: Decimal) -> int:
    """How many ``step`` fit into ``value``, exactly.

    Raises ``ValueError`` when ``value`` is not a whole multiple of ``step``.
    """
    quotient = to_decimal(value) / step
    count = int(quotient)
    if count != quotient or count * step != to_decimal(value):
        raise ValueError(f"{value} is not a whole multiple of {step}")
    return count


def to_units(value: str | int | Decimal, decimals: int) -> int:
    """Decimal text to the smallest unit of an asset with ``decimals`` places, exactly."""
    return scale_exact(value, Decimal(1).scaleb(-decimals))


def format_units(amount: int, decimals: int) -> str:
    """Smallest units to decimal text with all ``decimals`` places: ``format_units(-150, 2) ==
    "-1.50"``.
    """
    sign = "-" if amount < 0 else ""
    digits = str(abs(amount)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits


def parse_duration(text: str) -> int:
    """Nanoseconds of ``"250ms"``, ``"1.5s"``, ``"10m"`` or ``"1h30m"``; ``ValueError``
    otherwise.
    """
    total, end = Decimal(0), 0
    for part in _DURATION_PART.finditer(text.strip()):
        if part.start() != end:
            break
        total += Decimal(part[1]) * _DURATION_UNITS[part[2]]
        end = part.end()
    if not text.strip() or end != len(text.strip()) or total != int(total):
        raise ValueError(f"not a duration: {text!r} (write for instance 250ms, 1.5s, 10m, 1h30m)")
    return int(total)


def format_duration(nanos: int) -> str:
    """``"1h30m00s"``, ``"2m05s"`` or ``"0.250s"``: for people, whole seconds above one minute."""
    seconds, rest = divmod(nanos, NANOS_PER_S)
    if seconds < 60:
        return f"{seconds}.{rest // NANOS_PER_MS:03d}s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m{seconds:02d}s" if hours else f"{minutes}m{seconds:02d}s"


def parse_utc(text: str) -> int:
    """Nanoseconds since the epoch of an ISO-8601 instant; an instant without a zone is read as UTC.

    Raises ``ValueError`` for anything else.  Up to nine decimals of a second are kept exactly.
    """
    match = re.fullmatch(r"(.*?:\d\d)\.(\d{1,9})(Z|[+-]\d\d:\d\d)?", text.strip())
    whole, fraction = text.strip(), "0"
    if match:
        whole, fraction = match[1] + (match[3] or ""), match[2]
    try:
        moment = datetime.fromisoformat(whole)
    except ValueError:
        raise ValueError(f"not a UTC time: {text!r} (write 2025-10-10T20:50:00Z)") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - _EPOCH
    seconds = delta.days * 86_400 + delta.seconds
    return seconds * NANOS_PER_S + int(fraction.ljust(9, "0"))


def format_utc(time_ns: int, places: int = 3) -> str:
    """``2025-10-10T20:50:00.000Z``, truncated to ``places`` decimals of a second (0 to 9)."""
    seconds, rest = divmod(time_ns, NANOS_PER_S)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}"[: 20 + places] + "Z" if places else text + "Z"
