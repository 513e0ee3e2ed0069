"""Pegged assets by venue, and what lending pools hold against what was really brought in."""

from __future__ import annotations

from typing import Final

import numpy as np

from exchange_sim.analysis.report.figures import (
    SERIES,
    Array,
    Chart,
    Floats,
    Section,
    at_steps,
    extremes,
    flags,
    line,
)
from exchange_sim.analysis.report.source import Source
from exchange_sim.analysis.report.words import dollars
from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.view import columns_of
from exchange_sim.messages.chain_events import PoolLiquidation, ReserveUpdated, Swapped

POINTS: Final = 900
WAD: Final = 1e18


def pegs_section(source: Source) -> Section:
    """How far every pegged asset and wrapper stood from what it is redeemed for."""
    charts = [_peg(source, base) for base in _pegged(source)]
    worst = [(low, words) for words, low in peg_lows(source)]
    lead = ""
    if worst:
        low, words = min(worst)
        lead = f"Lowest: {words} at {low:.1f} % of what it is redeemed for."
    return Section(
        id="pegs",
        title="Pegged assets",
        lead=lead,
        parts=tuple(chart for chart in charts if not chart.empty),
    )


def _pegged(source: Source) -> list[str]:
    assets = source.view.roles.assets
    return [name for name, asset in assets.items() if asset.kind in {"pegged", "wrapper"}]


def _fair(source: Source, base: str, at: Array) -> Floats:
    """What one unit is redeemed for in dollars: the wrapped coin at its main book, or one."""
    asset = source.view.roles.assets[base]
    inner = asset.redemption_asset
    value = asset.redemption_value or 1.0
    for item in source.items():
        if item.is_spot and item.base == inner and inner:
            book = source.view.book(item)
            known = np.flatnonzero(book.mid > 0)
            return value * at_steps(book.t[known], book.mid[known], at)
    return np.full(len(at), value)


def _books(source: Source, base: str) -> list[Instrument]:
    return [
        item
        for item in source.items()
        if item.base == base and item.is_spot and len(source.view.trades(item).t)
    ]


def _discount(source: Source, item: Instrument) -> tuple[Array, Floats]:
    """Trades in percent of the redemption value."""
    trades = source.view.trades(item)
    fair = _fair(source, item.base, trades.t)
    known = np.isfinite(fair) & (fair > 0)
    return trades.t[known], trades.p[known] / fair[known] * 100.0


def peg_lows(source: Source) -> list[tuple[str, float]]:
    """The lowest trade of every pegged asset by book and AMM, in percent of its redemption."""
    found = []
    for base in _pegged(source):
        for item in _books(source, base):
            _, share = _discount(source, item)
            if len(share):
                found.append((item.name, float(share.min())))
        for name, _, share in _swaps(source, base):
            found.append((f"{base} in {name}", float(share.min())))
    return found


def _swaps(source: Source, base: str) -> list[tuple[str, Array, Floats]]:
    """Prices of a pegged asset in the AMMs that hold it, in percent of the redemption value."""
    chain = source.chain
    if chain is None:
        return []
    swaps = columns_of(source.run.table(Swapped))
    ids = {row["symbol"]: row["asset"] for row in source.run.assets}
    scales = np.array([10.0 ** row["decimals"] for row in source.run.assets] or [1.0])
    mine, found = ids.get(base, -1), []
    given = swaps["amount_in"] / scales[swaps["asset_in"]]
    got = swaps["amount_out"] / scales[swaps["asset_out"]]
    for number, amm in enumerate(chain.amms):
        sold = (swaps["amm"] == number) & (swaps["asset_in"] == mine) & (given > 0)
        if sold.any():
            at = swaps["time_ns"][sold]
            share = got[sold] / given[sold] / _fair(source, base, at) * 100.0
            found.append((amm.name, at, share))
    return found


def _peg(source: Source, base: str) -> Chart:
    """One pegged asset on every venue and in every AMM."""
    traces = []
    colours = iter(SERIES * 2)
    for item in _books(source, base):
        at, share = extremes(*_discount(source, item), POINTS)
        traces.append(line(item.name, at, share, next(colours)))
    for name, at, share in _swaps(source, base):
        traces.append(line(f"AMM {name}", *extremes(at, share, POINTS), next(colours), width=2))
    return Chart(
        id=f"peg-{base.lower()}",
        title=f"{base} against what it is redeemed for",
        note="Trades in percent of the redemption value.",
        traces=tuple(traces),
        layout={"yaxis": {"ticksuffix": " %"}, **flags(source.moments)},
        height=300,
    )


def lending_section(source: Source) -> Section:
    """Deposits of lending pools against the capital behind them, and leverage of the loops."""
    at, deposits, debts = pool_values(source)
    if not len(at):
        return Section(id="lending", title="Lending")
    own = deposits - debts
    peak = int(np.nanargmax(deposits))
    lead = (
        f"At its highest {dollars(float(deposits[peak]))} lay in the pools;"
        f" {dollars(float(own[peak]))} of it was not borrowed back out of them."
    )
    charts = [
        Chart(
            id="illusion",
            title="What lies in the pools, and what is really there",
            note="Deposits count the same money again each time it is borrowed and put back.",
            traces=(
                line("deposits (TVL)", at, deposits, "@blue", width=2),
                line("debts", at, debts, "@orange"),
                line("deposits less debts", at, own, "@green", width=2),
            ),
            layout={"yaxis": {"tickprefix": "$"}, **flags(source.moments)},
        ),
        Chart(
            id="loop-leverage",
            title="Deposits per dollar that is really there",
            note="1 without loops; four rounds at 80 % make 3.4.",
            traces=(line("leverage", at, deposits / np.where(own > 0, own, np.nan), "@violet"),),
            layout={"yaxis": {"ticksuffix": " x"}, **flags(source.moments)},
            height=260,
        ),
        _health(source),
    ]
    return Section(
        id="lending",
        title="Lending and the collateral illusion",
        lead=lead,
        parts=tuple(chart for chart in charts if not chart.empty),
    )


def pool_values(source: Source) -> tuple[Array, Floats, Floats]:
    """Deposits and debts of all lending pools in dollars, on the grid."""
    rows = columns_of(source.run.table(ReserveUpdated))
    if not len(rows["time_ns"]):
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    grid = source.grid
    names = {row["asset"]: row["symbol"] for row in source.run.assets}
    scales = {row["asset"]: 10.0 ** row["decimals"] for row in source.run.assets}
    deposits, debts = np.zeros(len(grid)), np.zeros(len(grid))
    reserves = set(zip(rows["pool"].tolist(), rows["asset"].tolist(), strict=True))
    for pool, asset in sorted(reserves):
        mine = (rows["pool"] == pool) & (rows["asset"] == asset)
        price = _fair(source, names[asset], grid)
        if source.view.roles.assets[names[asset]].kind not in {"quote", "pegged", "wrapper"}:
            price = _coin(source, names[asset])
        held = rows["supply_shares"][mine] * (rows["supply_index"][mine] / WAD) / scales[asset]
        owed = rows["debt_shares"][mine] * (rows["debt_index"][mine] / WAD) / scales[asset]
        at = rows["time_ns"][mine]
        deposits += np.nan_to_num(at_steps(at, held, grid) * price)
        debts += np.nan_to_num(at_steps(at, owed, grid) * price)
    return grid, deposits, debts


def _coin(source: Source, base: str) -> Floats:
    for item in source.items():
        if item.is_spot and item.base == base:
            return source.mids(item)
    return np.full(len(source.grid), np.nan)


def _health(source: Source) -> Chart:
    """Every liquidation of a lending pool by the borrower's health factor."""
    hit = columns_of(source.run.table(PoolLiquidation))
    if not len(hit["time_ns"]):
        return Chart(id="health", title="")
    trace = {
        **line("health factor", hit["time_ns"], hit["health_before_ppm"] / 1e6, "@red"),
        "type": "scatter",
        "mode": "markers",
        "marker": {"color": "@red", "size": 6},
    }
    return Chart(
        id="health",
        title="Liquidations of lending pools by health factor",
        note="Below 1 anybody may liquidate; far below it, nobody was in time.",
        traces=(trace,),
        layout={"yaxis": {"rangemode": "tozero"}, **flags(source.moments)},
        height=260,
    )
