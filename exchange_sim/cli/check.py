"""``check matching`` and ``check rules``: run files of published cases against the engines."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import typer

from exchange_sim.cli.render import output
from exchange_sim.errors import InvariantViolation

RUNNERS: Final = {
    "matching": ("exchange_sim.analysis.matching_cases", "run_case_file"),
    "rules": ("exchange_sim.analysis.rule_vectors", "run_vector_file"),
}
"""Where the function that runs a file of cases is; imported on use, so that ``--help`` is fast."""

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A JSON file of cases.", show_default=False)
]


class CaseReport(Protocol):
    """What a runner returns: whether all cases passed; as text, one line a failure and a total."""

    @property
    def ok(self) -> bool:
        """Whether every case passed."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    group = typer.Typer(no_args_is_help=True, help="Run files of published cases.")
    group.command()(matching)
    group.command()(rules)
    app.add_typer(group, name="check")


def matching(file: FileArgument) -> None:
    """Run order-book cases: orders in, events out."""
    _run("matching", file)


def rules(file: FileArgument) -> None:
    """Run rule vectors: margin, funding, liquidation, lending, pools."""
    _run("rules", file)


def _run(kind: str, file: Path) -> None:
    module, function = RUNNERS[kind]
    runner: Any = getattr(import_module(module), function)
    report: CaseReport = runner(file)
    output.print(str(report), markup=False, highlight=False, soft_wrap=True)
    if not report.ok:
        raise typer.Exit(InvariantViolation.exit_code)
