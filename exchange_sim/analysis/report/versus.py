"""Two or more runs on one page: the same charts with a line for each run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from exchange_sim.analysis.compare import RunFacts, compare
from exchange_sim.analysis.report.figures import SERIES, Chart, Section, Table, line, per_minute
from exchange_sim.analysis.report.forced import forced_systems
from exchange_sim.analysis.report.opening import Opening
from exchange_sim.analysis.report.page import write_page
from exchange_sim.analysis.report.prices import depth_share, median_of
from exchange_sim.analysis.report.source import Source
from exchange_sim.analysis.report.words import dollars
from exchange_sim.analysis.run_dir import RunData
from exchange_sim.errors import UsageError

RUNS_MAX = len(SERIES)
ROWS_MAX = 40


def write_comparison(runs: Sequence[RunData], target: Path) -> Path:
    """Write a page that shows runs beside each other.

    Raises ``UsageError`` for less than two or too many runs, ``RunCorrupt``, ``StorageError``.
    """
    if not 2 <= len(runs) <= RUNS_MAX:
        raise UsageError(f"a comparison takes 2 to {RUNS_MAX} runs, not {len(runs)}")
    sources = [Source(run) for run in runs]
    facts = compare(runs)
    names = labels(runs)
    sections = [
        Section(id="prices", title="Prices", parts=tuple(_prices(sources, names))),
        Section(id="depth", title="Depth", parts=tuple(_depths(sources, names))),
        Section(id="forced", title="Forced selling", parts=(_forced(sources, names),)),
        Section(id="figures", title="In figures", parts=tuple(_tables(facts, names))),
    ]
    span = (min(s.start_ns for s in sources), max(s.end_ns for s in sources))
    shown = [_whole(section) for section in sections]
    title = " against ".join(names)
    first, filled = _opening(sources, facts, names), [s for s in shown if s.parts]
    losses = [loss for run in runs for loss in run.losses]
    return write_page(target, title, first, filled, span, losses)


def _whole(section: Section) -> Section:
    parts = tuple(p for p in section.parts if isinstance(p, Table) or not p.empty)
    return Section(id=section.id, title=section.title, lead=section.lead, parts=parts)


def labels(runs: Sequence[RunData]) -> list[str]:
    """What tells the runs apart: scenario, seed, options; numbered where that is not enough."""
    found: list[str] = []
    for run in runs:
        manifest = run.manifest
        text = " ".join([f"{manifest.scenario} seed {manifest.seed}", *manifest.overrides])
        taken = sum(name == text or name.startswith(f"{text} (") for name in found)
        found.append(f"{text} ({taken + 1})" if taken else text)
    return found


def _opening(sources: Sequence[Source], facts: Sequence[RunFacts], names: Sequence[str]) -> Opening:
    said = []
    for name, source, one in zip(names, sources, facts, strict=True):
        lead = source.view.roles.venues.get("primary", "")
        alts = {item.id for item in source.items("alt", lead)}
        falls = [
            row.drawdown_pct
            for row in source.summary.instruments
            if row.trades and (row.instrument in alts or not alts)
        ]
        which = "alt of the leading venue" if alts else "book"
        said.append(
            f"{name}: the median {which} fell {np.median(falls) if falls else 0.0:.1f} %,"
            f" {dollars(sum(one.forced.values()))} were forced,"
            f" {dollars(sum(one.bad_debt.values()))} of losses were left unpaid."
        )
    return Opening(tuple(said), ())


def _prices(sources: Sequence[Source], names: Sequence[str]) -> list[Chart]:
    charts = []
    for kind, spot, title in (
        ("major", False, "Largest major, perpetual of the leading venue"),
        ("alt", True, "Median alt, spot of the leading venue"),
        ("alt", False, "Median alt, perpetuals of the leading venue"),
    ):
        traces = []
        for colour, source, name in zip(SERIES, sources, names, strict=False):
            items = source.items(kind, source.view.roles.venues.get("primary", ""), spot=spot)
            items = [item for item in items if len(source.view.trades(item).t)]
            if kind == "major" and items:
                items = [max(items, key=source.volume)]
            if items:
                rows = np.array([source.relative(item) for item in items])
                traces.append(line(name, source.grid, median_of(rows), colour, width=2))
        word = "spot" if spot else "perp"
        charts.append(
            Chart(
                id=f"{kind}-{word}",
                title=title,
                note="Change in percent of the last trade before the news.",
                traces=tuple(traces),
                layout={"yaxis": {"ticksuffix": " %"}},
            )
        )
    return charts


def _depths(sources: Sequence[Source], names: Sequence[str]) -> list[Chart]:
    traces = []
    for colour, source, name in zip(SERIES, sources, names, strict=False):
        items = source.items("alt", source.view.roles.venues.get("primary", ""))
        items = [item for item in items if len(source.view.trades(item).t)]
        if items:
            share = median_of(np.array([depth_share(source, item) for item in items])) * 100.0
            traces.append(line(name, source.grid, np.clip(share, 0.01, None), colour, width=2))
    return [
        Chart(
            id="alt-depth",
            title="Bids within 1 % of the mid, median alt of the leading venue",
            note="Percent of what rested before.",
            traces=tuple(traces),
            layout={"yaxis": {"type": "log", "ticksuffix": " %"}},
        )
    ]


def _forced(sources: Sequence[Source], names: Sequence[str]) -> Chart:
    traces = []
    for colour, source, name in zip(SERIES, sources, names, strict=False):
        systems = forced_systems(source)
        at = np.concatenate([t for _, t, _ in systems]) if systems else np.zeros(0, np.int64)
        value = np.concatenate([v for _, _, v in systems]) if systems else np.zeros(0)
        minutes, sums = per_minute(at, value, source.start_ns, source.end_ns)
        traces.append(line(name, minutes, sums, colour, step=True, width=2))
    return Chart(
        id="forced-minutes",
        title="Forced value by minute, all systems",
        note="Dollars a minute.",
        traces=tuple(traces),
        layout={"yaxis": {"tickprefix": "$"}},
    )


def _tables(facts: Sequence[RunFacts], names: Sequence[str]) -> list[Table]:
    """The figures of ``compare``, largest first."""
    pages: tuple[tuple[str, Callable[[float], str], list[dict[str, float]]], ...] = (
        ("Falls", percent, [one.falls for one in facts]),
        ("Depth lost", percent, [one.depth_lost for one in facts]),
        ("Forced, by system", dollars, [one.forced for one in facts]),
        ("Bad debt", dollars, [one.bad_debt for one in facts]),
        ("Gains and losses", dollars, [one.gains for one in facts]),
    )
    return [
        Table(title=title, columns=("", *names), rows=rows)
        for title, shown, columns in pages
        if (rows := _rows(shown, columns))
    ]


def _rows(
    shown: Callable[[float], str], columns: Sequence[dict[str, float]]
) -> tuple[tuple[str, ...], ...]:
    sizes: dict[str, float] = {}
    for column in columns:
        for key, value in column.items():
            sizes[key] = max(sizes.get(key, 0.0), abs(value))
    ranked = sorted(sizes, key=lambda key: -sizes[key])[:ROWS_MAX]
    return tuple(
        (key, *(shown(column[key]) if key in column else "-" for column in columns))
        for key in ranked
    )


def percent(value: float) -> str:
    """``12.3 %``."""
    return f"{value:.1f} %"
