"""Everything that happened to one account or one order, in order, as sentences with numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from exchange_sim.analysis.human import human_view
from exchange_sim.errors import UsageError
from exchange_sim.eventlog.schema import table_name
from exchange_sim.ids import AccountId
from exchange_sim.messages import events as e
from exchange_sim.messages.registry import EVENTS, Message
from exchange_sim.model.enums import FLAG_FORCED, FLAG_LIQUIDATION, FLAG_REDUCE_ONLY
from exchange_sim.units import format_utc

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

Row = dict[str, Any]


@attrs.frozen
class Entry:
    """One event as a line; ``kind`` is its table."""

    seq: int
    time_ns: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{format_utc(self.time_ns, 6)[11:]}  {self.text}"


def account_named(run: RunData, name: str) -> int:
    """The account of an id, an owner, or ``venue:owner`` where an owner has several.

    Raises ``UsageError`` that names the candidates.
    """
    if name.isdecimal():
        if int(name) < len(run.accounts):
            return int(name)
        raise UsageError(f"there is no account {name}; there are {len(run.accounts)}")
    venue, _, owner = name.rpartition(":")
    found = [
        row for row in run.accounts if row["owner"] == owner and venue in {"", row["venue_name"]}
    ]
    if len(found) == 1:
        return int(found[0]["account"])
    if found:
        names = ", ".join(f"{row['venue_name']}:{owner} ({row['account']})" for row in found)
        raise UsageError(f"{owner!r} has several accounts: {names}")
    from difflib import get_close_matches

    owners = sorted({row["owner"] for row in run.accounts if row["population"] != "system"})
    near = get_close_matches(owner, owners, 5) or owners[:5]
    raise UsageError(f"nobody is called {name!r}; there are {', '.join(near)}")


def account_timeline(run: RunData, account: int) -> list[Entry]:
    """Every event that names the account, in the order of commands."""
    found: list[Entry] = []
    for kind in EVENTS.values():
        pairs = zip(kind.field_names, kind.field_types, strict=True)
        columns = [name for name, unit in pairs if unit is AccountId]
        if columns:
            found += _entries(run, kind, columns, account, account)
    return sorted(found, key=lambda entry: entry.seq)


def order_timeline(run: RunData, order: int) -> list[Entry]:
    """Every event of one order.  Raises ``UsageError`` when no such order was accepted."""
    found: list[Entry] = []
    owner = -1
    columns: dict[type[Message], list[str]] = {
        e.OrderAccepted: ["order_id"],
        e.OrderTriggered: ["order_id"],
        e.OrderReplaced: ["order_id"],
        e.Traded: ["maker_order", "taker_order"],
        e.OrderCanceled: ["order_id"],
    }
    for kind, names in columns.items():
        if kind is e.OrderAccepted:
            table = run.table(kind)
            (row,) = table.filter(pc.equal(table.column("order_id"), order)).to_pylist() or [{}]
            if not row:
                raise UsageError(f"no order {order} was accepted in this run")
            owner = row["account"]
        found += _entries(run, kind, names, order, owner)
    return sorted(found, key=lambda entry: entry.seq)


def queue_ahead(run: RunData, order: int) -> str:
    """Where an order stood when it first rested: lots and orders ahead of it; empty if never.

    Raises as ``order_timeline``.
    """
    table = run.table(e.OrderAccepted)
    (row,) = table.filter(pc.equal(table.column("order_id"), order)).to_pylist() or [{}]
    if not row:
        raise UsageError(f"no order {order} was accepted in this run")
    history = run.book_of(row["instrument"])
    states = history.intervals
    mine = states.filter(pc.equal(states.column("order_id"), order))
    if not mine.num_rows:
        return ""
    first = mine.slice(0, 1).to_pylist()[0]
    ahead = []
    for other, _, price, shown, _ in history.after(first["seq"]).orders(first["side"]):
        if other == order:
            break
        ahead.append((price == first["price"], shown))
    level = sum(shown for same, shown in ahead if same)
    better = sum(shown for same, shown in ahead if not same)
    sizes = [figure(float(run.facts.quantities(n, row["instrument"]))) for n in (level, better)]
    return (
        f"rested behind {sizes[0]} at its own price and {sizes[1]} at better ones,"
        f" {len(ahead)} orders in all"
    )


def _entries(
    run: RunData, kind: type[Message], columns: list[str], wanted: int, account: int
) -> list[Entry]:
    name, sentence = table_name(kind), _SENTENCES.get(kind, _plain)
    parts = []
    for batch in run.batches(kind):
        mask = pc.equal(batch.column(columns[0]), wanted)
        for column in columns[1:]:
            mask = pc.or_(mask, pc.equal(batch.column(column), wanted))
        parts.append(batch.filter(mask))
    if not any(part.num_rows for part in parts):
        return []
    rows = human_view(kind, pa.Table.from_batches(parts), run.facts).to_pylist()
    head = f"{name.replace('_', ' ')}: " if sentence is _plain else ""
    return [
        Entry(row["seq"], row["time_ns"], name, head + sentence({**row, "_me": account}))
        for row in rows
    ]


def figure(value: float | None) -> str:
    """A number for reading: seven significant digits, thousands apart."""
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 100_000 else f"{value:,.7g}"


def _plain(row: Row) -> str:
    """Any event: its name and what it holds."""
    skip = {"seq", "time_ns", "time", "_me", "_name"}
    pairs = [
        f"{key} {figure(value) if isinstance(value, float) else value}"
        for key, value in row.items()
        if key not in skip and not key.endswith("_id") and value is not None
    ]
    return ", ".join(pairs)


def _marks(flags: int) -> str:
    words = {FLAG_LIQUIDATION: "by the liquidation engine", FLAG_FORCED: "forced",
             FLAG_REDUCE_ONLY: "reduce only"}  # fmt: skip
    found = [word for flag, word in words.items() if flags & flag]
    return f" ({', '.join(found)})" if found else ""


def _accepted(row: Row) -> str:
    kind = row["order_type"].lower().replace("_", " ")
    price = f" at {figure(row['price'])}" if row["price"] else ""
    trigger = f", trigger {figure(row['trigger'])}" if row["trigger"] else ""
    shown = f", {figure(row['display'])} displayed" if row["display"] else ""
    return (
        f"order {row['order_id']}: {row['side'].lower()} {figure(row['qty'])} {row['instrument']}"
        f"{price}, {kind} {row['time_in_force']}{trigger}{shown}{_marks(row['flags'])}"
    )


def _traded(row: Row) -> str:
    taker = row["taker_account_id"] == row["_me"]
    me, other = ("taker", "maker") if taker else ("maker", "taker")
    buys = (row["aggressor"] == "BUY") == taker
    pnl = f", realized {figure(row[f'{me}_pnl'])}" if row[f"{me}_pnl"] else ""
    forced = _marks(row["taker_flags"])
    return (
        f"order {row[f'{me}_order']}: {'bought' if buys else 'sold'} {figure(row['qty'])}"
        f" {row['instrument']} at {figure(row['price'])} as {me}{forced if taker else ''},"
        f" {'from' if buys else 'to'} {row[f'{other}_account']}{'' if taker else forced},"
        f" fee {figure(row[f'{me}_fee'])}{pnl}, {figure(row[f'{me}_leaves'])} left"
    )


def _canceled(row: Row) -> str:
    left = f", {figure(row['leaves'])} stay open" if row["leaves"] else ""
    reason = row["reason"].lower().replace("_", " ")
    return f"order {row['order_id']}: {figure(row['qty'])} cancelled, {reason}{left}"


def _replaced(row: Row) -> str:
    place = "kept its place" if row["kept_priority"] else "went to the back of the queue"
    price, leaves = figure(row["price"]), figure(row["leaves"])
    return f"order {row['order_id']}: changed to {leaves} at {price}, {place}"


def _triggered(row: Row) -> str:
    return f"order {row['order_id']}: triggered at {figure(row['trigger'])}"


def _rejected(row: Row) -> str:
    reason = row["reason"].lower().replace("_", " ")
    return f"refused: order {row['client_order_id']} (its owner's number), {reason}"


def _posted(row: Row) -> str:
    verb, other = "received", row["from_account"]
    if row["from_account_id"] == row["_me"]:
        verb, other = "paid", row["to_account"]
    kind = row["kind"].lower().replace("_", " ")
    way = "from" if verb == "received" else "to"
    return f"{kind}: {verb} {figure(row['amount'])} {row['asset']} {way} {other}"


def _loan(row: Row) -> str:
    kind = row["kind"].lower().replace("_", " ")
    return f"owes {figure(row['loan'])} {row['asset']} ({figure(row['change'])}, {kind})"


def _started(row: Row) -> str:
    cause = row["cause_instrument"] or row["cause_asset"]
    return (
        f"LIQUIDATION STARTED: equity {figure(row['equity'])}, maintenance"
        f" {figure(row['maintenance'])}, uniMMR {row['uni_mmr']:.3f}"
        + (f"; largest loss in {cause}" if cause else "")
    )


def _step(row: Row) -> str:
    action = row["action"].lower().replace("_", " ")
    if row["instrument"] is None:
        return f"liquidation: {action}"
    price = f" at {figure(row['value'] / row['qty'])}" if row["qty"] else ""
    return f"liquidation: {action}, {figure(row['qty'])} {row['instrument']}{price}"


def _ended(row: Row) -> str:
    return (
        f"LIQUIDATION ENDED: {row['outcome'].lower().replace('_', ' ')}, equity"
        f" {figure(row['equity'])}, maintenance {figure(row['maintenance'])}"
    )


def _band(row: Row) -> str:
    return (
        f"margin band {row['band'].lower().replace('_', ' ')}: uniMMR {row['uni_mmr']:.3f}, equity"
        f" {figure(row['equity'])}, maintenance {figure(row['maintenance'])}"
    )


_SENTENCES: Final[dict[type[Message], Callable[[Row], str]]] = {
    e.OrderAccepted: _accepted,
    e.OrderRejected: _rejected,
    e.OrderCanceled: _canceled,
    e.OrderReplaced: _replaced,
    e.OrderTriggered: _triggered,
    e.Traded: _traded,
    e.LedgerPosted: _posted,
    e.LoanChanged: _loan,
    e.MarginBandChanged: _band,
    e.LiquidationStarted: _started,
    e.LiquidationStep: _step,
    e.LiquidationEnded: _ended,
}
