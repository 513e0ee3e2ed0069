"""Futures: brackets, liquidation and bankruptcy prices, fees and ADL ranks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from exchange_sim.analysis.rules.common import (
    LONG,
    SCALE,
    SHORT,
    InputError,
    Inputs,
    Results,
    plain,
    ppm,
    rule,
    units,
)
from exchange_sim.risk import adl, prices
from exchange_sim.risk.brackets import BracketTable, cumulative_ppm, maintenance_up
from exchange_sim.units import PPM

_FEE = ("liquidation_fee_rate", "fee_rate", "liquidation_fee")


def _table(given: Inputs) -> BracketTable | None:
    """Brackets from columns, or from rows with floor, mmr and leverage; None if there are none."""
    if given.has("brackets", "tiers"):
        rows = given.subs("brackets", "tiers")
        floors = [row.num("floor", "min_notional", "notionalFloor") for row in rows]
        rates = [row.num("mmr", "maint_margin_ratio", "maintMarginRatio") for row in rows]
        tops = [row.opt("max_leverage", "leverage", "initialLeverage") for row in rows]
    elif given.has("floors"):
        floors, rates = given.nums("floors"), given.nums("mmr")
        tops = [*given.nums("max_leverage")] if given.has("max_leverage") else [None] * len(floors)
    else:
        return None
    leverage: list[int] = []
    for rate, top in zip(rates, tops, strict=True):
        highest = int(1 / rate) if top is None else int(top)
        if top is None and leverage:
            highest = min(highest, leverage[-1] - 1)
        leverage.append(highest)
    return BracketTable([units(f) for f in floors], [ppm(r, "mmr") for r in rates], leverage)


@rule("binance.cm.maint_margin", "binance.cm.maintenance_margin")
def coin_maintenance(given: Inputs) -> Results:
    """Maintenance margin of one coin-margined position, in coin."""
    multiplier = ("multiplier", "contract_size*", "contract_multiplier")
    value = given.opt("usd_notional")
    if given.has(*multiplier):
        value = given.num("contracts", "qty", "position*") * given.num(*multiplier)
    if value is None:
        return maintenance(given)
    coins = abs(value) / given.num("mark", "mark_price", "price")
    return maintenance(Inputs({**given.data, "notional": str(coins)}, given.path))


@rule("binance.um.maint_margin", "binance.um.maintenance_margin")
def maintenance(given: Inputs) -> Results:
    """Maintenance margin of one position."""
    notional = abs(given.notional())
    table = _table(given)
    if table is not None:
        found: Results = {
            "maint_margin": plain(table.maintenance(units(notional))),
            "bracket": table.bracket(units(notional)) + 1,
            "max_leverage": table.max_leverage(units(notional)),
        }
    else:
        rate, cum = ppm(given.num("mmr"), "mmr"), units(given.num("cum", default=0))
        found = {"maint_margin": plain(maintenance_up(units(notional), rate, cum * PPM))}
    found["maintenance_margin"] = found["maint_margin"]
    found["notional"] = notional
    return found


@rule("binance.um.cum_recursion", "binance.cm.cum_recursion")
def cumulative(given: Inputs) -> Results:
    """The cum column of a whole table, or one step of its recursion."""
    if given.has("floors", "floors_*"):
        floors, rates = given.nums("floors", "floors_*"), given.nums("mmr")
        if len(floors) != len(rates):
            raise InputError(f"inputs: {len(floors)} floors but {len(rates)} rates")
        cum = cumulative_ppm([units(f) for f in floors], [ppm(r, "mmr") for r in rates])
        return {"cum": [plain(value) / PPM for value in cum]}
    steps = [ppm(given.num("mmr_prev"), "mmr_prev"), ppm(given.num("mmr_n", "mmr"), "mmr")]
    rise = cumulative_ppm([0, units(given.num("floor", "floor_*"))], steps)[1]
    return {"cum": given.num("cum_prev", default=0) + plain(rise) / PPM}


@rule("binance.um.liquidation_price")
def linear_liquidation(given: Inputs) -> Results:
    """Liquidation price of a linear position, isolated or beside others in one wallet."""
    target = given.sub("target", "position") if given.has("target", "position") else given
    side, qty = target.side(default=LONG), abs(target.num("qty", "size", "position*"))
    entry = target.num("entry", "entry_price")
    wallet = given.opt("wallet_balance", "isolated_wallet*", "isolated_margin", "margin", "wallet")
    if wallet is None:
        wallet = qty * entry / target.num("leverage")
    other_margin = given.num("other_maint_margin", "tmm_other", "other_mm", default=0)
    other_profit = given.num("other_upnl", "upnl_other", default=0)
    for other in given.subs("other", "others"):
        held, mark = abs(other.num("qty", "size")), other.num("mark", "mark_price")
        cum = units(other.num("cum", default=0))
        margin = maintenance_up(units(held * mark), ppm(other.num("mmr"), "mmr"), cum * PPM)
        other_margin += plain(margin)
        other_profit += other.side(default=LONG) * held * (mark - other.num("entry"))
    table = _table(target) or _table(given)
    if table is None:
        mmr, cum_quote = target.num("mmr"), target.num("cum", default=0)
        price = prices.liquidation_price(
            side, qty, entry, wallet, mmr, cum_quote, other_margin, other_profit
        )
    else:
        price = prices.liquidation_price_by_table(
            side,
            qty * SCALE,
            entry,
            wallet * SCALE,
            table,
            other_margin * SCALE,
            other_profit * SCALE,
        )
    return {"liq_price": price, "tmm_other": other_margin, "upnl_other": other_profit}


@rule("binance.cm.liquidation_price")
def inverse_liquidation(given: Inputs) -> Results:
    """Liquidation price of a coin-margined position."""
    value = given.opt("usd_notional", "notional*")
    if value is None:
        value = given.num("contracts", "qty") * given.num("multiplier", "contract_size*")
    price = prices.inverse_liquidation_price(
        given.side(default=LONG),
        value,
        given.num("entry", "entry_price"),
        given.num("wallet_balance", "wallet*", "margin*"),
        given.num("mmr"),
        given.num("cum", default=0),
        given.num("other_maint_margin", "tmm_other", default=0),
        given.num("other_upnl", "upnl_other", default=0),
    )
    return {"liq_price": price}


def _both_sides(given: Inputs, long: Any, short: Any) -> Results:
    found: Results = {"bankruptcy_long": long, "bankruptcy_short": short}
    if given.has("side"):
        found["bankruptcy"] = long if given.side() == LONG else short
    return found


@rule("perp.linear.bankruptcy_price")
def linear_bankruptcy(given: Inputs) -> Results:
    """Bankruptcy price of a linear position at a leverage, or with a margin."""
    entry = given.num("entry", "entry_price")
    if given.has("leverage"):
        times = given.num("leverage")
        long, short = (
            prices.linear_bankruptcy_at_leverage(side, entry, times) for side in (LONG, SHORT)
        )
    else:
        per_unit = given.num("margin", "position_margin") / given.num("qty", "size")
        long, short = (prices.linear_bankruptcy(side, entry, per_unit) for side in (LONG, SHORT))
    return _both_sides(given, long, short)


@rule("perp.inverse.bankruptcy_price")
def inverse_bankruptcy(given: Inputs) -> Results:
    """Bankruptcy price of an inverse position at a leverage, or with a margin in coin."""
    entry = given.num("entry", "entry_price")
    if given.has("leverage"):
        times = given.num("leverage")
        long, short = (
            prices.inverse_bankruptcy_at_leverage(side, entry, times) for side in (LONG, SHORT)
        )
    else:
        value, margin = given.num("usd_notional", "notional*", "qty"), given.num("margin*")
        long, short = (
            prices.inverse_bankruptcy(side, value, entry, margin) for side in (LONG, SHORT)
        )
    return _both_sides(given, long, short)


@rule("bybit.cross.bankruptcy_price", "bybit.isolated.bankruptcy_price")
def bybit_bankruptcy(given: Inputs) -> Results:
    """Bankruptcy price with the margin behind a position, and the price that ADL settles at."""
    margin = given.num("position_margin", "margin") + given.num("wallet_balance", default=0)
    size, side = given.num("size", "qty"), given.side(default=LONG)
    price = prices.linear_bankruptcy(side, given.num("entry"), margin / size)
    found: Results = {"bankruptcy": price}
    if given.has("mark", "mark_price"):
        found["settle_price_used"] = prices.settle_price(price, given.num("mark", "mark_price"))
    return found


@rule("binance.um.liquidation_fee")
def liquidation_fee(given: Inputs) -> Results:
    """Clearance fee of a liquidation."""
    if given.has("liquidated_notional", "*notional"):
        notional = given.num("liquidated_notional", "*notional")
    else:
        notional = given.num("*qty") * given.num("*price")
    fee = plain(prices.liquidation_fee(units(notional), ppm(given.num(*_FEE), "fee")))
    return {"fee_usdt": fee, "fee": fee}


def _rank(account: Inputs) -> tuple[int, int, int]:
    """Unrealised profit, wallet and rank (all in units) of an account."""
    profit = account.num("up", "upnl", "unrealized_profit", "unrealised_profit", "pnl")
    wallet = account.num("wb", "wallet_balance", "wallet")
    if account.has("mm", "maint_margin", "maintenance_margin"):
        margin = account.num("mm", "maint_margin", "maintenance_margin")
    else:
        margin = account.num("margin_ratio") * max(Fraction(0), wallet + profit)
    up, wb = units(profit), units(wallet)
    return up, wb, adl.adl_rank(up, wb, units(margin), SCALE, SCALE)


@rule("binance.adl.leverage_pnl")
def leverage_pnl(given: Inputs) -> Results:
    """Binance's ranking figure of one account."""
    profit, wallet, rank = _rank(given)
    percent = adl.pnl_percent(profit, wallet, SCALE, SCALE)
    return {"pnl_percent": plain(percent), "leverage_pnl": plain(rank)}


@rule("binance.adl.ranking")
def ranking(given: Inputs) -> Results:
    """Order in which several accounts are deleveraged."""
    accounts = given.named("accounts")
    names = list(accounts)
    ranks = {name: _rank(account)[2] for name, account in accounts.items()}
    queue = adl.ranked([adl.AdlCandidate(k, 1, ranks[n]) for k, n in enumerate(names)], salt=0)
    order = [names[candidate.account] for candidate in queue]
    return {
        "leverage_pnl": {name: plain(rank) for name, rank in ranks.items()},
        "order": order,
        "quantile": {name: adl.quantile(k, len(order)) for k, name in enumerate(order)},
    }


@rule("adl.rank.pnl_times_leverage", "bybit.adl.rank")
def pnl_times_leverage(given: Inputs) -> Results:
    """Rank by profit and effective leverage."""
    side, entry, mark = given.side(default=LONG), given.num("entry"), given.num("mark")
    bust = given.num("bankruptcy", "bankruptcy_price", "bust_price")
    qty = given.num("qty", "size", default=1)
    opened, marked, busted = (units(qty * price) for price in (entry, mark, bust))
    distance = abs(mark - bust)
    return {
        "pnl_pct": side * (mark - entry) / entry,
        "effective_leverage": mark / distance if distance else None,
        "rank": plain(adl.leverage_rank(side, opened, marked, busted, SCALE)),
    }
