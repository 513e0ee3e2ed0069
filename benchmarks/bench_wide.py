"""A thousand books, each quoted by twenty makers: what one simulated minute costs.

Run ``python -m benchmarks wide``.  The market is ``scenarios/wide_1000.toml`` with its news early,
so that the minute holds the fall of the lead and the flight of the makers: the dearest of the hour.
The whole hour is measured by a test (``tests/e2e/test_wide.py``, marked soak).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, at_most, peak_gib
from exchange_sim.scenario import load
from exchange_sim.scenario.build import build_run
from exchange_sim.units import NANOS_PER_MINUTE

PAIRS, MAKERS, WARM_UP, MINUTES = 1_000, 20, 1, 1
"""The minute of the warm-up places all quotes; it is not measured."""
NEWS = "shocks.news.at=2025-10-10T20:01:20Z"
HOUR_TARGET_S, MEMORY_TARGET_GIB = 600.0, 4.0


def slice_of_an_hour() -> tuple[float, int, float]:
    """Seconds of processor time for ``MINUTES``, their commands, and peak memory in GiB."""
    with tempfile.TemporaryDirectory(prefix="bench-wide-") as directory:
        scenario = load("wide_1000", [NEWS])
        end = scenario.start_ns + (WARM_UP + MINUTES) * NANOS_PER_MINUTE
        built = build_run(scenario, Path(directory), end)
        marks: list[tuple[float, int]] = []
        for when in (scenario.start_ns + WARM_UP * NANOS_PER_MINUTE, end - 1):
            built.run.kernel.at(
                when, lambda _: marks.append((time.process_time(), built.world.seq))
            )
        built.execute()
        (began, before), (ended, after) = marks
        return ended - began, after - before, peak_gib()


def figures() -> list[Figure]:
    """In a fresh process, so that its peak of memory is its own."""
    code = "from benchmarks.bench_wide import slice_of_an_hour; print(*slice_of_an_hour())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, commands, peak = map(float, done.stdout.split())
    hour = seconds / MINUTES * 60
    what = (
        f"{PAIRS:,} books x {MAKERS} makers, a simulated hour ({commands / MINUTES:,.0f} commands"
    )
    return [
        at_most(f"{what} a minute)", hour, HOUR_TARGET_S, "s"),
        at_most("  peak memory", peak, MEMORY_TARGET_GIB, "GiB", 2),
    ]


def main() -> None:
    """Print the figures of this module."""
    for figure in figures():
        sys.stdout.write(f"{figure.what:70} {figure.measured:>22} {figure.target}\n")


if __name__ == "__main__":
    main()
