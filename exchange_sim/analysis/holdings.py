"""What everybody holds at the end of a run, wherever it lies, and how that is turned into dollars.

Coins do not leave their owner's wealth when they are lent, pledged, pooled or under way.  Beside
the balances less the loans of a venue, an account therefore holds what it pledged to a lender less
what it owes there, its deposits less its debts in lending pools and isolated markets, its share of
an AMM's coins, transfers that have not arrived, and wrappers whose redemption is not paid out yet.

Everything is valued by ``marks_of_run``, which never looks at a last print: the mid of the asset's
own spot book, if it is narrow enough to mean something, and of a perpetual no further from its
index than a stated band.  What stood in no book at any time counts as nothing.

Simplifications: interest that has accrued since the last operation on a reserve or a loan is not
counted; an AMM's coins are dealt to ranges of concentrated liquidity in proportion to liquidity
times width, whichever side of the price they lie on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pyarrow as pa

from exchange_sim.analysis.facts import Floats, Ints
from exchange_sim.analysis.pledges import CASH, Pledges
from exchange_sim.messages import chain_events as ce
from exchange_sim.messages import credit_events as cr
from exchange_sim.messages import events as e
from exchange_sim.messages.reasons import PoolSide
from exchange_sim.messages.registry import Message

if TYPE_CHECKING:
    from exchange_sim.analysis.marks_of_run import Marks
    from exchange_sim.analysis.run_dir import RunData

INDEX_ONE = 10**18
"""An index of a lending pool that stands for one unit a share."""
Rows = Iterator[tuple[int, int, float]]
"""``(account, asset, units)``; what is owed is negative."""


@attrs.frozen(eq=False)
class Holdings:
    """Units of an asset by account, one element per place where it lies; debts are negative."""

    account: Ints
    asset: Ints
    units: Floats


def holdings_of(run: RunData) -> Holdings:
    """Everything held at the end but open contracts.  Raises ``RunCorrupt``."""
    held = {name: run.balances.column(name).to_numpy() for name in run.balances.column_names}
    parts = (_lent, _pooled, _isolated, _provided, _under_way)
    rows = [row for part in parts for row in part(run)]
    accounts, assets, units = zip(*rows, strict=True) if rows else ((), (), ())
    return Holdings(
        np.r_[held["ledger_account"], np.array(accounts, np.int64)].astype(np.int64),
        np.r_[held["asset"], np.array(assets, np.int64)].astype(np.int64),
        np.r_[(held["amount"] - held["loan"]).astype(float), np.array(units, float)],
    )


def worth(
    run: RunData, marks: Marks, account: Ints, asset: Ints, units: Any, times: Ints
) -> Floats:
    """Dollars of units of assets, each on the venue of its account and at its own instant."""
    found = np.zeros(len(account))
    venue = run.facts.account_venue[account]
    places, which = np.unique(np.stack([asset, venue]), axis=1, return_inverse=True)
    for at, (one, where) in enumerate(places.T.tolist()):
        mine = which == at
        pricing = marks.pricing(one, where)
        found[mine] = units[mine] * marks.values(pricing, times[mine]) * float(pricing.factor)
    return found


def unrealised(run: RunData, marks: Marks) -> tuple[Ints, Floats]:
    """(accounts, dollars) of open contracts: what they are worth less what they cost."""
    rows = {name: run.positions.column(name).to_numpy() for name in run.positions.column_names}
    gains, end_ns = np.zeros(len(rows["account"])), run.manifest.end_ns
    for instrument in np.unique(rows["instrument"]).tolist():
        mine = rows["instrument"] == instrument
        for sign, pricing, units in (
            (1.0, marks.contract(instrument), rows["qty"][mine]),
            (-1.0, marks.settlement(instrument), rows["entry_notional"][mine]),
        ):
            price = float(marks.value(pricing, end_ns) * pricing.factor)
            gains[mine] += sign * price * units
    return rows["account"].astype(np.int64), gains


def _lent(run: RunData) -> Rows:
    """Pledges at lenders, and what is owed for them."""
    pledges = Pledges()
    taken = (
        (cr.LoanOpened, pledges.opened),
        (cr.LoanUpdated, pledges.updated),
        (cr.LoanClosed, pledges.closed),
    )
    for kind, take in taken:
        for row in run.table(kind).to_pylist():
            for _ in take(row):
                pass  # Only what is left at the end counts here.
    facts = run.facts
    for account, asset, units in pledges.held():
        cash = int(facts.numeraires[facts.account_venue[account]])
        yield account, cash if asset == CASH else asset, units


def _pooled(run: RunData) -> Rows:
    """Deposits and debts in lending pools: shares times the index of the last operation."""
    indexes = _last(run, ce.ReserveUpdated, "pool", "asset")
    for row in _last(run, ce.PoolPositionChanged, "pool", "asset", "wallet", "side").values():
        reserve = indexes.get((row["pool"], row["asset"]))
        if row["wallet"] < 0 or not row["shares"] or reserve is None:
            continue
        owes = row["side"] == PoolSide.DEBT
        index = reserve["debt_index" if owes else "supply_index"]
        units = row["shares"] * index // INDEX_ONE
        yield row["wallet"], row["asset"], -units if owes else units


def _isolated(run: RunData) -> Rows:
    """Collateral, deposits and debts in isolated markets."""
    coins = _coins(run, "market")
    totals = _last(run, ce.MarketUpdated, "market")
    for row in _last(run, ce.MarketPositionChanged, "market", "wallet", "side").values():
        if row["wallet"] < 0 or not row["shares"]:
            continue
        collateral, loan = coins[row["market"]][1]
        if row["side"] == PoolSide.COLLATERAL:
            yield row["wallet"], collateral, row["shares"]
            continue
        total, word = totals.get((row["market"],)), "supply"
        if row["side"] == PoolSide.DEBT:
            word = "borrow"
        if total is not None and total[f"{word}_shares"]:
            units = row["shares"] * total[f"{word}_assets"] // total[f"{word}_shares"]
            yield row["wallet"], loan, units if word == "supply" else -units


def _provided(run: RunData) -> Rows:
    """The coins of AMMs, dealt to those who provided them."""
    shares: dict[int, list[tuple[int, float]]] = {}
    for row in _last(run, ce.LiquidityChanged, "amm", "wallet").values():
        shares.setdefault(row["amm"], []).append((row["wallet"], float(row["shares"])))
    for row in _last(run, ce.RangeChanged, "amm", "wallet", "lower", "upper").values():
        size = float(row["liquidity"]) * (row["upper"] - row["lower"])
        shares.setdefault(row["amm"], []).append((row["wallet"], size))
    held = run.balances.to_pylist() if shares else []
    for amm, owners in shares.items():
        account, _ = _coins(run, "amm")[amm]
        total = sum(size for _, size in owners)
        for balance in held:
            if balance["ledger_account"] == account and total:
                for wallet, size in owners:
                    yield wallet, balance["asset"], balance["amount"] * size / total


def _under_way(run: RunData) -> Rows:
    """Transfers that have not arrived, and wrappers that were given up but not paid out."""
    arrived = set(run.table(e.TransferFinished).column("transfer").to_pylist())
    for row in run.table(e.TransferStarted).to_pylist():
        if row["transfer"] not in arrived:
            yield row["to_account"], row["asset"], row["amount"]
    paid = set(run.table(cr.UnwrapFinished).column("request").to_pylist())
    for row in run.table(cr.UnwrapStarted).to_pylist():
        if row["request"] not in paid:
            yield row["account"], row["wrapper"], row["amount"]


def _coins(run: RunData, kind: str) -> dict[int, tuple[int, tuple[int, ...]]]:
    """Account and assets of the markets or AMMs on the chain, by id."""
    ids = {row["symbol"]: row["asset"] for row in run.assets}
    return {
        row["id"]: (row["account"], tuple(ids[name] for name in row["assets"].split()))
        for row in run.chain
        if row["kind"] == kind
    }


def _last(run: RunData, kind: type[Message], *key: str) -> dict[tuple[int, ...], dict[str, Any]]:
    """The last row of an event table for each key."""
    table: pa.Table = run.table(kind)
    rows = table.to_pylist()
    return {tuple(row[name] for name in key): row for row in rows}
