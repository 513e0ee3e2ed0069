"""The cascade as a graph: which forced selling caused which liquidation.

A node is a liquidation.  Its *market* are the books that feed the price which cost the account most
(the mark's instrument and its index sources, or the collateral asset's own book).  What pushed that
price is the aggressive flow into the market, in the direction that hurt, during the minute before.
Each earlier liquidation is a parent by its share of that flow; the sum of these is the node's
*endogenous share*, the rest was pushed by people who were free not to trade.  So a node belongs to
generation 0 with the rest of the share, and to one generation more than each parent with that
parent's share: the forced dollars of all nodes are spread over the generations without remainder.

* branching ratio: mean endogenous share, weighted by what each node was forced to trade.  1/(1 - n)
  is how many dollars one exogenous dollar of forced selling became;
* impact per dollar: slope of one-second log returns of the mid on signed aggressive volume (Kyle's
  lambda in relative terms), over all seconds with trades;
* spiral multiplier: 1 / (1 - lambda A (L - 1)) with that slope, the dollars A that the liquidated
  held and their leverage L (rule book 7.1; Brunnermeier and Pedersen 2009, 10.1093/rfs/hhn098);
* Hawkes branching ratio: 1 - sqrt(mean / variance) of the counts of forced orders per window
  (Hardiman and Bouchaud 2014, arXiv 1403.5227).

Simplifications: flow that arbitrage carries from one venue's book to another counts where it is
traded; a minute is a convention; stop orders are free choices; numeraires count one for one.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exchange_sim.analysis.cascade_flow import (
    GENERATIONS,
    Flow,
    before,
    direction,
    episodes_of,
    generations_of,
    parents_of,
    sources,
    trades_of_run,
)
from exchange_sim.analysis.explain import feeding_books
from exchange_sim.analysis.metrics_impact import impact_per_dollar
from exchange_sim.analysis.timeline import figure
from exchange_sim.messages import events as e
from exchange_sim.risk.leverage import spiral_multiplier
from exchange_sim.strategy.formulas import branching_estimate
from exchange_sim.units import NANOS_PER_S, format_utc

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

_COUNT_SHOWN: Final = 0.05
_HAWKES_WINDOW_NS: Final = 10 * NANOS_PER_S

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@attrs.frozen
class Node:
    """One liquidation.  ``forced`` is what it traded through the books, in dollars.

    ``share`` is the endogenous share of its causes, ``parent`` the index of the liquidation that
    forced most of them, -1 for none, ``generation`` the expected one; ``cause`` names the
    instrument or asset.
    """

    account: int
    population: str
    seq: int
    time_ns: int
    cause: str
    share: float
    parent: int
    generation: float
    forced: float


@attrs.frozen
class Cascade:
    """The graph and what it adds up to.  Money is dollars.

    ``fed`` are forced dollars of the liquidated by (population that pushed, population that was
    liquidated), free and forced pushing alike; ``first_moves`` are ``(time_ns, what)`` in order.
    ``impact`` is a relative move per dollar by instrument.
    """

    nodes: tuple[Node, ...]
    forced_by_generation: dict[int, float]
    count_by_generation: dict[int, float]
    branching: float
    fed: dict[tuple[str, str], float]
    first_moves: tuple[tuple[int, str], ...]
    hawkes: float | None
    impact: dict[str, float]
    spiral: float | None

    @property
    def multiplier(self) -> float:
        """Forced dollars per exogenous dollar of forced selling; infinite at a branching of 1."""
        return 1 / (1 - self.branching) if self.branching < 1 else float("inf")

    def table(self) -> pa.Table:
        """The nodes as a table."""
        return pa.Table.from_pylist([attrs.asdict(node) for node in self.nodes])

    def lines(self) -> list[str]:
        """The cascade for a terminal."""
        found = [f"{format_utc(at, 3)[11:]}  {what}" for at, what in self.first_moves]
        if not self.nodes:
            return [*found, "nobody was liquidated"]
        found.append("")
        for generation, dollars in self.forced_by_generation.items():
            count = self.count_by_generation[generation]
            if count < _COUNT_SHOWN:
                continue
            found.append(
                f"generation {generation:3}  {figure(round(dollars)):>15} USD forced"
                f"  {count:8,.1f} liquidations"
            )
        found.append("")
        found.append(
            f"branching ratio {self.branching:.3f}: one exogenous dollar of forced selling became"
            f" {self.multiplier:.2f}"
        )
        if self.hawkes is not None:
            found.append(f"Hawkes branching ratio of forced orders {self.hawkes:.3f}")
        if self.spiral is not None:
            many = f"{self.spiral:.2f}" if self.spiral < float("inf") else "none: it diverges"
            found.append(f"spiral multiplier at the measured impact: {many}")
        worst = sorted(self.impact.items(), key=lambda pair: -pair[1])[:5]
        found += [f"impact of 1m USD in {name}: {1e8 * slope:.2f} %" for name, slope in worst]
        ranked = sorted(self.fed.items(), key=lambda pair: -pair[1])[:10]
        found.append("")
        found += [
            f"{source} pushed {child}: {figure(round(dollars))} USD of its liquidations"
            for (source, child), dollars in ranked
        ]
        return found


def cascade(run: RunData) -> Cascade:
    """Build the graph of a run.  Raises ``RunCorrupt`` and ``JournalCorrupt``."""
    episodes = episodes_of(run)
    trades = trades_of_run(run)
    source = sources(run, trades, episodes)
    dollars = trades["dollars"]
    forced = np.bincount(
        source[source >= 0], dollars[source >= 0], minlength=len(episodes["seq"])
    ).astype(np.float64)
    nodes, spread, fed = _nodes(run, episodes, trades, source, forced)
    weights = np.array([node.forced for node in nodes])
    generations = range(int(np.flatnonzero(spread.sum(axis=0)).max(initial=-1)) + 1)
    shares = np.array([node.share for node in nodes])
    total = float(weights.sum())
    impact = _impacts(run)
    return Cascade(
        nodes=nodes,
        forced_by_generation={k: float(weights @ spread[:, k]) for k in generations},
        count_by_generation={k: float(spread[:, k].sum()) for k in generations},
        branching=float((weights * shares).sum() / total) if total else 0.0,
        fed=fed,
        first_moves=_first_moves(run),
        hawkes=_hawkes(run, trades),
        impact=impact,
        spiral=_spiral(run, nodes, impact),
    )


def _nodes(
    run: RunData,
    episodes: dict[str, Ints],
    trades: dict[str, Any],
    source: Ints,
    forced: Floats,
) -> tuple[tuple[Node, ...], Floats, dict[tuple[str, str], float]]:
    """The nodes, each one's distribution over generations, and who pushed whom."""
    markets: dict[tuple[int, ...], Flow] = {}
    nodes: list[Node] = []
    fed: dict[tuple[str, str], float] = {}
    groups = sorted({row["population"] for row in run.accounts})
    group_of = np.array([groups.index(row["population"]) for row in run.accounts], np.int64)
    names, count = run.facts.names, len(episodes["seq"])
    spread = np.zeros((count, GENERATIONS))
    for k in range(count):
        account, seq = int(episodes["account"][k]), int(episodes["seq"][k])
        instrument, asset = int(episodes["cause_instrument"][k]), int(episodes["cause_asset"][k])
        books = feeding_books(run, instrument, asset, run.accounts[account]["venue"])
        hurt = direction(trades, source, k)
        key = (hurt, *books)
        if key not in markets:
            chosen = (trades["aggressor"] == hurt) & np.isin(trades["instrument"], books)
            owners = group_of[trades["taker_account"]]
            columns = (trades["time_ns"], trades["seq"], trades["dollars"], source, owners)
            markets[key] = Flow(*(column[chosen] for column in columns))
        flow = before(markets[key], int(episodes["time_ns"][k]), seq)
        parents, shares = parents_of(flow, k)
        spread[k] = generations_of(spread[parents], shares)
        mine, total = run.accounts[account]["population"], float(flow.dollars.sum())
        for at in np.unique(flow.group).tolist() if total else []:
            part = float(flow.dollars[flow.group == at].sum()) / total * float(forced[k])
            fed[groups[at], mine] = fed.get((groups[at], mine), 0.0) + part
        nodes.append(
            Node(
                account=account,
                population=mine,
                seq=seq,
                time_ns=int(episodes["time_ns"][k]),
                cause=(names["instrument"][instrument] or names["asset"][asset] or ""),
                share=float(shares.sum()),
                parent=int(parents[shares.argmax()]) if len(parents) else -1,
                generation=float(spread[k] @ np.arange(GENERATIONS)),
                forced=float(forced[k]),
            )
        )
    return tuple(nodes), spread, fed


def _first_moves(run: RunData) -> tuple[tuple[int, str], ...]:
    """The first remark of each kind, the first liquidation, ADL and bad debt, in order."""
    found: list[tuple[int, str]] = []
    seen: set[str] = set()
    for row in run.view(e.Noted).to_pylist():
        if row["kind"] not in seen:
            seen.add(row["kind"])
            who = f" by {row['account']}" if row["account"] else ""
            found.append((row["time_ns"], f"first {row['kind'].lower().replace('_', ' ')}{who}"))
    for kind, column, what in (
        (e.LiquidationStarted, "account", "first liquidation, of"),
        (e.AdlExecuted, "victim_account", "first ADL, against"),
        (e.BadDebtRecorded, "account", "first bad debt, of"),
    ):
        row = next(iter(run.view(kind).slice(0, 1).to_pylist()), None)
        if row is not None:
            found.append((row["time_ns"], f"{what} {row[column]}"))
    return tuple(sorted(found))


def _hawkes(run: RunData, trades: dict[str, Any]) -> float | None:
    """Branching ratio of forced orders from the counts of windows; None when there are few."""
    chosen = trades["forced"]
    orders = np.unique(
        np.stack([trades["time_ns"][chosen], trades["taker_account"][chosen]]), axis=1
    )
    if orders.shape[1] < 10:
        return None
    span = run.manifest.end_ns - run.manifest.start_ns
    windows = max(1, span // _HAWKES_WINDOW_NS)
    at = (orders[0] - run.manifest.start_ns) // _HAWKES_WINDOW_NS
    counts = np.bincount(at, minlength=windows)
    return max(0.0, branching_estimate(float(counts.mean()), float(counts.var())))


def _impacts(run: RunData) -> dict[str, float]:
    """Impact per dollar of every instrument that traded enough to tell."""
    found: dict[str, float] = {}
    traded, book = run.view(e.Traded), run.view("book_1s")
    for row in run.instruments:
        estimate = impact_per_dollar(traded, book, row["symbol"])
        if estimate is not None and estimate.value > 0:
            found[row["symbol"]] = estimate.value
    return found


def _spiral(run: RunData, nodes: tuple[Node, ...], impact: dict[str, float]) -> float | None:
    """The multiplier of rule book 7.1 for the liquidated, in the market that hurt most of them.

    Their dollars are what they were forced to trade there, their leverage that over their equity.
    None without a cascade, infinite when it does not converge.
    """
    hurt = Counter[str]()
    for node in nodes:
        if node.cause in impact:
            hurt[node.cause] += round(node.forced)
    if not hurt:
        return None
    market = hurt.most_common(1)[0][0]
    started = run.view(e.LiquidationStarted).to_pylist()
    first: dict[int, Any] = {}
    for row in started:
        if row["cause_instrument"] == market:
            first.setdefault(row["account_id"], row)
    equity = sum(max(0.0, row["equity"]) for row in first.values())
    dollars = float(hurt[market])
    if equity <= 0 or dollars <= equity:
        return None
    assets = Fraction(dollars)
    many = spiral_multiplier(Fraction(impact[market]), assets, assets / Fraction(equity))
    return float("inf") if many is None else float(many)
