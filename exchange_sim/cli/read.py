"""``verify``, ``replay`` and ``diff``: reading runs that were written."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import typer

from exchange_sim.cli.render import output
from exchange_sim.errors import DeterminismMismatch

READERS: Final = {
    "verify": ("exchange_sim.analysis.verify", "verify_run"),
    "replay": ("exchange_sim.analysis.replay", "replay_run"),
    "diff": ("exchange_sim.analysis.diff", "diff_runs"),
}
"""Where the functions that read runs are; imported on use, so that ``--help`` is fast."""

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Directory of a run.", show_default=False)
]


class ReadReport(Protocol):
    """What a reader returns: whether all is as it must be; as text, what was found."""

    @property
    def ok(self) -> bool:
        """Whether the run is whole, or the two runs are the same."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(verify)
    app.command()(replay)
    app.command()(diff)


def verify(run: RunArgument) -> None:
    """Check that a run is whole: every frame of its journal, every table, every digest."""
    _read("verify", run)


def replay(run: RunArgument) -> None:
    """Feed the recorded commands to a new world and compare every event with the recording."""
    _read("replay", run)


def diff(first: RunArgument, second: RunArgument) -> None:
    """Show the first command or event in which two runs differ."""
    _read("diff", first, second)


def _read(kind: str, *runs: Path) -> None:
    module, function = READERS[kind]
    reader: Any = getattr(import_module(module), function)
    report: ReadReport = reader(*runs)
    output.print(str(report), markup=False, highlight=False, soft_wrap=True)
    if not report.ok:
        raise typer.Exit(DeterminismMismatch.exit_code)
