"""Runs side by side: falls, depth, forced selling by system, bad debt, who gained and who lost.

What a population gained is the value of all that it holds at the end (``holdings``) less the value
of what it brought, each at the prices of its own instant (``marks_of_run``), so that holders of
coins lose with the coins.

Simplification: what is paid in a quote asset counts as dollars.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np

from exchange_sim.analysis.holdings import holdings_of, unrealised, worth
from exchange_sim.analysis.marks_of_run import Marks
from exchange_sim.analysis.run_dir import RunData
from exchange_sim.analysis.score.forced import notional, takeover_accounts
from exchange_sim.analysis.score.report import open_view
from exchange_sim.analysis.score.view import View
from exchange_sim.analysis.summary import InstrumentSummary, summarise
from exchange_sim.errors import UsageError
from exchange_sim.messages import events as e
from exchange_sim.messages.reasons import LiquidationAction, PostingKind

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
    """What each population gained, in dollars, largest first: see ``holdings`` for what counts.

    Market operators (fee, insurance, pool and clearing accounts) are left out.
    """
    accounts, marks = run.accounts, Marks(run)
    total = np.zeros(len(accounts))
    held = holdings_of(run)
    end = np.full(len(held.account), run.manifest.end_ns)
    dollars = worth(run, marks, held.account, held.asset, held.units, end)
    np.add.at(total, held.account, dollars)
    np.add.at(total, *unrealised(run, marks))
    moved = view.columns(e.LedgerPosted)
    brought = np.isin(moved["kind"], _BROUGHT)
    asset, units, times = (moved[name][brought] for name in ("asset", "amount", "time_ns"))
    for column, sign in (("to_account", -1.0), ("from_account", 1.0)):
        owner = moved[column][brought]
        np.add.at(total, owner, sign * worth(run, marks, owner, asset, units, times))
    sums: dict[str, float] = {}
    for row, gain in zip(accounts, total.tolist(), strict=True):
        if row["population"] != "system":
            sums[row["population"]] = sums.get(row["population"], 0.0) + gain
    return dict(sorted(sums.items(), key=lambda pair: -pair[1]))


def _by_price(view: View, kind: type[e.PositionTakenOver | e.AdlExecuted], venue: str) -> float:
    rows = view.columns(kind)
    mine = [item for item in view.roles.instruments if item.venue == venue]
    return float(notional(view, mine, rows).sum()) if mine else 0.0


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
