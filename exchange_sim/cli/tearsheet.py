"""``tearsheet``: how a strategy fared in a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange_sim.cli.losses import tell_losses
from exchange_sim.cli.render import output, show_table
from exchange_sim.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange_sim.analysis.tear_sheet import Section

EPILOG = """[bold]Examples[/bold]

exchange-sim tearsheet runs/calm-1-0001 --strategy mm-as-1

exchange-sim tearsheet runs/first_trade-1-0001 --strategy maker --json maker.json
"""

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Directory of a run.", show_default=False)
]
StrategyOption = Annotated[
    str, typer.Option("--strategy", metavar="NAME", help="Which; needed when there are several.")
]
Against = Annotated[
    Path | None,
    typer.Option(metavar="RUN", help="The same run without it: show what it changed."),
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON as well.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command(name="tearsheet", epilog=EPILOG)(show)


def show(
    run: RunArgument, strategy: StrategyOption = "", against: Against = None, to: Json = None
) -> None:
    """Show what a strategy gained and from what, how it quoted, and how its margin went."""
    from exchange_sim.analysis.impact import impact_sections, own_impact
    from exchange_sim.analysis.run_dir import open_run
    from exchange_sim.analysis.tear_sheet import sections, strategies_of

    opened = open_run(run, partial=True)
    read = [opened]
    name = strategy or _only(list(strategies_of(opened)))
    sheet = opened.tear_sheet(name)
    others: list[Section] = []
    if against is not None:
        read.append(open_run(against, partial=True))
        others = impact_sections(own_impact(opened, read[1], name))
    show_sections(sections(sheet, others))
    if to is not None:
        try:
            to.write_text(json.dumps(sheet.asdict(), indent=1) + "\n", encoding="utf-8")
        except OSError as cause:
            raise StorageError(f"{to}: cannot be written: {cause.strerror}") from cause
    tell_losses(read)


def _only(names: list[str]) -> str:
    """The strategy that was added, when none is named."""
    added = [name for name in names if name.startswith("added-")]
    if len(added) == 1:
        return added[0]
    listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise UsageError(f"name one with --strategy: {listed}")


def show_sections(found: Iterable[Section]) -> None:
    """Titled tables, one below the other."""
    for title, columns, rows in found:
        show_table(title, columns, rows)
        output.print()
