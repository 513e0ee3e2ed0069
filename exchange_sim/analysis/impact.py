"""What a strategy changed: the same scenario and seed with it and without it.

The random streams of all others are the same in both runs, so every difference began with the
strategy's orders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from exchange_sim.analysis.marks_of_run import Marks
from exchange_sim.analysis.pnl import profit_of
from exchange_sim.analysis.summary import InstrumentSummary, summarise
from exchange_sim.analysis.tear_sheet import Section, strategies_of
from exchange_sim.analysis.tear_sheet_text import money
from exchange_sim.errors import UsageError

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData


@attrs.frozen
class MarketImpact:
    """One market, with and without: low, fall in percent, end, volume, trades."""

    symbol: str
    fall_with: float
    fall_without: float
    low_with: float
    low_without: float
    end_with: float
    end_without: float
    volume_with: float
    volume_without: float


@attrs.frozen
class Impact:
    """Differences between the runs; ``profits`` are (with, without) in dollars by strategy.

    ``liquidations`` are (with, without) of all accounts.
    """

    strategy: str
    markets: tuple[MarketImpact, ...]
    profits: dict[str, tuple[float, float]]
    liquidations: tuple[int, int]


def own_impact(run: RunData, without: RunData, strategy: str) -> Impact:
    """Compare a run with the same run without the strategy.

    Raises ``UsageError`` when the runs differ in more than that: scenario, seed or other owners.
    """
    first, second = run.manifest, without.manifest
    if (first.scenario, first.seed) != (second.scenario, second.seed):
        raise UsageError(f"{run.path} and {without.path} are not runs of one scenario and seed")
    with_it, others = strategies_of(run), strategies_of(without)
    if strategy not in with_it:
        raise UsageError(f"there is no strategy {strategy!r} in {run.path}")
    strange = sorted((with_it.keys() - {strategy}) ^ others.keys())
    if strange:
        raise UsageError(f"{run.path} and {without.path} differ in {', '.join(strange)} as well")
    here, there = summarise(run), summarise(without)
    pairs = zip(here.instruments, there.instruments, strict=True)
    marks = Marks(run), Marks(without)
    profits = {
        name: (
            float(profit_of(run, with_it[name], marks[0]).total),
            float(profit_of(without, others[name], marks[1]).total),
        )
        for name in others
    }
    return Impact(
        strategy,
        tuple(_market(one, other) for one, other in pairs if one.trades or other.trades),
        profits,
        (here.totals.liquidations, there.totals.liquidations),
    )


def _market(one: InstrumentSummary, other: InstrumentSummary) -> MarketImpact:
    return MarketImpact(
        one.symbol, one.drawdown_pct, other.drawdown_pct, one.low, other.low, one.end, other.end,
        one.volume_usd, other.volume_usd,
    )  # fmt: skip


def impact_sections(impact: Impact) -> list[Section]:
    """The differences as titled tables of text, largest first."""
    markets = sorted(impact.markets, key=lambda row: -abs(row.fall_with - row.fall_without))
    rows = tuple(
        (
            row.symbol,
            f"{row.fall_without:.2f} %",
            f"{row.fall_with:.2f} %",
            f"{row.low_without:,.6g}",
            f"{row.low_with:,.6g}",
            f"{row.end_without:,.6g}",
            f"{row.end_with:,.6g}",
            money(row.volume_without),
            money(row.volume_with),
        )
        for row in markets
    )
    columns = (
        "market", "fall without", "with", "low without", "with", "end without", "with",
        "volume without", "with",
    )  # fmt: skip
    profits = sorted(impact.profits.items(), key=lambda item: -abs(item[1][0] - item[1][1]))
    others = tuple(
        (name, money(without), money(with_it), money(with_it - without))
        for name, (with_it, without) in profits
    )
    with_it, without = impact.liquidations
    liquidated = (("liquidations", f"{without:,}", f"{with_it:,}", f"{with_it - without:+,}"),)
    return [
        (f"The market without and with {impact.strategy}", columns, rows),
        ("Profit of the others", ("", "without", "with", "difference"), others + liquidated),
    ]
