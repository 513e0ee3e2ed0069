"""Whole runs, from scenario to the closed run directory: simulation, strategies, feed, world, log.

Run ``python -m benchmarks run``, or ``python -m benchmarks.bench_run SCENARIO MINUTES`` for one.
Slices of the article's crash are measured in fresh processes, with the log and without it in turns.
Building the world and closing the files, once a run (2 s), are not in them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, at_most, peak_gib
from exchange_sim.scenario import load
from exchange_sim.scenario.build import build_run
from exchange_sim.units import NANOS_PER_MINUTE

SCENARIO, WHOLE_MINUTES, WHOLE_TARGET_S, LOG_TARGET_PERCENT = "oct10_article", 90, 60.0, 35.0
MEMORY_TARGET_GIB = 1.0
CRASH = "scenario.start=2025-10-10T20:49:00Z"
"""One minute before the news."""
WARM_UP, MINUTES, ROUNDS = 1, 3, 2
"""The first minute places all quotes and is not measured."""


class Slice:
    """What one slice took: commands, seconds of processor time, peak memory in GiB."""

    def __init__(self, commands: float, seconds: float, peak: float) -> None:
        self.commands = commands
        self.seconds = seconds
        self.peak = peak


def run(name: str, minutes: int, overrides: list[str], recorded: bool = True) -> Slice:
    """The minutes after the warm-up, in this process; without records nothing is kept at all."""
    scenario = load(name, overrides)
    parent = Path(tempfile.mkdtemp(prefix="bench-run-"))
    try:
        until = scenario.start_ns + (WARM_UP + minutes) * NANOS_PER_MINUTE
        built = build_run(scenario, parent if recorded else None, until)
        if not recorded:
            built.run.exchange.keep_no_records()
        marks: list[tuple[float, int]] = []
        for when in (scenario.start_ns + WARM_UP * NANOS_PER_MINUTE, until - 1):
            built.run.kernel.at(
                when, lambda _: marks.append((time.process_time(), built.world.seq))
            )
        built.execute()
        (began, before), (ended, after) = marks
        return Slice(after - before, ended - began, peak_gib())
    finally:
        shutil.rmtree(parent)


def apart(overrides: list[str], recorded: bool) -> Slice:
    """``run`` of the article in a process of its own."""
    code = (
        "from benchmarks.bench_run import run\n"
        f"s = run({SCENARIO!r}, {MINUTES}, {overrides!r}, {recorded})\n"
        "print(s.commands, s.seconds, s.peak)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return Slice(*map(float, done.stdout.split()))


def figures() -> list[Figure]:
    """What 90 minutes would take if all were calm, or all like the first minutes of the crash."""
    rows = []
    for title, overrides in (("calm", []), ("crash", [CRASH])):
        found: dict[bool, list[Slice]] = {True: [], False: []}
        for _ in range(ROUNDS):
            for recorded in (True, False):
                found[recorded].append(apart(overrides, recorded))
        whole, bare = (min(s.seconds for s in found[kept]) for kept in (True, False))
        commands, peak = found[True][0].commands, max(s.peak for s in found[True])
        long = whole / MINUTES * WHOLE_MINUTES
        what = f"{SCENARIO}, {WHOLE_MINUTES} minutes like its {title}"
        share = 100 * (1 - bare / whole)
        rows += [
            at_most(what, long, WHOLE_TARGET_S, "s"),
            Figure("  commands", f"{commands / MINUTES:,.0f} a minute"),
            Figure("  processor time per command", f"{1e6 * whole / commands:,.1f} us"),
            at_most("  share of the log in it", share, LOG_TARGET_PERCENT, "%"),
            at_most("  peak memory", peak, MEMORY_TARGET_GIB, "GiB", 2),
        ]
    return rows


def main() -> None:
    """Print the figures, or that of one scenario."""
    if len(sys.argv) == 3:
        found = run(sys.argv[1], int(sys.argv[2]), [])
        rate = found.commands / found.seconds
        sys.stdout.write(f"{sys.argv[1]}: {found.commands:,.0f} commands, {rate:,.0f} a second\n")
        return
    for row in figures():
        sys.stdout.write(f"{row.what:60} {row.measured:>22} {row.target}\n")


if __name__ == "__main__":
    main()
