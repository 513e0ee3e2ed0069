"""``check matching`` and ``check rules``: run files of published cases against the engines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_sim.cli.render import output
from exchange_sim.errors import InvariantViolation

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A JSON file of cases.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    group = typer.Typer(no_args_is_help=True, help="Run files of published cases.")
    group.command()(matching)
    group.command()(rules)
    app.add_typer(group, name="check")


def matching(file: FileArgument) -> None:
    """Run order-book cases: orders in, events out."""
    from exchange_sim.analysis.matching_cases import run_case_file

    report = run_case_file(file)
    _show("\n".join(report.lines()), ok=not report.failed)


def rules(file: FileArgument) -> None:
    """Run rule vectors: margin, funding, liquidation, lending, pools."""
    from exchange_sim.analysis.rule_vectors import run_vector_file

    report = run_vector_file(file)
    _show(str(report), ok=report.ok)


def _show(text: str, *, ok: bool) -> None:
    """Print a report; cases that fail mean that a rule of the market is broken."""
    output.print(text, markup=False, highlight=False, soft_wrap=True)
    if not ok:
        raise typer.Exit(InvariantViolation.exit_code)
