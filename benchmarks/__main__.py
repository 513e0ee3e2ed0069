"""All figures in one table, each beside its target: ``python -m benchmarks [section ...]``.

Times are those of one process on one core (processor time, the best of several rounds).  Absolute
figures depend on the machine and on what else it does; the ratios are taken within one run and mean
more.  Exit code 1 when a target is missed.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    bench_book,
    bench_learn,
    bench_pipeline,
    bench_reading,
    bench_risk,
    bench_run,
    bench_sim,
    bench_wide,
)
from benchmarks.figures import Figure

SECTIONS: dict[str, Callable[[], list[Figure]]] = {
    "book": bench_book.figures,
    "pipeline": bench_pipeline.figures,
    "margin": bench_pipeline.margin_figures,
    "risk": bench_risk.figures,
    "memory": bench_pipeline.memory_figures,
    "callbacks": bench_sim.figures,
    "run": bench_run.figures,
    "reading": bench_reading.figures,
    "wide": bench_wide.figures,
    "learn": bench_learn.figures,
}


def processor() -> str:
    """The name of the processor, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def load() -> str:
    """How busy the machine is, as far as the system tells it."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def main(names: list[str]) -> int:
    """Measure the sections and print the table; returns the exit code."""
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        sys.stderr.write(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}\n")
        return 2
    console = Console(width=None if sys.stdout.isatty() else 132)
    machine = f"{processor()}, {os.cpu_count()} cores, load {load()}"
    python = f"Python {platform.python_version()}, {platform.system()}"
    console.print(f"{machine}; {python}", highlight=False)
    table = Table(show_edge=False)
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    began, missed = time.monotonic(), 0
    for name in names or SECTIONS:
        for figure in SECTIONS[name]():
            missed += figure.met is False
            word = {True: "ok", False: "MISSED", None: ""}[figure.met]
            table.add_row(figure.what, figure.measured, figure.target, word)
        table.add_section()
    console.print(table)
    console.print(
        "Absolute times mean little on another or a busy machine; the ratios are of this run.\n"
        f"Measured in {time.monotonic() - began:.0f} s; {missed} targets missed.",
        highlight=False,
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
