"""When a run ends: light enough for the command line to import before anything else."""

from __future__ import annotations

import re
from typing import Final

from exchange_sim.errors import UsageError
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.units import NANOS_PER_DAY, format_utc, parse_duration, parse_utc

_TIME_OF_DAY: Final = re.compile(r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?")


def end_of(scenario: Scenario, until: str) -> int:
    """The last instant of a run: the scenario's end, or an earlier one that was asked for.

    Raises ``UsageError`` when ``until`` is no time or lies outside the scenario.
    """
    if not until:
        return scenario.end_ns
    end = instant_of(scenario, until, "--until")
    if end == scenario.start_ns:
        raise UsageError(f"--until {until} is the start of the scenario: nothing would happen")
    return end


def instant_of(scenario: Scenario, text: str, option: str) -> int:
    """An instant of the scenario: a UTC time, a time of day, or a duration from the start.

    A time of day is the first one after the start.  Raises ``UsageError``, naming ``option``, when
    the text is none of them or lies outside the scenario.
    """
    try:
        instant = parse_instant(scenario.start_ns, text.strip())
    except ValueError:
        message = f"{option} {text!r} is neither a UTC time nor a duration such as 10m"
        raise UsageError(message) from None
    if not scenario.start_ns <= instant <= scenario.end_ns:
        first, last = format_utc(scenario.start_ns, 0), format_utc(scenario.end_ns, 0)
        raise UsageError(f"{option} {text} lies outside the scenario, {first} to {last}")
    return instant


def parse_instant(start_ns: int, text: str) -> int:
    """A UTC time, a time of day (the first one after the start) or a duration from the start.

    Raises ``ValueError``.
    """
    if _TIME_OF_DAY.fullmatch(text):
        seconds = text if text.count(":") == 2 else f"{text}:00"
        instant = parse_utc(f"{format_utc(start_ns)[:10]}T{seconds}Z")
        return instant if instant >= start_ns else instant + NANOS_PER_DAY
    try:
        return start_ns + parse_duration(text)
    except ValueError:
        return parse_utc(text)
