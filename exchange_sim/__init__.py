"""exchange_sim: a discrete-event emulator of a crypto market.

What a user needs is importable from here; it is loaded on first use, so that ``--help`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData, open_run
    from exchange_sim.analysis.running import run
    from exchange_sim.scenario import Scenario, load
    from exchange_sim.strategy.api import Strategy

__version__: Final = "0.1.0"

__all__ = ["RunData", "Scenario", "Strategy", "__version__", "load", "open_run", "run"]

_HOMES: Final = {
    "RunData": "exchange_sim.analysis.run_dir",
    "Scenario": "exchange_sim.scenario",
    "Strategy": "exchange_sim.strategy.api",
    "load": "exchange_sim.scenario",
    "open_run": "exchange_sim.analysis.run_dir",
    "run": "exchange_sim.analysis.running",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'exchange_sim' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
