"""``import``: recorded market data as a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_sim.cli.render import errors, output, show_pairs
from exchange_sim.errors import StorageError, UsageError
from exchange_sim.units import format_utc

EPILOG = """[bold]Examples[/bold]

exchange-sim import BTCUSDT-trades-2025-10-10.zip --out tape.toml

exchange-sim run tape.toml --strategy my_bot.py:MyBot --venue recorded --capital USDT=1000000
"""

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, also .gz or .zip.")]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The scenario; default: look and report only.")
]
Form = Annotated[
    str, typer.Option("--format", metavar="NAME", help="If the file's name does not tell it.")
]
Symbol = Annotated[str, typer.Option(help="Name of the instrument; default: from the file's name.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(name="import", epilog=EPILOG)(import_recorded)


def import_recorded(
    file: FileArgument, out: Out = None, form: Form = "", symbol: Symbol = ""
) -> None:
    """Look through recorded market data, report gaps and bad rows, write a scenario for it.

    Reads Tardis (incremental_book_L2, trades), LOBSTER message files and Binance's public trades,
    aggTrades and bookTicker.
    """
    from exchange_sim.recorded.columns import FORMATS
    from exchange_sim.scenario.importing import import_file

    if form and form not in FORMATS:
        raise UsageError(f"--format {form}: there are {', '.join(FORMATS)}")
    found = import_file(file, form, symbol)
    for problem in found.findings.problems:
        errors.print(str(problem), markup=False, highlight=False, soft_wrap=True)
    told = {
        "played": f"{found.rows:,}",
        "from": format_utc(found.start_ns, 6),
        "to": format_utc(found.end_ns, 6),
        "bad rows": f"{found.findings.bad_rows:,}",
        "gaps": f"{found.findings.gaps:,}",
    }
    if out is not None:
        text = found.scenario
        if found.findings.bad_rows:
            text = text.replace("[[recorded]]\n", '[[recorded]]\nbad_rows = "skip"\n')
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as cause:
            raise StorageError(f"{out}: cannot be written: {cause.strerror or cause}") from cause
        told["scenario"] = str(out)
    show_pairs("", told)
    if out is not None:
        output.print(f"exchange-sim run {out}", markup=False, highlight=False, soft_wrap=True)
