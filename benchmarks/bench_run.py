"""Whole runs, from scenario to the closed run directory: simulation, strategies, feed, world, log.

Run ``python -m benchmarks.bench_run [scenario minutes]``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from exchange_sim.scenario import load
from exchange_sim.scenario.build import build_run
from exchange_sim.units import NANOS_PER_MINUTE

CRASH_START = "scenario.start=2025-10-10T20:49:00Z"
"""One minute before the news."""


def run(name: str, minutes: int, overrides: list[str]) -> tuple[int, float]:
    """Commands and seconds of processor time of a run; building the world does not count."""
    scenario = load(name, overrides)
    parent = Path(tempfile.mkdtemp(prefix="bench-run-"))
    try:
        until = scenario.start_ns + minutes * NANOS_PER_MINUTE
        built = build_run(scenario, parent, until)
        before, started = built.world.seq, time.process_time()
        finished = built.execute()
        return finished.seq - before, time.process_time() - started
    finally:
        shutil.rmtree(parent)


def figure(title: str, name: str, minutes: int, overrides: list[str]) -> Figure:
    """One run: commands per second, and how much faster than real time."""
    commands, seconds = run(name, minutes, overrides)
    return Figure(
        f"{title}: {minutes} minutes, {commands:,} commands",
        f"{commands / seconds:,.0f} commands/s, {60 * minutes / seconds:,.0f} x real time",
    )


def figures() -> list[Figure]:
    """A quiet market, and the first minutes of a crash."""
    return [
        figure("run of calm", "calm", 3, []),
        figure("run of oct10_article from the news", "oct10_article", 5, [CRASH_START]),
    ]


def main() -> None:
    """Print the figures, or that of one scenario."""
    if len(sys.argv) == 3:
        found = [figure(sys.argv[1], sys.argv[1], int(sys.argv[2]), [])]
    else:
        found = figures()
    for row in found:
        sys.stdout.write(f"{row.what:60} {row.measured}\n")


if __name__ == "__main__":
    main()
