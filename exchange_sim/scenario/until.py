"""When a run ends: light enough for the command line to import before anything else."""

from __future__ import annotations

from exchange_sim.errors import UsageError
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.units import format_utc, parse_duration, parse_utc


def end_of(scenario: Scenario, until: str) -> int:
    """The last instant of a run: the scenario's end, or an earlier one that was asked for.

    Raises ``UsageError`` when ``until`` is no time or lies outside the scenario.
    """
    if not until:
        return scenario.end_ns
    try:
        end = scenario.start_ns + parse_duration(until)
    except ValueError:
        try:
            end = parse_utc(until)
        except ValueError:
            message = f"--until {until!r} is neither a UTC time nor a duration such as 10m"
            raise UsageError(message) from None
    if not scenario.start_ns < end <= scenario.end_ns:
        first, last = format_utc(scenario.start_ns, 0), format_utc(scenario.end_ns, 0)
        raise UsageError(f"--until {until} lies outside the scenario, {first} to {last}")
    return end
