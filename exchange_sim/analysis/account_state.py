"""One account's money and positions, rebuilt from the event tables, and what moved its equity.

The figures are those of ``docs/concepts/margin.md``, computed from what the log says and the rules
in the journal's header; nothing is replayed.  Between two mark updates the state changes by the
account's own events; at a mark update its positions and collateral get new prices.  Each change of
equity is booked under what caused it, so that the causes add up to the whole change.

Simplifications: the initial margin is left out, because chosen leverages are commands, not events;
takeover accounts cannot be followed, because what they take over is logged under its former owner;
the maintenance of the two legs of hedge mode is that of their sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exchange_sim.analysis.facts import Ints
from exchange_sim.analysis.human import timestamps
from exchange_sim.errors import UsageError
from exchange_sim.messages.account_modes import LegsOffset
from exchange_sim.messages.events import (
    AdlExecuted,
    AssetPriceUpdated,
    LedgerPosted,
    LoanChanged,
    MarkPriceUpdated,
    PositionOpened,
    PositionTakenOver,
    Traded,
)
from exchange_sim.messages.reasons import PostingKind
from exchange_sim.messages.registry import Message
from exchange_sim.model.enums import BUY
from exchange_sim.risk.unified import uni_mmr_ppm
from exchange_sim.units import PPM
from exchange_sim.world import World
from exchange_sim.world.config import WorldConfig

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

Row = dict[str, Any]
TRADES, LOANS = "own trades and fees", "loans"


@attrs.define(eq=False)
class AccountState:
    """Balances, loans and positions of one account at prices that the caller sets.

    ``positions`` maps instrument to ``[signed lots, entry notional]``; ``prices`` and ``marks`` are
    those of its venue, in the units of ``AssetPriceUpdated`` and ``MarkPriceUpdated``.
    """

    world: World
    venue: int
    posted: list[int]
    loans: dict[int, int]
    positions: dict[int, list[int]]
    prices: list[int]
    marks: list[int]

    @classmethod
    def opening(cls, world: World, venue: int) -> AccountState:
        """An empty account before the first event."""
        prices = list(world.venues[venue].asset_prices)
        return cls(world, venue, [0] * len(prices), {}, {}, prices, list(world.marks))

    def position_value(self, instrument: int) -> int:
        """Signed value at mark in units of the asset that it is settled in, rounded down."""
        inst = self.world.instruments[instrument]
        return inst.value_at(self.positions[instrument][0], self.marks[instrument])

    def net(self) -> list[int]:
        """By asset: wallet, unrealized PnL, less loans."""
        net = list(self.posted)
        for instrument, (qty, entry) in self.positions.items():
            if qty:
                settle = self.world.instruments[instrument].settle
                net[settle] += self.position_value(instrument) - entry
        for asset, loan in self.loans.items():
            net[asset] -= loan
        return net

    def worth(self, asset: int, amount: int) -> int:
        """Collateral value of an amount in numeraire units, haircut included, rounded down."""
        value = self.value(asset, amount)
        if value < 0:
            return value
        table = self.world.venues[self.venue].spec.collateral.get(asset)
        return table.value(value) if table is not None else 0

    def value(self, asset: int, amount: int) -> int:
        """Value of an amount at the collateral price, rounded down."""
        return amount * self.prices[asset] // self.world.price_scales[asset]

    def equity(self) -> int:
        """Adjusted equity in numeraire units."""
        return sum(self.worth(asset, amount) for asset, amount in enumerate(self.net()) if amount)

    def net_worth(self) -> int:
        """What everything would bring at its price, without haircuts."""
        return sum(self.value(asset, amount) for asset, amount in enumerate(self.net()) if amount)

    def maintenance(self) -> int:
        """Maintenance margin of positions and loans."""
        spec, total = self.world.venues[self.venue].spec, 0
        for instrument, (qty, _) in self.positions.items():
            table = self.world.brackets[instrument]
            if qty and table is not None:
                inst = self.world.instruments[instrument]
                least = table.maintenance(abs(self.position_value(instrument)))
                total += -self.value(inst.settle, -least) if inst.inverse else least
        for asset, loan in self.loans.items():
            if loan:
                total -= self.value(asset, -loan) * spec.loan_mmr_ppm // PPM
        return total

    def fill(self, instrument: int, change: int, micro_ticks: int, pnl: int) -> None:
        """A signed change of a position; what it realized is no longer in the entry notional."""
        position = self.positions.setdefault(instrument, [0, 0])
        entry = self.world.instruments[instrument].entry_at(abs(change), micro_ticks or PPM)
        position[0] += change
        position[1] += (entry if change > 0 else -entry) + pnl
        if not position[0]:
            position[1] = 0


def own_events(run: RunData, account: int) -> Iterator[tuple[type[Message], Row]]:
    """Everything that changed an account, by ``seq``; within one command money comes last."""
    found: list[tuple[int, int, type[Message], Row]] = []
    for rank, (kind, columns) in enumerate(_OWNERS.items()):
        found += [(row["seq"], rank, kind, row) for row in rows_of(run, kind, columns, account)]
    found.sort(key=lambda item: item[:2])
    return ((kind, row) for _, _, kind, row in found)


_OWNERS: dict[type[Message], tuple[str, ...]] = {
    PositionOpened: ("long_account", "short_account"),
    Traded: ("maker_account", "taker_account"),
    AdlExecuted: ("bankrupt_account", "victim_account"),
    PositionTakenOver: ("account",),
    LegsOffset: ("account",),
    LedgerPosted: ("from_account", "to_account"),
    LoanChanged: ("account",),
}


def rows_of(run: RunData, kind: type[Message], columns: tuple[str, ...], account: int) -> list[Row]:
    """Stored rows in which one of these columns is the account; the table is streamed."""
    found: list[Row] = []
    for batch in run.batches(kind):
        mask = pc.equal(batch.column(columns[0]), account)
        for column in columns[1:]:
            mask = pc.or_(mask, pc.equal(batch.column(column), account))
        found += batch.filter(mask).to_pylist()
    return found


def apply_event(state: AccountState, account: int, kind: type[Message], row: Row) -> str:
    """Apply one event to the state; returns the cause under which its effect is booked."""
    if kind is LedgerPosted:
        sign = (row["to_account"] == account) - (row["from_account"] == account)
        state.posted[row["asset"]] += sign * row["amount"]
        posting = PostingKind(row["kind"]) if row["kind"] in _POSTINGS else None
        if posting in {PostingKind.BORROW, PostingKind.REPAY}:
            return LOANS
        return posting.name.lower().replace("_", " ") if posting else f"posting {row['kind']}"
    if kind is LoanChanged:
        state.loans[row["asset"]] = row["loan"]
        return "interest" if row["kind"] == PostingKind.INTEREST else LOANS
    if kind is Traded:
        _apply_trade(state, account, row)
        return TRADES
    inst = state.world.instruments[row["instrument"]]
    qty = row["qty"]
    if kind is PositionOpened:
        for column, sign in (("long_account", 1), ("short_account", -1)):
            if row[column] == account:
                state.fill(inst.id, sign * qty, row["price"] * PPM, 0)
        return "opening position"
    if kind is LegsOffset:
        state.fill(inst.id, 0, 0, row["pnl"])
        return "legs offset"
    if kind is PositionTakenOver:
        state.fill(inst.id, -qty, row["price"], row["pnl"])
        return "takeover"
    held = state.positions.get(inst.id, [0, 0])[0]
    pnl = row["bankrupt_pnl"] if row["bankrupt_account"] == account else row["victim_pnl"]
    state.fill(inst.id, -qty if held > 0 else qty, row["price"], pnl)
    return "adl"


_POSTINGS = frozenset(int(kind) for kind in PostingKind)


def _apply_trade(state: AccountState, account: int, row: Row) -> None:
    inst = state.world.instruments[row["instrument"]]
    for who, buys in (
        ("maker", row["aggressor"] != BUY),
        ("taker", row["aggressor"] == BUY),
    ):
        if row[f"{who}_account"] != account:
            continue
        sign = 1 if buys else -1
        state.posted[inst.settle] -= row[f"{who}_fee"]
        if inst.perpetual:
            state.posted[inst.settle] += row[f"{who}_pnl"]
            state.fill(inst.id, sign * row["qty"], row["price"] * PPM, row[f"{who}_pnl"])
        else:
            state.posted[inst.base] += sign * row["base_amount"]
            state.posted[inst.quote] -= sign * row["quote_amount"]


@attrs.frozen
class MarginPoint:
    """Margin after command ``seq``, in numeraire units.

    ``causes`` are the changes of equity since the point before, by what caused them:
    ``("mark", instrument)``, ``("price", asset)`` or ``("own", name)``.
    """

    seq: int
    time_ns: int
    equity: int
    maintenance: int
    net_worth: int
    causes: dict[tuple[str, int | str], int]

    @property
    def uni_mmr(self) -> float:
        """Equity over maintenance, at most 1,000."""
        return min(1000.0, uni_mmr_ppm(self.equity, self.maintenance) / PPM)


def margin_points(
    run: RunData, account: int, config: WorldConfig | None = None
) -> Iterator[MarginPoint]:
    """The margin of an account after every mark update of its venue.

    ``config`` defaults to the world that the journal describes.  Raises ``UsageError`` for an
    account that does not trade, and ``RunCorrupt``.
    """
    if not 0 <= account < len(run.accounts) or run.accounts[account]["population"] == "system":
        raise UsageError(f"account {account} is nobody's account: there is no margin to follow")
    world = World(config or run.world_config)
    venue = run.accounts[account]["venue"]
    state, events = AccountState.opening(world, venue), list(own_events(run, account))
    at, equity = 0, 0
    for seq, time_ns, marks, prices in _updates(run, world, venue):
        causes: dict[tuple[str, int | str], int] = {}
        while at < len(events) and events[at][1]["seq"] <= seq:
            kind, row = events[at]
            cause = apply_event(state, account, kind, row)
            after = state.equity()
            _book(causes, ("own", cause), after - equity)
            at, equity = at + 1, after
        for instrument, mark in marks:
            if instrument in state.positions:
                before = state.position_value(instrument)
                state.marks[instrument] = mark
                inst, change = world.instruments[instrument], state.position_value(instrument)
                change -= before
                if inst.inverse:
                    change = state.value(inst.settle, change)
                _book(causes, ("mark", instrument), change)
            state.marks[instrument] = mark
        net = state.net()
        for asset, price in prices:
            before = state.worth(asset, net[asset])
            state.prices[asset] = price
            _book(causes, ("price", asset), state.worth(asset, net[asset]) - before)
        after = state.equity()
        _book(causes, ("own", "rounding"), after - equity - _priced(causes))
        equity = after
        yield MarginPoint(seq, time_ns, equity, state.maintenance(), state.net_worth(), causes)


def margin_table(run: RunData, account: int, config: WorldConfig | None = None) -> pa.Table:
    """``margin_points`` in whole numeraire units.

    Columns ``seq, time_ns, time, equity, maintenance, uni_mmr, net_worth``.  Raises as
    ``margin_points``.
    """
    points = list(margin_points(run, account, config))
    venue = run.accounts[account]["venue"]
    scale = float(run.facts.scale[run.facts.numeraires[venue]])
    time_ns = [point.time_ns for point in points]
    return pa.table(
        {
            "seq": pa.array([point.seq for point in points], pa.int64()),
            "time_ns": pa.array(time_ns, pa.int64()),
            "time": timestamps(time_ns),
            "equity": pa.array([point.equity / scale for point in points], pa.float64()),
            "maintenance": pa.array([point.maintenance / scale for point in points], pa.float64()),
            "uni_mmr": pa.array([point.uni_mmr for point in points], pa.float64()),
            "net_worth": pa.array([point.net_worth / scale for point in points], pa.float64()),
        }
    )


def _priced(causes: dict[tuple[str, int | str], int]) -> int:
    return sum(change for (kind, _), change in causes.items() if kind != "own")


def _book(causes: dict[tuple[str, int | str], int], cause: tuple[str, int | str], by: int) -> None:
    if by:
        causes[cause] = causes.get(cause, 0) + by


def _updates(
    run: RunData, world: World, venue: int
) -> Iterator[tuple[int, int, list[tuple[int, int]], list[tuple[int, int]]]]:
    """``(seq, time_ns, new marks, new asset prices)`` of each mark update of a venue."""
    marks = _columns(run, MarkPriceUpdated, ("seq", "time_ns", "instrument", "mark"))
    mine = np.array([inst.venue == venue for inst in world.instruments], bool)
    marks = [column[mine[marks[2]]] for column in marks] if len(marks[2]) else marks
    prices = _columns(run, AssetPriceUpdated, ("seq", "time_ns", "asset", "price", "venue"))
    prices = [column[prices[4] == venue] for column in prices]
    seqs, first = np.unique(np.r_[marks[0], prices[0]], return_index=True)
    times = np.r_[marks[1], prices[1]][first]
    bounds = [np.searchsorted(rows[0], seqs, side="right").tolist() for rows in (marks, prices)]
    pairs = [list(zip(r[2].tolist(), r[3].tolist(), strict=True)) for r in (marks, prices)]
    before = [0, 0]
    for k, (seq, time_ns) in enumerate(zip(seqs.tolist(), times.tolist(), strict=True)):
        ends = [bounds[0][k], bounds[1][k]]
        new = [pairs[n][before[n] : ends[n]] for n in (0, 1)]
        before = ends
        yield seq, time_ns, new[0], new[1]


def _columns(run: RunData, kind: type[Message], names: tuple[str, ...]) -> list[Ints]:
    table = run.table(kind)
    return [table.column(name).to_numpy().astype(np.int64) for name in names]
