"""``report``: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_sim.cli.render import output

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Where to; default RUN/report.html.")
]
Partial = Annotated[
    bool, typer.Option("--partial", help="Read a damaged run as far as it goes, and say so.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(name="report")(report_run)


def report_run(run: RunArgument, out: Out = None, partial: Partial = False) -> None:
    """Write what happened in a run as one HTML file that needs nothing else."""
    from exchange_sim.analysis.report.page import write_report
    from exchange_sim.analysis.run_dir import open_run

    data = open_run(run, partial=partial)
    path = write_report(data, out)
    for loss in data.losses:
        output.print(f"lost: {loss}", markup=False, highlight=False, soft_wrap=True)
    output.print(str(path), markup=False, highlight=False, soft_wrap=True)
