"""Lending pools, automated market makers and the issuer of the synthetic dollar.

Collateral and debt are valued at the last oracle price (dollars) before the event, or at the last
trade of the asset's main spot book when no oracle priced it.
"""

from __future__ import annotations

import re

import numpy as np

from exchange_sim.analysis.score.forced import reported_usd
from exchange_sim.analysis.score.rules import rule
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import Array, CannotMeasureError, Floats, View
from exchange_sim.messages import chain_events as ce
from exchange_sim.messages import credit_events as cre

ORACLE_SCALE = 10.0**8


@rule(r"lending-protocol deficit over liquidated collateral")
def deficit_share(view: View, target: Target, match: re.Match[str]) -> float:
    """Debt written off over the value of collateral seized in the pools, in percent."""
    del match
    start, end = view.window(target)
    _, seized, _ = pool_liquidations(view, start, end)
    rows = _within(view.columns(ce.DeficitRecorded), start, end)
    return 100.0 * float(dollars(view, rows, "asset", "amount").sum()) / float(seized.sum())


@rule(r"liquidation bonus over liquidated collateral")
def bonus_share(view: View, target: Target, match: re.Match[str]) -> float:
    """Value seized beyond the debt repaid over the value seized, in percent."""
    del match
    _, seized, repaid = pool_liquidations(view, *view.window(target))
    return 100.0 * float((seized - repaid).sum()) / float(seized.sum())


@rule(r"lending-protocol liquidations over all reported liquidations")
def share_of_reported(view: View, target: Target, match: re.Match[str]) -> float:
    """Collateral seized in pools over that and what exchanges report, in percent."""
    del match
    start, end = view.window(target)
    _, seized, _ = pool_liquidations(view, start, end)
    total = float(seized.sum()) + sum(reported_usd(view, start, end).values())
    return 100.0 * float(seized.sum()) / total


@rule(r"redemptions in .* over supply")
def redeemed_share(view: View, target: Target, match: re.Match[str]) -> float:
    """Units redeemed at the issuer over the supply before the first of them, in percent."""
    del match
    start, end = view.window(target)
    redeemed = view.columns(cre.SyntheticRedeemed)
    inside = (redeemed["time_ns"] >= start) & (redeemed["time_ns"] <= end)
    if not inside.any():
        raise CannotMeasureError("nothing was redeemed at an issuer")
    symbols = [row["symbol"] for row in view.run.assets]
    held = view.run.balances
    asset, amount = held.column("asset").to_numpy(), held.column("amount").to_numpy()
    dollar = [symbols.index(name) for name in view.roles.bases(target.asset_kind)]
    # What exists at the end and what was destroyed is what existed, unless more was made.
    supply = float(amount[np.isin(asset, dollar) & (amount > 0)].sum())
    minted = float(view.columns(cre.SyntheticMinted)["amount"].sum())
    supply += float(redeemed["amount"].sum()) - minted
    return 100.0 * float(redeemed["amount"][inside].sum()) / supply


@rule(r"low, deep stableswap pool|low, .*\bpool\b")
def pool_low(view: View, target: Target, match: re.Match[str]) -> float:
    """Lowest price of the asset in swaps, in units of the other asset, fees included."""
    del match
    rows = _within(view.columns(ce.Swapped), *view.window(target))
    symbols = np.array([row["symbol"] for row in view.run.assets], dtype=object)
    units = np.array([10.0 ** row["decimals"] for row in view.run.assets])
    wanted = view.roles.bases(target.asset_kind)
    lows = []
    for sold, bought in (("in", "out"), ("out", "in")):
        mine = np.isin(symbols[rows[f"asset_{sold}"]], sorted(wanted))
        got = rows[f"amount_{bought}"] / units[rows[f"asset_{bought}"]]
        gave = rows[f"amount_{sold}"] / units[rows[f"asset_{sold}"]]
        # Dust has no price.
        mine &= gave >= 1.0
        if mine.any():
            lows.append(float((got[mine] / gave[mine]).min()))
    if not lows:
        raise CannotMeasureError("nobody swapped the asset in an AMM")
    return min(lows)


def pool_liquidations(view: View, start_ns: float, end_ns: float) -> tuple[Array, Floats, Floats]:
    """Times, dollars seized and dollars repaid of pool liquidations.

    Raises ``CannotMeasureError`` when there is none.
    """
    rows = _within(view.columns(ce.PoolLiquidation), start_ns, end_ns)
    if not len(rows["time_ns"]):
        raise CannotMeasureError("no lending pool liquidated anybody")
    seized = dollars(view, rows, "collateral_asset", "seized")
    return rows["time_ns"], seized, dollars(view, rows, "debt_asset", "repaid")


def dollars(view: View, rows: dict[str, Array], asset: str, amount: str) -> Floats:
    """Dollars of amounts of assets, each at the last price before its instant."""
    found = np.zeros(len(rows["time_ns"]))
    for one in np.unique(rows[asset]):
        mine = rows[asset] == one
        facts = view.run.assets[int(one)]
        prices = _prices(view, int(one), facts["symbol"], rows["time_ns"][mine])
        found[mine] = rows[amount][mine] / 10.0 ** facts["decimals"] * prices
    return found


def _prices(view: View, asset: int, symbol: str, times: Array) -> Floats:
    oracle = view.columns(ce.OracleUpdated)
    mine = oracle["asset"] == asset
    if mine.any():
        at = np.searchsorted(oracle["time_ns"][mine], times, side="right") - 1
        found: Floats = oracle["price"][mine][np.maximum(at, 0)] / ORACLE_SCALE
        return found
    if view.roles.assets[symbol].kind == "quote":
        return np.ones(len(times))
    for item in view.roles.instruments:
        if item.base == symbol and item.is_spot and item.main:
            prices = view.prices(item)
            return np.array([prices.at(instant) for instant in times])
    raise CannotMeasureError(f"nothing prices {symbol}")


def _within(rows: dict[str, Array], start_ns: float, end_ns: float) -> dict[str, Array]:
    inside = (rows["time_ns"] >= start_ns) & (rows["time_ns"] <= end_ns)
    return {name: values[inside] for name, values in rows.items()}
