"""What accounts were worth at an instant, rebuilt from the event tables.

Account value is cash flows that are no profit (deposits, fees, spot trades, loans, funding), plus,
for every perpetual, the position at mark less what was paid for it; coins count at the venue's
price of that time.  This needs no entry prices, so each part is a running sum.

A lot of an inverse contract is a fixed sum of dollars at any mark; its profit is in coins.

Simplifications: ADL does not change a position here, so an account is only asked about before its
first ADL; the profit of inverse contracts counts at their mark, their margin at the coin's price.
"""

from __future__ import annotations

import numpy as np

from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.view import Array, Floats, View
from exchange_sim.messages import events as e
from exchange_sim.messages.reasons import PostingKind
from exchange_sim.model.enums import Side
from exchange_sim.units import PPM

_SPAN = np.int64(2**40)
"""More commands than a run has: account and command make one sortable key."""

_PROFITS = (PostingKind.ADL, PostingKind.TAKEOVER, PostingKind.REALIZED_PNL)


class RunningSum:
    """A sum by account and command, asked for at many (account, command) pairs at once."""

    def __init__(self, account: Array, seq: Array, amount: Floats) -> None:
        keys = account.astype(np.int64) * _SPAN + seq
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._sums = np.concatenate(([0.0], np.cumsum(amount[order])))

    def before(self, account: Array, seq: Array) -> Floats:
        """What had been added for an account before a command."""
        base = account.astype(np.int64) * _SPAN
        high = np.searchsorted(self._keys, base + seq)
        low = np.searchsorted(self._keys, base)
        found: Floats = self._sums[high] - self._sums[low]
        return found


def leverage_at(view: View, accounts: Array, seq: Array, time_ns: Array) -> Floats:
    """Sum of position values over account value, just before a command; infinite when worthless."""
    value = _holdings(view, accounts, seq, time_ns)
    exposure = np.zeros(len(accounts))
    for item in view.roles.instruments:
        if item.is_spot:
            continue
        qty, paid = _positions(view, item, accounts)
        marks = view.marks(item)
        if not len(marks):
            continue
        mark = np.array([marks.at(instant) for instant in time_ns])
        held, spent = qty.before(accounts, seq) * item.lot, paid.before(accounts, seq)
        exposure += np.abs(held if item.is_inverse else held * mark)
        value += -held - spent * mark if item.is_inverse else held * mark - spent
    found: Floats = np.where(value > 0, exposure / np.maximum(value, 1e-9), np.inf)
    return found


def _positions(view: View, item: Instrument, accounts: Array) -> tuple[RunningSum, RunningSum]:
    """Signed lots and what they cost, by account, of one perpetual; ADL is not counted.

    The cost is in dollars; of inverse contracts in coins, and negative for a long, which owes them.
    """
    parts: list[tuple[Array, Array, Array, Floats]] = []

    def add(account: Array, seq: Array, lots: Array, price: Floats) -> None:
        mine = np.isin(account, accounts)
        size, cost = lots[mine] * item.lot, price[mine] * item.tick
        paid = -size / cost if item.is_inverse else size * cost
        parts.append((account[mine], seq[mine], lots[mine], paid))

    rows = _of(item, view.columns(e.Traded))
    signed = np.where(rows["aggressor"] == Side.SELL, -rows["qty"], rows["qty"])
    add(rows["taker_account"], rows["seq"], signed, rows["price"])
    add(rows["maker_account"], rows["seq"], -signed, rows["price"])
    rows = _of(item, view.columns(e.PositionOpened))
    add(rows["long_account"], rows["seq"], rows["qty"], rows["price"])
    add(rows["short_account"], rows["seq"], -rows["qty"], rows["price"])
    rows = _of(item, view.columns(e.PositionTakenOver))
    add(rows["account"], rows["seq"], -rows["qty"], rows["price"] / PPM)
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return (
        RunningSum(joined[0], joined[1], joined[2].astype(float)),
        RunningSum(joined[0], joined[1], joined[3]),
    )


def _of(item: Instrument, rows: dict[str, Array]) -> dict[str, Array]:
    mine = rows["instrument"] == item.id
    return {name: values[mine] for name, values in rows.items()}


def _holdings(view: View, accounts: Array, seq: Array, time_ns: Array) -> Floats:
    """Dollars of all assets held less loans, profits of perpetuals left out."""
    flows = _flows(view, accounts)
    priced = view.columns(e.AssetPriceUpdated)
    names = [row["symbol"] for row in view.run.assets]
    scales = [10.0 ** row["decimals"] for row in view.run.assets]
    venue_ids = np.array([row["venue"] for row in view.run.accounts])[accounts]
    total = np.zeros(len(accounts))
    for asset in np.unique(flows[2]).astype(int):
        mine = flows[2] == asset
        held = RunningSum(flows[0][mine], flows[1][mine], flows[3][mine]).before(accounts, seq)
        held /= scales[asset]
        if view.roles.assets[names[asset]].kind in {"quote", "pegged"}:
            total += held
            continue
        for venue in np.unique(venue_ids):
            here = venue_ids == venue
            rows = (priced["asset"] == asset) & (priced["venue"] == venue)
            times, prices = priced["time_ns"][rows], priced["price"][rows]
            at = np.searchsorted(times, time_ns[here], side="right") - 1
            if len(times):
                total[here] += held[here] * prices[np.maximum(at, 0)] / PPM
    return total


def _flows(view: View, accounts: Array) -> tuple[Array, Array, Array, Floats]:
    """(account, seq, asset, signed units) of everything that changes holdings but profits."""
    parts: list[tuple[Array, Array, Array, Array]] = []

    def add(account: Array, seq: Array, asset: Array, amount: Array) -> None:
        mine = np.isin(account, accounts)
        parts.append((account[mine], seq[mine], asset[mine], amount[mine]))

    rows = view.columns(e.LedgerPosted)
    rows = {key: column[~np.isin(rows["kind"], _PROFITS)] for key, column in rows.items()}
    add(rows["from_account"], rows["seq"], rows["asset"], -rows["amount"])
    add(rows["to_account"], rows["seq"], rows["asset"], rows["amount"])
    rows = view.columns(e.LoanChanged)
    add(rows["account"], rows["seq"], rows["asset"], -rows["change"])
    ids = {row["symbol"]: row["asset"] for row in view.run.assets}
    base = np.array([ids[item.base] for item in view.roles.instruments])
    quote = np.array([ids[item.quote] for item in view.roles.instruments])
    inverse = np.array([item.is_inverse for item in view.roles.instruments])
    settled = np.where(inverse, base, quote)
    spot = np.array([item.is_spot for item in view.roles.instruments])
    rows = view.columns(e.Traded)
    own, sells = rows["instrument"], rows["aggressor"] == Side.SELL
    for side, sign in (("taker", 1), ("maker", -1)):
        account, seq = rows[f"{side}_account"], rows["seq"]
        add(account, seq, settled[own], -rows[f"{side}_fee"])
        signed = np.where(sells, -sign, sign) * spot[own]
        add(account, seq, base[own], signed * rows["base_amount"])
        add(account, seq, quote[own], -signed * rows["quote_amount"])
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return joined[0], joined[1], joined[2], joined[3].astype(float)
