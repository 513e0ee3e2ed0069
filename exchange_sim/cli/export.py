"""``export``: a run in the formats of other tools."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange_sim.cli.losses import tell_losses
from exchange_sim.cli.render import output, show_table
from exchange_sim.errors import UsageError
from exchange_sim.units import parse_duration

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

EPILOG = """[bold]Examples[/bold]

exchange-sim export runs/oct10_article-7-1a2b3c4d tardis --instrument leading:BTCUSDT-PERP

exchange-sim export runs/oct10_article-7-1a2b3c4d csv --table traded --table liquidation_started
"""


class Format(StrEnum):
    """What can be written."""

    TARDIS = "tardis"
    LOBSTER = "lobster"
    HFTBACKTEST = "hftbacktest"
    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
FormatArgument = Annotated[Format, typer.Argument(metavar="FORMAT", help="What to write.")]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where to; default RUN/export/FORMAT.")
]
Instruments = Annotated[
    list[str], typer.Option("--instrument", metavar="SYMBOL", help="This book; default all.")
]
Tables = Annotated[
    list[str], typer.Option("--table", metavar="NAME", help="This table; default all.")
]
Kinds = Annotated[
    list[str], typer.Option("--type", metavar="NAME", help="This Tardis data type; default all.")
]
Raw = Annotated[bool, typer.Option("--raw", help="Tables with the stored integers.")]
Levels = Annotated[int, typer.Option(min=1, max=200, help="Levels of the LOBSTER files.")]
Delay = Annotated[
    str, typer.Option("--feed-delay", metavar="DURATION", help="From the venue to the recorder.")
]
Every = Annotated[
    str, typer.Option(metavar="DURATION", help="Least time between rows of Tardis snapshots.")
]
Exchange = Annotated[
    str, typer.Option(metavar="NAME", help="Tardis's name of the exchange; default by kind.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(name="export", epilog=EPILOG)(export_run)


def export_run(
    run: RunArgument,
    form: FormatArgument,
    out: Out = None,
    instrument: Instruments = [],  # noqa: B006 - Typer reads the default, nobody changes it
    table: Tables = [],  # noqa: B006 - as above
    kind: Kinds = [],  # noqa: B006 - as above
    raw: Raw = False,
    levels: Levels = 10,
    feed_delay: Delay = "10ms",
    every: Every = "100ms",
    exchange: Exchange = "",
) -> None:
    """Write a run in the format of another tool: Tardis, LOBSTER, hftbacktest, or plain tables."""
    from exchange_sim.analysis.export import hftbacktest, lobster, tables, tardis
    from exchange_sim.analysis.run_dir import open_run

    data = open_run(run, partial=True)
    folder = out or run / "export" / form.value
    delay_ns, every_ns = _duration("--feed-delay", feed_delay), _duration("--every", every)
    if form in {Format.TARDIS, Format.LOBSTER, Format.HFTBACKTEST} and table:
        raise UsageError(f"--table is for parquet, csv and jsonl, not for {form.value}")
    if form is Format.TARDIS:
        feed = tardis.Feed(exchange=exchange, delay_ns=delay_ns, depth_every_ns=every_ns)
        chosen = kind or list(tardis.KINDS)
        _show(tardis.write(data, folder, _books(data, instrument), chosen, feed), folder)
    elif form is Format.LOBSTER:
        _show(lobster.write(data, folder, _books(data, instrument), levels), folder)
    elif form is Format.HFTBACKTEST:
        _show(hftbacktest.write(data, folder, _books(data, instrument), delay_ns), folder)
    else:
        names = table or tables.table_names(data)
        _show(tables.write(data, folder, names, form.value, human=not raw), folder)
    tell_losses([data])


def _books(run: RunData, symbols: list[str]) -> list[int]:
    """Ids of the chosen instruments, all without a choice."""
    if not symbols:
        return list(range(len(run.instruments)))
    return [run.instrument_id(symbol) for symbol in symbols]


def _duration(option: str, text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as bad:
        raise UsageError(f"{option} {text!r}: {bad}") from None


def _show(written: Iterator[tuple[Path, int]], folder: Path) -> None:
    rows = [(str(path.relative_to(folder)), count) for path, count in written]
    show_table("", ("file", "rows"), rows)
    output.print(f"{len(rows)} files in {folder}", markup=False, highlight=False, soft_wrap=True)
