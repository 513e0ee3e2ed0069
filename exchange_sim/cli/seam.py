"""The only place where the command line meets the builder and the runner.

Everything above works with ``Request`` and ``Finished``; what a run is made of may change without
the commands noticing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from exchange_sim.analysis.report.words import dollars
from exchange_sim.cli.render import RunProgress, output
from exchange_sim.scenario import Scenario
from exchange_sim.units import format_utc

if TYPE_CHECKING:
    from exchange_sim.analysis.summary import InstrumentSummary, RunSummary
    from exchange_sim.journal.frames import JournalHeader
    from exchange_sim.scenario.resume import Unfinished
    from exchange_sim.world import World

ShownTable = tuple[str, Sequence[str], Sequence[Sequence[Any]]]
"""Title, columns and rows."""


FALL_PCT_MIN: Final = 1.0
"""Below this fall in percent a share of recovery says nothing."""
FULL_WIDTH: Final = 96
"""Columns of a terminal that all figures of an instrument need."""


@attrs.frozen
class Request:
    """What ``run`` was asked for.  ``out`` None writes nothing."""

    scenario: Scenario
    out: Path | None
    until_ns: int
    log_level: str
    hang_limit_s: float
    options: tuple[str, ...]
    """The options that changed the scenario, for the manifest."""
    added: str = ""
    """Name of the added strategy, whose result is shown."""
    report: bool = True
    """Whether ``report.html`` and the histories of all books are written when the run is over."""
    resumed: Unfinished | None = None
    """The killed run that is finished, instead of beginning one."""


@attrs.frozen
class Finished:
    """What ``run`` shows at the end."""

    directory: Path | None
    digest: str
    interrupted: bool
    totals: dict[str, Any]
    tables: tuple[ShownTable, ...]
    report: Path | None = None


def execute(request: Request, progress: RunProgress) -> Finished:
    """Build the run, drive it to its end and collect what people want to see.

    The first Ctrl-C ends the run with everything closed and ``interrupted`` set.
    """
    from exchange_sim.analysis.run_dir import open_run
    from exchange_sim.analysis.summary import summarise
    from exchange_sim.analysis.tear_sheet import sections, tear_sheet
    from exchange_sim.scenario.build import build_run

    found: list[RunSummary] = []

    def summary_of(directory: Path) -> dict[str, Any]:
        found.append(summarise(open_run(directory)))
        return found[0].asdict()

    if request.resumed is not None:
        from exchange_sim.scenario.resume import resume

        result = resume(
            request.resumed, progress, summary_of, request.log_level, request.hang_limit_s
        )
    else:
        run = build_run(
            request.scenario,
            out=request.out,
            until_ns=request.until_ns,
            log_level=request.log_level,
            hang_limit_s=request.hang_limit_s,
            options=request.options,
        )
        result = run.execute(progress, None if request.out is None else summary_of)
    totals = {"commands": result.seq, "trades": result.trades}
    tables: tuple[ShownTable, ...] = ()
    if found:
        totals |= shown_totals(found[0])
        tables = (shown_instruments(found[0]),)
    if request.added and result.directory is not None:
        sheet = tear_sheet(open_run(result.directory), request.added, compare=False)
        tables += tuple(sections(sheet)[:2])
    report = None
    if request.report and result.directory is not None and not result.interrupted:
        from exchange_sim.analysis.book_history import prepare_books
        from exchange_sim.analysis.report.page import write_report

        data = open_run(result.directory)
        prepare_books(data)
        report = write_report(data)
    return Finished(result.directory, result.digest, result.interrupted, totals, tables, report)


def show_impact(run: Path, without: Path, strategy: str) -> None:
    """What the strategy changed, from both runs."""
    from exchange_sim.analysis.impact import impact_sections, own_impact
    from exchange_sim.analysis.run_dir import open_run
    from exchange_sim.cli.render import show_table

    impact = own_impact(open_run(run), open_run(without), strategy)
    for title, columns, rows in impact_sections(impact):
        output.print()
        show_table(title, columns, rows)


def shown_instruments(summary: RunSummary) -> ShownTable:
    """One row per instrument that traded: where it went and how far it came back."""
    columns = ["instrument", "start", "low", "at", "fall", "back", "volume", "bids lost", "trades"]
    rows = [
        (
            row.symbol if ":" in row.symbol else f"{row.venue}:{row.symbol}",
            f"{row.start:,.6g}",
            f"{row.low:,.6g}",
            format_utc(row.low_ns, 0)[11:19] if row.low_ns else "-",
            f"{row.drawdown_pct:.1f}%",
            _back(row),
            dollars(row.volume_usd),
            f"{row.depth_lost_pct:.0f}%" if row.depth_lost_pct > 0 else "-",
            row.trades,
        )
        for row in summary.instruments
        if row.trades
    ]
    narrow = output.width < FULL_WIDTH
    kept = [k for k, column in enumerate(columns) if not (narrow and column in {"start", "trades"})]
    return "", [columns[k] for k in kept], [[row[k] for k in kept] for row in rows]


def _back(row: InstrumentSummary) -> str:
    """How much of a fall was made good; a price above its start says no more than that."""
    if row.drawdown_pct < FALL_PCT_MIN:
        return "-"
    return f"{row.recovery_pct:.0f}%" if row.end <= row.start else "all"


def shown_totals(summary: RunSummary) -> dict[str, Any]:
    """The forced flow in words."""
    totals = summary.totals
    return {
        "volume": dollars(totals.volume_usd),
        "liquidations": f"{totals.liquidations:,} in {totals.liquidated_accounts:,} accounts,"
        f" {dollars(totals.liquidated_usd)} through the books, {totals.bankrupt:,} bankrupt",
        "ADL": f"{totals.adl:,} times, {dollars(totals.adl_usd)}",
        "insurance": f"{dollars(totals.insurance_usd)} paid,"
        f" {dollars(totals.insurance_left_usd)} left; bad debt {dollars(totals.bad_debt_usd)}",
    }


def header_of(journal: Path) -> JournalHeader:
    """The header of a journal.  Raises ``JournalCorrupt`` and ``StorageError``."""
    from exchange_sim.journal.reader import JournalReader

    reader = JournalReader(journal)
    reader.close()
    return reader.header


def make_world(header: JournalHeader) -> World:
    """The world that a journal's commands were applied to, at its first instant.

    Raises ``JournalCorrupt`` when the header holds no usable scenario.
    """
    from exchange_sim.scenario.world_config import world_config
    from exchange_sim.world import World

    return World(world_config(Scenario.from_json(header.scenario_text)))
