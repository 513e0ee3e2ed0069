"""The first screen: what happened, in plain words with numbers."""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np

from exchange_sim.analysis.report.figures import Section, Table
from exchange_sim.analysis.report.forced import forced_systems
from exchange_sim.analysis.report.pegs import peg_lows
from exchange_sim.analysis.report.source import Source
from exchange_sim.analysis.report.words import clock, count, dollars
from exchange_sim.analysis.summary import InstrumentSummary
from exchange_sim.analysis.withdrawals import withdrawals
from exchange_sim.messages import events as e

STORY_LINES: Final = 60
CALM_FALL: Final = 3.0
"""Percent: a market that fell less than this was calm."""


@attrs.frozen
class Opening:
    """``sentences`` tell the run; ``cards`` are (figure, what it is)."""

    sentences: tuple[str, ...]
    cards: tuple[tuple[str, str], ...]


def opening(source: Source) -> Opening:
    """Sentences and key figures."""
    rows = [row for row in source.summary.instruments if row.trades]
    totals = source.summary.totals
    alts = _of_kind(source, rows, "alt")
    majors = _of_kind(source, rows, "major")
    deepest = max(rows, key=lambda row: row.drawdown_pct, default=None)
    said = [_beginning(source), *_falls(majors, alts, deepest)]
    cards: list[tuple[str, str]] = []
    cards += [
        (f"-{row.drawdown_pct:.1f} %", f"{row.symbol} at its low, {clock(row.low_ns)}")
        for row in majors[:1]
    ]
    if alts:
        median = float(np.median([row.drawdown_pct for row in alts]))
        cards.append((f"-{median:.0f} %", "median alt at its low, all venues"))
    table = withdrawals(source.run)
    if table.num_rows:
        first = table.slice(0, 1).to_pylist()[0]
        makers = len(set(table.column("account").to_pylist()))
        said.append(
            f"{count(makers, 'maker')} took quotes away, first {first['account']} at"
            f" {clock(first['time_ns'])} because of {first['cause']}."
        )
    forced = sum(float(values.sum()) for _, _, values in forced_systems(source))
    said.append(_forced(source, forced))
    if forced:
        cards.append((dollars(forced), "forced, by all systems"))
    cards.append((f"{totals.liquidated_accounts:,}", "accounts liquidated"))
    lows = peg_lows(source)
    if lows:
        name, low = min(lows, key=lambda pair: pair[1])
        cards.append((f"{low:.0f} %", f"{name}, of its redemption value"))
        if low < 95.0:
            said.append(f"{name} fell to {low:.0f} % of what it is redeemed for.")
    emptiest = [row for row in rows if row.depth_lost_pct >= 90]
    if rows:
        cards.append((f"{len(emptiest)} of {len(rows)}", "books lost 90 % of their bids"))
    cards.append((dollars(totals.bad_debt_usd), "bad debt that nobody paid"))
    return Opening(tuple(text for text in said if text), tuple(cards))


def _of_kind(source: Source, rows: list[InstrumentSummary], kind: str) -> list[InstrumentSummary]:
    wanted = {item.id: at for at, item in enumerate(source.items(kind))}
    found = [row for row in rows if row.instrument in wanted]
    return sorted(found, key=lambda row: -row.volume_usd)


def _beginning(source: Source) -> str:
    minutes = (source.end_ns - source.start_ns) / 60e9
    books, accounts = len(source.run.instruments), len(source.run.accounts)
    text = (
        f"{minutes:,.0f} simulated minutes, {count(books, 'book')}, {accounts:,} accounts,"
        f" {source.run.manifest.commands:,} commands."
    )
    if source.has_news:
        text += f" News came at {clock(source.news_ns)} UTC."
    return text


def _falls(
    majors: list[InstrumentSummary],
    alts: list[InstrumentSummary],
    deepest: InstrumentSummary | None,
) -> list[str]:
    if deepest is None:
        return ["Nothing was traded."]
    if deepest.drawdown_pct < CALM_FALL:
        return [f"The market stayed calm: no price fell by more than {deepest.drawdown_pct:.1f} %."]
    said = []
    if majors:
        row = majors[0]
        said.append(
            f"{row.symbol} fell {row.drawdown_pct:.1f} % to {row.low:,.6g} at {clock(row.low_ns)}"
            f" and {_came_back(row)}."
        )
    if alts:
        falls = np.array([row.drawdown_pct for row in alts])
        beyond = int((falls > 50.0).sum())
        said.append(
            f"The median alt fell {np.median(falls):.0f} %; {beyond} of {len(falls)} alt books lost"
            f" more than half. Deepest: {deepest.symbol}, {deepest.drawdown_pct:.1f} % at"
            f" {clock(deepest.low_ns)}."
        )
    return said


def _came_back(row: InstrumentSummary) -> str:
    """Where a price that fell stood at the end."""
    if row.end <= row.start:
        return f"had made good {max(0.0, row.recovery_pct):.0f} % of that at the end"
    return f"stood {100.0 * (row.end / row.start - 1.0):,.1f} % above its start at the end"


def _forced(source: Source, forced: float) -> str:
    totals = source.summary.totals
    if not totals.liquidated_accounts:
        return "Nobody was liquidated."
    started = source.run.table(e.LiquidationStarted).column("time_ns")[0].as_py()
    text = (
        f"{count(totals.liquidated_accounts, 'account was', 'accounts were')} liquidated, the"
        f" first at {clock(started)}; {dollars(forced)} were forced, {dollars(totals.adl_usd)} of"
        " it taken from winners by ADL."
    )
    if totals.bad_debt_usd >= 1:
        text += f" {dollars(totals.bad_debt_usd)} of losses were left unpaid."
    return text


def story_section(source: Source) -> Section:
    """The notable lines of the narrative."""
    lines, total = source.narrative(STORY_LINES)
    rows = tuple(_told(line) for line in lines)
    return Section(
        id="story",
        title="The story",
        lead=f"{len(rows)} of {total:,} lines of the narrative." if rows else "",
        parts=(
            Table(title="What was notable", columns=("UTC", "what", "who and how much"), rows=rows),
        )
        if rows
        else (),
    )


def _told(line: dict[str, Any]) -> tuple[str, str, str]:
    rest = {
        key: value
        for key, value in line.items()
        if key not in {"time", "level", "event", "seq", "link"}
    }
    words = ", ".join(f"{key} {value}" for key, value in rest.items())
    what = str(line.get("event", ""))
    if line.get("link"):
        what = f"{what} [{line['link']}]"
    return str(line.get("time", ""))[11:19], what, words
