"""Where a strategy's profit came from, so that the parts add up to the whole exactly.

Everything that happens to an account changes its value: a trade by the difference between its
price and the mid of that second (``spread``: what quotes earned, or what crossing cost), the mids
by moving under what is held (``inventory``), fees, funding and interest by their amount, and forced
trades, takeover, ADL and liquidation fees by what they cost against the mid (``liquidation``; it
can be a gain, because a loss ends where the account's money ends).  Money from outside is no profit
(``flows``).  All sums are integers times exact fractions, and the whole is taken from the final
balances that the run recorded: ``unexplained`` is 0 unless the books were cooked.

Simplifications: see ``marks_of_run`` and ``pledges``; positions in pools on the chain are not
followed, what is paid in or out for them is ``other``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from heapq import merge
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exchange_sim.analysis.facts import Floats, Ints
from exchange_sim.analysis.marks_of_run import Marks, Pricing
from exchange_sim.analysis.pledges import CASH, Pledges
from exchange_sim.messages.credit_events import LoanClosed, LoanOpened, LoanUpdated
from exchange_sim.messages.events import (
    AdlExecuted,
    LedgerPosted,
    LoanChanged,
    PositionOpened,
    PositionTakenOver,
    Traded,
)
from exchange_sim.messages.reasons import PostingKind
from exchange_sim.messages.registry import Message
from exchange_sim.model.enums import BUY, FLAG_FORCED, FLAG_LIQUIDATION, InstrumentKind

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

PARTS: Final = (
    "spread",
    "inventory",
    "fees",
    "funding",
    "interest",
    "liquidation",
    "other",
)
"""Parts of a profit, in the order in which they are shown."""

_FLOWS: Final = (
    PostingKind.DEPOSIT,
    PostingKind.WITHDRAWAL,
    PostingKind.GENESIS,
    PostingKind.TRANSFER,
)
_PART_OF: Final = {
    **dict.fromkeys(map(int, _FLOWS), "flows"),
    **dict.fromkeys(map(int, (PostingKind.FEE, PostingKind.TRANSFER_FEE)), "fees"),
    int(PostingKind.FUNDING): "funding",
    int(PostingKind.INTEREST): "interest",
    int(PostingKind.LOAN_CHARGES): "interest",
    **dict.fromkeys(
        map(
            int,
            (
                PostingKind.LIQUIDATION_FEE,
                PostingKind.INSURANCE_PAYOUT,
                PostingKind.INSURANCE_SURPLUS,
                PostingKind.ADL,
                PostingKind.TAKEOVER,
                PostingKind.BAD_DEBT,
                PostingKind.LOAN_SURPLUS,
            ),
        ),
        "liquidation",
    ),
}
"""Parts by kind of posting; all other kinds are ``other``."""

Key = tuple[str, int, int]
"""What is held: ``("asset", asset, venue)``, ``("contract", instrument, 0)``, or
``("entry", instrument, 0)``: minus what open contracts cost, in units that they settle in."""
Row = tuple[int, int, str, dict[str, Any]]


@attrs.frozen(eq=False)
class Profit:
    """Profit of one strategy in dollars (numeraire units), as exact fractions.

    ``flows`` is what was paid in less what was taken out, ``equity`` the value at the end.
    ``times`` and ``curve`` are the value less the flows, second by second and at the end.
    """

    parts: dict[str, Fraction]
    flows: Fraction
    equity: Fraction
    times: Ints
    curve: Floats
    exposure: Floats
    """Gross value of all that is not money, second by second."""
    capital: Floats
    """Flows up to each second."""

    @property
    def total(self) -> Fraction:
        """What was gained."""
        return self.equity - self.flows

    @property
    def unexplained(self) -> Fraction:
        """The total less its parts; 0 for honest books."""
        return self.total - sum(self.parts.values(), Fraction(0))


def profit_of(run: RunData, accounts: Iterable[int], marks: Marks) -> Profit:
    """The profit of all these accounts together.  Raises ``RunCorrupt``."""
    book = _Book(run, marks, list(accounts))
    for _, time_ns, kind, row in book.rows():
        book.take(time_ns, kind, row)
    return book.close()


class _Holding:
    """Units of one thing: its history, and the mid at which it was last valued."""

    __slots__ = ("last", "pricing", "times", "units", "values")

    def __init__(self, pricing: Pricing, last: int | Fraction) -> None:
        self.pricing = pricing
        self.last = last
        self.units = 0
        self.times: list[int] = []
        self.values: list[int] = []


class _Book:
    """Follows the accounts of one strategy through the run."""

    def __init__(self, run: RunData, marks: Marks, accounts: list[int]) -> None:
        self._run = run
        self._marks = marks
        self._accounts = accounts
        self._venues = {account: run.accounts[account]["venue"] for account in accounts}
        self._holdings: dict[Key, _Holding] = {}
        self._entries: dict[tuple[int, int], list[int]] = {}
        self._sums: dict[tuple[str, Key], int | Fraction] = {}
        self._flows: list[tuple[int, Fraction]] = []
        self._pledges = Pledges()

    # the events

    def rows(self) -> Iterator[Row]:
        """Events of the accounts in the order of happening."""
        kinds: list[tuple[type[Message], str, tuple[str, ...]]] = [
            (PositionOpened, "opened", ("long_account", "short_account")),
            (Traded, "traded", ("maker_account", "taker_account")),
            (LedgerPosted, "posted", ("from_account", "to_account")),
            (LoanChanged, "loan", ("account",)),
            (AdlExecuted, "adl", ("bankrupt_account", "victim_account")),
            (PositionTakenOver, "taken", ("account",)),
            (LoanOpened, "loan_opened", ("account",)),
            (LoanUpdated, "loan_updated", ("account",)),
            (LoanClosed, "loan_closed", ("account",)),
        ]
        return merge(*(self._rows(*kind) for kind in kinds), key=lambda row: row[0])

    def _rows(self, kind: type[Message], name: str, columns: tuple[str, ...]) -> list[Row]:
        table = rows_of(self._run.table(kind), columns, self._accounts)
        return [(row["seq"], row["time_ns"], name, row) for row in table.to_pylist()]

    def take(self, time_ns: int, kind: str, row: dict[str, Any]) -> None:
        """Take in one event."""
        if kind == "traded":
            self._traded(time_ns, row)
        elif kind == "posted":
            part = _PART_OF.get(row["kind"], "other")
            for name, sign in (("from_account", -1), ("to_account", 1)):
                if row[name] in self._venues:
                    self._move(time_ns, row[name], row["asset"], sign * row["amount"], part)
        elif kind == "loan":
            part = _PART_OF.get(row["kind"], "other")
            self._move(time_ns, row["account"], row["asset"], -row["change"], part)
        elif kind == "opened":
            for name, sign in (("long_account", 1), ("short_account", -1)):
                if row[name] in self._venues:
                    lots = sign * row["qty"]
                    cost = self._marks.entry(row["instrument"], lots, row["price"])
                    self._contracts(time_ns, row[name], row["instrument"], lots, cost, "flows")
        elif kind.startswith("loan_"):
            for account, asset, units, part in getattr(self._pledges, kind[5:])(row):
                self._move(time_ns, account, self._asset(account, asset), units, part)
        elif kind == "adl":
            for name in ("bankrupt_account", "victim_account"):
                if row[name] in self._venues:
                    self._shrink(time_ns, row[name], row["instrument"], row["qty"])
        else:
            self._shrink(time_ns, row["account"], row["instrument"], abs(row["qty"]))

    def _traded(self, time_ns: int, row: dict[str, Any]) -> None:
        facts = self._run.instruments[row["instrument"]]
        for role in ("maker", "taker"):
            account = row[f"{role}_account"]
            if account not in self._venues:
                continue
            buys = (row["aggressor"] == BUY) == (role == "taker")
            sign = 1 if buys else -1
            forced = role == "taker" and row["taker_flags"] & (FLAG_LIQUIDATION | FLAG_FORCED)
            part = "liquidation" if forced else "spread"
            value = sign * row["quote_amount"]
            quote, lots = facts["quote_asset"], sign * row["qty"]
            if facts["kind"] == InstrumentKind.INVERSE_PERPETUAL:
                value = self._marks.entry(row["instrument"], lots, row["price"])
                quote = facts["base_asset"]
            self._move(time_ns, account, quote, -row[f"{role}_fee"], "fees")
            if facts["kind"] == InstrumentKind.SPOT:
                self._move(time_ns, account, facts["base_asset"], sign * row["base_amount"], part)
                self._move(time_ns, account, quote, -value, part)
                continue
            # Realized PnL goes to the wallet and out of what the open contracts cost.
            pnl = row[f"{role}_pnl"]
            self._move(time_ns, account, quote, pnl, part)
            self._contracts(time_ns, account, row["instrument"], lots, value + pnl, part)

    def _shrink(self, time_ns: int, account: int, instrument: int, lots: int) -> None:
        """Contracts went without a trade; the realized PnL is a posting of its own."""
        held, entry = self._entries.get((account, instrument), [0, 0])
        if not held:
            return
        gone = min(lots, abs(held))
        cost = -(-entry * gone // abs(held))
        sign = -1 if held > 0 else 1
        self._contracts(time_ns, account, instrument, sign * gone, -cost, "liquidation")

    # the movements

    def _contracts(
        self, time_ns: int, account: int, instrument: int, lots: int, cost: int, part: str
    ) -> None:
        state = self._entries.setdefault((account, instrument), [0, 0])
        state[0] += lots
        state[1] += cost
        self._add(time_ns, ("contract", instrument, 0), lots, part)
        self._add(time_ns, ("entry", instrument, 0), -cost, part)

    def _asset(self, account: int, asset: int) -> int:
        return asset if asset != CASH else int(self._run.facts.numeraires[self._venues[account]])

    def _move(self, time_ns: int, account: int, asset: int, units: int, part: str) -> None:
        self._add(time_ns, ("asset", asset, self._venues[account]), units, part)

    def _add(self, time_ns: int, key: Key, units: int, part: str) -> None:
        """Change a holding: its value until now is inventory, the change belongs to ``part``."""
        holding = self._holdings.get(key)
        if holding is None:
            pricing = self._pricing(key)
            holding = self._holdings[key] = _Holding(pricing, self._marks.value(pricing, time_ns))
        self._revalue(key, holding, time_ns)
        value = units * holding.last
        if part == "flows":
            self._flows.append((time_ns, value * holding.pricing.factor))
        else:
            self._sums[part, key] = self._sums.get((part, key), 0) + value
        holding.units += units
        holding.times.append(time_ns)
        holding.values.append(holding.units)

    def _revalue(self, key: Key, holding: _Holding, time_ns: int) -> None:
        mid = self._marks.value(holding.pricing, time_ns)
        if mid != holding.last:
            gain = holding.units * (mid - holding.last)
            self._sums["inventory", key] = self._sums.get(("inventory", key), 0) + gain
            holding.last = mid

    def _pricing(self, key: Key) -> Pricing:
        kind, number, venue = key
        if kind == "asset":
            return self._marks.pricing(number, venue)
        if kind == "contract":
            return self._marks.contract(number)
        return self._marks.settlement(number)

    # the end

    def close(self) -> Profit:
        """Value what is left, and compare with what the run recorded."""
        end_ns = self._run.manifest.end_ns
        for key, holding in self._holdings.items():
            self._revalue(key, holding, end_ns)
        parts = dict.fromkeys(PARTS, Fraction(0))
        for (part, key), total in self._sums.items():
            parts[part] += total * self._holdings[key].pricing.factor
        flows = sum((value for _, value in self._flows), Fraction(0))
        times = np.unique(np.append(self._marks.grid, end_ns))
        curve, exposure, capital = self._curves(times)
        return Profit(parts, flows, self._recorded(end_ns), times, curve, exposure, capital)

    def _recorded(self, end_ns: int) -> Fraction:
        """Final value by the balances that the run wrote, and by what open contracts cost."""
        table = rows_of(self._run.balances, ("ledger_account",), self._accounts)
        value = Fraction(0)
        for row in table.to_pylist():
            pricing = self._marks.pricing(row["asset"], self._venues[row["ledger_account"]])
            net = row["amount"] - row["loan"]
            value += net * self._marks.value(pricing, end_ns) * pricing.factor
        for account, asset, units in self._pledges.held():
            pricing = self._marks.pricing(self._asset(account, asset), self._venues[account])
            value += units * self._marks.value(pricing, end_ns) * pricing.factor
        for (_, instrument), (lots, cost) in self._entries.items():
            pricing = self._marks.contract(instrument)
            value += lots * self._marks.value(pricing, end_ns) * pricing.factor
            pricing = self._marks.settlement(instrument)
            value -= cost * self._marks.value(pricing, end_ns) * pricing.factor
        return value

    def _curves(self, grid: Ints) -> tuple[Floats, Floats, Floats]:
        value, exposure = np.zeros(len(grid)), np.zeros(len(grid))
        for (kind, *_), holding in self._holdings.items():
            units = step(holding.times, holding.values, grid)
            pricing = holding.pricing
            worth = units * self._marks.values(pricing, grid) * float(pricing.factor)
            value += worth
            if kind == "contract" or (kind == "asset" and pricing.instrument >= 0):
                exposure += np.abs(worth)
        times = [time_ns for time_ns, _ in self._flows]
        paid = np.cumsum([float(amount) for _, amount in self._flows])
        capital = step(times, paid.tolist(), grid)
        return value - capital, exposure, capital


def step(times: list[int], values: list[Any], grid: Ints) -> Floats:
    """A step function on a grid of instants; 0 before its first step."""
    if not times:
        return np.zeros(len(grid))
    place = np.searchsorted(np.array(times, np.int64), grid, "right")
    padded = np.array([0.0, *values])
    found: Floats = padded[place]
    return found


def rows_of(table: pa.Table, columns: tuple[str, ...], accounts: list[int]) -> pa.Table:
    """Rows in which one of the columns names one of the accounts."""
    wanted = pa.array(accounts, pa.int64())
    mask = None
    for column in columns:
        found = pc.is_in(table.column(column).cast(pa.int64()), value_set=wanted)
        mask = found if mask is None else pc.or_(mask, found)
    return table.filter(mask)
