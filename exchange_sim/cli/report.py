"""``report``: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_sim.cli.losses import tell_losses
from exchange_sim.cli.render import output

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Where to; default RUN/report.html.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(name="report")(report_run)


def report_run(run: RunArgument, out: Out = None) -> None:
    """Write what happened in a run as one HTML file that needs nothing else."""
    from exchange_sim.analysis.report.page import write_report
    from exchange_sim.analysis.run_dir import open_run

    data = open_run(run, partial=True)
    path = write_report(data, out)
    output.print(str(path), markup=False, highlight=False, soft_wrap=True)
    tell_losses([data])
