"""Running a scenario from Python: ``exchange_sim.run("calm", until="5m")``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from exchange_sim.analysis.notebook import unwritten_html
from exchange_sim.analysis.run_dir import RunData, open_run
from exchange_sim.errors import UsageError
from exchange_sim.scenario.addition import Addition, options_text, toml_value
from exchange_sim.scenario.build import FinishedRun, Progress, build_run
from exchange_sim.scenario.load import load
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.until import end_of
from exchange_sim.strategy.api import Strategy


@attrs.frozen
class Finished(FinishedRun):
    """A run that has ended.  In a notebook it shows what happened."""

    def open(self) -> RunData:
        """The run as ``open_run`` opens it.  Raises ``UsageError`` when nothing was written."""
        if self.directory is None:
            raise UsageError("nothing was written: give run() a folder, out='runs'")
        return open_run(self.directory)

    def _repr_html_(self) -> str:
        if self.directory is not None:
            return self.open()._repr_html_()
        return unwritten_html(self.manifest, self.trades, interrupted=self.interrupted)


def run(
    scenario: str | Path | Scenario,
    *,
    seed: int | None = None,
    until: str = "",
    overrides: Sequence[str] = (),
    without: Iterable[str] = (),
    out: str | Path | None = None,
    progress: Progress | None = None,
    strategy: str | type[Strategy] = "",
    venues: Sequence[str] = (),
    capital: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    name: str = "",
    latency: str = "",
    on_fault: str = "",
    leak_limit: int | None = None,
) -> Finished:
    """Run a scenario to its end and return how it ended.

    ``scenario`` is a name, the path of a ``.toml`` file or a loaded ``Scenario``; ``until`` a UTC
    time or a simulated duration; ``overrides`` and ``without`` are what the command line calls
    ``--set`` and ``--without``.  ``strategy`` adds one as ``--strategy`` does, with ``venues``,
    ``capital``, ``params``, ``name``, ``latency``, ``on_fault`` and ``leak_limit``; it may also be
    a class, such as one of a notebook's cell.  ``out`` is the folder in which the run directory is
    made; without it nothing is written and only the digests are kept.

    Raises ``ScenarioError``, ``UsageError``, ``StorageError`` and, under the fault policy ``stop``,
    ``StrategyFault``.
    """
    left_out = list(without)
    addition = Addition.of(
        strategy if isinstance(strategy, str) else _reference(strategy),
        [venues] if isinstance(venues, str) else list(venues),
        [f"{asset}={amount}" for asset, amount in (capital or {}).items()],
        [f"{key}={toml_value(value)}" for key, value in (params or {}).items()],
        {
            "name": name,
            "latency": latency,
            "on_fault": on_fault,
            "leak_limit": "" if leak_limit is None else str(leak_limit),
        },
    )
    if isinstance(scenario, Scenario):
        if overrides or left_out or seed is not None or addition is not None:
            message = "seed, overrides, without and strategy belong to load() for a loaded Scenario"
            raise UsageError(message)
        loaded = scenario
    else:
        loaded = load(scenario, overrides, left_out, seed, addition)
    options = options_text(overrides, left_out, addition)
    folder = None if out is None else Path(out)
    built = build_run(loaded, folder, end_of(loaded, until), options=options)
    finished = built.execute(progress)
    return Finished(*(getattr(finished, field.name) for field in attrs.fields(FinishedRun)))


def _reference(cls: type[Strategy]) -> str:
    """``module:Class`` of a class that its module holds under its name."""
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not cls:
        raise UsageError(f"{cls.__qualname__} cannot be found again: define it in no function")
    return f"{cls.__module__}:{cls.__qualname__}"
