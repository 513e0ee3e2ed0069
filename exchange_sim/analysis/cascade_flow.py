"""Who forced what: liquidations, the trades that they caused, and what pushed them before.

Helpers of ``analysis.cascade``; node numbers are positions of liquidations in order of their start.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from exchange_sim.analysis.explain import FORCED_FLAGS
from exchange_sim.messages import events as e
from exchange_sim.model.enums import BUY, SELL
from exchange_sim.units import NANOS_PER_MINUTE

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

LOOK_BACK_NS: Final = NANOS_PER_MINUTE
"""How long before a liquidation its causes are looked for."""
GENERATIONS: Final = 12
"""Generations that are told apart; the last one holds all later ones."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@attrs.frozen(eq=False)
class Flow:
    """Aggressive flow of one market and direction, in time.

    ``node`` is the liquidation that forced a trade (-1: none), ``group`` the taker's population.
    """

    time_ns: Ints
    seq: Ints
    dollars: Floats
    node: Ints
    group: Ints


def episodes_of(run: RunData) -> dict[str, Ints]:
    """Liquidations by start, with the command that ended each (the run's end: none did)."""
    started, ended = run.table(e.LiquidationStarted), run.table(e.LiquidationEnded)
    names = ("seq", "time_ns", "account", "cause_instrument", "cause_asset", "equity")
    found = {name: started.column(name).to_numpy().astype(np.int64) for name in names}
    ends: dict[int, list[int]] = {}
    for seq, account in zip(
        ended.column("seq").to_pylist(), ended.column("account").to_pylist(), strict=True
    ):
        ends.setdefault(account, []).append(seq)
    last, taken = run.manifest.commands, Counter[int]()
    until = []
    for account in found["account"].tolist():
        mine = ends.get(account, [])
        until.append(mine[taken[account]] if taken[account] < len(mine) else last)
        taken[account] += 1
    found["end"] = np.array(until, np.int64)
    return found


def trades_of_run(run: RunData) -> dict[str, Any]:
    """Columns of all trades, with their value in dollars and whether they were forced."""
    table = run.table(e.Traded)
    names = ("seq", "time_ns", "instrument", "aggressor", "taker_account", "taker_flags", "qty")
    found: dict[str, Any] = {n: table.column(n).to_numpy().astype(np.int64) for n in names}
    amounts = table.column("quote_amount").to_numpy()
    found["dollars"] = run.facts.amounts(amounts, run.facts.quote[found["instrument"]])
    found["forced"] = (found["taker_flags"] & FORCED_FLAGS) != 0
    return found


def sources(run: RunData, trades: dict[str, Any], episodes: dict[str, Ints]) -> Ints:
    """For every trade the liquidation that forced it, else -1.

    What a takeover account sells was forced by the last account from which it took that position.
    """
    source = np.full(len(trades["seq"]), -1, np.int64)
    by_account: dict[int, list[int]] = {}
    for node, account in enumerate(episodes["account"].tolist()):
        by_account.setdefault(account, []).append(node)
    taken: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
    for row in run.table(e.PositionTakenOver).to_pylist():
        node = covering(episodes, by_account.get(row["account"], []), row["seq"])
        if node >= 0:
            key = run.accounts[row["account"]]["venue"], row["instrument"]
            seqs, nodes = taken.setdefault(key, ([], []))
            seqs.append(row["seq"])
            nodes.append(node)
    for at in np.flatnonzero(trades["forced"]).tolist():
        account, seq = int(trades["taker_account"][at]), int(trades["seq"][at])
        node = covering(episodes, by_account.get(account, []), seq)
        if node < 0:
            key = run.accounts[account]["venue"], int(trades["instrument"][at])
            seqs, nodes = taken.get(key, ([], []))
            position = int(np.searchsorted(seqs, seq, side="right"))
            node = nodes[position - 1] if position else -1
        source[at] = node
    return source


def covering(episodes: dict[str, Ints], nodes: list[int], seq: int) -> int:
    """The latest of these liquidations that was running at a command, -1 for none."""
    for node in reversed(nodes):
        if episodes["seq"][node] <= seq:
            return node if seq <= episodes["end"][node] else -1
    return -1


def generations_of(parents: Floats, shares: Floats) -> Floats:
    """A node's distribution over generations from those of its parents."""
    found = np.zeros(GENERATIONS)
    moved = shares @ parents if len(shares) else found
    found[1:] = moved[:-1]
    found[-1] += moved[-1]
    found[0] = max(0.0, 1.0 - float(shares.sum()))
    return found


def direction(trades: dict[str, Any], source: Ints, node: int) -> int:
    """The side that a liquidation trades on, which is the side that hurt it; selling by default."""
    mine = np.flatnonzero(source == node)
    bought = trades["dollars"][mine][trades["aggressor"][mine] == BUY].sum()
    sold = trades["dollars"][mine][trades["aggressor"][mine] == SELL].sum()
    return BUY if bought > sold else SELL


def before(flow: Flow, time_ns: int, seq: int) -> Flow:
    """The flow that ended before a command, not longer ago than the look-back."""
    first = int(np.searchsorted(flow.time_ns, time_ns - LOOK_BACK_NS, side="right"))
    last = int(np.searchsorted(flow.seq, seq))
    part = slice(first, last)
    return Flow(
        flow.time_ns[part], flow.seq[part], flow.dollars[part], flow.node[part], flow.group[part]
    )


def parents_of(flow: Flow, own: int) -> tuple[Ints, Floats]:
    """Earlier liquidations in a flow, and the share of it that each of them forced."""
    total = float(flow.dollars.sum())
    earlier = (flow.node >= 0) & (flow.node < own)
    if not total or not earlier.any():
        return np.zeros(0, np.int64), np.zeros(0)
    known, where = np.unique(flow.node[earlier], return_inverse=True)
    return known, np.bincount(where, flow.dollars[earlier]) / total
