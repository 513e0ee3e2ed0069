"""The score against the public record, tear sheets of added strategies, and the settings."""

from __future__ import annotations

from typing import Final

from exchange_sim.analysis.report.figures import Section, Table
from exchange_sim.analysis.report.source import Source
from exchange_sim.analysis.score.report import Line, measure
from exchange_sim.analysis.score.targets import builtin_targets
from exchange_sim.analysis.tear_sheet import sections, tear_sheet
from exchange_sim.units import NANOS_PER_S, format_duration, format_utc

NEWS_NS: Final = 1_760_129_400 * NANOS_PER_S
"""2025-10-10 20:50:00 UTC: runs whose news comes then are held against its record."""


def score_section(source: Source) -> Section:
    """Every target of the public record with the run's figure."""
    if not source.has_news or source.news_ns != NEWS_NS:
        return Section(id="score", title="Score")
    lines = [measure(source.view, target) for target in builtin_targets()]
    counted = [line for line in lines if line.target.role == "score"]
    weight = sum(line.target.weight for line in counted)
    inside = sum(line.target.weight for line in counted if line.inside)
    rows = tuple(_row(line) for line in counted)
    return Section(
        id="score",
        title="Against the public record",
        lead=f"{sum(line.inside for line in counted)} of {len(counted)} targets are inside their"
        f" bands: {100.0 * inside / weight:.0f} % by weight.",
        parts=(
            Table(
                title="Targets of 10-11 October 2025",
                columns=("", "id", "what", "run", "band", "unit", "measured by"),
                rows=rows,
                note="A target that the scenario cannot show counts as missed.",
            ),
        ),
    )


def _row(line: Line) -> tuple[str, ...]:
    target = line.target
    mark = "✓" if line.inside else "✗" if line.value is not None else "–"
    value = f"{line.value:,.4g}" if line.value is not None else line.reason
    what = f"{target.quantity} ({target.venue_kind}, {target.asset_kind})"
    band = f"{target.low:g} to {target.high:g}"
    return mark, target.id, what, value, band, target.unit, line.measured_by


def tear_section(source: Source) -> Section:
    """The tear sheet of every strategy that was added to the scenario."""
    chosen = source.run.manifest.overrides
    added = [
        item.name
        for item in source.scenario.participants
        if item.name.startswith("added-") or f"--name {item.name}" in chosen
    ]
    tables: list[Table] = []
    for name in added:
        for title, columns, rows in sections(tear_sheet(source.run, name)):
            tables.append(Table(title=f"{name}: {title}", columns=columns, rows=rows))
    return Section(
        id="strategies",
        title="Your strategy",
        lead=f"{', '.join(added)} in this market." if added else "",
        parts=tuple(tables),
    )


def settings_section(source: Source) -> Section:
    """What the run was made from: enough to make it again."""
    manifest, scenario = source.run.manifest, source.scenario
    on = {name: getattr(scenario.mechanisms, name) for name in vars_of(scenario.mechanisms)}
    rows = [
        ("scenario", scenario.name),
        ("seed", str(manifest.seed)),
        ("from", format_utc(source.start_ns, 0)),
        ("to", format_utc(source.end_ns, 0)),
        ("length", format_duration(source.end_ns - source.start_ns)),
        ("options", " ".join(manifest.overrides) or "none"),
        ("mechanisms off", ", ".join(name for name, set_ in on.items() if not set_) or "none"),
        ("books", str(len(source.run.instruments))),
        ("accounts", f"{len(source.run.accounts):,}"),
        ("commands", f"{manifest.commands:,}"),
        ("events", f"{sum(manifest.counts.values()):,}"),
        ("complete", "yes" if manifest.complete else "no: the run was interrupted"),
        ("digest", manifest.digest),
    ]
    tables = [Table(title="This run", columns=("", ""), rows=tuple(rows))]
    if scenario.about.exogenous:
        given = tuple((text,) for text in scenario.about.exogenous)
        tables.append(
            Table(
                title="What came from outside",
                columns=("",),
                rows=given,
                note="Nothing else was prescribed: every price is an outcome.",
            )
        )
    return Section(
        id="settings",
        title="Settings",
        lead="The same scenario, seed and code give the same digest on every machine.",
        parts=tuple(tables),
    )


def vars_of(mechanisms: object) -> list[str]:
    """Names of the switches."""
    return [name for name in getattr(type(mechanisms), "__slots__", ()) if not name.startswith("_")]
