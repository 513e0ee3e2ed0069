"""Orders of a strategy: how many became what, how long they waited, and when it was quoting.

Simplifications: an order that slid into the book (``FLAG_SLIDE``) is counted at the price that it
was sent with; presence and depth are looked at once per second.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from exchange_sim.analysis.facts import Floats
from exchange_sim.analysis.marks_of_run import Marks
from exchange_sim.analysis.pnl import rows_of
from exchange_sim.limits import INT64_MAX
from exchange_sim.messages.events import (
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
    OrderReplaced,
    OrderTriggered,
    Traded,
)
from exchange_sim.messages.gateway import CommandRefused
from exchange_sim.messages.reasons import CancelReason, RejectReason
from exchange_sim.model.enums import BUY, STOP_MARKET
from exchange_sim.units import NANOS_PER_S

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

MARKOUTS_S = (1, 10, 60)
"""Seconds after a fill at which the mid is looked at."""
NEAR_PPM = 10_000
"""Depth counts within this distance of the mid."""


@attrs.frozen
class OrderFigures:
    """Counts of orders and fills; volumes in the quote asset.

    ``filled`` orders traded at least in part; ``wait_s`` is the median time from acceptance to the
    first fill of orders that rested, ``None`` without any.  ``rejected`` and ``refused`` are by
    reason: by the engine, and before it.  ``markout_bp`` maps seconds to the volume-weighted move
    of the mid since the fill, in its direction and in basis points; negative: the flow was
    informed.
    """

    accepted: int
    filled: int
    canceled: int
    replaced: int
    rejected: dict[str, int]
    refused: dict[str, int]
    fills: int
    maker_volume: float
    taker_volume: float
    wait_s: float | None
    kept_priority_pct: float
    markout_bp: dict[int, float]


@attrs.frozen
class QuoteFigures:
    """Presence on one market: shares of the seconds with both sides, bids, asks; mean depth.

    Depth counts within ``NEAR_PPM`` of the mid, in the quote asset.  The ``fall`` figures are those
    between the market's highest and its lowest mid.
    """

    symbol: str
    both_pct: float
    bid_pct: float
    ask_pct: float
    bid_depth: float
    ask_depth: float
    fall_both_pct: float
    fall_bid_depth: float
    fall_from_ns: int
    fall_to_ns: int


@attrs.frozen(eq=False)
class Quoting:
    """Everything about the orders of one strategy; ``bid_depth`` in dollars, second by second."""

    orders: OrderFigures
    markets: tuple[QuoteFigures, ...]
    bid_depth: Floats
    ask_depth: Floats


def quoting_of(run: RunData, accounts: Iterable[int], marks: Marks) -> Quoting:
    """Figures of all these accounts together.  Raises ``RunCorrupt``."""
    mine = list(accounts)
    accepted = rows_of(run.table(OrderAccepted), ("account",), mine).to_pylist()
    trades = rows_of(run.table(Traded), ("maker_account", "taker_account"), mine).to_pylist()
    canceled = rows_of(run.table(OrderCanceled), ("account",), mine).to_pylist()
    replaced = rows_of(run.table(OrderReplaced), ("account",), mine).to_pylist()
    triggered = rows_of(run.table(OrderTriggered), ("account",), mine).to_pylist()
    figures = _orders(run, mine, accepted, trades, canceled, replaced, marks)
    changes = _changes(accepted, trades, canceled, replaced, triggered)
    return Quoting(figures, *_presence(run, changes, marks))


def _sides(trade: dict[str, Any], mine: dict[int, bool]) -> list[tuple[str, int]]:
    """Roles that own accounts had in a trade, with the sign of what they got."""
    found = []
    for role in ("maker", "taker"):
        if trade[f"{role}_account"] in mine:
            buys = (trade["aggressor"] == BUY) == (role == "taker")
            found.append((role, 1 if buys else -1))
    return found


def _orders(
    run: RunData,
    accounts: list[int],
    accepted: list[dict[str, Any]],
    trades: list[dict[str, Any]],
    canceled: list[dict[str, Any]],
    replaced: list[dict[str, Any]],
    marks: Marks,
) -> OrderFigures:
    mine = dict.fromkeys(accounts, True)
    volume = {"maker": 0.0, "taker": 0.0}
    first: dict[int, int] = {}
    filled: dict[int, bool] = {}
    moved = dict.fromkeys(MARKOUTS_S, 0.0)
    total = fills = 0.0
    for trade in trades:
        quote = run.instruments[trade["instrument"]]["quote_asset"]
        value = trade["quote_amount"] / 10 ** run.assets[quote]["decimals"]
        for role, sign in _sides(trade, mine):
            fills += 1
            volume[role] += value
            order = trade[f"{role}_order"]
            filled[order] = True
            if role == "maker":
                first.setdefault(order, trade["time_ns"])
            total += value
            for seconds in MARKOUTS_S:
                later = trade["time_ns"] + seconds * NANOS_PER_S
                move = marks.at(trade["instrument"], later) / (2 * trade["price"]) - 1.0
                moved[seconds] += sign * move * value
    born = {row["order_id"]: row["time_ns"] for row in accepted}
    waits = [at - born[order] for order, at in first.items() if order in born]
    kept = [row["kept_priority"] for row in replaced]
    return OrderFigures(
        accepted=len(accepted),
        filled=len(filled),
        canceled=sum(1 for row in canceled if not row["leaves"] and _is_wish(row["reason"])),
        replaced=len(replaced),
        rejected=_counted(rows_of(run.table(OrderRejected), ("account",), accounts).to_pylist()),
        refused=_counted(rows_of(run.table(CommandRefused), ("account",), accounts).to_pylist()),
        fills=int(fills),
        maker_volume=volume["maker"],
        taker_volume=volume["taker"],
        wait_s=float(np.median(waits)) / NANOS_PER_S if waits else None,
        kept_priority_pct=100.0 * sum(kept) / len(kept) if kept else 0.0,
        markout_bp={s: 10_000.0 * moved[s] / total if total else 0.0 for s in MARKOUTS_S},
    )


def _is_wish(reason: int) -> bool:
    """Whether the owner asked for it."""
    return reason in (CancelReason.USER, CancelReason.MASS, CancelReason.DISCONNECT)


def _counted(rows: list[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        name = RejectReason(row["reason"]).name
        counts[name] = counts.get(name, 0) + row.get("count", 1)
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


Change = tuple[int, int, int, int, int, int]
"""``(seq, time_ns, order, instrument, signed price, open lots)``; bids have positive prices."""


def _changes(
    accepted: list[dict[str, Any]],
    trades: list[dict[str, Any]],
    canceled: list[dict[str, Any]],
    replaced: list[dict[str, Any]],
    triggered: list[dict[str, Any]],
) -> list[Change]:
    """Every change of the resting quantity of an own order, in the order of happening."""
    signs: dict[int, int] = {}
    found: list[Change] = []
    fired = {row["order_id"]: row for row in triggered}
    for row in accepted:
        order, sign = row["order_id"], 1 if row["side"] == BUY else -1
        signs[order] = sign
        born = row
        if row["order_type"] >= STOP_MARKET:
            if order not in fired:
                continue
            born = fired[order]
        found.append(
            (
                born["seq"],
                born["time_ns"],
                order,
                row["instrument"],
                sign * row["price"],
                row["qty"],
            )
        )
    for row in replaced:
        order = row["order_id"]
        price = signs.get(order, 1) * row["price"]
        found.append((row["seq"], row["time_ns"], order, row["instrument"], price, row["leaves"]))
    found += [
        (row["seq"], row["time_ns"], row["order_id"], row["instrument"], 0, row["leaves"])
        for row in canceled
    ]
    for row in trades:
        for role in ("maker", "taker"):
            order = row[f"{role}_order"]
            if order in signs:
                leaves = row[f"{role}_leaves"]
                found.append((row["seq"], row["time_ns"], order, row["instrument"], 0, leaves))
    # A sort is stable: what one command did stays in this order, acceptance first.
    return sorted(found, key=lambda change: change[0])


def _segments(changes: list[Change]) -> tuple[list[tuple[int, int, int]], list[int], list[int]]:
    """(instrument, signed price, lots) of every stretch in which an order rested unchanged.

    With the first instant of each, and the first after it.
    """
    resting: dict[int, tuple[int, int, int, int]] = {}
    kinds: list[tuple[int, int, int]] = []
    begins: list[int] = []
    ends: list[int] = []
    for _, time_ns, order, instrument, price, lots in changes:
        known = resting.pop(order, None)
        if known is not None:
            since, *kind = known
            kinds.append((kind[0], kind[1], kind[2]))
            begins.append(since)
            ends.append(time_ns)
        if lots and (price or known is not None):
            price_now = price or (known[2] if known is not None else 0)
            resting[order] = (time_ns, instrument, price_now, lots)
    for since, *kind in resting.values():
        kinds.append((kind[0], kind[1], kind[2]))
        begins.append(since)
        ends.append(INT64_MAX)
    return kinds, begins, ends


def _presence(
    run: RunData, changes: list[Change], marks: Marks
) -> tuple[tuple[QuoteFigures, ...], Floats, Floats]:
    """Figures by market, and the depth of both sides over all of them; O(orders + seconds)."""
    grid = marks.grid
    traded = sorted({change[3] for change in changes})
    mids = {instrument: marks.on(instrument, grid) for instrument in traded}
    sides = {instrument: np.zeros((2, len(grid)), np.bool_) for instrument in traded}
    depth = {instrument: np.zeros((2, len(grid))) for instrument in traded}
    kinds, begins, ends = _segments(changes)
    # An order is there at the seconds of [begin, end).
    firsts = np.searchsorted(grid, np.array(begins, np.int64)).tolist()
    afters = np.searchsorted(grid, np.array(ends, np.int64)).tolist()
    for (instrument, price, lots), first, after in zip(kinds, firsts, afters, strict=True):
        if first >= after:
            continue
        side = 0 if price > 0 else 1
        sides[instrument][side, first:after] = True
        twice = mids[instrument][first:after]
        near = np.abs(2 * abs(price) - twice) * 1_000_000 <= NEAR_PPM * twice
        depth[instrument][side, first:after] += near * marks.size(instrument, lots, abs(price))
    figures, totals = [], np.zeros((2, len(grid)))
    for instrument in traded:
        shown = depth[instrument]
        totals += shown
        figures.append(_figures(run, instrument, sides[instrument], shown, mids[instrument], grid))
    return tuple(figures), totals[0], totals[1]


def _figures(
    run: RunData, instrument: int, sides: Any, near: Floats, mids: Any, grid: Any
) -> QuoteFigures:
    low = int(np.argmin(mids)) if len(mids) else 0
    high = int(np.argmax(mids[: low + 1])) if len(mids) else 0
    fall = slice(high, low + 1)
    both = sides[0] & sides[1]
    return QuoteFigures(
        symbol=run.instruments[instrument]["symbol"],
        both_pct=_pct(both),
        bid_pct=_pct(sides[0]),
        ask_pct=_pct(sides[1]),
        bid_depth=_mean(near[0]),
        ask_depth=_mean(near[1]),
        fall_both_pct=_pct(both[fall]),
        fall_bid_depth=_mean(near[0][fall]),
        fall_from_ns=int(grid[high]) if len(grid) else 0,
        fall_to_ns=int(grid[low]) if len(grid) else 0,
    )


def _pct(flags: Any) -> float:
    return 100.0 * float(flags.mean()) if len(flags) else 0.0


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0
