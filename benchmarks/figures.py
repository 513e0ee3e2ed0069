"""One line of the table of benchmarks."""

from __future__ import annotations

import resource
from pathlib import Path

import attrs


@attrs.frozen
class Figure:
    """``met`` tells whether the target holds; None when there is none."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None


def at_least(what: str, value: float, target: float, unit: str, digits: int = 0) -> Figure:
    """A figure that should be large."""
    return Figure(
        what, f"{value:,.{digits}f} {unit}", f">= {target:,.{digits}f} {unit}", value >= target
    )


def at_most(what: str, value: float, target: float, unit: str, digits: int = 0) -> Figure:
    """A figure that should be small."""
    return Figure(
        what, f"{value:,.{digits}f} {unit}", f"<= {target:,.{digits}f} {unit}", value <= target
    )


def peak_gib() -> float:
    """Most memory that this process has had resident, in GiB.

    Where there is no /proc, what ``getrusage`` says, which counts a parent's memory too.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
