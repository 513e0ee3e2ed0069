"""Running a scenario from Python: ``exchange_sim.run("calm", until="5m")``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from exchange_sim.errors import UsageError
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
) -> FinishedRun:
    """Run a scenario to its end and return how it ended.

    ``scenario`` is a name, the path of a ``.toml`` file or a loaded ``Scenario``; ``until`` a UTC
    time or a simulated duration; ``overrides`` and ``without`` are what the command line calls
    ``--set`` and ``--without``.  ``out`` is the folder in which the run directory is made; without
    it nothing is written and only the digests are kept.  Raises ``ScenarioError``, ``UsageError``,
    ``StorageError`` and, under the fault policy ``stop``, ``StrategyFault``.
    """
    loaded = (
        scenario if isinstance(scenario, Scenario) else load(scenario, overrides, without, seed)
    )
    if isinstance(scenario, Scenario) and (overrides or list(without) or seed is not None):
        raise UsageError("seed, overrides and without belong to load() when a Scenario is given")
    built = build_run(loaded, None if out is None else Path(out), end_of(loaded, until))
    return built.execute(progress)
