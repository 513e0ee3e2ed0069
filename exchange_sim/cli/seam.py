"""The only place where the command line meets the builder and the runner.

Everything above works with ``Request`` and ``Finished``; what a run is made of may change without
the commands noticing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from exchange_sim.cli.render import RunProgress
from exchange_sim.scenario import Scenario
from exchange_sim.scenario.addition import Addition

ShownTable = tuple[str, Sequence[str], Sequence[Sequence[Any]]]
"""Title, columns and rows."""


@attrs.frozen
class Request:
    """What ``run`` was asked for.  ``out`` None writes nothing."""

    scenario: Scenario
    out: Path | None
    until_ns: int
    log_level: str
    options: tuple[str, ...]
    """The options that changed the scenario, for the manifest."""


@attrs.frozen
class Finished:
    """What ``run`` shows at the end."""

    directory: Path | None
    digest: str
    interrupted: bool
    totals: dict[str, Any]
    tables: tuple[ShownTable, ...]


def options_text(
    overrides: Sequence[str], without: Sequence[str], addition: Addition | None
) -> tuple[str, ...]:
    """The options that changed the scenario, as one would type them."""
    texts = [f"--set {text}" for text in overrides] + [f"--without {name}" for name in without]
    if addition is not None:
        texts.append(f"--strategy {addition.class_ref}")
        texts += [f"--venue {venue}" for venue in addition.venues]
        texts += [f"--capital {name}={value}" for name, value in addition.capital]
        texts += [f"--param {name}={value}" for name, value in addition.params]
    return tuple(texts)


def execute(request: Request, progress: RunProgress) -> Finished:
    """Build the run, drive it to its end and collect what people want to see.

    The first Ctrl-C ends the run with everything closed and ``interrupted`` set.
    """
    from exchange_sim.scenario.build import build_run

    run = build_run(
        request.scenario,
        out=request.out,
        until_ns=request.until_ns,
        log_level=request.log_level,
        options=request.options,
    )
    result = run.execute(progress)
    totals = {"commands": result.seq, "trades": result.trades}
    return Finished(result.directory, result.digest, result.interrupted, totals, ())
