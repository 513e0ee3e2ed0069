"""Forced selling: liquidations by system and minute, ADL, insurance, margins of the makers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from exchange_sim.analysis.margin_paths import Path, margin_paths
from exchange_sim.analysis.report.figures import (
    SERIES,
    Array,
    Chart,
    Floats,
    Section,
    flags,
    line,
    per_minute,
    points,
    times,
)
from exchange_sim.analysis.report.source import Source
from exchange_sim.analysis.report.words import dollars
from exchange_sim.analysis.score.forced import notional
from exchange_sim.analysis.score.view import columns_of
from exchange_sim.analysis.withdrawals import withdrawals
from exchange_sim.messages import events as e
from exchange_sim.messages.chain_events import MarketLiquidation, PoolLiquidation
from exchange_sim.messages.credit_events import LoanCollateralSold
from exchange_sim.messages.reasons import REDUCTIONS, LiquidationAction
from exchange_sim.units import PPM

MAKERS_MAX: Final = 12
PATH_POINTS: Final = 400
"""Instants at which the margins of makers are shown."""
SAFE: Final = 10**12
RATIO_SHOWN: Final = 10.0
"""A uniMMR beyond this is drawn here: far from any danger."""

System = tuple[str, Array, Floats]
"""Name, times in ns, dollars."""


def forced_section(source: Source) -> Section:
    """Who was forced, by what, when."""
    systems = forced_systems(source)
    total = sum(float(values.sum()) for _, _, values in systems)
    paths = maker_paths(source)
    parts = [_minutes(source, systems), _ratios(source, paths), _leverage(source, paths)]
    parts += [_leaving(source), _funds(source)]
    largest = max(systems, key=lambda one: float(one[2].sum()), default=None)
    lead = "Nobody was forced to sell."
    if largest is not None and total:
        share = 100.0 * float(largest[2].sum()) / total
        lead = f"{dollars(total)} were forced; {share:.0f} % of it: {largest[0]}."
    return Section(
        id="forced",
        title="Forced selling",
        lead=lead,
        parts=tuple(part for part in parts if not part.empty),
    )


def forced_systems(source: Source) -> list[System]:
    """Forced dollars of every system that forced anything, each with its instants."""
    run = source.run
    found: list[System] = []
    steps = columns_of(run.table(e.LiquidationStep))
    accounts = np.array([row["venue_name"] for row in run.accounts], object)
    acted = np.isin(
        steps["action"],
        (LiquidationAction.SELL_ASSET, LiquidationAction.BUY_LIABILITY, *sorted(REDUCTIONS)),
    )
    where = accounts[steps["account"]]
    for venue in dict.fromkeys(where.tolist()):
        mine = acted & (where == venue)
        value = np.abs(steps["value"][mine]) / _scale(source, venue)
        found.append((f"liquidations through the book, {venue}", steps["time_ns"][mine], value))
    adl = columns_of(run.table(e.AdlExecuted))
    items = {item.id: item for item in source.view.roles.instruments}
    venues = np.array([items[k].venue for k in adl["instrument"].tolist()], object)
    value = notional(source.view, list(items.values()), adl) if len(venues) else np.zeros(0)
    for venue in dict.fromkeys(venues.tolist()):
        mine = venues == venue
        found.append((f"ADL, {venue}", adl["time_ns"][mine], value[mine]))
    found += [_loans(source), *_pools(source)]
    return [system for system in found if len(system[1])]


def _scale(source: Source, venue: str) -> float:
    """Units of the venue's numeraire per dollar."""
    for item in source.view.roles.instruments:
        if item.venue == venue:
            return item.scale
    return float(PPM)


def _loans(source: Source) -> System:
    """Collateral that lenders sold through the book, voluntary sales by borrowers left out."""
    sold = columns_of(source.run.table(LoanCollateralSold))
    forced = sold["forced"] != 0
    scales = [item.scale for item in sorted(source.view.roles.instruments, key=lambda i: i.id)]
    value = sold["value"] / np.array([*scales, 1.0])[sold["instrument"]]
    return "loan desks", sold["time_ns"][forced], value[forced]


def _pools(source: Source) -> list[System]:
    """Debt that liquidators of lending pools and isolated markets repaid, in dollars."""
    run = source.run
    scales = np.array([10.0 ** row["decimals"] for row in run.assets] or [1.0])
    hit = columns_of(run.table(PoolLiquidation))
    found = [("lending pools", hit["time_ns"], hit["repaid"] / scales[hit["debt_asset"]])]
    chain = source.chain
    hit = columns_of(run.table(MarketLiquidation))
    if chain is not None and len(hit["market"]):
        debts = np.array([market.loan for market in chain.markets])
        repaid = hit["repaid"] / scales[debts[hit["market"]]]
        found.append(("isolated lending markets", hit["time_ns"], repaid))
    return found


def _minutes(source: Source, systems: list[System]) -> Chart:
    traces = []
    for colour, (name, time_ns, value) in zip(SERIES, systems, strict=False):
        at, sums = per_minute(time_ns, value, source.start_ns, source.end_ns)
        traces.append(
            {
                "type": "bar",
                "name": name,
                "x": times(at + 30_000_000_000),
                "y": sums.tolist(),
                "marker": {"color": colour},
            }
        )
    return Chart(
        id="forced-minutes",
        title="Forced value by system and minute",
        note="Dollars a minute. ADL closes positions without the book.",
        traces=tuple(traces),
        layout={
            "barmode": "stack",
            "bargap": 0.05,
            "yaxis": {"tickprefix": "$"},
            **flags(source.moments),
        },
    )


def maker_accounts(source: Source) -> list[int]:
    """Accounts that ever remarked about their quotes, by their first remark."""
    notes = columns_of(source.run.table(e.Noted))
    speaks = np.isin(notes["kind"], (1, 2, 3)) & (notes["account"] >= 0)
    return list(dict.fromkeys(notes["account"][speaks].tolist()))


def maker_paths(source: Source) -> list[Path]:
    """Margins of the makers that came nearest to liquidation, by their first remark.

    Rebuilt from the log, whatever the makers record themselves.  A maker that owes nothing and
    holds no contract has no margin to follow.
    """
    bands = columns_of(source.run.table(e.MarginBandChanged))
    makers = maker_accounts(source)
    lowest = dict.fromkeys(makers, SAFE)
    for account, ratio in zip(
        bands["account"].tolist(), bands["uni_mmr_ppm"].tolist(), strict=True
    ):
        if account in lowest:
            lowest[account] = min(lowest[account], ratio)
    near = set(sorted(makers, key=lambda account: lowest[account])[:MAKERS_MAX])
    step = max(1, -(-len(source.grid) // PATH_POINTS))
    paths = margin_paths(
        source.run, [account for account in makers if account in near], source.grid[::step]
    )
    return [path for path in paths if (path.maintenance > 0.0).any()]


def _account_name(source: Source, account: int) -> str:
    row = source.run.accounts[account]
    return f"{row['owner']}, {row['venue_name']}"


def _ratios(source: Source, paths: list[Path]) -> Chart:
    """UniMMR of makers."""
    return Chart(
        id="ratios",
        title="uniMMR of the makers' unified accounts",
        note=f"Below 1.2 only reducing orders, at 1.05 liquidation; drawn up to {RATIO_SHOWN:g}.",
        traces=tuple(
            line(
                _account_name(source, path.account),
                path.times,
                np.clip(path.uni_mmr, 0.0, RATIO_SHOWN),
                colour,
                step=True,
                width=2,
            )
            for colour, path in zip(SERIES * 2, paths, strict=False)
        ),
        layout={
            "shapes": [
                {
                    "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level,
                    "line": {"color": colour, "width": 1, "dash": "dash"},
                }
                for level, colour in ((1.05, "@red"), (1.2, "@orange"), (1.5, "@grey"))
            ],
            "yaxis": {"rangemode": "tozero"},
        },
    )  # fmt: skip


def _leverage(source: Source, paths: list[Path]) -> Chart:
    """The makers' passive leverage: it rises by itself when collateral falls."""
    return Chart(
        id="leverage",
        title="Passive leverage of the makers",
        note="What moves with prices over equity. Nobody traded to raise it: the denominator fell.",
        traces=tuple(
            line(
                _account_name(source, path.account),
                path.times,
                path.leverage,
                colour,
                step=True,
                width=2,
            )
            for colour, path in zip(SERIES * 2, paths, strict=False)
        ),
        layout={"yaxis": {"ticksuffix": " x", "rangemode": "tozero"}, **flags(source.moments)},
    )


def _leaving(source: Source) -> Chart:
    """Each maker's absences as bars."""
    table = withdrawals(source.run)
    if not table.num_rows:
        return Chart(id="leaving", title="")
    rows = table.to_pylist()
    names = list(dict.fromkeys(row["account"] for row in rows))
    by_cause: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_cause.setdefault(row["cause"], []).append(row)
    traces = []
    for colour, (cause, own) in zip(SERIES, sorted(by_cause.items()), strict=False):
        x: list[float | None] = []
        y: list[str | None] = []
        for row in own:
            end = row["returned_ns"] or source.end_ns
            x += [row["time_ns"] / 1e6, end / 1e6, None]
            y += [row["account"], row["account"], None]
        traces.append(
            {
                "type": "scatter", "mode": "lines", "name": cause, "x": x, "y": y,
                "line": {"color": colour, "width": 9}, "connectgaps": False,
            }
        )  # fmt: skip
    traces.append(
        points(
            "leaves",
            [row["time_ns"] for row in rows],
            np.zeros(len(rows)),
            [f"{row['account']}: {row['cause']}" for row in rows],
            "@ink",
            symbol="line-ns-open",
        )
        | {"y": [row["account"] for row in rows], "showlegend": False}
    )
    return Chart(
        id="leaving",
        title="When makers took their quotes away, and why",
        note="A bar is an absence; its colour is the maker's own reason.",
        traces=tuple(traces),
        layout={"yaxis": {"automargin": True, "type": "category"}, **flags(source.moments)},
        height=max(260, 110 + 20 * len(names)),
    )


def _funds(source: Source) -> Chart:
    """Insurance funds over time, and bad debt as it was recorded."""
    table = columns_of(source.run.table(e.InsuranceChanged))
    names = {row["venue"]: row["venue_name"] for row in source.run.accounts}
    traces = []
    for colour, venue in zip(SERIES, dict.fromkeys(table["venue"].tolist()), strict=False):
        mine = table["venue"] == venue
        scale = _scale(source, names.get(venue, ""))
        at = np.r_[source.start_ns, table["time_ns"][mine], source.end_ns]
        balance = table["balance"][mine] / scale
        first = balance[0]
        if table["time_ns"][mine][0] > source.start_ns:
            first -= table["change"][mine][0] / scale
        values = np.r_[first, balance, balance[-1]]
        traces.append(line(f"insurance fund, {names.get(venue)}", at, values, colour, step=True))
    debt = columns_of(source.run.table(e.BadDebtRecorded))
    if len(debt["time_ns"]):
        scales = [_scale(source, names.get(venue, "")) for venue in debt["venue"].tolist()]
        total = np.cumsum(debt["amount"] / np.array(scales))
        at = np.r_[source.start_ns, debt["time_ns"], source.end_ns]
        values = np.r_[0.0, total, total[-1]]
        traces.append(line("bad debt so far", at, values, "@red", step=True, width=2))
    return Chart(
        id="funds",
        title="Insurance funds and bad debt",
        note="Dollars. A fund pays when an account is closed below zero; ADL follows an empty one.",
        traces=tuple(traces),
        layout={"yaxis": {"tickprefix": "$"}, **flags(source.moments)},
    )
