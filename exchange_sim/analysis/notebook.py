"""How runs, tear sheets and scores look in a notebook: a few lines of HTML with the key figures.

Only plain tables, so that they follow the notebook's own theme, light or dark.  Whole pages with
charts are the business of ``exchange_sim.analysis.report``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from exchange_sim.eventlog.manifest import Manifest
from exchange_sim.units import NANOS_PER_S, format_duration, format_utc

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData
    from exchange_sim.analysis.score.report import Score
    from exchange_sim.analysis.tear_sheet import TearSheet

INSTRUMENTS_SHOWN: Final = 6
"""Instruments with the deepest falls; a report has all."""
MISSED_SHOWN: Final = 8
_RIGHT: Final = ' style="text-align:right"'


class InNotebooks:
    """What ``RunData`` shows in a notebook, and where its report is."""

    path: Path
    manifest: Manifest

    def report(self, target: Path | str | None = None) -> Path:
        """Write the run as one HTML page, by default ``report.html`` in its directory.

        Raises ``RunCorrupt`` for a run without event tables, ``StorageError``.
        """
        from exchange_sim.analysis.report.page import write_report

        return write_report(cast("RunData", self), None if target is None else Path(target))

    def _repr_html_(self) -> str:
        return run_html(cast("RunData", self))


def run_html(run: RunData) -> str:
    """Heading, deepest falls, forced flow, and a link to the report if there is one."""
    manifest = run.manifest
    about = f"{manifest.scenario}, seed {manifest.seed}"
    if manifest.overrides:
        about += " " + " ".join(manifest.overrides)
    parts = [f"<b>{escape(about)}</b><br>{_span(manifest)}, {manifest.commands:,} commands"]
    summary = _summary(run)
    if summary is None:
        parts.append("<br>no event tables were written")
    else:
        rows = sorted(summary["instruments"], key=lambda row: -row["drawdown_pct"])
        more = len(rows) - INSTRUMENTS_SHOWN
        parts.append(
            table(
                ("instrument", "start", "low", "at", "fall", "trades"),
                (
                    (
                        row["symbol"],
                        f"{row['start']:,.6g}",
                        f"{row['low']:,.6g}",
                        row["low_time"][11:19] or "-",
                        f"{row['drawdown_pct']:.1f} %",
                        f"{row['trades']:,}",
                    )
                    for row in rows[:INSTRUMENTS_SHOWN]
                ),
            )
        )
        parts.append(f"and {more} more<br>" if more > 0 else "")
        parts.append(escape(_totals(summary["totals"])))
    return _box(*parts, _links(run.path), f"digest <code>{escape(manifest.digest)}</code>")


def unwritten_html(manifest: Manifest, trades: int, *, interrupted: bool) -> str:
    """How a run ended of which nothing was written."""
    return _box(
        f"<b>{escape(manifest.scenario)}, seed {manifest.seed}</b><br>{_span(manifest)},"
        f" {manifest.commands:,} commands, {trades:,} trades",
        "<br>interrupted" if interrupted else "",
        "<br>nothing was written: give <code>out</code> to keep its tables<br>",
        f"digest <code>{escape(manifest.digest)}</code>",
    )


def sheet_html(sheet: TearSheet) -> str:
    """What a strategy had, made and from what."""
    from exchange_sim.analysis.tear_sheet_text import overview_section, part_section

    parts = []
    for title, columns, rows in (overview_section(sheet), part_section(sheet)):
        head = columns if any(columns) else ()
        parts.append(f"<b>{escape(title)}</b>{table(head, rows)}")
    return _box(*parts)


def score_html(score: Score) -> str:
    """The share of targets inside their bands, and the heaviest ones that are not."""
    inside = sum(line.inside for line in score.scored)
    missed = sorted(
        (line for line in score.scored if not line.inside), key=lambda line: -line.target.weight
    )
    rows = [
        (
            line.target.quantity,
            "-" if line.value is None else f"{line.value:,.4g}",
            f"{line.target.low:,.4g} to {line.target.high:,.4g} {line.target.unit}",
        )
        for line in missed[:MISSED_SHOWN]
    ]
    head = (
        f"<b>{score.percent:.0f} % of the record</b>: {inside} of {len(score.scored)} targets of"
        f" {escape(score.scenario)}, seed {score.seed}, inside their bands"
    )
    return _box(head, table(("outside", "measured", "band"), rows) if rows else "")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of text; all columns but the first are aligned to the right."""
    head = "".join(f"<th{_RIGHT * (k > 0)}>{escape(text)}</th>" for k, text in enumerate(columns))
    body = "".join(
        "<tr>"
        + "".join(f"<td{_RIGHT * (k > 0)}>{escape(text)}</td>" for k, text in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<table>{f'<tr>{head}</tr>' if columns else ''}{body}</table>"


def _box(*parts: str) -> str:
    return f"<div>{''.join(parts)}</div>"


def _span(manifest: Manifest) -> str:
    whole = -(-(manifest.end_ns - manifest.start_ns) // NANOS_PER_S)  # the end is before it
    length = format_duration(whole * NANOS_PER_S).removesuffix(".000s")
    return escape(f"{format_utc(manifest.start_ns, 0)}, {length}")


def _summary(run: RunData) -> dict[str, Any] | None:
    """``summary.json`` as it was written, else worked out; None for a run without tables."""
    try:
        found: dict[str, Any] = json.loads((run.path / "summary.json").read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        pass
    if not run.has_tables:
        return None
    from exchange_sim.analysis.summary import summarise

    return summarise(run).asdict()


def _totals(totals: dict[str, Any]) -> str:
    """Forced flow in a sentence."""
    from exchange_sim.analysis.report.words import count, dollars

    accounts = count(totals["liquidated_accounts"], "account")
    return (
        f"{dollars(totals['volume_usd'])} traded; {accounts} liquidated:"
        f" {dollars(totals['liquidated_usd'])} through the books,"
        f" {dollars(totals['adl_usd'])} auto-deleveraged; bad debt"
        f" {dollars(totals['bad_debt_usd'])}"
    )


def _links(path: Path) -> str:
    """The report, relative to where the notebook runs, or how to make one."""
    report = path / "report.html"
    if report.exists():
        target = escape(Path(os.path.relpath(report)).as_posix(), quote=True)
        return f'<br><a href="{target}" target="_blank">report</a>, '
    return "<br><code>.report()</code> writes a page with charts, "
