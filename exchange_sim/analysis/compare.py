"""Runs side by side: falls, depth, forced selling by system, bad debt, who gained and who lost.

Simplifications: quote assets count as dollars; what a population gained is the value of what it
holds at the end less the value of what it brought, each at the prices of its own instant, so that
holders of coins lose with the coins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np

from exchange_sim.analysis.run_dir import RunData
from exchange_sim.analysis.score.forced import takeover_accounts
from exchange_sim.analysis.score.report import open_view
from exchange_sim.analysis.score.view import Array, Floats, View
from exchange_sim.analysis.summary import InstrumentSummary, summarise
from exchange_sim.errors import UsageError
from exchange_sim.messages import events as e
from exchange_sim.messages.reasons import LiquidationAction, PostingKind
from exchange_sim.units import PPM

RUNS_MAX: Final = 16
"""Runs that fit beside each other on a page."""

_BROUGHT: Final = (PostingKind.DEPOSIT, PostingKind.WITHDRAWAL)
_ACTIONS: Final = {
    "collateral sold": LiquidationAction.SELL_ASSET,
    "positions reduced": LiquidationAction.REDUCE_POSITION,
    "liabilities bought": LiquidationAction.BUY_LIABILITY,
}


@attrs.frozen
class RunFacts:
    """One run.  Dollars; falls and lost depth in percent by instrument name.

    ``forced`` is by system (``leading: positions reduced``), ``bad_debt`` by venue, ``gains`` by
    population, losses negative.
    """

    name: str
    digest: str
    options: tuple[str, ...]
    falls: dict[str, float]
    depth_lost: dict[str, float]
    forced: dict[str, float]
    liquidated_accounts: int
    bankrupt: int
    bad_debt: dict[str, float]
    insurance_paid: float
    gains: dict[str, float]

    def asdict(self) -> dict[str, Any]:
        """For ``--json``."""
        found: dict[str, Any] = attrs.asdict(self)
        return found


def compare(runs: Sequence[RunData]) -> tuple[RunFacts, ...]:
    """The facts of every run.

    Raises ``UsageError`` for fewer than two runs or too many, and ``RunCorrupt``.
    """
    if not 2 <= len(runs) <= RUNS_MAX:
        raise UsageError(f"compare takes 2 to {RUNS_MAX} runs, not {len(runs)}")
    return tuple(facts_of(run) for run in runs)


def facts_of(run: RunData) -> RunFacts:
    """What ``compare`` shows of one run.  Raises ``RunCorrupt``."""
    view, summary = open_view(run), summarise(run)
    rows = [row for row in summary.instruments if row.trades]
    return RunFacts(
        name=run.path.name,
        digest=run.manifest.digest,
        options=tuple(run.manifest.overrides),
        falls={_name(row): row.drawdown_pct for row in rows},
        depth_lost={_name(row): row.depth_lost_pct for row in rows},
        forced=forced_by_system(view),
        liquidated_accounts=summary.totals.liquidated_accounts,
        bankrupt=summary.totals.bankrupt,
        bad_debt=_bad_debt(view, run),
        insurance_paid=summary.totals.insurance_usd,
        gains=gains_by_population(view, run),
    )


def forced_by_system(view: View) -> dict[str, float]:
    """Dollars that each system of each venue forced: through books, by takeover, by ADL."""
    items = view.roles.instruments
    scales = np.array([item.scale for item in items] or [1.0])
    keepers = takeover_accounts(view)
    steps = view.columns(e.LiquidationStep)
    at = np.maximum(steps["instrument"], 0)
    usd = steps["value"] / scales[at]
    venues = view.account_venues[steps["account"]]
    own = ~np.isin(steps["account"], keepers)
    found: dict[str, float] = {}
    for venue in dict.fromkeys(item.venue for item in items):
        here = venues == venue
        for name, action in _ACTIONS.items():
            found[f"{venue}: {name}"] = float(usd[here & own & (steps["action"] == action)].sum())
        unwound = here & ~own & (steps["instrument"] >= 0)
        found[f"{venue}: takeovers unwound"] = float(usd[unwound].sum())
        found[f"{venue}: taken over"] = _by_price(view, e.PositionTakenOver, venue)
        found[f"{venue}: ADL"] = _by_price(view, e.AdlExecuted, venue)
    return {name: value for name, value in found.items() if value}


def gains_by_population(view: View, run: RunData) -> dict[str, float]:
    """What each population gained, in dollars, largest first.

    Market operators (fee, insurance, pool and clearing accounts) are left out.
    """
    accounts = run.accounts
    groups = [row["population"] for row in accounts]
    start, end = _prices(view, run, start=True), _prices(view, run, start=False)
    total = np.zeros(len(accounts))
    held = {name: run.balances.column(name).to_numpy() for name in run.balances.column_names}
    net = (held["amount"] - held["loan"]).astype(float)
    np.add.at(total, held["ledger_account"], net * end[held["asset"]])
    moved = view.columns(e.LedgerPosted)
    brought = np.isin(moved["kind"], _BROUGHT)
    value = moved["amount"][brought] * start[moved["asset"][brought]]
    np.add.at(total, moved["to_account"][brought], -value)
    np.add.at(total, moved["from_account"][brought], value)
    open_now = {name: run.positions.column(name).to_numpy() for name in run.positions.column_names}
    np.add.at(total, open_now["account"], _unrealised(run, open_now))
    sums: dict[str, float] = {}
    for group, gain in zip(groups, total.tolist(), strict=True):
        if group != "system":
            sums[group] = sums.get(group, 0.0) + gain
    return dict(sorted(sums.items(), key=lambda pair: -pair[1]))


def _unrealised(run: RunData, rows: dict[str, Array]) -> Floats:
    """Profit at mark of open positions, in dollars."""
    scales, units = [], []
    for row in run.instruments:
        scale = 10.0 ** run.assets[row["quote_asset"]]["decimals"]
        scales.append(scale)
        units.append(float(row["tick_size"]) * float(row["lot_size"]))
    at = rows["instrument"]
    value = rows["qty"] * (rows["mark"] / PPM) * np.array(units or [1.0])[at]
    found: Floats = value - rows["entry_notional"] / np.array(scales or [1.0])[at]
    return found


def _prices(view: View, run: RunData, *, start: bool) -> Floats:
    """Dollars of the smallest unit of each asset, from the first or last trade of its main book."""
    found = np.zeros(len(run.assets))
    for row in run.assets:
        scale = 10.0 ** row["decimals"]
        if view.roles.assets[row["symbol"]].kind == "quote":
            found[row["asset"]] = 1.0 / scale
            continue
        for item in view.roles.instruments:
            trades = view.trades(item)
            if item.base == row["symbol"] and item.is_spot and item.main and len(trades.t):
                found[row["asset"]] = float(trades.p[0 if start else -1]) / scale
                break
    return found


def _by_price(view: View, kind: type[e.PositionTakenOver | e.AdlExecuted], venue: str) -> float:
    rows = view.columns(kind)
    items = view.roles.instruments
    units = np.array(
        [item.tick * item.lot if item.venue == venue else 0.0 for item in items] or [0]
    )
    values = np.abs(rows["qty"]) * (rows["price"] / PPM) * units[rows["instrument"]]
    return float(values.sum())


def _bad_debt(view: View, run: RunData) -> dict[str, float]:
    rows = view.columns(e.BadDebtRecorded)
    names = {row["venue"]: row["venue_name"] for row in run.accounts}
    found: dict[str, float] = {}
    for venue, asset, amount in zip(rows["venue"], rows["asset"], rows["amount"], strict=True):
        name = names.get(int(venue), str(venue))
        scale = 10.0 ** run.assets[int(asset)]["decimals"]
        found[name] = found.get(name, 0.0) + float(amount) / scale
    return found


def _name(row: InstrumentSummary) -> str:
    return row.symbol if ":" in row.symbol else f"{row.venue}:{row.symbol}"
