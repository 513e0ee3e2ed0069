"""``score`` and ``compare``: runs held against the public record, and against each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exchange_sim.analysis.report.words import dollars
from exchange_sim.cli.losses import tell_losses
from exchange_sim.cli.render import output, show_pairs, show_table

if TYPE_CHECKING:
    from exchange_sim.analysis.compare import RunFacts
    from exchange_sim.analysis.score import Line, Score, Series
    from exchange_sim.analysis.score.article import Chain

SCORE_EPILOG = """[bold]Examples[/bold]

exchange-sim score runs/oct10_record-7-0001

exchange-sim score runs/oct10_record-* --targets my_targets.json

exchange-sim score runs/oct10_record-7-0001 --against runs/oct10_record-7-0002
"""
CHANGE_MIN = 0.005
"""Dollars, percent: smaller figures are shown as nothing."""

Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Directories of runs.", show_default=False)
]
TargetsOption = Annotated[
    Path | None,
    typer.Option("--targets", metavar="FILE", help="Another list of targets, as JSON."),
]
Against = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="RUN", help="A run with a switch, for counterfactual targets; repeatable."
    ),
]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page with charts instead."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command(name="score", epilog=SCORE_EPILOG)(score_runs)
    app.command(name="compare")(compare_runs)


def score_runs(
    runs: Runs, targets: TargetsOption = None, against: Against = None, as_json: AsJson = False
) -> None:
    """Measure runs against the public record of 10-11 October 2025.

    Several runs (seeds) are summarised by median and worst.  A run of an article scenario is also
    held against the article's chain of nine links.
    """
    from exchange_sim.analysis.run_dir import open_run
    from exchange_sim.analysis.score import builtin_targets, load_targets, score_run, series_of
    from exchange_sim.analysis.score.article import chain_of
    from exchange_sim.analysis.score.report import open_view

    chosen = builtin_targets() if targets is None else load_targets(targets)
    others = [open_run(path, partial=True) for path in against or []]
    opened = [*others]
    scores, chains = [], []
    for path in runs:
        run = open_run(path, partial=True)
        opened.append(run)
        scores.append(score_run(run, chosen, others))
        view = open_view(run, known=True)
        if view.roles.script == "article":
            manifest = run.manifest
            chains.append(chain_of(view, manifest.scenario, manifest.seed, manifest.digest))
    series = series_of(scores)
    if as_json:
        content = {
            "median": series.median,
            "worst": series.lowest,
            "runs": [score.asdict() for score in scores],
            "chains": [chain.asdict() for chain in chains],
            "lost": [loss for run in opened for loss in run.losses],
        }
        _print_json(content)
        tell_losses(opened)
        return
    for chain in chains:
        _show_chain(chain)
    if len(scores) == 1:
        _show_score(scores[0])
    else:
        _show_series(series)
    tell_losses(opened)


def compare_runs(runs: Runs, as_json: AsJson = False, html: Html = None) -> None:
    """Show runs side by side: falls, depth, forced selling by system, bad debt, winners, losers."""
    from exchange_sim.analysis.compare import compare
    from exchange_sim.analysis.run_dir import open_run

    opened = [open_run(path, partial=True) for path in runs]
    if html is not None:
        from exchange_sim.analysis.report.versus import write_comparison

        path = write_comparison(opened, html)
        output.print(str(path), markup=False, highlight=False, soft_wrap=True)
        tell_losses(opened)
        return
    facts = compare(opened)
    if as_json:
        lost = [loss for run in opened for loss in run.losses]
        _print_json({"runs": [fact.asdict() for fact in facts], "lost": lost})
        tell_losses(opened)
        return
    for number, fact in enumerate(facts, start=1):
        options = f"  {' '.join(fact.options)}" if fact.options else ""
        output.print(f"run {number}: {fact.name}{options}", markup=False, highlight=False)
    output.print()
    _side_by_side("fall from the start", facts, [fact.falls for fact in facts], _percent)
    _side_by_side("bids within 1 % lost", facts, [fact.depth_lost for fact in facts], _percent)
    _side_by_side("forced, by system", facts, [fact.forced for fact in facts], dollars)
    _side_by_side("bad debt, by venue", facts, [fact.bad_debt for fact in facts], dollars)
    totals = [
        {"liquidated accounts": float(fact.liquidated_accounts), "bankrupt": float(fact.bankrupt)}
        for fact in facts
    ]
    _side_by_side("accounts", facts, totals, lambda value: f"{value:,.0f}")
    _side_by_side("gained", facts, [fact.gains for fact in facts], dollars)
    tell_losses(opened)


def _show_score(score: Score) -> None:
    rows = [
        (
            "+" if line.inside else ("" if line.target.role == "score" else "input"),
            line.target.id,
            f"{line.target.quantity} [{line.target.venue_kind} {line.target.asset_kind}]",
            _number(line.value),
            _band(line),
            _off(line),
            line.target.weight if line.target.role == "score" else 0,
            line.measured_by or "-",
        )
        for line in score.lines
    ]
    columns = ("in", "id", "figure", "value", "band", "off", "weight", "measured by")
    show_table("", columns, rows)
    missed = [(line.target.id, line.reason) for line in score.lines if line.reason]
    if missed:
        output.print()
        show_table("remarks", ("id", "why"), missed)
    inside = sum(line.inside for line in score.scored)
    show_pairs(
        "",
        {
            "run": f"{score.scenario}, seed {score.seed}, digest {score.digest}",
            "inside": f"{inside} of {len(score.scored)} targets",
            "score": f"{score.percent:.1f}% ({score.weight_inside} of {score.weight} by weight)",
        },
    )


def _show_series(series: Series) -> None:
    rows = [
        (
            line.target.id,
            line.target.quantity,
            _number(line.value),
            _number(worst),
            _band(line),
            f"{hits}/{len(series.scores)}",
            line.target.weight if line.target.role == "score" else 0,
        )
        for line, worst, hits in zip(series.lines, series.worst, series.hits, strict=True)
    ]
    show_table("", ("id", "figure", "median", "worst", "band", "inside", "weight"), rows)
    output.print()
    each = [(score.scenario, score.seed, f"{score.percent:.1f}%") for score in series.scores]
    show_table("", ("scenario", "seed", "score"), each)
    show_pairs("", {"median": f"{series.median:.1f}%", "worst": f"{series.lowest:.1f}%"})


def _show_chain(chain: Chain) -> None:
    from exchange_sim.units import format_utc

    rows = [
        (
            link.number,
            link.name,
            format_utc(link.time_ns, 0)[11:19] if link.time_ns is not None else "-",
            dollars(link.usd) if link.usd is not None else "-",
            link.what,
        )
        for link in chain.links
    ]
    show_table("", ("", "link", "at", "size", "what is counted, or why it is missing"), rows)
    order = "in order" if chain.in_order else "not in order"
    show_pairs("", {"chain": f"{chain.happened} of {len(chain.links)} links, {order}"})
    output.print()


def _side_by_side(
    title: str, facts: Sequence[RunFacts], values: Sequence[dict[str, float]], shown: Any
) -> None:
    names = dict.fromkeys(name for row in values for name in row)
    rows = [
        (name, *(shown(row[name]) if name in row else "-" for row in values))
        for name in names
        if any(abs(row.get(name, 0.0)) >= CHANGE_MIN for row in values)
    ]
    if rows:
        columns = ("", *(f"run {number}" for number in range(1, len(facts) + 1)))
        show_table(title, columns, rows)
        output.print()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"


def _band(line: Line) -> str:
    return f"{line.target.low:g} to {line.target.high:g} {line.target.unit}"


def _off(line: Line) -> str:
    if line.off is None:
        return "missed"
    return f"{line.off:+.3g}" if line.off else ""


def _percent(value: float) -> str:
    return f"{value:.1f}%"


def _print_json(content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    output.print(text, markup=False, highlight=False, soft_wrap=True)
