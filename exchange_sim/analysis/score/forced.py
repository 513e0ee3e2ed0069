"""Liquidations of perpetuals: how much, of which side, how concentrated in time.

What is liquidated is what the engine trades through the books for an account under liquidation,
what a venue takes over from it, and what is closed against winners directly.  A takeover account's
own unwinding is not counted a second time, nor are sales of collateral.
"""

from __future__ import annotations

import re

import attrs
import numpy as np

from exchange_sim.analysis.score.flow import per_interval
from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.rules import quantity_of, rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import (
    NANOS,
    Array,
    CannotMeasureError,
    Floats,
    Trades,
    View,
    columns_of,
)
from exchange_sim.messages import events as e
from exchange_sim.model.enums import FLAG_LIQUIDATION, Side
from exchange_sim.units import PPM


@attrs.frozen(eq=False)
class Forced:
    """Forced closes in order of time: dollars, instrument, account, whether of a long."""

    t: Array
    usd: Floats
    instrument: Array
    account: Array
    long: Array

    def where(self, mask: Array) -> Forced:
        """The rows of a mask."""
        names = ("t", "usd", "instrument", "account", "long")
        return Forced(*(getattr(self, name)[mask] for name in names))

    def between(self, start_ns: float, end_ns: float) -> Forced:
        """The rows of an interval, its end excluded."""
        return self.where((self.t >= start_ns) & (self.t < end_ns))


@rule(r"long share of liquidated notional")
def long_share(view: View, target: Target, match: re.Match[str]) -> float:
    """Liquidated value of long positions over all liquidated value, in percent."""
    del match
    forced = some(liquidations(view, target).between(*view.window(target)))
    return float(100.0 * forced.usd[forced.long].sum() / forced.usd.sum())


@rule(r"peak (minute|second) over mean (?:minute|second)")
def peak_over_mean(view: View, target: Target, match: re.Match[str]) -> float:
    """Largest liquidated value of an interval over the mean of the window's intervals."""
    sums = _sums(view, target, 60.0 if match[1].lower() == "minute" else 1.0)
    return float(sums.max() / sums.mean())


@rule(r"share of the .*liquidations in the peak (minute|second)")
def share_in_peak(view: View, target: Target, match: re.Match[str]) -> float:
    """Largest liquidated value of an interval over that of the window, in percent."""
    sums = _sums(view, target, 60.0 if match[1].lower() == "minute" else 1.0)
    return float(100.0 * sums.max() / sums.sum())


@rule(r"share of .*liquidations inside the ([\d.]+) minutes")
def share_inside(view: View, target: Target, match: re.Match[str]) -> float:
    """Liquidated value of the minutes after the news over that of the whole run, in percent."""
    forced = some(liquidations(view, target))
    inside = forced.between(view.ns(0.0), view.ns(60.0 * quantity_of(match[1])))
    return float(100.0 * inside.usd.sum() / forced.usd.sum())


@rule(r"top (one|two|three|five|ten|\d+) assets' share of forced-close notional")
def top_share(view: View, target: Target, match: re.Match[str]) -> float:
    """Value forced to close in the largest assets over all forced value, in percent."""
    forced = some(liquidations(view, target).between(*view.window(target)))
    sums = np.sort(np.bincount(forced.instrument, weights=forced.usd))[::-1]
    return float(100.0 * sums[: int(quantity_of(match[1]))].sum() / sums.sum())


@rule(r"share of reported liquidations")
def reported_share(view: View, target: Target, match: re.Match[str]) -> float:
    """The venue's liquidations over those reported by all, elsewhere one print a second, in %."""
    del match
    reported = reported_usd(view, *view.window(target))
    own = reported.get(view.books_of(target)[0].venue, 0.0)
    return 100.0 * own / sum(reported.values())


@rule(r"aggregate negative equity over liquidated notional")
def negative_equity(view: View, target: Target, match: re.Match[str]) -> float:
    """Deficits of accounts when they left liquidation, over liquidated value, in percent."""
    del match
    start, end = view.window(target)
    forced = some(liquidations(view, target).between(start, end))
    ended = view.columns(e.LiquidationEnded)
    inside = (ended["time_ns"] >= start) & (ended["time_ns"] < end)
    inside &= view.account_venues[ended["account"]] == view.books_of(target)[0].venue
    lost = -np.minimum(0, ended["equity"][inside]).sum() / view.books_of(target)[0].scale
    return float(100.0 * lost / forced.usd.sum())


@rule(r"backstop vault result over liquidated notional")
def backstop_result(view: View, target: Target, match: re.Match[str]) -> float:
    """What the venue's fund and backstop won since the news, over liquidated value, in percent.

    A vault that still holds something counts at what that is worth at the end of the run.
    """
    del match
    forced = some(liquidations(view, target).between(*view.window(target)))
    venue, scale = view.books_of(target)[0].venue, view.books_of(target)[0].scale
    ids = {row["venue"] for row in view.run.accounts if row["venue_name"] == venue}
    moved = view.columns(e.InsuranceChanged)
    mine = np.isin(moved["venue"], sorted(ids)) & (moved["time_ns"] >= view.news_ns)
    won = moved["change"][mine].sum() / scale + _kept(view, venue, scale)
    return float(100.0 * won / forced.usd.sum())


def _kept(view: View, venue: str, scale: float) -> float:
    """Dollars that a venue's takeover account is worth at the end: money, loans and positions."""
    owner = f"{venue}/takeover"
    keepers = [row["account"] for row in view.run.accounts if row["owner"] == owner]
    names = [row["symbol"] for row in view.run.assets]
    quotes = {item.quote for item in view.roles.instruments if item.venue == venue}
    money = [names.index(name) for name in sorted(quotes)]
    held = columns_of(view.run.balances, ("ledger_account", "asset", "amount", "loan"))
    mine = np.isin(held["ledger_account"], keepers) & np.isin(held["asset"], money)
    worth = float((held["amount"][mine] - held["loan"][mine]).sum()) / scale
    left = columns_of(
        view.run.positions, ("account", "instrument", "qty", "entry_notional", "mark")
    )
    for row in np.flatnonzero(np.isin(left["account"], keepers)):
        item = view.roles.instruments[left["instrument"][row]]
        mark, size = left["mark"][row] / PPM * item.tick, left["qty"][row] * item.lot
        paid = left["entry_notional"][row]
        if item.is_inverse:
            coins = paid / 10.0 ** view.run.assets[names.index(item.base)]["decimals"]
            worth += float(-size - coins * mark)
        else:
            worth += float(size * mark - paid / scale)
    return worth


def reported_usd(view: View, start_ns: float, end_ns: float) -> dict[str, float]:
    """Dollars of liquidations by venue as people saw them.

    A chain shows everything.  Exchanges print at most one order per second and symbol: the last
    one of the second.  Raises ``CannotMeasureError`` when nothing was liquidated.
    """
    items = [item for item in view.roles.instruments if not item.is_spot]
    forced = some(liquidations_of(view, items).between(start_ns, end_ns))
    found: dict[str, float] = {}
    for venue in dict.fromkeys(item.venue for item in items):
        here = np.isin(forced.instrument, [item.id for item in items if item.venue == venue])
        mine = forced.where(here)
        if venue == view.roles.venue("onchain_perp"):
            found[venue] = float(mine.usd.sum())
            continue
        keys = mine.instrument.astype(np.int64) * 10**12 + mine.t // int(NANOS)
        last = {int(key): float(usd) for key, usd in zip(keys, mine.usd, strict=True)}
        found[venue] = sum(last.values())
    return found


def liquidations(view: View, target: Target) -> Forced:
    """Forced closes on the venues and in the assets of a target."""
    return liquidations_of(view, perpetuals(view, target))


def perpetuals(view: View, target: Target) -> list[Instrument]:
    """Perpetuals of a target's venue (all contract kinds) and assets."""
    bases = view.roles.bases(target.asset_kind)
    if target.asset_kind in {"pegged_collateral", "equity"} or not bases:
        bases = view.roles.bases("all")
    everywhere = target.venue_kind in {"all_venues", "all", ""}
    venue = view.roles.venue(target.venue_kind)
    found = [
        item
        for item in view.roles.instruments
        if not item.is_spot and item.base in bases and (everywhere or item.venue == venue)
    ]
    if not found:
        raise CannotMeasureError(f"the run has no perpetuals on a {target.venue_kind} venue")
    return found


def liquidations_of(view: View, items: list[Instrument]) -> Forced:
    """Forced closes in some instruments, in order of time."""
    key = ("liquidations", tuple(item.id for item in items))
    if key not in view.cache:
        view.cache[key] = _liquidations_of(view, items)
    found: Forced = view.cache[key]
    return found


def _liquidations_of(view: View, items: list[Instrument]) -> Forced:
    parts = [_traded(view, items), _taken_over(view, items), _deleveraged(view, items)]
    joined = Forced(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("t", "usd", "instrument", "account", "long")
        )
    )
    order = np.argsort(joined.t, kind="stable")
    return joined.where(order)


def takeover_accounts(view: View) -> Array:
    """Accounts in which venues keep what they took over."""
    rows = view.run.accounts
    return np.array([row["account"] for row in rows if row["owner"].endswith("/takeover")], int)


def some(forced: Forced) -> Forced:
    """The same; raises ``CannotMeasureError`` when it is empty."""
    if not len(forced.t) or not forced.usd.sum():
        raise CannotMeasureError("nothing was liquidated in the window")
    return forced


def contract_values(items: list[Instrument], count: int) -> Floats:
    """Dollars per lot and tick (per lot for inverse contracts), by instrument id."""
    found = np.zeros(count)
    for item in items:
        found[item.id] = item.lot if item.is_inverse else item.lot * item.tick
    return found


def notional(view: View, items: list[Instrument], rows: dict[str, Array]) -> Floats:
    """Dollars of rows with ``instrument``, ``qty`` and a ``price`` in micro-ticks."""
    count = len(view.roles.instruments)
    values = contract_values(items, count)[rows["instrument"]] * np.abs(rows["qty"])
    inverse = np.array([item.is_inverse for item in view.roles.instruments], bool)
    found: Floats = np.where(inverse[rows["instrument"]], values, values * (rows["price"] / PPM))
    return found


def _traded(view: View, items: list[Instrument]) -> Forced:
    names = ("time_ns", "instrument", "qty", "price", "aggressor", "taker_account", "taker_flags")
    table = view.run.table(e.Traded)
    flags = table.column("taker_flags").to_numpy()
    chosen = (flags & FLAG_LIQUIDATION) != 0
    rows = {name: values[chosen] for name, values in columns_of(table, names).items()}
    keep = np.isin(rows["instrument"], [item.id for item in items])
    keep &= ~np.isin(rows["taker_account"], takeover_accounts(view))
    rows = {name: values[keep] for name, values in rows.items()}
    usd = notional(view, items, {**rows, "price": rows["price"].astype(float) * PPM})
    sold = rows["aggressor"] == Side.SELL
    return Forced(rows["time_ns"], usd, rows["instrument"], rows["taker_account"], sold)


def _taken_over(view: View, items: list[Instrument]) -> Forced:
    rows = view.columns(e.PositionTakenOver)
    keep = np.isin(rows["instrument"], [item.id for item in items])
    rows = {name: values[keep] for name, values in rows.items()}
    usd = notional(view, items, rows)
    return Forced(rows["time_ns"], usd, rows["instrument"], rows["account"], rows["qty"] > 0)


def _deleveraged(view: View, items: list[Instrument]) -> Forced:
    """Positions of bankrupt accounts that were closed against winners without a takeover."""
    rows = view.columns(e.AdlExecuted)
    keep = np.isin(rows["instrument"], [item.id for item in items])
    keep &= ~np.isin(rows["bankrupt_account"], takeover_accounts(view))
    rows = {name: values[keep] for name, values in rows.items()}
    usd = notional(view, items, rows)
    account = rows["bankrupt_account"]
    long = _net_before(view, account, rows["instrument"])
    return Forced(rows["time_ns"], usd, rows["instrument"], account, long > 0)


def _net_before(view: View, accounts: Array, instruments: Array) -> Array:
    """Lots that the accounts bought less sold in trades and opened: what ADL had left to close."""
    count = len(view.roles.instruments)
    if "net" in view.cache:
        held: Array = view.cache["net"]
        return held[accounts.astype(np.int64) * count + instruments]
    held = view.cache["net"] = np.zeros(len(view.run.accounts) * count, np.int64)
    traded = view.columns(e.Traded)
    signed = np.where(traded["aggressor"] == Side.SELL, -traded["qty"], traded["qty"])
    np.add.at(held, traded["taker_account"].astype(np.int64) * count + traded["instrument"], signed)
    np.add.at(
        held, traded["maker_account"].astype(np.int64) * count + traded["instrument"], -signed
    )
    opened = view.columns(e.PositionOpened)
    for side, sign in (("long_account", 1), ("short_account", -1)):
        keys = opened[side].astype(np.int64) * count + opened["instrument"]
        np.add.at(held, keys, sign * opened["qty"])
    return held[accounts.astype(np.int64) * count + instruments]


def _sums(view: View, target: Target, width_s: float) -> Floats:
    start, end = view.window(target)
    forced = some(liquidations(view, target).between(start, end))
    empty = np.empty(0)
    trades = Trades(forced.t, empty, forced.usd, forced.long, empty, empty)
    return per_interval(trades, forced.usd, start, end, width_s)
