"""One line of the table of benchmarks."""

from __future__ import annotations

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
