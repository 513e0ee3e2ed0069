"""Running a scenario from Python: ``exchange_sim.run("calm", until="5m")``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from exchange_sim.errors import UsageError
from exchange_sim.scenario.addition import Addition, toml_value
from exchange_sim.scenario.build import FinishedRun, Progress, build_run
from exchange_sim.scenario.load import load
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.until import end_of


def run(
    scenario: str | Path | Scenario,
    *,
    seed: int | None = None,
    until: str = "",
    overrides: Sequence[str] = (),
    without: Iterable[str] = (),
    out: str | Path | None = None,
    progress: Progress | None = None,
    strategy: str = "",
    venues: Sequence[str] = (),
    capital: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    name: str = "",
    latency: str = "",
    on_fault: str = "",
) -> FinishedRun:
    """Run a scenario to its end and return how it ended.

    ``scenario`` is a name, the path of a ``.toml`` file or a loaded ``Scenario``; ``until`` a UTC
    time or a simulated duration; ``overrides`` and ``without`` are what the command line calls
    ``--set`` and ``--without``.  ``strategy`` adds one as ``--strategy`` does, with ``venues``,
    ``capital``, ``params``, ``name``, ``latency`` and ``on_fault``.  ``out`` is the folder in which
    the run directory is made; without it nothing is written and only the digests are kept.  Raises
    ``ScenarioError``, ``UsageError``, ``StorageError`` and, under the fault policy ``stop``,
    ``StrategyFault``.
    """
    addition = Addition.of(
        strategy,
        [venues] if isinstance(venues, str) else list(venues),
        [f"{asset}={amount}" for asset, amount in (capital or {}).items()],
        [f"{key}={toml_value(value)}" for key, value in (params or {}).items()],
        {"name": name, "latency": latency, "on_fault": on_fault},
    )
    if isinstance(scenario, Scenario):
        if overrides or list(without) or seed is not None or addition is not None:
            message = "seed, overrides, without and strategy belong to load() for a loaded Scenario"
            raise UsageError(message)
        loaded = scenario
    else:
        loaded = load(scenario, overrides, without, seed, addition)
    built = build_run(loaded, None if out is None else Path(out), end_of(loaded, until))
    return built.execute(progress)
